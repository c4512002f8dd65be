"""Anthropic's Messages API; Bedrock, Databricks and Vertex serve the same, in envelopes of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from conformance.embedded.simulators.anthropic_prompt import stretches
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
from conformance.embedded.simulators.schemas import fields
from conformance.embedded.simulators.server_tools import searched
from conformance.embedded.simulators.wire import Wire, sse

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
# https://platform.claude.com/docs/en/build-with-claude/effort: nobody asking is the same as asking for "high".
_EFFORT_UNASKED = {"adaptive": "high", "enabled": "medium"}


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a messages request asks for."""
    messages = [each for each in body.get("messages") or () if isinstance(each, dict)]
    users = [text_of(each.get("content")) for each in messages if each.get("role") == "user"]
    instruction = users[-1] if users else ""
    config = object_of(body.get("output_config"))
    wanted = object_of(config.get("format")) or object_of(body.get("output_format"))
    thinking = object_of(body.get("thinking")).get("type")
    prompt = stretches(body)
    return Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join(stretch.text for stretch in prompt),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(body.get("max_tokens")),
        stop=tuple(body.get("stop_sequences") or ()),
        effort=(config.get("effort") or _EFFORT_UNASKED[thinking]) if thinking in _EFFORT_UNASKED else "none",
        call=_calls(body, instruction),
        wants_json=wanted.get("type") == "json_schema",
        json_schema=wanted.get("schema") if isinstance(wanted.get("schema"), dict) else None,
        stretches=prompt,
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
    return {
        **_message(done),
        "content": _content(done, body),
        "stop_reason": _stop_reason(done),
        "stop_sequence": done.first.stopped_by,
        "usage": _usage(done, body),
        **_shown(body),
    }


def _message(done: Completion) -> Json:
    return {
        "id": f"{_IDS.get(done.ask.vendor, 'msg_')}{done.digest}",
        "type": "message",
        "role": "assistant",
        "model": done.ask.model.rpartition("anthropic.")[2],  # Bedrock's name without its region and vendor
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


_IDS = {"bedrock": "msg_bdrk_", "databricks": "msg_bdrk_", "vertex": "msg_vrtx_"}


def _stop_reason(done: Completion) -> str:
    return "stop_sequence" if done.first.stopped_by else _STOP_REASONS[done.first.finish]


def _content(done: Completion, body: Json) -> list[Json]:
    blocks: list[Json] = []
    if done.reasoning:
        thought = "" if _omits(done.ask.model, body) else done.reasoning
        blocks.append({"type": "thinking", "thinking": thought, "signature": digest(done.reasoning)})
    blocks += searched(done, body)
    for call in done.first.calls:
        arguments = {"input": _decoded(call.arguments), "id": f"toolu_{call.id}", "name": call.name}
        blocks.append({"type": "tool_use", **arguments})
    if not done.first.calls:
        blocks.append({"type": "text", "text": done.first.text})
    return blocks


def _omits(model: str, body: Json) -> bool:
    """Whether a thinking block comes without its text."""
    display = object_of(body.get("thinking")).get("display")
    unasked = any(fnmatchcase(model, pattern) for row in fields()["omitted_thinking"] for pattern in row["models"])
    return display == "omitted" or (display is None and unasked)


def _decoded(arguments: str) -> Json:
    return object_of(json.loads(arguments))


def _shown(body: Json) -> Json:
    """What an answer tells of a container and of context management, where they were asked for."""
    shown: Json = {}
    container = body.get("container")
    if container is not None:
        name = container if isinstance(container, str) else object_of(container).get("id")
        skills = object_of(container).get("skills") or []
        shown["container"] = {"id": name or f"container_{digest(body)}", "expires_at": _EXPIRY, "skills": skills}
    if body.get("context_management") is not None:
        shown["context_management"] = {"applied_edits": []}
    return shown


_EXPIRY = "2026-01-01T00:00:00Z"  # a fixed one, so that recording twice records the same thing


def _usage(done: Completion, body: Json) -> Json:
    figures = done.usage
    written = sum(figures.written.values())
    tier = body.get("service_tier")
    usage: Json = {
        "input_tokens": max(0, figures.prompt - figures.cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": figures.cached,
        "cache_creation": {f"ephemeral_{ttl}_input_tokens": figures.written.get(ttl, 0) for ttl in ("5m", "1h")},
        "output_tokens": figures.completion,
        "service_tier": "standard" if tier in (None, "auto", "standard_only") else tier,
    }
    if figures.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": figures.reasoning}
    if searched(done, body):
        usage["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
    return usage


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The completion as events, from message_start to message_stop."""
    for event in events(done, body):
        yield sse(event, event=event["type"])


def events(done: Completion, body: Json) -> Iterator[Json]:
    """The events of a streamed message."""
    usage = _usage(done, body)
    yield {"type": "message_start", "message": {**_message(done), "usage": {**usage, "output_tokens": 1}}}
    yield {"type": "ping"}
    for index, block in enumerate(_content(done, body)):
        blank, deltas = _DELTAS[block["type"]](block, done)
        yield {"type": "content_block_start", "index": index, "content_block": blank}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    shown = _shown(body)
    managed = {name: shown.pop(name) for name in ("context_management",) if name in shown}
    ending = {"stop_reason": _stop_reason(done), "stop_sequence": done.first.stopped_by, **shown}
    yield {"type": "message_delta", "delta": ending, "usage": usage, **managed}
    yield {"type": "message_stop"}


def _text_deltas(block: Json, done: Completion) -> tuple[Json, list[Json]]:
    pieces = halves(done.first.pieces)
    return {**block, "text": ""}, [{"type": "text_delta", "text": "".join(piece)} for piece in pieces]


def _tool_deltas(block: Json, done: Completion) -> tuple[Json, list[Json]]:
    arguments = next(call.arguments for call in done.first.calls if block["id"] == f"toolu_{call.id}")
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in halves(arguments)]
    return {**block, "input": {}}, deltas


def _search_deltas(block: Json, _done: Completion) -> tuple[Json, list[Json]]:
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]


def _no_deltas(block: Json, _done: Completion) -> tuple[Json, list[Json]]:
    return block, []


def _thinking_deltas(block: Json, _done: Completion) -> tuple[Json, list[Json]]:
    thought = [{"type": "thinking_delta", "thinking": block["thinking"]}] if block["thinking"] else []
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return {**block, "thinking": "", "signature": ""}, [*thought, signed]


_DELTAS = {
    "text": _text_deltas,
    "tool_use": _tool_deltas,
    "server_tool_use": _search_deltas,
    "web_search_tool_result": _no_deltas,
    "thinking": _thinking_deltas,
}


def read_count(vendor: str, model: str, body: Json) -> Ask:
    """What a request to count tokens asks for: nothing is cached, and nothing is answered but a number."""
    return replace(read(vendor, model, body), stretches=())


def count(done: Completion, body: Json) -> Json:
    """The tokens of a prompt."""
    managed = {"context_management": {"original_input_tokens": done.usage.prompt}}
    return {"input_tokens": done.usage.prompt} | (managed if body.get("context_management") is not None else {})


WIRE = Wire(read, whole, stream)
COUNT = Wire(read_count, count, stream)
