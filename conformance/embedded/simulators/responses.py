"""The Responses API, as OpenAI, Azure, Databricks (GPT only) and OpenAI-compatible servers speak it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conformance.embedded.simulators.chat import halves, token_logprob
from conformance.embedded.simulators.completion import (
    CREATED,
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

# Fields an answer repeats, and what it says where the request did not set them.
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
# Servers without stored responses do not mention them; https://github.com/vllm-project/vllm/pull/22137
_UNMENTIONED = {
    "databricks": ("background", "store", "prompt_cache_retention"),
    "compatible": ("store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
    "perplexity": ("store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
}


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a Responses request asks for."""
    given = body.get("input")
    items = given if isinstance(given, list) else [{"role": "user", "content": given or ""}]
    users = [text_of(each.get("content")) for each in items if isinstance(each, dict) and each.get("role") == "user"]
    instruction = users[-1] if users else ""
    answered = bool(items) and object_of(items[-1]).get("type") == "function_call_output"
    wanted = object_of(object_of(body.get("text")).get("format"))
    return Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join([text_of(body.get("instructions")), *(text_of(each) for each in items)]).strip(),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(body.get("max_output_tokens")),
        effort=object_of(body.get("reasoning")).get("effort"),
        call=_calls(body, "" if answered else instruction),
        wants_json=wanted.get("type") in ("json_object", "json_schema"),
        json_schema=wanted.get("schema") if isinstance(wanted.get("schema"), dict) else None,
        cache_key=body.get("prompt_cache_key") or "",
    )


def _calls(body: Json, instruction: str) -> tuple[Tool, ...]:
    offered = [each for each in body.get("tools") or () if isinstance(each, dict) and each.get("type") == "function"]
    choice = body.get("tool_choice")
    return called(
        [Tool(each["name"], each.get("parameters") or {}) for each in offered],
        forced=choice == "required" or object_of(choice).get("type") == "function",
        named=object_of(choice).get("name"),
        parallel=body.get("parallel_tool_calls") is not False,
        instruction=instruction,
        forbidden=choice == "none",
    )


def whole(done: Completion, body: Json) -> Json:
    """The completion as one response object."""
    cut = done.first.finish == "length"
    return _response(done, body) | {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": _output(done, body),
        "usage": _usage(done),
    }


def queued(done: Completion, body: Json) -> Json:
    """What is answered at once to a background request; the rest is found by its id."""
    return _response(done, body) | {"status": "queued"}


def response_id(done: Completion) -> str:
    """The id under which a stored response is found again."""
    return f"resp_{done.digest}"


def _response(done: Completion, body: Json) -> Json:
    unmentioned = _UNMENTIONED.get(done.ask.vendor, ())
    echoed = {
        name: default if body.get(name) is None else body[name]
        for name, default in _ECHOED.items()
        if name not in unmentioned
    }
    tier = body.get("service_tier")
    return {
        "id": response_id(done),
        "object": "response",
        "created_at": CREATED,
        "model": done.ask.model,
        "error": None,
        "incomplete_details": None,
        "status": "in_progress",
        "output": [],
        "reasoning": {"effort": None, "summary": None} | object_of(body.get("reasoning")),
        "service_tier": "default" if tier in (None, "auto") else tier,
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | object_of(body.get("text")),
        "usage": None,
        **echoed,
    }


def _output(done: Completion, body: Json) -> list[Json]:
    items: list[Json] = []
    if done.reasoning:
        items.append(_reasoning(done, body))
    items += [_call(call.id, call.name, call.arguments) for call in done.first.calls]
    if not done.first.calls and (done.first.pieces or not done.reasoning):
        items.append(_message(done, body))
    return items


def _reasoning(done: Completion, body: Json) -> Json:
    asked = object_of(body.get("reasoning")).get("summary") is not None
    item: Json = {"id": f"rs_{done.digest}", "type": "reasoning", "summary": []}
    if asked:
        item["summary"] = [{"type": "summary_text", "text": done.reasoning}]
    if "reasoning.encrypted_content" in (body.get("include") or ()):
        item["encrypted_content"] = digest(done.reasoning) * 4
    return item


def _call(call_id: str, name: str, arguments: str) -> Json:
    return {
        "id": f"fc_{call_id}",
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{call_id}",
        "name": name,
        "arguments": arguments,
    }


def _message(done: Completion, body: Json) -> Json:
    status = "incomplete" if done.first.finish == "length" else "completed"
    part = {
        "type": "output_text",
        "text": done.first.text,
        "annotations": [],
        "logprobs": _logprobs(done, body),
    }
    return {
        "id": f"msg_{done.digest}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _logprobs(done: Completion, body: Json) -> list[Json]:
    if "message.output_text.logprobs" not in (body.get("include") or ()):
        return []
    wanted = whole_number(body.get("top_logprobs")) or 0
    return [token_logprob(piece, wanted) for piece in done.first.pieces]


def _usage(done: Completion) -> Json:
    figures = done.usage
    return {
        "input_tokens": figures.prompt,
        "input_tokens_details": {"cached_tokens": figures.cached},
        "output_tokens": figures.completion,
        "output_tokens_details": {"reasoning_tokens": figures.reasoning},
        "total_tokens": figures.total,
    }


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The completion as numbered events, from response.created to response.completed or .incomplete."""
    for number, event in enumerate(_events(done, body)):
        yield sse({**event, "sequence_number": number}, event=event["type"])


def _events(done: Completion, body: Json) -> Iterator[Json]:
    start, end = _response(done, body), whole(done, body)
    yield {"type": "response.created", "response": start}
    yield {"type": "response.in_progress", "response": start}
    for index, item in enumerate(end["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": _blank(item)}
        yield from _ITEM_EVENTS[item["type"]](item, {"item_id": item["id"], "output_index": index}, done)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{end['status']}", "response": end}


def _blank(item: Json) -> Json:
    """An output item as it is announced, before its content arrives."""
    blanks = {"content": [], "arguments": "", "status": "in_progress", "summary": []}
    return {key: blanks.get(key, value) for key, value in item.items()}


def _message_events(item: Json, at: Json, done: Completion) -> Iterator[Json]:
    part = item["content"][0]
    at = {**at, "content_index": 0}
    empty = {**part, "text": "", "logprobs": []}
    yield {"type": "response.content_part.added", **at, "part": empty}
    for piece in halves(done.first.pieces):
        yield {"type": "response.output_text.delta", **at, "delta": "".join(piece), "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": part["logprobs"]}
    yield {"type": "response.content_part.done", **at, "part": part}


def _call_events(item: Json, at: Json, _done: Completion) -> Iterator[Json]:
    for piece in halves(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
    done = {"arguments": item["arguments"], "name": item["name"]}
    yield {"type": "response.function_call_arguments.done", **at, **done}


def _reasoning_events(item: Json, at: Json, _done: Completion) -> Iterator[Json]:
    for index, part in enumerate(item["summary"]):
        place = {**at, "summary_index": index}
        yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
        yield {"type": "response.reasoning_summary_text.delta", **place, "delta": part["text"]}
        yield {"type": "response.reasoning_summary_text.done", **place, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **place, "part": part}


_ITEM_EVENTS = {"message": _message_events, "function_call": _call_events, "reasoning": _reasoning_events}

WIRE = Wire(read, whole, stream)


def read_count(vendor: str, model: str, body: Json) -> Ask:
    """What a request to count tokens asks for: nothing is cached, and nothing is answered but a number."""
    return replace(read(vendor, model, body), stretches=())


def count(done: Completion, _body: Json) -> Json:
    """The tokens of a prompt."""
    return {"object": "response.input_tokens", "input_tokens": done.usage.prompt}


COUNT = Wire(read_count, count, stream)
