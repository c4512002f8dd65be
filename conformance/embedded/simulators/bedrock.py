"""Amazon Bedrock's Converse and ConverseStream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from conformance.embedded.simulators import anthropic
from conformance.embedded.simulators.chat import halves
from conformance.embedded.simulators.completion import (
    Ask,
    Completion,
    Json,
    Tool,
    called,
    digest,
    object_of,
    text_of,
    whole_number,
)
from conformance.embedded.simulators.converse import asked_of_claude, is_claude, stretches
from conformance.embedded.simulators.eventstream import encode
from conformance.embedded.simulators.wire import Wire

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_METRICS = {"latencyMs": 180}


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a Converse request asks for."""
    messages = [each for each in body.get("messages") or () if isinstance(each, dict)]
    users = [text_of(each.get("content")) for each in messages if each.get("role") == "user"]
    instruction = users[-1] if users else ""
    config = object_of(body.get("inferenceConfig"))
    claude = asked_of_claude(body) if is_claude(model) else {}
    ask = Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join([text_of(body.get("system")), *(text_of(each) for each in messages)]).strip(),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(config.get("maxTokens")),
        stop=tuple(config.get("stopSequences") or ()),
        call=_calls(object_of(body.get("toolConfig")), object_of(claude.get("tool_choice")), instruction),
    )
    if not claude:
        return ask
    prompt, wanted = stretches(body), anthropic.read(vendor, model, claude)
    return replace(
        ask,
        prompt="\n".join(stretch.text for stretch in prompt),
        effort=wanted.effort,
        wants_json=wanted.wants_json,
        json_schema=wanted.json_schema,
        stretches=prompt,
    )


def _calls(config: Json, claude: Json, instruction: str) -> tuple[Tool, ...]:
    specs = [object_of(object_of(each).get("toolSpec")) for each in config.get("tools") or ()]
    offered = [Tool(spec["name"], object_of(object_of(spec.get("inputSchema")).get("json"))) for spec in specs if spec]
    choice = object_of(config.get("toolChoice"))
    return called(
        offered,
        forced="any" in choice or "tool" in choice,
        named=object_of(choice.get("tool")).get("name"),
        parallel=claude.get("disable_parallel_tool_use") is not True,
        instruction=instruction,
    )


def whole(done: Completion, _body: Json) -> Json:
    """The completion as one Converse response."""
    calls: list[Json] = [
        {
            "toolUse": {
                "toolUseId": f"tooluse_{call.id}",
                "name": call.name,
                "input": json.loads(call.arguments),
            }
        }
        for call in done.first.calls
    ]
    content = [*_thoughts(done), *(calls or [{"text": done.first.text}])]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _stop_reason(done),
        "usage": _usage(done),
        "metrics": _METRICS,
    }


def _thoughts(done: Completion) -> list[Json]:
    signed = {"text": done.reasoning, "signature": digest(done.reasoning)}
    return [{"reasoningContent": {"reasoningText": signed}}] if done.reasoning else []


def _stop_reason(done: Completion) -> str:
    return "stop_sequence" if done.first.stopped_by else _STOP_REASONS[done.first.finish]


def _usage(done: Completion) -> Json:
    figures = done.usage
    written = sum(figures.written.values())
    fresh = figures.prompt - figures.cached - written
    usage = {"inputTokens": fresh, "outputTokens": figures.completion, "totalTokens": figures.total}
    cached = {"cacheReadInputTokens": figures.cached, "cacheWriteInputTokens": written}
    return usage if done.ask.stretches is None else usage | cached


def stream(done: Completion, _body: Json) -> Iterator[bytes]:
    """The completion as binary events, from messageStart to metadata."""
    yield encode("messageStart", {"role": "assistant"})
    first = 0
    if done.reasoning:
        first = 1
        for piece in ({"text": done.reasoning}, {"signature": digest(done.reasoning)}):
            yield encode("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": piece}})
        yield encode("contentBlockStop", {"contentBlockIndex": 0})
    for index, call in enumerate(done.first.calls, first):
        start = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name}}
        yield encode("contentBlockStart", {"contentBlockIndex": index, "start": start})
        for part in halves(call.arguments):
            yield encode("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": part}}})
        yield encode("contentBlockStop", {"contentBlockIndex": index})
    if not done.first.calls:
        for pieces in halves(done.first.pieces):
            yield encode("contentBlockDelta", {"contentBlockIndex": first, "delta": {"text": "".join(pieces)}})
        yield encode("contentBlockStop", {"contentBlockIndex": first})
    yield encode("messageStop", {"stopReason": _stop_reason(done)})
    yield encode("metadata", {"usage": _usage(done), "metrics": _METRICS})


WIRE = Wire(read, whole, stream, media_type="application/vnd.amazon.eventstream")
