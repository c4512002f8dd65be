"""Read an HTTP answer that nobody vouches for: no more of it than is bearable, in time and in memory.

httpx unpacks whatever an answer says it is packed in, layer upon layer, before anybody can look at
its size. Here the bytes come raw, and are unpacked piece by piece.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import httpx

#: What an answer may be packed in, as it is asked for.
ACCEPT_ENCODING = "gzip, deflate"

#: Bytes unpacked at a time: what a bomb can make of one piece from the wire.
STEP = 64 * 1024

#: Pieces of one answer: capped answers come in hundreds, and each piece costs memory and time.
MAX_PIECES = 65_536


#: Under which name an answer keeps where it redirects to, and so much of that is told.
_ASIDE, _LONGEST_PLACE = "conformance.location", 200


class UnbearableError(Exception):
    """An answer that went past a bound, or cannot be unpacked; the text says which."""


async def pieces(answer: httpx.Response, max_bytes: int) -> AsyncIterator[bytes]:
    """The body of an answer as it comes, unpacked. Raises `UnbearableError` behind the last that is bearable."""
    unpack = _unpacker(answer.headers.get("content-encoding", ""))
    size = packed = count = 0
    async for raw in answer.aiter_raw():
        count, packed = count + 1, packed + len(raw)
        if count > MAX_PIECES:
            raise UnbearableError(f"the answer came in more than {MAX_PIECES} pieces")
        while raw:
            piece, raw = unpack(raw) if unpack else (raw, b"")
            size += len(piece)
            if piece:
                yield piece
            if size > max_bytes:
                break
        if max(size, packed) > max_bytes:  # what unpacks to nothing is there all the same
            raise UnbearableError(f"the answer is larger than {max_bytes // 2**20} MiB")


async def set_location_aside(answer: httpx.Response) -> None:
    """A hook for httpx, which makes a request of each redirect, also where none is followed.

    It fails at an address that is none. So it is not shown the address; `location_of` tells it.
    """
    if answer.has_redirect_location:
        answer.extensions[_ASIDE] = answer.headers.pop("location")


def location_of(answer: httpx.Response) -> str | None:
    """Where a redirect leads, without what may hold a secret: no user, no query. None where it leads nowhere."""
    try:
        parts = urlsplit(answer.extensions.get(_ASIDE, ""))
    except ValueError:
        return None
    place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return place[:_LONGEST_PLACE] if place and place.isprintable() else None


class _Unpacker:
    """Unpacks gzip and deflate, at most `STEP` bytes in one go."""

    def __init__(self, window: int | None = None) -> None:
        """Unpack what zlib calls by this window; None is `deflate`, which comes with or without its wrapping."""
        self._stream = None if window is None else zlib.decompressobj(window)
        self._first = b""

    def __call__(self, raw: bytes) -> tuple[bytes, bytes]:
        """What the next bytes hold, and those that are still to be unpacked."""
        if self._stream is None:
            self._first += raw
            if len(self._first) < 2:
                return b"", b""
            raw, self._stream = self._first, zlib.decompressobj(_window(self._first))
        if self._stream.eof:  # what follows the end is no part of the answer, and zlib would keep all of it
            return b"", b""
        try:
            return self._stream.decompress(raw, STEP), self._stream.unconsumed_tail
        except zlib.error:
            raise UnbearableError("the answer's compression is broken") from None


def _window(first: bytes) -> int:
    """Whether `deflate` comes in zlib's wrapping, by its first two bytes (RFC 1950)."""
    wrapped = first[0] & 0x0F == 8 and int.from_bytes(first[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS


def _unpacker(encoding: str) -> _Unpacker | None:
    names = [name.strip().lower() for name in encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if names in (["gzip"], ["x-gzip"]):
        return _Unpacker(zlib.MAX_WBITS | 16)
    if names == ["deflate"]:
        return _Unpacker()
    raise UnbearableError(f"the answer's compression was not requested: {encoding[:60]!r}")
