"""Fuzzing of the provider's streams, through the SDK: recorded answers with anything wrong with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.provider.models import Model
from conformance.provider.rate_limits import format_rate_limit_error, parse_rate_limit_error
from conformance.provider.stream import Done, Event, stream
from conformance.tests.fuzz.strategies import (
    DEPTHS,
    HEADERS,
    LINE_ENDS,
    STATUSES,
    WORDS,
    answers,
    bodies,
    cut,
    deep,
    framed,
)
from conformance.tests.helpers import streams
from conformance.tests.helpers.building import STREAM
from conformance.tests.helpers.gateways import KEY
from conformance.types import Endpoint

quiet = streams.quiet
ASKED = {Endpoint.CHAT_COMPLETIONS: streams.CHAT, Endpoint.RESPONSES: streams.RESPONSES}


class _Pieces(httpx2.AsyncByteStream):
    """A body that arrives in these pieces."""

    def __init__(self, sent: Sequence[bytes]) -> None:
        """Nothing is read before it is asked for."""
        self._sent = sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece in turn."""
        for piece in self._sent:
            yield piece


def streamed(
    sent: Sequence[bytes], asked: Model, status: int = 200, headers: dict[str, str] | None = None
) -> list[Event]:
    """The events of an answer that arrives in these pieces, through the real SDK, without a server."""
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in (headers or {}).items()]

    async def run() -> list[Event]:
        answer = httpx2.Response(status, headers=raw or _STREAM, stream=_Pieces(sent))
        transport = httpx2.MockTransport(lambda _request: answer)
        async with openai.AsyncOpenAI(
            api_key=KEY,
            base_url="http://h/v1",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=transport),
        ) as client:
            table = streams.provider("http://h").table
            return [event async for event in stream(client, asked, streams.HI, table=table)]

    return asyncio.run(run())


_STREAM = [(b"content-type", b"text/event-stream")]


@given(st.data(), st.sampled_from([*ASKED]), STATUSES, HEADERS)
def test_any_stream(data: st.DataObject, endpoint: Endpoint, status: int, headers: dict[str, str]) -> None:
    """Given any answer, when streamed, then the events begin, follow and end as they must."""
    content = data.draw(answers(endpoint, STREAM))
    found = streamed(data.draw(cut(content)), ASKED[endpoint], status, headers)

    streams.check(found)
    json.dumps(found[-1].message if isinstance(found[-1], Done) else None)


@settings(max_examples=50)
@given(st.data(), st.sampled_from([*ASKED]), st.sampled_from(LINE_ENDS))
def test_pieces_and_line_ends_do_not_matter(data: st.DataObject, endpoint: Endpoint, end: str) -> None:
    """Given a recorded stream, when it comes in any pieces and lines, then its events are those of the whole."""
    body = data.draw(st.sampled_from(bodies(endpoint, STREAM, ok=True)))
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]

    assert streamed(data.draw(cut(framed(events, end))), ASKED[endpoint]) == streamed([body], ASKED[endpoint])


@pytest.mark.parametrize("endpoint", [*ASKED])
@pytest.mark.parametrize("kind", "[{")
def test_deep_errors(endpoint: Endpoint, kind: str) -> None:
    """Given errors that nest deep, when streamed, then they end in an event as any other."""
    for depth in {*DEPTHS, *range(860, 1000, 9)}:
        for event in (
            {"error": deep(depth, kind)},
            {"type": "error", "message": deep(depth, kind)},
            {"type": "response.failed", "response": {"error": {"code": deep(depth, kind)}}},
            {"choices": [{"index": 0, "delta": {"thinking_blocks": [{"a": deep(depth, kind)}]}}], "usage": None},
        ):
            streams.check(streamed([framed([event])], ASKED[endpoint]))


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=6).map(" ".join), STATUSES, HEADERS)
def test_any_rate_limit(words: str, status: int, headers: dict[str, str]) -> None:
    """Given any error, status and headers, when a limit is read out of them, then it is told in one line."""
    limit = parse_rate_limit_error(words, status=status, headers=headers)

    assert limit is None or "\n" not in format_rate_limit_error(limit)
