"""Fuzzing of what comes over the wire: unpacking it, and the waits that it names."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.exchange.receiving import STEP, UnbearableError, pieces
from conformance.provider.rate_limits import named_wait
from conformance.tests.fuzz.strategies import HEADERS, answers, bodies, cut, damaged
from conformance.tests.helpers.building import CHAT, WHOLE

#: How bodies are packed, by what their header says.
PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    ("identity", bytes),
    ("gzip", gzip.compress),
    ("x-gzip", lambda body: gzip.compress(body, 0)),
    ("deflate", zlib.compress),
    ("Deflate", lambda body: zlib.compress(body, 0)),
    ("deflate", lambda body: zlib.compress(body, wbits=-15)),
    ("deflate", lambda body: zlib.compress(body, 0, wbits=-15)),
]
BODIES = st.sampled_from(bodies(CHAT, WHOLE, ok=True)) | st.binary(max_size=50) | st.just(b"0" * 300_000)
MOST = 200_000


class _Stream(httpx.AsyncByteStream):
    """A body that arrives in these pieces."""

    def __init__(self, sent: Iterable[bytes]) -> None:
        """Nothing is read before it is asked for."""
        self._sent = sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece in turn."""
        for piece in self._sent:
            yield piece


def received(encoding: str, sent: Iterable[bytes], most: int = MOST) -> tuple[bytes, bool]:
    """What is read of an answer that arrives in these pieces, and whether it could be borne to its end."""
    body = bytearray()

    async def read() -> None:
        answer = httpx.Response(200, headers=[(b"content-encoding", encoding.encode("latin-1"))], stream=_Stream(sent))
        async for piece in pieces(answer, most):
            assert 0 < len(piece) <= max(STEP, max(map(len, sent)) if isinstance(sent, list) else STEP)
            body.extend(piece)

    try:
        asyncio.run(read())
    except UnbearableError as error:
        assert len(str(error)) < 150  # noqa: PT017 - either outcome is right
        return bytes(body), False
    return bytes(body), True


@given(st.data(), st.sampled_from(PACKED), BODIES)
def test_pieces_do_not_matter(data: st.DataObject, packing: tuple[str, Callable[[bytes], bytes]], body: bytes) -> None:
    """Given an answer packed in any way and cut anywhere, when it is read, then it is what was packed."""
    encoding, pack = packing
    packed = pack(body)
    found, whole = received(encoding, data.draw(cut(packed)))

    assert whole is (max(len(body), len(packed)) <= MOST)
    assert found == body if whole else len(found) <= MOST + max(STEP, len(packed))


@given(
    st.data(), st.sampled_from(PACKED), st.sampled_from(["gzip", "deflate", "br", "gzip, gzip", "\xff", ",", " GZIP"])
)
def test_broken_packing(data: st.DataObject, packing: tuple[str, Callable[[bytes], bytes]], encoding: str) -> None:
    """Given packed bytes that were damaged or are called by another name, when they are read, then it has an end."""
    content = data.draw(damaged(BODIES.map(packing[1])))
    found, _ = received(encoding, data.draw(cut(content)))

    assert len(found) <= MOST + max(STEP, len(content))


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b"0123456789" * 100])
def test_bare_deflate_that_begins_with_one_byte(body: bytes) -> None:
    """Given deflate without its wrapping, when its first byte comes alone, then it is unpacked all the same."""
    packed = zlib.compress(body, wbits=-15)

    assert received("deflate", [packed[:1], packed[1:]]) == (body, True)


def test_what_follows_the_end_of_a_packed_answer() -> None:
    """Given an answer that ends, and 40 MB behind it, when it is read, then they are bounded, and not kept."""
    tracemalloc.start()
    try:
        found = received("gzip", [gzip.compress(b"{}"), *[b"x" * 65_536] * 640], 8 * 2**20)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()

    assert found == (b"{}", False)


@given(HEADERS, answers(CHAT, WHOLE) | st.from_regex(rb'"retry_after\\{0,9}":\\?"?[0-9.]{0,20}', fullmatch=True))
def test_any_wait(headers: dict[str, str], body: bytes) -> None:
    """Given any headers and body, when a wait is looked for, then there is none, or one in seconds."""
    found = named_wait(body, headers=headers)

    assert found is None or (math.isfinite(found) and found >= 0)
    assert json.loads(json.dumps(found)) == found
