"""A request as it comes in: its body piece by piece, and whether its client is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from starlette.types import Receive


class ClientGoneError(Exception):
    """The client went away before its request was whole."""


class Incoming:
    """The body of one request. One at a time reads: `pieces`, and behind them `gone`."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        """Nothing is read yet."""
        self._receive = receive
        self._over = asyncio.Event()
        self.has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        if not self.has_body:
            self.leave()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `ClientGoneError`."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self.leave()
                return

    def leave(self) -> None:
        """Read no further: what is left of the body is nobody's."""
        self._over.set()

    async def gone(self) -> None:
        """Return once the client is gone, or has its answer; the body has to be read or left for that."""
        await self._over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def all_of(pieces: AsyncIterator[bytes], most: int) -> bytes | AsyncIterator[bytes]:
    """A body at once, or, where it is larger than `most` bytes, as it comes."""
    read = bytearray()
    async for piece in pieces:
        read += piece
        if len(read) > most:
            return _begun(bytes(read), pieces)
    return bytes(read)


async def _begun(read: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield read
    async for piece in rest:
        yield piece
