"""Scripted gateways on loopback for the tests: real servers, whose every answer a test decides."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from conformance.embedded.loopback import serving

KEY = "sk-scripted-gateway-key-0123456789"

_TEXT = {"type": "output_text", "text": "OK", "annotations": []}
_MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_TEXT]}
_USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}

#: Decides an answer from a request's decoded body; None stands for a plain success.
Policy = Callable[[dict[str, Any]], Response | Awaitable[Response | None] | None]


def completion(body: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """A whole answer of the chat endpoint, or of the responses endpoint where the body has an input."""
    if "input" in body:
        message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "OK"}]}
        return {"id": "resp_1", "object": "response", "status": "completed", "output": [message], **extra}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "OK"}}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **extra}


def events(*data: Any) -> Response:
    """A stream of server-sent events."""
    lines = "".join(f"data: {item if isinstance(item, str) else json.dumps(item)}\n\n" for item in data)
    return Response(lines, media_type="text/event-stream")


def success(body: dict[str, Any], **extra: Any) -> Response:
    """The answer of a gateway that has nothing against a request, in the form it asks for."""
    if not body.get("stream"):
        return JSONResponse(completion(body, **extra))
    if "input" in body:
        return events({"type": "response.completed", "response": completion(body, **extra)})
    chunk = {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "delta": {"content": "OK"}, "finish_reason": "stop"}],
    }
    return events(chunk, "[DONE]")


def complete(body: dict[str, Any]) -> Response:
    """An answer with all that the SDK, llm and pydantic-ai insist on, in the form that a request asks for."""
    if "input" not in body:
        chat_usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "c", "created": 1, "model": body["model"]}
        choice = {"index": 0, "finish_reason": "stop"}
        if not body.get("stream"):
            choices = [{**choice, "message": {"role": "assistant", "content": "OK"}}]
            return JSONResponse({**head, "object": "chat.completion", "choices": choices, "usage": chat_usage})
        piece = {**head, "object": "chat.completion.chunk", "choices": [{**choice, "delta": {"content": "OK"}}]}
        return events(piece, {**piece, "choices": [], "usage": chat_usage}, "[DONE]")
    response = {"id": "r", "object": "response", "created_at": 1, "model": body["model"], "status": "completed"}
    response |= {"output": [_MESSAGE], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": _USAGE}
    if not body.get("stream"):
        return JSONResponse(response)
    at = {"output_index": 0, "item_id": "msg_1"}
    return events(
        {"type": "response.created", "response": {**response, "output": []}},
        {"type": "response.output_item.added", "item": {**_MESSAGE, "content": []}, **at},
        {"type": "response.output_text.delta", "content_index": 0, "delta": "OK", "logprobs": [], **at},
        {"type": "response.output_item.done", "item": _MESSAGE, **at},
        {"type": "response.completed", "response": response},
    )


def message(body: dict[str, Any]) -> Response:
    """An answer of the messages endpoint, in the form that a request asks for."""
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None}
    whole |= {"content": [], "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    text, end = {"type": "text", "text": "OK"}, {"stop_reason": "end_turn", "stop_sequence": None}
    if not body.get("stream"):
        return JSONResponse({**whole, "content": [text], **end})
    return named_events(
        {"type": "message_start", "message": whole},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "OK"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    )


def named_events(*data: dict[str, Any]) -> Response:
    """A stream of server-sent events that bear the names of their types, as Anthropic has them."""
    lines = "".join(f"event: {item['type']}\ndata: {json.dumps(item)}\n\n" for item in data)
    return Response(lines, media_type="text/event-stream")


def refusal(message: str, status: int = 400, headers: dict[str, str] | None = None) -> Response:
    """An error in OpenAI's shape."""
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status, headers)


def refuses_cache_key(
    body: dict[str, Any], words: str = "prompt_cache_key: Extra inputs are not permitted"
) -> Response | None:
    """The policy of a gateway whose Claudes refuse `prompt_cache_key`, in these words."""
    refused = "prompt_cache_key" in body and "claude" in body["model"]
    return refusal(words) if refused else None


def cut_stream(*data: Any) -> Response:
    """A stream that breaks off: fewer bytes than its length announces."""

    async def part() -> Any:
        for item in data:
            yield f"data: {json.dumps(item)}\n\n".encode()

    return StreamingResponse(part(), headers={"content-length": "100000"}, media_type="text/event-stream")


@dataclass
class ScriptedGateway:
    """A running server and what it was asked."""

    base_url: str
    key: str = KEY
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point the suite here."""
        return {"LITELLM_BASE_URL": self.base_url, "LITELLM_API_KEY": self.key}


def listed_by(version: str, *models: str) -> Callable[[Request], Response]:
    """A list of models, as LiteLLM of a version gives it."""
    rows = [{"id": name, "object": "model"} for name in models]
    return lambda _request: JSONResponse({"object": "list", "data": rows}, headers={"x-litellm-version": version})


@contextlib.contextmanager
def scripted_gateway(
    policy: Policy = lambda body: None,
    models: Any = ("model-a",),
    listing: Callable[[Request], Response] | None = None,
    declared: Sequence[dict[str, Any]] = (),
    certificate: Path | None = None,
    behind: Sequence[dict[str, Any]] = (),
) -> Iterator[ScriptedGateway]:
    """Run a gateway that lists these models, declares this of them and of the deployments `behind` them, and answers by
    this policy."""
    seen: list[dict[str, Any]] = []
    headers: list[dict[str, str]] = []

    def list_models(request: Request) -> Response:
        if listing is not None:
            return listing(request)
        rows = [model if isinstance(model, dict) else {"id": model, "object": "model"} for model in models]
        return JSONResponse({"object": "list", "data": rows})

    async def answer(request: Request) -> Response:
        body = await request.json()
        seen.append(body)
        headers.append(dict(request.headers))
        decided = policy(body)
        if isinstance(decided, Awaitable):
            decided = await decided
        return decided or (message(body) if request.url.path.endswith("/messages") else success(body))

    async def count(request: Request) -> Response:
        seen.append(await request.json())
        headers.append(dict(request.headers))
        return JSONResponse({"input_tokens": 1})

    app = Starlette(
        routes=[
            Route("/v1/models", list_models),
            Route("/model_group/info", lambda _: JSONResponse({"data": list(declared)}, 200 if declared else 404)),
            Route("/model/info", lambda _: JSONResponse({"data": list(behind)}, 200 if behind else 404)),
            Route("/v1/chat/completions", answer, methods=["POST"]),
            Route("/v1/responses", answer, methods=["POST"]),
            Route("/v1/messages", answer, methods=["POST"]),
            Route("/v1/messages/count_tokens", count, methods=["POST"]),
        ]
    )
    with serving(app, certificate) as base_url:
        yield ScriptedGateway(base_url, seen=seen, headers=headers)


@contextlib.contextmanager
def raw_server(answer: bytes | Callable[[], Iterable[bytes]], certificate: Path | None = None) -> Iterator[str]:
    """Answer every request with these bytes, or as they come, and hang up; over TLS with a certificate."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            for line in self.rfile:
                if not line.strip():
                    break
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            for piece in [answer] if isinstance(answer, bytes) else answer():
                self.wfile.write(piece)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that give up are part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)


def http(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A response as it goes over the wire; `_` in a header's name stands for `-`."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def closed_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
