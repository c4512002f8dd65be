"""Anthropic's Messages API."""

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
from conformance.embedded.simulators.wire import Wire, sse

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a messages request asks for."""
    messages = [each for each in body.get("messages") or () if isinstance(each, dict)]
    users = [text_of(each.get("content")) for each in messages if each.get("role") == "user"]
    instruction = users[-1] if users else ""
    config = object_of(body.get("output_config"))
    wanted = object_of(config.get("format")) or object_of(body.get("output_format"))
    thinking = object_of(body.get("thinking")).get("type")
    return Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join([text_of(body.get("system")), *(text_of(each) for each in messages)]).strip(),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(body.get("max_tokens")),
        stop=tuple(body.get("stop_sequences") or ()),
        effort=(config.get("effort") or "medium") if thinking in ("enabled", "adaptive") else "none",
        call=_calls(body, instruction),
        wants_json=wanted.get("type") == "json_schema",
        json_schema=wanted.get("schema") if isinstance(wanted.get("schema"), dict) else None,
    )


def _calls(body: Json, instruction: str) -> tuple[Tool, ...]:
    offered = [each for each in body.get("tools") or () if isinstance(each, dict) and "input_schema" in each]
    choice = object_of(body.get("tool_choice"))
    return called(
        [Tool(each["name"], object_of(each["input_schema"])) for each in offered],
        forced=choice.get("type") in ("any", "tool"),
        named=choice.get("name"),
        parallel=choice.get("disable_parallel_tool_use") is not True,
        instruction=instruction,
        forbidden=choice.get("type") == "none",
    )


def whole(done: Completion, body: Json) -> Json:
    """The completion as one message."""
    return _message(done) | {
        "content": _content(done),
        "stop_reason": _stop_reason(done),
        "stop_sequence": done.first.stopped_by,
        "usage": _usage(done, body),
    }


def _message(done: Completion) -> Json:
    return {
        "id": f"msg_{done.digest}",
        "type": "message",
        "role": "assistant",
        "model": done.ask.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop_reason(done: Completion) -> str:
    return "stop_sequence" if done.first.stopped_by else _STOP_REASONS[done.first.finish]


def _content(done: Completion) -> list[Json]:
    blocks: list[Json] = []
    if done.reasoning:
        blocks.append({"type": "thinking", "thinking": done.reasoning, "signature": digest(done.reasoning)})
    for call in done.first.calls:
        arguments = {"input": _decoded(call.arguments), "id": f"toolu_{call.id}", "name": call.name}
        blocks.append({"type": "tool_use", **arguments})
    if not done.first.calls:
        blocks.append({"type": "text", "text": done.first.text})
    return blocks


def _decoded(arguments: str) -> Json:
    return object_of(json.loads(arguments))


def _usage(done: Completion, body: Json) -> Json:
    figures = done.usage
    tier = body.get("service_tier")
    return {
        "input_tokens": figures.prompt - figures.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": figures.cached,
        "output_tokens": figures.completion,
        "service_tier": "standard" if tier in (None, "auto", "standard_only") else tier,
    }


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The completion as events, from message_start to message_stop."""
    for event in _events(done, body):
        yield sse(event, event=event["type"])


def _events(done: Completion, body: Json) -> Iterator[Json]:
    usage = _usage(done, body)
    yield {"type": "message_start", "message": {**_message(done), "usage": {**usage, "output_tokens": 1}}}
    yield {"type": "ping"}
    for index, block in enumerate(_content(done)):
        blank, deltas = _DELTAS[block["type"]](block, done)
        yield {"type": "content_block_start", "index": index, "content_block": blank}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": _stop_reason(done), "stop_sequence": done.first.stopped_by}
    yield {"type": "message_delta", "delta": ending, "usage": usage}
    yield {"type": "message_stop"}


def _text_deltas(block: Json, done: Completion) -> tuple[Json, list[Json]]:
    pieces = halves(done.first.pieces)
    return {**block, "text": ""}, [{"type": "text_delta", "text": "".join(piece)} for piece in pieces]


def _tool_deltas(block: Json, done: Completion) -> tuple[Json, list[Json]]:
    arguments = next(call.arguments for call in done.first.calls if block["id"] == f"toolu_{call.id}")
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in halves(arguments)]
    return {**block, "input": {}}, deltas


def _thinking_deltas(block: Json, _done: Completion) -> tuple[Json, list[Json]]:
    deltas = [
        {"type": "thinking_delta", "thinking": block["thinking"]},
        {"type": "signature_delta", "signature": block["signature"]},
    ]
    return {**block, "thinking": "", "signature": ""}, deltas


_DELTAS = {"text": _text_deltas, "tool_use": _tool_deltas, "thinking": _thinking_deltas}

WIRE = Wire(read, whole, stream)
