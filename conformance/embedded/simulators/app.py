"""The simulators as one Starlette app: each vendor under its own path (Vertex under Google's), and the control routes.

`GET /_ready`, `GET /_received` and `DELETE /_received` are for whoever started the app.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from conformance.embedded.simulators import checking, identity, vendors, voices
from conformance.embedded.simulators.caching import PromptCache
from conformance.embedded.simulators.completion import Json, answer, count_tokens, digest, text_of
from conformance.embedded.simulators.journal import Journal
from conformance.embedded.simulators.refusals import Refusal
from conformance.embedded.simulators.responses import queued, response_id
from conformance.embedded.simulators.vendors import Operation

_JSON = "application/json"
_UNREADABLE = object()


class Simulators:
    """The state the routes share: the journal, the prompt cache and the stored responses."""

    def __init__(self) -> None:
        """Nothing received, nothing cached, nothing stored."""
        self.journal = Journal()
        self.cache = PromptCache()
        self.stored: dict[tuple[str, str], Json] = {}
        self.said: dict[tuple[str, str], str] = {}  # up to and with each stored response

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [Route(each.path, self._operation(each), methods=["POST"]) for each in vendors.OPERATIONS]
        found = vendors.STORED_RESPONSES | vendors.NO_STORED_RESPONSES
        routes += [Route(path, self._stored(vendor), methods=["GET", "DELETE"]) for vendor, path in found.items()]
        routes += [
            Route(vendors.EMBEDDINGS, self._embeddings, methods=["POST"]),
            *identity.ROUTES,
            Route("/_ready", _ready, methods=["GET"]),
            Route("/_received", self._received, methods=["GET", "DELETE"]),
        ]
        return Starlette(routes=routes)

    def _operation(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = _decoded(await request.body())
            model = _model(request, body)
            refused = checking.refused(operation, request.headers, model, body)
            if refused is not None:
                return self._say_no(refused, operation, model, request, body)
            return self._answer(operation, request, model, body)

        return endpoint

    def _answer(self, operation: Operation, request: Request, model: str, body: Any) -> Response:
        ask = operation.wire.read(operation.vendor, model, body)
        if operation.name == "responses":
            unknown = self._unknown_id(operation.vendor, body)
            if unknown is not None:
                return self._say_no(unknown, operation, model, request, body)
            before = self.said.get((operation.vendor, str(body.get("previous_response_id"))))
            ask = replace(ask, prompt=f"{before}\n{ask.prompt}") if before else ask
        done = answer(ask, self.cache.use(ask))
        keeps = operation.name == "responses" and operation.vendor in vendors.STORED_RESPONSES
        if keeps and body.get("store") is not False:
            name = operation.vendor, response_id(done)
            self.stored[name] = operation.wire.whole(done, body)
            self.said[name] = f"{ask.prompt}\n{done.first.text}"
        self._remember(operation.vendor, model, request, body, 200)
        if operation.streams(body):
            wire = operation.streaming(request.headers)
            return StreamingResponse(wire.stream(done, body), media_type=wire.media_type)
        in_background = operation.name == "responses" and body.get("background") is True
        whole = queued if in_background and operation.vendor in vendors.STORED_RESPONSES else operation.wire.whole
        return _json(200, whole(done, body))

    def _unknown_id(self, vendor: str, body: Json) -> Refusal | None:
        """The refusal of an id that nothing has: an answer's that is not stored; nobody has conversations or prompts.

        The words and the status 404: https://github.com/miharekar/visualizer/issues/198
        """
        if vendor in vendors.SWALLOWING:
            return None
        for field, thing in (("conversation", "Conversation"), ("prompt", "Prompt")):
            if (named := body.get(field)) is not None:
                name = named.get("id") if isinstance(named, dict) else named
                return Refusal("not_found", message=f"{thing} with id '{name}' not found.", status=404)
        previous = body.get("previous_response_id")
        if previous is None or (vendor, previous) in self.stored:
            return None
        message = f"Previous response with id '{previous}' not found."
        return Refusal("not_found", ("previous_response_id",), message, "previous_response_not_found")

    def _stored(self, vendor: str) -> Callable[[Request], Awaitable[Response]]:
        operation = next(each for each in vendors.OPERATIONS if (each.vendor, each.name) == (vendor, "responses"))

        async def endpoint(request: Request) -> Response:
            name = request.path_params["id"]
            status = vendors.missing_credential(vendor, request.headers)
            if status is not None:
                return self._say_no(Refusal("unauthorized", status=status), operation, "", request, None)
            kept = self.stored.get((vendor, name))
            if kept is None:
                missing = Refusal("not_found", message=f"Response with id '{name}' not found.", status=404)
                return self._say_no(missing, operation, "", request, None)
            if request.method == "DELETE":
                del self.stored[vendor, name]
                kept = {"id": name, "object": "response", "deleted": True}
            self._remember(vendor, str(kept.get("model", "")), request, None, 200)
            return _json(200, kept)

        return endpoint

    async def _embeddings(self, request: Request) -> Response:
        body: Any = _decoded(await request.body())
        model = _model(request, body)
        operation = Operation("openai", "embeddings", vendors.EMBEDDINGS, vendors.OPERATIONS[0].wire)
        refused = checking.refused(operation, request.headers, model, body)
        if refused is not None:
            return self._say_no(refused, operation, model, request, body)
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vector = [int(digest(inputs)[at : at + 2], 16) / 255 for at in range(0, 16, 2)]
        rows = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
        spent = count_tokens(text_of(inputs))
        self._remember("openai", model, request, body, 200)
        usage = {"prompt_tokens": spent, "total_tokens": spent}
        return _json(200, {"object": "list", "data": rows, "model": model, "usage": usage})

    async def _received(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.journal.clear()
        return _json(200, self.journal.entries())

    def _say_no(self, refused: Refusal, operation: Operation, model: str, request: Request, body: object) -> Response:
        status, said, headers = voices.spoken(refused, operation.voice, model)
        self._remember(operation.vendor, model, request, None if body is _UNREADABLE else body, status)
        return _json(status, said, headers)

    def _remember(self, vendor: str, model: str, request: Request, body: object, status: int) -> None:
        self.journal.add(
            vendor=vendor,
            path=request.url.path,
            model=model,
            body={} if body is None else body,
            status=status,
            headers=request.headers,
        )


def _model(request: Request, body: object) -> str:
    named = request.path_params.get("model") or (body.get("model") if isinstance(body, dict) else None)
    return named if isinstance(named, str) else ""


def _decoded(raw: bytes) -> object:
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return _UNREADABLE


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    # ASCII only: half a surrogate pair in a request must not break the answer that repeats it.
    return Response(json.dumps(value, separators=(",", ":")), status, headers, _JSON)


async def _ready(_request: Request) -> Response:
    return _json(200, {"ready": True})


def create_app() -> Starlette:
    """A fresh set of simulators."""
    return Simulators().app()
