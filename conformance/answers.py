"""Read a response: did the request succeed, was it refused, or is there no answer to speak of? Pure.

A status code does not tell. Gateways put failures inside a clean 200: as a last
`data: {"error": …}` of a chat stream, or as a `response.failed` event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.types import Endpoint, Mode, Request, Response


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response amounts to; exactly one of `ok`, `refusal`, `problem` is set.

    `refusal` is the text of an error that somebody answered with, `status` its HTTP status or
    the one that the error event carries. `problem` says why there is no whole answer. `result`
    is the answer's object: the completion, or the Responses object, also of a stream.
    """

    ok: bool = False
    status: int | None = None
    refusal: str | None = None
    problem: str | None = None
    result: dict[str, Any] | None = None


def read_answer(request: Request, response: Response) -> Answer:
    """Read one response, in the light of the request that it answers."""
    if response.error is not None:
        return Answer(status=response.status, problem=response.error)
    text = response.body.decode("utf-8", "replace")
    if response.status is None or not 200 <= response.status < 300:
        return Answer(status=response.status, refusal=text)
    if request.mode is Mode.STREAM and not text.lstrip().startswith(("{", "[")):
        events = list(_events(text))
        read = _read_chat_stream if request.endpoint is Endpoint.CHAT_COMPLETIONS else _read_responses_stream
        return read(response.status, events)
    return _read_whole(request.endpoint, response.status, text)


def _read_whole(endpoint: Endpoint, status: int, text: str) -> Answer:
    result = _object(text)
    if result is None:
        return Answer(status=status, problem="the answer is not a JSON object")
    if result.get("error"):
        return _refused(status, result["error"])
    expected = "choices" if endpoint is Endpoint.CHAT_COMPLETIONS else "output"
    if not isinstance(result.get(expected), list):
        return Answer(status=status, problem=f"the answer has no `{expected}`")
    return Answer(ok=True, status=status, result=result)


def _read_chat_stream(status: int, events: list[str]) -> Answer:
    finished, last = False, None
    for data in events:
        if data == "[DONE]":
            continue  # sent after failures too, so it proves nothing
        chunk = _object(data)
        if chunk is None:
            return Answer(status=status, problem="the stream holds an event that is not a JSON object")
        if chunk.get("error"):
            return _refused(status, chunk["error"])
        choices = chunk.get("choices")
        if isinstance(choices, list):
            finished |= any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)
        last = chunk
    if not finished:
        return Answer(status=status, problem="the stream ended before the answer did")
    return Answer(ok=True, status=status, result=last)


def _read_responses_stream(status: int, events: list[str]) -> Answer:
    for data in events:
        event = _object(data)
        if event is None:
            if data == "[DONE]":
                continue
            return Answer(status=status, problem="the stream holds an event that is not a JSON object")
        kind, result = event.get("type"), event.get("response")
        if kind in ("response.completed", "response.incomplete") and isinstance(result, dict):
            return Answer(ok=True, status=status, result=result)
        if kind == "response.failed":
            return _refused(status, result.get("error") if isinstance(result, dict) else event)
        if kind == "error" or (kind is None and event.get("error")):
            return _refused(status, event.get("error") or event)
    return Answer(status=status, problem="the stream ended before the answer did")


def _refused(status: int, error: Any) -> Answer:
    """An error inside a 200: its own code, where it has one, is the status that counts."""
    code = error.get("code") if isinstance(error, dict) else None
    carried = int(code) if isinstance(code, int | str) and str(code).isdecimal() and len(str(code)) == 3 else None
    return Answer(status=carried or status, refusal=json.dumps(error, ensure_ascii=False))


def _events(text: str) -> Iterator[str]:
    """The data of each server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    lines: list[str] = []
    for line in (*_LINE_END.split(text), ""):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


_LINE_END = re.compile(r"\r\n|\n|\r")  # not str.splitlines, which also splits inside JSON strings


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
