"""Amazon Bedrock's Converse and ConverseStream."""

from __future__ import annotations

import json
from collections.abc import Iterator

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
    return Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join([text_of(body.get("system")), *(text_of(each) for each in messages)]).strip(),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(config.get("maxTokens")),
        stop=tuple(config.get("stopSequences") or ()),
        call=_calls(object_of(body.get("toolConfig")), instruction),
    )


def _calls(config: Json, instruction: str) -> tuple[Tool, ...]:
    specs = [object_of(object_of(each).get("toolSpec")) for each in config.get("tools") or ()]
    offered = [Tool(spec["name"], object_of(object_of(spec.get("inputSchema")).get("json"))) for spec in specs if spec]
    choice = object_of(config.get("toolChoice"))
    return called(
        offered,
        forced="any" in choice or "tool" in choice,
        named=object_of(choice.get("tool")).get("name"),
        parallel=True,
        instruction=instruction,
    )


def whole(done: Completion, _body: Json) -> Json:
    """The completion as one Converse response."""
    blocks: list[Json] = [
        {
            "toolUse": {
                "toolUseId": f"tooluse_{call.id}",
                "name": call.name,
                "input": json.loads(call.arguments),
            }
        }
        for call in done.first.calls
    ]
    return {
        "output": {"message": {"role": "assistant", "content": blocks or [{"text": done.first.text}]}},
        "stopReason": _stop_reason(done),
        "usage": _usage(done),
        "metrics": _METRICS,
    }


def _stop_reason(done: Completion) -> str:
    return "stop_sequence" if done.first.stopped_by else _STOP_REASONS[done.first.finish]


def _usage(done: Completion) -> Json:
    figures = done.usage
    return {"inputTokens": figures.prompt, "outputTokens": figures.completion, "totalTokens": figures.total}


def stream(done: Completion, _body: Json) -> Iterator[bytes]:
    """The completion as binary events, from messageStart to metadata."""
    yield encode("messageStart", {"role": "assistant"})
    for index, call in enumerate(done.first.calls):
        start = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name}}
        yield encode("contentBlockStart", {"contentBlockIndex": index, "start": start})
        for piece in halves(call.arguments):
            yield encode("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}})
        yield encode("contentBlockStop", {"contentBlockIndex": index})
    if not done.first.calls:
        for piece in halves(done.first.pieces):
            yield encode("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "".join(piece)}})
        yield encode("contentBlockStop", {"contentBlockIndex": 0})
    yield encode("messageStop", {"stopReason": _stop_reason(done)})
    yield encode("metadata", {"usage": _usage(done), "metrics": _METRICS})


WIRE = Wire(read, whole, stream, media_type="application/vnd.amazon.eventstream")
