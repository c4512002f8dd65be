"""Chat Completions, as OpenAI, Azure, Databricks and OpenAI-compatible servers speak it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from conformance.embedded.simulators.completion import (
    CREATED,
    Ask,
    Choice,
    Completion,
    Json,
    Tool,
    called,
    digest,
    text_of,
    whole_number,
)
from conformance.embedded.simulators.wire import Wire, sse


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a chat request asks for."""
    messages = [each for each in body.get("messages") or () if isinstance(each, dict)]
    users = [text_of(each.get("content")) for each in messages if each.get("role") == "user"]
    instruction = users[-1] if users else ""
    answered = bool(messages) and messages[-1].get("role") == "tool"  # what was asked for has been called
    response_format = body.get("response_format")
    wanted = response_format if isinstance(response_format, dict) else {}
    schema = wanted.get("json_schema")
    cap = body.get("max_completion_tokens")
    stop = body.get("stop") or ()
    return Ask(
        vendor=vendor,
        model=model,
        prompt="\n".join(text_of(each) for each in messages),
        instruction=instruction,
        digest=digest([vendor, model, body]),
        max_tokens=whole_number(body.get("max_tokens") if cap is None else cap),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        choices=whole_number(body.get("n")) or 1,
        effort=_effort(body),
        call=_calls(body, "" if answered else instruction),
        wants_json=wanted.get("type") in ("json_object", "json_schema"),
        json_schema=schema.get("schema") if isinstance(schema, dict) else None,
        cache_key=body.get("prompt_cache_key") or "",
    )


def _effort(body: Json) -> str | None:
    thinking = body.get("thinking")
    if isinstance(thinking, dict):  # as Databricks' Claude and DeepSeek are asked to think
        return "none" if thinking.get("type") == "disabled" else "medium"
    return body.get("reasoning_effort")


def _calls(body: Json, instruction: str) -> tuple[Tool, ...]:
    functions = [each.get("function") for each in body.get("tools") or () if isinstance(each, dict)]
    tools = [Tool(each["name"], each.get("parameters") or {}) for each in functions if isinstance(each, dict)]
    choice = body.get("tool_choice")
    named = choice.get("function") if isinstance(choice, dict) else None
    return called(
        tools,
        forced=choice not in (None, "auto", "none"),
        named=named.get("name") if isinstance(named, dict) else None,
        parallel=body.get("parallel_tool_calls") is not False,
        instruction=instruction,
        forbidden=choice == "none",
    )


def whole(done: Completion, body: Json) -> Json:
    """The completion as one chat.completion object."""
    choices = [
        {
            "index": index,
            "message": _message(done, choice, body),
            "logprobs": _logprobs(choice.pieces, body),
            "finish_reason": choice.finish,
        }
        for index, choice in enumerate(done.choices)
    ]
    return {**_head(done, body, "chat.completion"), "choices": choices, "usage": usage(done)}


def _head(done: Completion, body: Json, kind: str) -> Json:
    head: Json = {
        "id": f"chatcmpl-{done.digest}",
        "object": kind,
        "created": CREATED,
        "model": done.ask.model,
    }
    if done.ask.vendor in ("openai", "azure"):
        tier = body.get("service_tier")
        head["service_tier"] = "default" if tier in (None, "auto") else tier
        head["system_fingerprint"] = f"fp_{digest(done.ask.model)[:10]}"
    if done.ask.vendor == "groq":  # https://console.groq.com/docs/service-tiers; LiteLLM fails without it
        head["service_tier"] = body.get("service_tier") or "on_demand"
    return head


def _message(done: Completion, choice: Choice, body: Json) -> Json:
    thought = _thought(done, body)
    if choice.calls:
        calls = [_call(index, call.id, call.name, call.arguments) for index, call in enumerate(choice.calls)]
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [_without(each, "index") for each in calls],
            **({} if "content" in thought else thought),
        }
    if "content" in thought:
        return {"role": "assistant", "content": [*thought["content"], {"type": "text", "text": choice.text}]}
    return {"role": "assistant", "content": choice.text, **thought}


def _thought(done: Completion, body: Json) -> Json:
    """What an answer has of what a model thought, where `thinking` asked for it: a part of the content for Databricks,
    a field beside it for others (https://api-docs.deepseek.com/guides/thinking_mode)."""
    if not done.reasoning or not isinstance(body.get("thinking"), dict):
        return {}
    if done.ask.vendor != "databricks":
        return {"reasoning_content": done.reasoning}
    summary = {"type": "summary_text", "text": done.reasoning, "signature": digest(done.reasoning)}
    return {"content": [{"type": "reasoning", "summary": [summary]}]}


def _call(index: int, call_id: str, name: str, arguments: str) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"call_{call_id}", "type": "function", "function": function}


def _without(value: Json, name: str) -> Json:
    return {key: item for key, item in value.items() if key != name}


def _logprobs(pieces: tuple[str, ...], body: Json) -> Json | None:
    if not body.get("logprobs"):
        return None
    wanted = whole_number(body.get("top_logprobs")) or 0
    return {"content": [token_logprob(piece, wanted) for piece in pieces], "refusal": None}


def token_logprob(piece: str, wanted: int) -> Json:
    """One token's log probability, with `wanted` alternatives."""
    likely = {"token": piece, "logprob": -0.01, "bytes": list(piece.encode("utf-8", "replace"))}
    others = [{"token": f"alt{rank}", "logprob": -4.5 - rank, "bytes": None} for rank in range(1, wanted)]
    return {**likely, "top_logprobs": [likely, *others][:wanted]}


def usage(done: Completion) -> Json:
    """Token figures as OpenAI reports them."""
    figures = done.usage
    return {
        "prompt_tokens": figures.prompt,
        "completion_tokens": figures.completion,
        "total_tokens": figures.total,
        "prompt_tokens_details": {"cached_tokens": figures.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": figures.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The completion as chat.completion.chunk events; usage at the end, where it was asked for."""
    options = body.get("stream_options")
    # Databricks reports usage in its last chunk without being asked.
    asked = done.ask.vendor == "databricks" or (isinstance(options, dict) and options.get("include_usage"))
    head = _head(done, body, "chat.completion.chunk") | ({"usage": None} if asked else {})
    chunk = partial(_chunk, head)
    for index, choice in enumerate(done.choices):
        yield chunk(index, {"role": "assistant", "content": None if choice.calls else ""})
        if thought := _thought(done, body):
            yield chunk(index, thought)
        for place, call in enumerate(choice.calls):
            yield chunk(index, {"tool_calls": [_call(place, call.id, call.name, "")]})
            for piece in halves(call.arguments):
                yield chunk(index, {"tool_calls": [{"index": place, "function": {"arguments": piece}}]})
        for piece in halves(choice.pieces):
            yield chunk(index, {"content": "".join(piece)}, logprobs=_logprobs(piece, body))
        yield chunk(index, {}, finish_reason=choice.finish)
    if asked:
        yield sse({**head, "choices": [], "usage": usage(done)})
    yield sse("[DONE]")


def _chunk(head: Json, index: int, delta: Json, **more: Any) -> bytes:
    return sse(
        {
            **head,
            "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None} | more],
        }
    )


def halves(whole_thing: Any, parts: int = 4) -> list[Any]:
    """A text or a tuple cut into at most `parts` pieces of at least one, to be streamed one by one."""
    step = max(1, -(-len(whole_thing) // parts))
    return [whole_thing[start : start + step] for start in range(0, len(whole_thing), step)]


WIRE = Wire(read, whole, stream)
