"""A gateway on loopback that takes every request, answers it well, and keeps what it was sent.

A real gateway refuses some fields, and a client that is refused sends nothing further. This one takes
all of them, so that a client shows each request of its turn. The answers are the simulators' own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from conformance.embedded.loopback import serving
from conformance.embedded.simulators import anthropic, chat, responses
from conformance.embedded.simulators.completion import CREATED, Completion, Json, Tool, answer
from conformance.embedded.simulators.wire import Wire, sse
from conformance.schemas.documents import EndpointName

_THOUGHT = "The request is short."
#: The last steps of a path, the endpoint that they mean, how it is spoken, and which vendor's answers fit it.
_ENDPOINTS: Mapping[str, tuple[EndpointName, Wire, str]] = {
    "/chat/completions": ("chat_completions", chat.WIRE, "openai"),
    "/responses": ("responses", responses.WIRE, "openai"),
    "/messages": ("messages", anthropic.WIRE, "anthropic"),
}
#: What a request holds once a tool has answered, by the type or the role of an item.
_ANSWERED = frozenset({"tool", "tool_result", "function_call_output", "custom_tool_call_output"})
#: Tool choices that force no tool.
_FREE = (None, "auto", "none", {"type": "auto"}, {"type": "none"})


@dataclass(frozen=True)
class Call:
    """The tool that an answer calls where a client offers it, and with which arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Sent:
    """One request as a client sent it. `endpoint` is None where it was not one that a model answers."""

    method: str
    path: str
    endpoint: EndpointName | None
    headers: Mapping[str, str]
    body: Any


class Answering:
    """The running gateway: `sent` grows with each request that reaches it."""

    def __init__(self, models: Sequence[str]) -> None:
        """A gateway that lists these models and has received nothing."""
        self.sent: list[Sent] = []
        self.call: Call | None = None
        self._models = tuple(models)
        self.base_url = ""

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._receive, methods=["GET", "POST", "HEAD"])])

    async def _receive(self, request: Request) -> Response:
        path = request.url.path
        known = next((row for end, row in _ENDPOINTS.items() if path.endswith(end)), None)
        body = _decoded(await request.body())
        endpoint = known[0] if known and isinstance(body, dict) else None
        where = f"{path}?{request.url.query}" if request.url.query else path
        self.sent.append(Sent(request.method, where, endpoint, dict(request.headers), body))
        if known is None or not isinstance(body, dict):
            return self._other(path)
        _, wire, vendor = known
        done = self._answer(wire, vendor, body)
        if body.get("stream") is True:
            return StreamingResponse(_stream(wire, done, body), media_type=wire.media_type)
        return JSONResponse(_whole(wire, done, body))

    def _answer(self, wire: Wire, vendor: str, body: Json) -> Completion:
        ask = wire.read(vendor, str(body.get("model")), body)
        call = ask.call if body.get("tool_choice") not in _FREE else ()
        if self.call and self.call.name in _tool_names(body) and not _answered(body):
            const = {name: {"const": value} for name, value in self.call.arguments.items()}
            call = (Tool(self.call.name, {"type": "object", "properties": const}),)
        # No cap: a client whose answer is cut short would ask again.
        return answer(replace(ask, call=call, max_tokens=None))

    def _other(self, path: str) -> Response:
        """What clients ask for beside answers: the list of models, in OpenAI's and in LiteLLM's form."""
        if path.endswith("/models"):
            rows = [{"id": name, "object": "model", "created": 1, "owned_by": "openai"} for name in self._models]
            return JSONResponse({"object": "list", "data": rows})
        if path.endswith("/model/info"):
            infos = [{"model_name": name, "litellm_params": {"model": name}, "model_info": {}} for name in self._models]
            return JSONResponse({"data": infos})
        if path.endswith("/count_tokens"):
            return JSONResponse({"input_tokens": 10})
        return JSONResponse({"error": {"message": "not found", "type": "invalid_request_error"}}, 404)


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _tool_names(body: Json) -> set[str]:
    """The names of the tools that a request offers, as each wire writes them."""
    offered = [each for each in body.get("tools") or () if isinstance(each, dict)]
    return {
        str(part.get("name")) for each in offered for part in (each, each.get("function")) if isinstance(part, dict)
    }


def _answered(body: Json) -> bool:
    """True once a request brings back what a tool answered."""
    items = body.get("messages") or body.get("input")
    for each in items if isinstance(items, list) else ():
        parts = [each, *(each.get("content") if isinstance(each.get("content"), list) else ())]
        if any({part.get("role"), part.get("type")} & _ANSWERED for part in parts if isinstance(part, dict)):
            return True
    return False


def _whole(wire: Wire, done: Completion, body: Json) -> Json:
    said = wire.whole(done, body)
    for choice in said.get("choices", ()):
        choice["message"]["reasoning_content"] = _THOUGHT
    return said


def _stream(wire: Wire, done: Completion, body: Json) -> Iterator[bytes]:
    if wire is chat.WIRE:
        # As LiteLLM says what a model thought: some clients send it back in the next request.
        choices = [{"index": 0, "delta": {"reasoning_content": _THOUGHT}, "finish_reason": None}]
        head = {"id": f"chatcmpl-{done.digest}", "object": "chat.completion.chunk", "created": CREATED}
        yield sse({**head, "model": done.ask.model, "choices": choices})
    yield from wire.stream(done, body)


@contextlib.contextmanager
def answering(models: Sequence[str]) -> Iterator[Answering]:
    """Such a gateway on a free loopback port, while the block runs."""
    gateway = Answering(models)
    with serving(gateway.app()) as gateway.base_url:
        yield gateway
