"""Let any client of an OpenAI-compatible gateway send only what its models take.

`http_client()` and `async_http_client()` make clients for `OpenAI(http_client=…)`, pydantic-ai,
LangChain and the like; `FilteringTransport` and `AsyncFilteringTransport` go into a client that
one makes oneself. All of them serve httpx and httpx2 alike.

Only JSON bodies posted to a known endpoint are read, and only the fields that the support table
knows to be refused are left out; every other byte stays, and answers stream through untouched.
What cannot be read is sent as it is.
"""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from conformance.provider.errors import ConformanceError
from conformance.provider.filtering import filter_request
from conformance.provider.json_text import edited
from conformance.provider.layers import Table, layered_table
from conformance.provider.target import gateway_name, make_target

logger = logging.getLogger("conformance.provider")

#: How the addresses of the endpoints end that the table speaks of.
ENDPOINTS = {"/chat/completions": "chat_completions", "/responses": "responses"}

#: Bodies above this many bytes are sent as they are: decoding them would hold the request up.
MAX_BODY = 64 * 1024 * 1024

#: How many pairs of model and parameter are remembered as reported, before that starts anew.
_MAX_REPORTED = 4096

#: Called with model, endpoint and parameter, once for each model and parameter left out.
OnDrop: TypeAlias = Callable[[str, str, str], None]

#: Stands for the base class that httpx and httpx2 each want of their own, which nothing at run time needs.
_Base: Any = object


class RequestFilter:
    """What all transports and clients share: from a request to what may be sent of it.

    `table` is a file whose rules go over the shipped ones, or a table that is loaded and holds
    alone. With `base_url`, only requests to that gateway are filtered. `gateway`, `gateway_version`
    and `route` are for tables with rules that hold for some only; the gateway is else named by the
    request's address. Raises `TableError` for a table that cannot be used, and `TargetError` for
    such a `base_url`.
    """

    def __init__(
        self,
        *,
        table: Table | None = None,
        base_url: str | None = None,
        on_drop: OnDrop | None = None,
        gateway: str | None = None,
        gateway_version: str | None = None,
        route: str | None = None,
    ) -> None:
        """Load the table; nothing is read from disk afterwards."""
        self.table = layered_table(table)
        self._base = None if base_url is None else _place(make_target(base_url, "unused").base_url)
        self._on_drop = on_drop
        self._known = {"gateway_version": gateway_version, "route": route}
        self._gateway = gateway
        self._reported: set[tuple[str, str]] = set()

    def replaced(self, request: Any) -> Any:
        """The request itself, or one in its place without the fields that its model refuses."""
        try:
            body = self._body(request)
        except Exception:
            logger.debug("a request was sent unfiltered, for it could not be read", exc_info=True)
            return request
        if body is None:
            return request
        headers = request.headers.copy()
        headers["content-length"] = str(len(body))
        return type(request)(request.method, request.url, headers=headers, content=body, extensions=request.extensions)

    def _body(self, request: Any) -> bytes | None:
        """The body to send instead, or None where the request is none to touch."""
        url = str(request.url)
        endpoint = self._endpoint(url) if request.method == "POST" else None
        headers = request.headers
        if endpoint is None or headers.get("content-encoding", "identity") != "identity":
            return None
        if "json" not in headers.get("content-type", ""):
            return None
        try:
            content: bytes = request.content
        except RuntimeError:  # a streaming body, which each library's own exception says
            return None
        return None if len(content) > MAX_BODY else self.filtered(content, endpoint, url)

    def filtered(self, content: bytes, endpoint: str, url: str) -> bytes | None:
        """A body without what its model refuses, or None where all of it can be sent."""
        text = content.decode()
        body = json.loads(text)
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str):
            return None
        gateway = self._gateway or gateway_name(url)
        found = filter_request(body, model, endpoint, table=self.table, gateway=gateway, **self._known)
        if not found.dropped:
            return None
        for parameter in found.dropped:
            self._report(model, endpoint, parameter, found.instead.get(parameter))
        return edited(text, body, found.body).encode()

    def _endpoint(self, url: str) -> str | None:
        if self._base is not None and not _within(_place(url), self._base):
            return None
        path = urlsplit(url).path.rstrip("/")
        return next((name for ending, name in ENDPOINTS.items() if path.endswith(ending)), None)

    def _report(self, model: str, endpoint: str, parameter: str, instead: str | None) -> None:
        if (model, parameter) in self._reported:
            return
        if len(self._reported) >= _MAX_REPORTED:
            self._reported.clear()
        self._reported.add((model, parameter))
        done = f"sent {instead} instead" if instead else "left out"
        logger.info("%s does not take %s on %s: %s", model, parameter, endpoint, done)
        if self._on_drop is not None:
            try:
                self._on_drop(model, endpoint, parameter)
            except Exception:
                logger.exception("on_drop failed")


def _place(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _within(place: tuple[Any, ...], base: tuple[Any, ...]) -> bool:
    return place[:3] == base[:3] and f"{place[3]}/".startswith(f"{base[3]}/")


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
        return self._inner.handle_request(self._filter.replaced(request))

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
        return await self._inner.handle_async_request(self._filter.replaced(request))

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
    they do not for a client with a transport of its own. Raises `TableError`.
    """
    library = library or http_library()
    known = request_filter or RequestFilter()

    class FilteringClient(library.Client):  # type: ignore[misc, name-defined]  # chosen at run time
        def send(self, request: Any, **how: Any) -> Any:
            return super().send(known.replaced(request), **how)

    return FilteringClient(**_as_the_sdk_has_it(library, options))


def async_http_client(
    request_filter: RequestFilter | None = None, *, library: ModuleType | None = None, **options: Any
) -> Any:
    """`http_client` for `AsyncOpenAI(http_client=…)` and other asynchronous clients."""
    library = library or http_library()
    known = request_filter or RequestFilter()

    class AsyncFilteringClient(library.AsyncClient):  # type: ignore[misc, name-defined]  # chosen at run time
        async def send(self, request: Any, **how: Any) -> Any:
            return await super().send(known.replaced(request), **how)

    return AsyncFilteringClient(**_as_the_sdk_has_it(library, options))


def _as_the_sdk_has_it(library: ModuleType, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the OpenAI SDK's defaults: a long answer may take its time."""
    return {
        "timeout": library.Timeout(600, connect=5.0),
        "limits": library.Limits(max_connections=1000, max_keepalive_connections=100),
        "follow_redirects": True,
        **options,
    }


def http_library() -> ModuleType:
    """httpx2 where it is installed, else httpx; raises `ConformanceError` where neither is."""
    for name in ("httpx2", "httpx"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ConformanceError("neither httpx2 nor httpx is installed; install `litellm-conformance[provider]`")
