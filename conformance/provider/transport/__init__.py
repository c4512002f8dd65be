"""Let any client of an OpenAI-compatible gateway send only what its models take.

`http_client()` and `async_http_client()` make clients for `OpenAI(http_client=…)`, pydantic-ai,
LangChain and the like; `FilteringTransport` and `AsyncFilteringTransport` go into a client that
one makes oneself. All of them serve httpx and httpx2 alike.

Only JSON bodies posted to a known endpoint are read, and only the fields that the support table
knows to be refused, or that refusals have taught, are left out; every other byte stays. A request
that is refused all the same because of a field is mended and sent once more (`repair`); answers stream
through untouched. What cannot be read is sent as it is.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from conformance.provider.http_library import http_library, usable_proxies
from conformance.provider.transport.mending import aexchanged, exchanged
from conformance.provider.transport.request_filter import ENDPOINTS, MAX_BODY, OnDrop, OnRepair, RequestFilter

__all__ = [
    "ENDPOINTS",
    "MAX_BODY",
    "AsyncFilteringTransport",
    "FilteringTransport",
    "OnDrop",
    "OnRepair",
    "RequestFilter",
    "async_http_client",
    "http_client",
    "http_library",
]

#: Stands for the base class that httpx and httpx2 each want of their own, which nothing at run time needs.
_Base: Any = object


class FilteringTransport(_Base):  # type: ignore[misc]  # of httpx or of httpx2, whose requests it gets
    """A transport for `httpx.Client` or `httpx2.Client` that leaves out what models refuse.

    `transport` sends what is left; by default the library's own (httpx2 where it is installed).
    `request_filter` says what to leave out; by default what the layered tables say.
    """

    def __init__(self, transport: Any = None, request_filter: RequestFilter | None = None) -> None:
        """Load the table where none is given; raises `TableError`."""
        self._filter = request_filter or RequestFilter()
        self._inner = transport if transport is not None else http_library().HTTPTransport()

    def handle_request(self, request: Any) -> Any:
        """Send what the model takes of a request."""
        sent = self._filter.ready(request)
        if not sent.watched:
            return self._inner.handle_request(sent.request)
        return exchanged(sent, self._filter, self._inner.handle_request)

    def close(self) -> None:
        """Close the transport inside."""
        self._inner.close()

    def __enter__(self) -> FilteringTransport:
        """Open the transport inside."""
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Close the transport inside."""
        self._inner.__exit__(*error)


class AsyncFilteringTransport(_Base):  # type: ignore[misc]  # as above
    """`FilteringTransport` for `httpx.AsyncClient` or `httpx2.AsyncClient`."""

    def __init__(self, transport: Any = None, request_filter: RequestFilter | None = None) -> None:
        """Load the table where none is given; raises `TableError`."""
        self._filter = request_filter or RequestFilter()
        self._inner = transport if transport is not None else http_library().AsyncHTTPTransport()

    async def handle_async_request(self, request: Any) -> Any:
        """Send what the model takes of a request."""
        sent = self._filter.ready(request)
        if not sent.watched:
            return await self._inner.handle_async_request(sent.request)
        return await aexchanged(sent, self._filter, self._inner.handle_async_request)

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self._inner.aclose()

    async def __aenter__(self) -> AsyncFilteringTransport:
        """Open the transport inside."""
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        """Close the transport inside."""
        await self._inner.__aexit__(*error)


def http_client(
    request_filter: RequestFilter | None = None, *, library: ModuleType | None = None, **options: Any
) -> Any:
    """A client for `OpenAI(http_client=…)` and whatever else takes one.

    `library` is `httpx` or `httpx2`, by default httpx2 where it is installed, as OpenAI's SDK wants
    it; the options are those of its `Client`. The environment's proxies and certificates hold, which
    they do not for a client with a transport of its own. Raises `TableError`, and `GatewayError` for a
    proxy of the environment that cannot be used.
    """
    library = library or http_library()
    known = request_filter or RequestFilter()

    class FilteringClient(library.Client):  # type: ignore[misc, name-defined]  # chosen at run time
        def send(self, request: Any, *, stream: bool = False, **how: Any) -> Any:
            sent = known.ready(request)
            if not sent.watched:
                return super().send(sent.request, stream=stream, **how)
            response = exchanged(sent, known, partial(super().send, stream=True, **how))
            if not stream:
                try:
                    response.read()
                except BaseException:
                    response.close()
                    raise
            return response

    with usable_proxies():
        return FilteringClient(**_as_the_sdk_has_it(library, options))


def async_http_client(
    request_filter: RequestFilter | None = None, *, library: ModuleType | None = None, **options: Any
) -> Any:
    """`http_client` for `AsyncOpenAI(http_client=…)` and other asynchronous clients."""
    library = library or http_library()
    known = request_filter or RequestFilter()

    class AsyncFilteringClient(library.AsyncClient):  # type: ignore[misc, name-defined]  # chosen at run time
        async def send(self, request: Any, *, stream: bool = False, **how: Any) -> Any:
            sent = known.ready(request)
            if not sent.watched:
                return await super().send(sent.request, stream=stream, **how)
            response = await aexchanged(sent, known, partial(super().send, stream=True, **how))
            if not stream:
                try:
                    await response.aread()
                except BaseException:
                    await response.aclose()
                    raise
            return response

    with usable_proxies():
        return AsyncFilteringClient(**_as_the_sdk_has_it(library, options))


def _as_the_sdk_has_it(library: ModuleType, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the OpenAI SDK's defaults: a long answer may take its time."""
    return {
        "timeout": library.Timeout(600, connect=5.0),
        "limits": library.Limits(max_connections=1000, max_keepalive_connections=100),
        "follow_redirects": True,
        **options,
    }
