"""Read an HTTP answer that nobody vouches for: no more of it than is bearable, in time and in memory.

httpx unpacks whatever an answer says it is packed in, layer upon layer, before anybody can look at
its size. Here the bytes come raw, and are unpacked piece by piece.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import httpx

#: What an answer may be packed in, as it is asked for.
ACCEPT_ENCODING = "gzip, deflate"

#: Bytes unpacked at a time: what a bomb can make of one piece from the wire.
STEP = 64 * 1024

#: Pieces of one answer: capped answers come in hundreds, and each piece costs memory and time.
MAX_PIECES = 65_536


class UnbearableError(Exception):
    """An answer that went past a bound, or cannot be unpacked; the text says which."""


async def pieces(answer: httpx.Response, max_bytes: int) -> AsyncIterator[bytes]:
    """The body of an answer as it comes, unpacked. Raises `UnbearableError` behind the last that is bearable."""
    unpack = _unpacker(answer.headers.get("content-encoding", ""))
    size = count = 0
    async for raw in answer.aiter_raw():
        count += 1
        if count > MAX_PIECES:
            raise UnbearableError(f"the answer came in more than {MAX_PIECES} pieces")
        while raw:
            piece, raw = unpack(raw) if unpack else (raw, b"")
            size += len(piece)
            if piece:
                yield piece
            if size > max_bytes:
                raise UnbearableError(f"the answer is larger than {max_bytes // 2**20} MiB")


class _Unpacker:
    """Unpacks gzip and deflate, at most `STEP` bytes in one go."""

    def __init__(self, *windows: int) -> None:
        self._windows = list(windows)  # `deflate` comes with or without its wrapping
        self._stream = zlib.decompressobj(self._windows.pop(0))

    def __call__(self, raw: bytes) -> tuple[bytes, bytes]:
        """What the next bytes hold, and those that are still to be unpacked."""
        try:
            piece = self._stream.decompress(raw, STEP)
        except zlib.error:
            if not self._windows:
                raise UnbearableError("the answer's compression is broken") from None
            self._stream = zlib.decompressobj(self._windows.pop(0))
            return self(raw)
        self._windows.clear()
        if self._stream.eof:  # what follows the end is no part of the answer
            return piece, b""
        return piece, self._stream.unconsumed_tail


def _unpacker(encoding: str) -> _Unpacker | None:
    names = [name.strip().lower() for name in encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if names in (["gzip"], ["x-gzip"]):
        return _Unpacker(zlib.MAX_WBITS | 16)
    if names == ["deflate"]:
        return _Unpacker(zlib.MAX_WBITS, -zlib.MAX_WBITS)
    raise UnbearableError(f"the answer's compression is none that was asked for: {encoding[:60]!r}")
