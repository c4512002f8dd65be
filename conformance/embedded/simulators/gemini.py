"""Google's Gemini API: generateContent and streamGenerateContent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.embedded.simulators.chat import halves
from conformance.embedded.simulators.completion import (
    Ask,
    Choice,
    Completion,
    Json,
    Tool,
    called,
    digest,
    object_of,
    text_of,
    whole_number,
)
from conformance.embedded.simulators.wire import Wire, sse

_MOST_CANDIDATES = 8  # https://ai.google.dev/api/generate-content#generationconfig
# https://ai.google.dev/gemini-api/docs/thinking: budgets that stand for the efforts other vendors name.
_BUDGETS = ((0, "none"), (1024, "low"), (2048, "medium"), (4096, "high"))


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a generateContent request asks for."""
    contents = [each for each in body.get("contents") or () if isinstance(each, dict)]
    users = [text_of(each.get("parts")) for each in contents if each.get("role") in (None, "user")]
    instruction = users[-1] if users else ""
    system = text_of(_get(body, "systemInstruction"))
    config = object_of(_get(body, "generationConfig"))
    schema = _get(config, "responseSchema") or _get(config, "responseJsonSchema")
    return Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join([system, *(text_of(each) for each in contents)]).strip(),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(_get(config, "maxOutputTokens")),
        stop=tuple(_get(config, "stopSequences") or ()),
        choices=min(_MOST_CANDIDATES, max(1, whole_number(_get(config, "candidateCount")) or 1)),
        effort=_effort(object_of(_get(config, "thinkingConfig"))),
        call=_calls(body, instruction),
        wants_json=_get(config, "responseMimeType") == "application/json",
        json_schema=schema if isinstance(schema, dict) else None,
    )


def _get(value: Json, name: str) -> Any:  # protobuf JSON takes both spellings
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    found = value.get(name)
    return value.get(snake) if found is None else found


def _effort(thinking: Json) -> str | None:
    budget, level = whole_number(_get(thinking, "thinkingBudget")), _get(thinking, "thinkingLevel")
    if isinstance(level, str):
        return level.lower()
    return None if budget is None else next((name for most, name in _BUDGETS if budget <= most), "xhigh")


def _calls(body: Json, instruction: str) -> tuple[Tool, ...]:
    config = object_of(_get(object_of(_get(body, "toolConfig")), "functionCallingConfig"))
    offered: list[Tool] = []
    for tool in body.get("tools") or ():
        declared = _get(object_of(tool), "functionDeclarations")
        for each in declared if isinstance(declared, list) else ():
            schema = _get(object_of(each), "parametersJsonSchema") or object_of(each).get("parameters")
            offered.append(Tool(str(object_of(each).get("name", "")), object_of(schema)))
    allowed = _get(config, "allowedFunctionNames")
    return called(
        offered,
        forced=str(config.get("mode", "")).upper() == "ANY",
        named=str(allowed[0]) if isinstance(allowed, list) and allowed else None,
        parallel=True,
        instruction=instruction,
        forbidden=str(config.get("mode", "")).upper() == "NONE",
    )


def whole(done: Completion, body: Json) -> Json:
    """The completion as one GenerateContentResponse."""
    candidates = [
        _candidate(index, _parts(done, choice), choice) | _logprobs(choice, body)
        for index, choice in enumerate(done.choices)
    ]
    return _response(done, candidates, ended=True)


def _parts(done: Completion, choice: Choice) -> list[Json]:
    if choice.calls:
        return [{"functionCall": {"name": call.name, "args": json.loads(call.arguments)}} for call in choice.calls]
    return [{"text": choice.text}]


def _candidate(index: int, parts: list[Json], choice: Choice | None) -> Json:
    candidate: Json = {"index": index, "content": {"role": "model", "parts": parts}}
    if choice is not None:
        candidate["finishReason"] = "MAX_TOKENS" if choice.finish == "length" else "STOP"
    return candidate


def _logprobs(choice: Choice, body: Json) -> Json:
    config = object_of(_get(body, "generationConfig"))
    if _get(config, "responseLogprobs") is not True:
        return {}
    chosen = [{"token": piece, "tokenId": 1, "logProbability": -0.01} for piece in choice.pieces]
    return {
        "avgLogprobs": -0.01,
        "logprobsResult": {
            "chosenCandidates": chosen,
            "topCandidates": [{"candidates": [each]} for each in chosen],
        },
    }


def _response(done: Completion, candidates: list[Json], *, ended: bool) -> Json:
    figures = done.usage
    usage: Json = {"promptTokenCount": figures.prompt, "totalTokenCount": figures.prompt}
    if ended:
        usage |= {
            "candidatesTokenCount": figures.completion - figures.reasoning,
            "totalTokenCount": figures.total,
        }
        usage |= {"thoughtsTokenCount": figures.reasoning} if figures.reasoning else {}
        usage |= {"cachedContentTokenCount": figures.cached} if figures.cached else {}
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": figures.prompt}]
    return {
        "candidates": candidates,
        "usageMetadata": usage,
        "modelVersion": done.ask.model,
        "responseId": done.digest,
    }


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The completion as partial GenerateContentResponses; the last one carries the usage."""
    last = len(done.choices) - 1
    for index, choice in enumerate(done.choices):
        pieces = [] if choice.calls else [[{"text": "".join(piece)}] for piece in halves(choice.pieces)]
        for parts in pieces[:-1]:
            yield sse(_response(done, [_candidate(index, parts, None)], ended=False))
        final = pieces[-1] if pieces else _parts(done, choice)
        candidate = _candidate(index, final, choice) | _logprobs(choice, body)
        yield sse(_response(done, [candidate], ended=index == last))


WIRE = Wire(read, whole, stream)
