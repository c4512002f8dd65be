"""Cohere's Chat API v2: https://docs.cohere.com/reference/chat, https://docs.cohere.com/v2/docs/streaming."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.embedded.simulators import chat
from conformance.embedded.simulators.completion import Ask, Completion, Json, ToolCall, object_of
from conformance.embedded.simulators.wire import Wire, line, sse

_FINISHED = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a chat request asks for: messages and tools are OpenAI's, the rest has names of its own."""
    choice = body.get("tool_choice")
    wanted = object_of(body.get("response_format"))
    schema = wanted.get("json_schema")
    ask = chat.read(vendor, model, {**body, "tool_choice": choice.lower() if isinstance(choice, str) else None})
    return replace(
        ask,
        stop=tuple(body.get("stop_sequences") or ()),
        choices=1,
        wants_json=wanted.get("type") == "json_object",
        json_schema=schema if isinstance(schema, dict) else None,
    )


def whole(done: Completion, body: Json) -> Json:
    """The completion as one chat response."""
    message: Json = {"role": "assistant"}
    if done.first.calls:
        message["tool_plan"] = _plan(done)
        message["tool_calls"] = [_call(call, call.arguments) for call in done.first.calls]
    else:
        thoughts: list[Json] = [{"type": "thinking", "thinking": done.reasoning}] if done.reasoning else []
        message["content"] = [*thoughts, {"type": "text", "text": done.first.text}]
    answer: Json = {"id": done.digest, "message": message, "finish_reason": _finished(done), "usage": _usage(done)}
    if body.get("logprobs") is True:
        answer["logprobs"] = [_logprob(piece) for piece in done.first.pieces]
    return answer


def _plan(done: Completion) -> str:
    return f"I will use {' and '.join(call.name for call in done.first.calls)}."


def _call(call: ToolCall, arguments: str) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finished(done: Completion) -> str:
    return "STOP_SEQUENCE" if done.first.stopped_by else _FINISHED[done.first.finish]


def _usage(done: Completion) -> Json:
    tokens = {"input_tokens": done.usage.prompt, "output_tokens": done.usage.completion}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": done.usage.cached}


def _logprob(text: str) -> Json:
    return {"text": text, "token_ids": [1], "logprobs": [-0.01]}


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The completion as server-sent events."""
    for event in _events(done, body):
        yield sse(event, event["type"])
    yield sse("[DONE]")  # https://github.com/cohere-ai/cohere-python/issues/730


def lines(done: Completion, body: Json) -> Iterator[bytes]:
    """The same events, each as a line of JSON: so they come to a client that does not accept `text/event-stream`.

    The default of v1 by its schema; v2 as recorded: https://github.com/M-Lai-ai/LLM-Provider-reference/tree/main/Cohere
    """
    yield from map(line, _events(done, body))


def _events(done: Completion, body: Json) -> Iterator[Json]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield _event("message-start", {"message": start}, id=done.digest)
    if done.first.calls:
        yield from _calls(done)
    else:
        index = 0
        if done.reasoning:
            yield from _block(0, "thinking", [(done.reasoning,)], {})
            index = 1
        yield from _block(index, "text", chat.halves(done.first.pieces), body)
    yield _event("message-end", {"finish_reason": _finished(done), "usage": _usage(done)})


def _calls(done: Completion) -> Iterator[Json]:
    yield _event("tool-plan-delta", {"message": {"tool_plan": _plan(done)}})
    for index, call in enumerate(done.first.calls):
        yield _event("tool-call-start", {"message": {"tool_calls": _call(call, "")}}, index=index)
        for piece in chat.halves(call.arguments):
            said = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            yield _event("tool-call-delta", said, index=index)
        yield _event("tool-call-end", None, index=index)


def _block(index: int, kind: str, pieces: list[tuple[str, ...]], body: Json) -> Iterator[Json]:
    yield _event("content-start", {"message": {"content": {"type": kind, kind: ""}}}, index=index)
    for piece in pieces:
        text = "".join(piece)
        more: Json = {"logprobs": _logprob(text)} if body.get("logprobs") is True else {}
        yield _event("content-delta", {"message": {"content": {kind: text}}}, index=index, **more)
    yield _event("content-end", None, index=index)


def _event(kind: str, delta: Json | None, **more: object) -> Json:
    return {"type": kind, **more, **({} if delta is None else {"delta": delta})}


WIRE = Wire(read, whole, stream)
LINES = Wire(read, whole, lines, media_type="application/stream+json")
