"""Read a response: did the request succeed, was it refused, or is there no answer to speak of? Pure.

A status code does not tell. Gateways put failures inside a clean 200: as a last
`data: {"error": …}` of a chat stream, or as a `response.failed` event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from conformance.answers import messages
from conformance.text.nesting import nests_too_deep
from conformance.types import Cause, Endpoint, Mode, Request, Response


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response amounts to; exactly one of `ok`, `refusal`, `problem` is set.

    `refusal` is the text of an error that somebody answered with, `status` its HTTP status or
    the one that the error event carries. `problem` says why there is no whole answer, and `cause`
    is the kind of that problem. `result` is the answer's object: the completion, the Responses
    object, or the message; of a stream of pieces, what they add up to.
    """

    ok: bool = False
    status: int | None = None
    refusal: str | None = None
    problem: str | None = None
    cause: Cause | None = None
    result: dict[str, Any] | None = None


def read_answer(request: Request, response: Response) -> Answer:
    """Read one response, in the light of the request that it answers."""
    if response.error is not None:
        return Answer(status=response.status, problem=response.error, cause=response.cause or _missing(response))
    if is_redirect(response.status):
        return _spoilt(response.status or 0, Cause.NO_ANSWER, _redirect(response))
    text = response.body.decode("utf-8", "replace")
    if response.status is None or not 200 <= response.status < 300:
        return Answer(status=response.status, refusal=text)
    if not request.fetch and request.mode is Mode.STREAM and not text.lstrip().startswith(("{", "[")):
        events = list(_events(text))
        return _STREAMS[request.endpoint](response.status, events)
    return _read_whole(_COUNT if request.door else _HOLDS[request.endpoint], response.status, text)


def is_redirect(status: int | None) -> bool:
    """True for an answer that sends to another address, which nobody follows: the key would go there too."""
    return status is not None and 300 <= status < 400


def _redirect(response: Response) -> str:
    place = response.headers.get("location")
    to = f" to {place}" if place else ""
    return f"a redirect ({response.status}){to}, which is not followed; set LITELLM_BASE_URL to the final address"


def _missing(response: Response) -> Cause:
    """What kind of error a response has, where nobody noted it: did the answer begin?"""
    return Cause.NO_ANSWER if response.status is None else Cause.CUT_OFF


def _spoilt(status: int, cause: Cause, problem: str) -> Answer:
    return Answer(status=status, problem=problem, cause=cause)


def _read_whole(expected: str, status: int, text: str) -> Answer:
    result = _object(text) or _object_in_list(text)
    if result is None:
        return _spoilt(status, Cause.UNREADABLE, "the answer is not a JSON object")
    if result.get("error") or result.get("object") == "error":
        return _refused(status, result.get("error") or result)
    if not isinstance(result.get(expected), int if expected == _COUNT else list):
        return _spoilt(status, Cause.UNREADABLE, f"the answer has no `{expected}`")
    if expected == "choices" and not result[expected]:
        return _spoilt(status, Cause.UNREADABLE, "the answer is empty")
    return Answer(ok=True, status=status, result=result)


def _read_chat_stream(status: int, events: list[str]) -> Answer:
    finished, chunks = False, []
    for chunk in _read_events(events):
        if chunk is None:
            return _spoilt(status, Cause.UNREADABLE, _NO_OBJECT)
        if chunk.get("error"):
            return _refused(status, chunk["error"])
        choices = chunk.get("choices")
        if isinstance(choices, list):
            finished |= any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)
        chunks.append(chunk)
    if not finished:
        return _spoilt(status, Cause.CUT_OFF, "the stream ended before the answer did")
    return Answer(ok=True, status=status, result=_completion(chunks))


def _completion(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The chat completion that chunks add up to, with the last that each says of anything but its choices."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        whole |= {name: value for name, value in chunk.items() if name != "choices" and value is not None}
        for place, piece in enumerate(_objects(chunk.get("choices"))):
            index = piece.get("index")
            choice = choices.setdefault(index if isinstance(index, int) else place, {"message": {}})
            delta = piece.get("delta", piece.get("message"))
            for name, value in delta.items() if isinstance(delta, dict) else ():
                if value is not None:
                    choice["message"].setdefault(name, []).append(value)
            logprobs = _object_in(piece, "logprobs").get("content")
            if isinstance(logprobs, list):
                choice.setdefault("logprobs", {"content": []})["content"] += logprobs
            if piece.get("finish_reason"):
                choice["finish_reason"] = piece["finish_reason"]
    for choice in choices.values():
        choice["message"] = {name: _sum(name, values) for name, values in choice["message"].items()}
    return {**whole, "choices": [{"index": index, **choice} for index, choice in sorted(choices.items())]}


def _sum(name: str, values: list[Any]) -> Any:
    """What the deltas of one field add up to: texts and lists grow, tool calls by their index, others are replaced.

    Joined at the end: a hostile answer of 8 MiB is 200,000 pieces.
    """
    if name == "tool_calls":
        return _calls(values)
    alike: list[Any] = []
    for value in values:
        if name == "content" and alike and {type(alike[0]), type(value)} == {str, list}:
            alike = [_parts("".join(alike))] if isinstance(value, list) else alike
            value = _parts(value)
        if alike and (name == "role" or type(alike[0]) is not type(value)):
            alike = []
        alike.append(value)
    if isinstance(alike[0], str):
        return "".join(alike)
    return [*chain.from_iterable(alike)] if isinstance(alike[0], list) else alike[-1]


def _calls(values: list[Any]) -> list[dict[str, Any]]:
    """The calls that pieces belong to; one index with another id is another call (Gemini sends it so)."""
    calls: list[dict[str, Any]] = []
    known: dict[tuple[Any, Any], dict[str, Any]] = {}
    for piece in chain.from_iterable(map(_objects, values)):
        index, name = (each if isinstance(each, str | int) else None for each in (piece.get("index"), piece.get("id")))
        call = known.get((index, name or None))
        if call is None:
            call = {"index": index, "id": name, "function": {"name": "", "arguments": []}}
            calls.append(call)
            known[index, name or None] = known[index, None] = call  # a piece without an id goes on with the last
        function, said = call["function"], _object_in(piece, "function")
        if isinstance(said.get("name"), str):
            function["name"] = function["name"] or said["name"]
        if isinstance(said.get("arguments"), str):
            function["arguments"].append(said["arguments"])
    for call in calls:
        call["function"]["arguments"] = "".join(call["function"]["arguments"])
    return calls


def _parts(content: Any) -> list[Any]:
    """A message's content as a list of parts (Databricks streams reasoning as parts, and text as text)."""
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object_in(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _read_responses_stream(status: int, events: list[str]) -> Answer:
    for event in _read_events(events):
        if event is None:
            return _spoilt(status, Cause.UNREADABLE, _NO_OBJECT)
        kind, result = event.get("type"), event.get("response")
        if kind in ("response.completed", "response.incomplete") and isinstance(result, dict):
            return Answer(ok=True, status=status, result=result)
        if kind == "response.failed":
            return _refused(status, result.get("error") if isinstance(result, dict) else event)
        if kind == "error" or (kind is None and event.get("error")):
            return _refused(status, event.get("error") or event)
    return _spoilt(status, Cause.CUT_OFF, "the stream ended before the answer did")


def _read_messages_stream(status: int, events: list[str]) -> Answer:
    read = []
    for event in _read_events(events):
        if event is None:
            return _spoilt(status, Cause.UNREADABLE, _NO_OBJECT)
        if event.get("type") == "error" or event.get("error"):
            return _refused(status, event.get("error") or event)
        read.append(event)
    if not messages.is_finished(read):
        return _spoilt(status, Cause.CUT_OFF, "the stream ended before the answer did")
    return Answer(ok=True, status=status, result=messages.message_of(read))


_STREAMS: Mapping[Endpoint, Callable[[int, list[str]], Answer]] = {
    Endpoint.CHAT_COMPLETIONS: _read_chat_stream,
    Endpoint.RESPONSES: _read_responses_stream,
    Endpoint.MESSAGES: _read_messages_stream,
}

#: The list that a whole answer of each endpoint holds.
_HOLDS: Mapping[Endpoint, str] = {
    Endpoint.CHAT_COMPLETIONS: "choices",
    Endpoint.RESPONSES: "output",
    Endpoint.MESSAGES: "content",
}

#: What an answer holds that counts the input's tokens.
_COUNT = "input_tokens"

#: The HTTP status that an error inside a 200 stands for, by the words that vendors have for it.
_STATUS_OF = {"rate_limit_exceeded": 429, "rate_limit_error": 429, "server_error": 500, "overloaded_error": 529}


def _refused(status: int, error: Any) -> Answer:
    """An error inside a 200: its own code, where it has one, is the status that counts."""
    told = [error.get("code"), error.get("type")] if isinstance(error, dict) else []
    carried = next((_status(word) for word in told if _status(word)), None)
    return Answer(status=carried or status, refusal=json.dumps(error, ensure_ascii=False))


def _status(word: Any) -> int | None:
    if isinstance(word, str) and word in _STATUS_OF:
        return _STATUS_OF[word]
    number = str(word) if isinstance(word, int | str) else ""
    return int(number) if re.fullmatch(r"[1-5][0-9]{2}", number) else None


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


_NO_OBJECT = "the stream holds an event that is not a JSON object"


def _read_events(events: Iterable[str]) -> Iterator[dict[str, Any] | None]:
    """The object of each event, None for what is none; `[DONE]` is sent after failures too, so it proves nothing."""
    return (_object(data) for data in events if data != "[DONE]")


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not nests_too_deep(text, value) else None


def _object_in_list(text: str) -> dict[str, Any] | None:
    """The error in a list, as Gemini answers; no success is one."""
    if not text.lstrip().startswith("["):
        return None
    found = _object(text.strip()[1:-1])
    return found if found and found.get("error") else None
