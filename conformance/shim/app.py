"""The ASGI application: every request goes on to the gateway, and its answer comes back as it came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from conformance.exchange.receiving import location_of
from conformance.provider.models.fetching import failure
from conformance.provider.transport.mending import EXTENSION
from conformance.provider.transport.request_filter import MAX_BODY, RequestFilter
from conformance.shim.faults import Fault, body_of, speaks_messages
from conformance.shim.guarding import refused
from conformance.shim.headers import Pairs, readable, towards_client, towards_gateway
from conformance.shim.incoming import ClientGoneError, Incoming, all_of
from conformance.shim.lists import Lists
from conformance.shim.telling import Telling

#: Statuses that send a client to another address.
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Shim:
    """What lies between clients and the gateway at `base_url`; an ASGI application.

    `client` sends through the provider's transport with `request_filter`. `always` are headers for every request, and
    `own_key` those for a request without a key. With `lists`, the gateway is asked for its models.
    """

    base_url: str
    client: httpx.AsyncClient
    request_filter: RequestFilter
    telling: Telling
    always: Pairs = ()
    own_key: Pairs = ()
    lists: Lists | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; its client's going away ends what is done for it."""
        headers = Headers(scope=scope)
        fault = refused(scope["raw_path"].decode("latin-1"), headers)
        if fault is not None:
            await self._answer(scope, headers, send, fault)
            return
        incoming = Incoming(receive, headers)
        passing = asyncio.ensure_future(self._pass_on(scope, headers, incoming, send))
        gone = asyncio.ensure_future(incoming.gone())
        try:
            await asyncio.wait((passing, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (passing, gone):
                each.cancel()
            await asyncio.gather(passing, gone, return_exceptions=True)
        if not passing.cancelled():
            passing.result()

    async def _pass_on(self, scope: Scope, headers: Headers, incoming: Incoming, send: Send) -> None:
        try:
            request = await self._request(scope, headers, incoming)
            response = await self.client.send(request, stream=True)
        except ClientGoneError:
            return
        except Exception as error:
            incoming.leave()
            await self._answer(scope, headers, send, self._why(error))
            return
        incoming.leave()
        try:
            fault = self._astray(request, response)
            if fault is not None:
                await self._answer(scope, headers, send, fault)
            else:
                await self._give_back(response, send)
        finally:
            await response.aclose()

    async def _request(self, scope: Scope, headers: Headers, incoming: Incoming) -> httpx.Request:
        """The request for the gateway, with as much of its body as the filter has to read."""
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx.URL(f"{self.base_url}{(scope['raw_path'] + query).decode('latin-1')}")
        theirs = towards_gateway(scope["headers"], self.always, self.own_key)
        content: bytes | AsyncIterator[bytes] | None = incoming.pieces() if incoming.has_body else None
        if self.request_filter.reads(scope["method"], str(url), headers) and content is not None:
            if self.lists is not None:
                await self.lists.known_to(theirs)
            if self.request_filter.repair != "off":
                theirs = readable(theirs)
            if int(headers.get("content-length", "0")) <= MAX_BODY:
                content = await all_of(incoming.pieces(), MAX_BODY)
        if isinstance(content, bytes):  # httpx says how long it is
            theirs = [(name, value) for name, value in theirs if name != b"content-length"]
        return httpx.Request(scope["method"], url, headers=theirs, content=content)

    async def _give_back(self, response: httpx.Response, send: Send) -> None:
        """The answer, piece by piece as it comes; one that breaks off is broken off here."""
        headers = towards_client(response.headers.raw, response.extensions.get(EXTENSION, ()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        try:
            async for piece in response.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except httpx.HTTPError as error:
            self.telling.cut(self.base_url, type(error).__name__)
            return  # uvicorn closes the connection of an answer that is not whole
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _why(self, error: Exception) -> Fault:
        """What kept a request from the gateway, or its answer from coming."""
        if isinstance(error, httpx.InvalidURL):
            return Fault(400, "path_refused", f"the path of this request cannot be passed on ({error})")
        if not isinstance(error, httpx.HTTPError):
            return Fault(500, "shim_failed", f"it failed ({type(error).__name__}); please report this")
        late = isinstance(error, httpx.TimeoutException)
        return Fault(504 if late else 502, "gateway_unreachable", str(failure(error, self.base_url)))

    def _astray(self, request: httpx.Request, response: httpx.Response) -> Fault | None:
        """What an answer shows of a wrong address: a redirect, or a web page."""
        if response.status_code in _REDIRECTS:
            told = f"redirects ({response.status_code}) to {location_of(response) or 'nowhere'}, and no key goes there"
            return Fault(502, "gateway_redirects", f"{self.base_url} {told}; name that address")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/html" and response.is_success and self.request_filter.reads("POST", str(request.url), _JSON):
            told = "answers with HTML; is this the API's address, not a web page's?"
            return Fault(502, "gateway_is_a_page", f"{self.base_url} {told}")
        return None

    async def _answer(self, scope: Scope, headers: Headers, send: Send, fault: Fault) -> None:
        """Answer in the gateway's place."""
        self.telling.failed(fault)
        content = body_of(fault, messages=speaks_messages(scope["path"], headers))
        told: dict[str, Any] = {"content-type": "application/json", "content-length": str(len(content))}
        pairs = [(name.encode(), value.encode()) for name, value in (told | dict(fault.headers)).items()]
        await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
        await send({"type": "http.response.body", "body": content, "more_body": False})
