"""Ollama's own chat: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from conformance.embedded.simulators import chat
from conformance.embedded.simulators.completion import CREATED, Ask, Completion, Json, digest, object_of, whole_number
from conformance.embedded.simulators.wire import Wire, line

_CREATED_AT = datetime.fromtimestamp(CREATED, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
_DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def read(vendor: str, model: str, body: Json) -> Ask:
    """What a chat request asks for: messages and tools are OpenAI's, the rest is in `options`, `format`, `think`."""
    options, form = object_of(body.get("options")), body.get("format")
    plain = {name: body[name] for name in ("messages", "tools") if body.get(name) is not None}
    most = whole_number(options.get("num_predict"))
    return replace(
        chat.read(vendor, model, plain),
        digest=digest([vendor, model, body]),
        max_tokens=most if most is not None and most >= 0 else None,  # -1: no limit, -2: as the context allows
        stop=tuple(options.get("stop") or ()),
        effort=_effort(model, body.get("think")),
        wants_json=form == "json" or isinstance(form, dict),
        json_schema=form if isinstance(form, dict) else None,
    )


def _effort(model: str, think: object) -> str | None:
    if isinstance(think, str):
        return think
    # "Passing true/false is ignored for that model": https://docs.ollama.com/capabilities/thinking
    if think is None or model.startswith("gpt-oss"):
        return None
    return "medium" if think else "none"


def whole(done: Completion, _body: Json) -> Json:
    """The completion as one chat response."""
    message: Json = {"role": "assistant", "content": done.first.text}
    message |= {"thinking": done.reasoning} if done.reasoning else {}
    message |= {"tool_calls": _calls(done)} if done.first.calls else {}
    return _response(done, message, ended=True)


def _calls(done: Completion) -> list[Json]:
    return [
        {
            "id": f"call_{call.id}",
            "function": {"index": index, "name": call.name, "arguments": json.loads(call.arguments)},
        }
        for index, call in enumerate(done.first.calls)
    ]


def _response(done: Completion, message: Json, *, ended: bool = False) -> Json:
    response = {"model": done.ask.model, "created_at": _CREATED_AT, "message": message, "done": ended}
    if ended:
        # Ollama's reason is "stop" for a call of a tool as well.
        response["done_reason"] = "length" if done.first.finish == "length" else "stop"
        response |= dict.fromkeys(_DURATIONS, 1_000_000)
        response |= {"prompt_eval_count": done.usage.prompt, "eval_count": done.usage.completion}
    return response


def stream(done: Completion, _body: Json) -> Iterator[bytes]:
    """The completion as lines of JSON; the last one is done and has the counts."""
    said: list[Json] = [{"content": "", "thinking": done.reasoning}] if done.reasoning else []
    said += [{"content": "".join(pieces)} for pieces in chat.halves(done.first.pieces)]
    said += [{"content": "", "tool_calls": _calls(done)}] if done.first.calls else []
    for each in said:
        yield line(_response(done, {"role": "assistant", **each}))
    yield line(_response(done, {"role": "assistant", "content": ""}, ended=True))


WIRE = Wire(read, whole, stream, media_type="application/x-ndjson")
