"""Fetch a gateway's model list: one plan of requests, and a driver of it with and without asyncio.

Every wait has an end, every answer a size, and no redirect takes the key elsewhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlsplit

from conformance.provider.catalogue import Listed, catalogue, data_rows, listed_rows, why_no_connection
from conformance.provider.errors import GatewayError
from conformance.provider.target import Target
from conformance.provider.transport import http_library

#: Seconds: to connect, between two pieces of an answer, and for one whole answer.
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 5.0, 15.0, 30.0
MAX_BODY = 64 * 1024 * 1024

#: What an answer may be packed in, though none of it is asked for: each makes at most 1,000 bytes of one.
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})


@dataclass(frozen=True)
class Answer:
    """An answer that came in whole."""

    status: int
    body: bytes


#: Asks for addresses one after another, gets an answer or what went wrong, and ends with the models.
Plan: TypeAlias = Generator[str, Answer | GatewayError, tuple[Listed, ...]]


def plan(target: Target) -> Plan:
    """What to ask, and what the answers come to. Raises `GatewayError` where no models come of it."""
    answer = yield target.url("/models")
    if isinstance(answer, GatewayError):
        raise answer
    rows = listed_rows(answer.status, answer.body, target.base_url)
    welcome = []  # what is declared is never needed: not every key may read it
    for path in ("/model_group/info", "/model/info"):
        answer = yield f"{target.base_url}{path}"
        known = isinstance(answer, Answer) and answer.status == 200
        welcome.append(data_rows(answer.body) if isinstance(answer, Answer) and known else [])
    models = catalogue(rows, *welcome)
    if not models:
        raise GatewayError(f"{target.base_url} lists {len(rows)} models, but none that chats; try another key")
    return models


def fetch(target: Target) -> tuple[Listed, ...]:
    """The models of a gateway. Raises `GatewayError`."""
    with http_library().Client(**_options(target)) as client:
        asking = plan(target)
        url = next(asking)
        while True:
            reading = _Reading(target)
            answer: Answer | GatewayError
            try:
                with client.stream("GET", url) as response:
                    reading.begin(response.headers)
                    for chunk in response.iter_bytes():
                        reading.add(chunk)
                    answer = Answer(response.status_code, bytes(reading.body))
            except Exception as error:
                answer = _told(error, target)
            try:
                url = asking.send(answer)
            except StopIteration as end:
                models: tuple[Listed, ...] = end.value
                return models


async def fetch_async(target: Target) -> tuple[Listed, ...]:
    """`fetch` for asyncio."""
    async with http_library().AsyncClient(**_options(target)) as client:
        asking = plan(target)
        url = next(asking)
        while True:
            reading = _Reading(target)
            answer: Answer | GatewayError
            try:
                async with client.stream("GET", url) as response:
                    reading.begin(response.headers)
                    async for chunk in response.aiter_bytes():
                        reading.add(chunk)
                    answer = Answer(response.status_code, bytes(reading.body))
            except Exception as error:
                answer = _told(error, target)
            try:
                url = asking.send(answer)
            except StopIteration as end:
                models: tuple[Listed, ...] = end.value
                return models


def _options(target: Target) -> dict[str, Any]:
    library = http_library()
    return {
        "headers": {"authorization": f"Bearer {target.api_key}", "accept-encoding": "identity"},
        "timeout": library.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        "trust_env": not is_loopback(target.base_url),
        "follow_redirects": False,
    }


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine itself, to which no proxy of the environment leads."""
    return re.fullmatch(r"localhost|127(\.\d+){3}|::1", urlsplit(base_url).hostname or "") is not None


class _Reading:
    """An answer as it comes in: neither without end nor for ever."""

    def __init__(self, target: Target) -> None:
        self.body = bytearray()
        self._base, self._until = target.base_url, time.monotonic() + ANSWER_SECONDS

    def begin(self, headers: Any) -> None:
        """Refuse what is packed in layers, or in a way that makes gigabytes of one chunk before it can be looked at."""
        if headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
            self._give_up("answers in a compression that nobody asked for; check the address, or a proxy before it")

    def add(self, chunk: bytes) -> None:
        self.body += chunk
        if len(self.body) > MAX_BODY:
            self._give_up(f"answers with more than {MAX_BODY // 2**20} MiB; check the address")
        if time.monotonic() > self._until:
            self._give_up(f"takes longer than {ANSWER_SECONDS:.0f} s to answer; is it overloaded?")

    def _give_up(self, why: str) -> NoReturn:
        raise GatewayError(f"{self._base} {why}")


def _told(error: Exception, target: Target) -> GatewayError:
    """What an exception of the HTTP library means to a user, in one line and without the key."""
    library, base = http_library(), target.base_url
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, library.TimeoutException):
        return GatewayError(f"{base} did not answer in time; is the gateway up, and is the address right?")
    if isinstance(error, library.ConnectError):
        return GatewayError(f"{base}: {why_no_connection(error)}")
    return GatewayError(f"{base} cannot be read ({type(error).__name__}); check the address")
