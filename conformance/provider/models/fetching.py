"""Fetch a gateway's model list: `Asking` says what is asked, and drivers ask it, with and without asyncio.

The suite's discovery has a driver of its own, which bounds each answer as it bounds all others.

Every wait has an end, every answer a size, and no redirect takes the key elsewhere.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from conformance.provider.errors import GatewayError
from conformance.provider.http_library import http_library, usable_proxies
from conformance.provider.models.catalogue import (
    Listed,
    catalogue,
    data_rows,
    listed_rows,
    none_chats,
    object_in,
)
from conformance.provider.target import Target
from conformance.provider.tls import verification
from conformance.provider.whereabouts import VERSION_HEADER, Whereabouts

#: Seconds: to connect, between two pieces of an answer, and for one whole answer.
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 5.0, 15.0, 30.0
MAX_BODY = 64 * 1024 * 1024

#: What an answer may be packed in, though none of it is asked for: each makes at most 1,000 bytes of one.
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})


class Fetched(NamedTuple):
    """The models that a gateway offers, and its version of LiteLLM where it tells."""

    models: tuple[Listed, ...]
    version: str | None

    def note(self, known: Whereabouts, gateway: str) -> None:
        """Take note of what serves the models, and what is declared for them; `gateway` is an address as kept there."""
        served = {listed.id: listed.served_by for listed in self.models}
        declared = {listed.id: listed.parameters for listed in self.models}
        known.listed(gateway, served, self.version, declared)


def fetch(target: Target) -> Fetched:
    """The models of a gateway. Raises `GatewayError`."""
    asking = Asking(target)
    with usable_proxies():
        client = http_library().Client(**_options(target))
    with client:
        for reading in asking:
            with reading, client.stream("GET", reading.url) as response:
                reading.begin(response.status_code, response.headers)
                for chunk in response.iter_bytes():
                    reading.add(chunk)
    return asking.fetched()


async def fetch_async(target: Target) -> Fetched:
    """`fetch` for asyncio. The event loop goes on while a long list is read: ten thousand models take half a second."""
    import asyncio  # which takes as long to load as all else here

    asking = Asking(target)
    readings = iter(asking)
    with usable_proxies():
        client = http_library().AsyncClient(**_options(target))
    async with client:
        while (reading := await asyncio.to_thread(next, readings, None)) is not None:
            with reading:
                async with client.stream("GET", reading.url) as response:
                    reading.begin(response.status_code, response.headers)
                    async for chunk in response.aiter_bytes():
                        reading.add(chunk)
    return await asyncio.to_thread(asking.fetched)


def _options(target: Target) -> dict[str, Any]:
    library = http_library()
    return {
        "headers": {**target.request_headers, "accept-encoding": "identity"},
        "timeout": library.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        "verify": verification(target.ca_bundle),
        "trust_env": target.uses_environment,
        "follow_redirects": False,
    }


#: Where LiteLLM gives its version, which its model list does not; older releases have only the second.
VERSION_PATHS = ("/health/readiness/details", "/health/readiness")


def _version(told: object) -> str | None:
    """A version, if a terminal can show it."""
    return told if isinstance(told, str) and re.fullmatch(r"[\w.+-]{1,100}", told) else None


class Asking:
    """The answers to read, each before the next is asked for, and the rows that they hold.

    `seconds` and `max_body` bound each answer; by default as suits a program that somebody waits for.
    """

    def __init__(self, target: Target, *, seconds: float | None = None, max_body: int | None = None) -> None:
        """Nothing is asked yet."""
        self.rows: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.headers: Any = {}
        self.version: str | None = None
        self._base = target.base_url
        self._seconds = ANSWER_SECONDS if seconds is None else seconds
        self._max_body = MAX_BODY if max_body is None else max_body

    def __iter__(self) -> Iterator[Reading]:
        """One reading after another, to be filled by the caller. Raises `GatewayError` if nothing is listed."""
        listed = Reading(self._base, "/v1/models", self._seconds, self._max_body)
        yield listed
        if listed.failure:
            raise listed.failure
        self.headers = listed.headers
        self.rows = listed_rows(listed.status, bytes(listed.body), self._base)
        # These declarations are optional: not every key may read them.
        for path, rows in (("/model_group/info", self.groups), ("/model/info", self.deployments)):
            declared = Reading(self._base, path, self._seconds, self._max_body)
            yield declared
            if declared.failure is None and declared.status == 200:
                rows.extend(data_rows(bytes(declared.body)))
        self.version = _version(self.headers.get(VERSION_HEADER))
        for path in VERSION_PATHS if self.version is None else ():
            ready = Reading(self._base, path, self._seconds, self._max_body)
            yield ready
            if ready.failure is None and ready.status == 200:
                self.version = _version(object_in(bytes(ready.body)).get("litellm_version"))
            if self.version is not None:
                return

    def fetched(self) -> Fetched:
        """What the provider offers of them. Raises `GatewayError` if that is nothing."""
        found = catalogue(self.rows, self.groups, self.deployments)
        if not found:
            raise none_chats(self._base, len(self.rows))
        return Fetched(found, self.version)


class Reading:
    """One answer as it comes in, bounded in size and time; as a context, it keeps what went wrong."""

    def __init__(self, base: str, path: str, seconds: float, max_body: int) -> None:
        """Begin to count the time for the answer at this path."""
        self.url = f"{base}{path}"
        self.status = 0
        self.headers: Any = {}
        self.body = bytearray()
        self.failure: GatewayError | None = None
        self.seconds, self.max_body = seconds, max_body
        self._base, self._until = base, time.monotonic() + seconds

    def __enter__(self) -> Reading:
        """Read within the block."""
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> bool:
        """Keep what went wrong as `failure`, in words for a user."""
        if isinstance(error, Exception):
            self.failure = failure(error, self._base)
        return self.failure is not None

    def begin(self, status: int, headers: Any) -> None:
        """Take note of status and headers. Raises `GatewayError` if one chunk could unpack to gigabytes."""
        self.status, self.headers = status, headers
        if headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
            self.give_up("answers in a compression that was not requested; check the address, and any proxy in between")

    def add(self, chunk: bytes) -> None:
        """Take in what came. Raises `GatewayError` if it is too much, or too late."""
        self.body += chunk
        if len(self.body) > self.max_body:
            self.give_up(f"answers with more than {self.max_body // 2**20} MiB; check the address")
        if time.monotonic() > self._until:
            self.give_up(f"takes longer than {self.seconds:.0f} s to answer; is it overloaded?")

    def give_up(self, why: str) -> NoReturn:
        """Raise `GatewayError` with this reason."""
        raise GatewayError(f"{self._base} {why}")


def failure(error: Exception, base: str) -> GatewayError:
    """What an exception of httpx or httpx2 means to a user, in one line and without the key."""
    if isinstance(error, GatewayError):
        return error
    # Both libraries have the same names; the caller chose which one raised this.
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, TimeoutError) or "TimeoutException" in names:
        return GatewayError(f"{base} did not answer in time; is the gateway up, and is the address right?")
    if "ConnectError" in names:
        return GatewayError(f"{base}: {_why_no_connection(error)}")
    return GatewayError(f"{base} cannot be read ({type(error).__name__}); check the address")


def _why_no_connection(error: BaseException) -> str:
    """What the cause at the bottom of a connection error means to a user."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror):
            return "no such host; check the name in the address"
        if isinstance(seen, ssl.SSLError):
            reason = getattr(seen, "verify_message", "") or seen.reason or "handshake failed"
            return f"TLS failed ({reason}); check https or http, and trust the certificate (SSL_CERT_FILE)"
        if isinstance(seen, ConnectionRefusedError):
            return "connection refused; is the gateway running, and is the port right?"
        seen = seen.__cause__ or seen.__context__
    return f"no connection ({error}); check the address and the network"
