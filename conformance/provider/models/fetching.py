"""Fetch a gateway's model list: one account of what is asked, and a driver of it with and without asyncio.

Every wait has an end, every answer a size, and no redirect takes the key elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NoReturn

from conformance.provider.errors import GatewayError
from conformance.provider.http_library import http_library
from conformance.provider.models.catalogue import Listed, catalogue, data_rows, listed_rows, why_no_connection
from conformance.provider.target import Target
from conformance.provider.tls import verification

#: Seconds: to connect, between two pieces of an answer, and for one whole answer.
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 5.0, 15.0, 30.0
MAX_BODY = 64 * 1024 * 1024

#: What an answer may be packed in, though none of it is asked for: each makes at most 1,000 bytes of one.
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})


def fetch(target: Target) -> tuple[Listed, ...]:
    """The models of a gateway. Raises `GatewayError`."""
    asking = Asking(target)
    with http_library().Client(**_options(target)) as client:
        for reading in asking:
            with reading, client.stream("GET", reading.url) as response:
                reading.begin(response.status_code, response.headers)
                for chunk in response.iter_bytes():
                    reading.add(chunk)
    return asking.models


async def fetch_async(target: Target) -> tuple[Listed, ...]:
    """`fetch` for asyncio."""
    asking = Asking(target)
    async with http_library().AsyncClient(**_options(target)) as client:
        for reading in asking:
            with reading:
                async with client.stream("GET", reading.url) as response:
                    reading.begin(response.status_code, response.headers)
                    async for chunk in response.aiter_bytes():
                        reading.add(chunk)
    return asking.models


def _options(target: Target) -> dict[str, Any]:
    library = http_library()
    return {
        "headers": {**target.request_headers, "accept-encoding": "identity"},
        "timeout": library.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        "verify": verification(target.ca_bundle),
        "trust_env": target.uses_environment,
        "follow_redirects": False,
    }


class Asking:
    """The answers to read, each before the next is asked for, and the `models` that they come to."""

    def __init__(self, target: Target) -> None:
        """Nothing is asked yet."""
        self.models: tuple[Listed, ...] = ()
        self._base = target.base_url

    def __iter__(self) -> Iterator[Reading]:
        """One reading after another, to be filled by the caller. Raises `GatewayError` where no models come of them."""
        listed = Reading(self._base, "/v1/models")
        yield listed
        if listed.failure:
            raise listed.failure
        rows = listed_rows(listed.status, bytes(listed.body), self._base)
        welcome = []  # what is declared is never needed: not every key may read it
        for path in ("/model_group/info", "/model/info"):
            declared = Reading(self._base, path)
            yield declared
            known = declared.failure is None and declared.status == 200
            welcome.append(data_rows(bytes(declared.body)) if known else [])
        self.models = catalogue(rows, *welcome)
        if not self.models:
            raise GatewayError(f"{self._base} lists {len(rows)} models, but none that chats; try another key")


class Reading:
    """An answer as it comes in, neither without end nor for ever; as a context, it keeps what went wrong."""

    def __init__(self, base: str, path: str) -> None:
        """Begin to count the time for the answer at this path."""
        self.url = f"{base}{path}"
        self.status = 0
        self.body = bytearray()
        self.failure: GatewayError | None = None
        self._base, self._until = base, time.monotonic() + ANSWER_SECONDS

    def __enter__(self) -> Reading:
        """Read within the block."""
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> bool:
        """Keep what went wrong as `failure`, in words for a user."""
        if isinstance(error, Exception):
            self.failure = _told(error, self._base)
        return self.failure is not None

    def begin(self, status: int, headers: Any) -> None:
        """Take note of the status, and refuse what is packed so that one chunk of it may become gigabytes."""
        self.status = status
        if headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
            self._give_up("answers in a compression that nobody asked for; check the address, or a proxy before it")

    def add(self, chunk: bytes) -> None:
        """Take in what came. Raises `GatewayError` where it is too much, or too late."""
        self.body += chunk
        if len(self.body) > MAX_BODY:
            self._give_up(f"answers with more than {MAX_BODY // 2**20} MiB; check the address")
        if time.monotonic() > self._until:
            self._give_up(f"takes longer than {ANSWER_SECONDS:.0f} s to answer; is it overloaded?")

    def _give_up(self, why: str) -> NoReturn:
        raise GatewayError(f"{self._base} {why}")


def _told(error: Exception, base: str) -> GatewayError:
    """What an exception of the HTTP library means to a user, in one line and without the key."""
    library = http_library()
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, library.TimeoutException):
        return GatewayError(f"{base} did not answer in time; is the gateway up, and is the address right?")
    if isinstance(error, library.ConnectError):
        return GatewayError(f"{base}: {why_no_connection(error)}")
    return GatewayError(f"{base} cannot be read ({type(error).__name__}); check the address")
