"""Measure what the shim adds to a request and to a stream, each against the same without it."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from conformance.bench.server import shim_before, slow_server

#: Seconds that a quick model needs, requests of each kind, streams at once, their events, and the seconds between two.
MODEL, REQUESTS, STREAMS, EVENTS, PACE = 0.3, 200, 64, 40, 0.05
ROUNDS = 5

#: A request as an agent sends one: a long prompt, and tools.
BODY = {
    "model": "claude-haiku-4-5",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x" * 20_000}],
    "tools": [{"type": "function", "function": {"name": f"tool_{n}", "parameters": {}}} for n in range(10)],
    "max_completion_tokens": 4096,
    "store": False,
}


class Taken(NamedTuple):
    """Seconds to the first event of an answer, and to its last."""

    first: float
    last: float


class Connection(NamedTuple):
    """The barest client: whatever it takes is in both figures, and a busy one would hide what is measured."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, **more: Any) -> Taken:
        """Send the request, and read its answer to the end."""
        content = json.dumps({**BODY, **more}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        started = time.perf_counter()
        self.writer.write(head + b"content-length: %d\r\n\r\n" % len(content) + content)
        answered = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        assert answered.startswith(b"http/1.1 200 "), answered
        left, first = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0]), 0.0
        while left:
            left -= len(await self.reader.read(left))
            first = first or time.perf_counter() - started
        return Taken(first, time.perf_counter() - started)


#: What one may take at most, of what it takes without the shim; and each of many that all begin at one moment, and wait
#: for one processor, which needs some milliseconds for each.
GOALS = {1: Taken(1.05, 1.05), STREAMS: Taken(2, 1.2)}


def shim() -> None:
    """Goals: 5 ms for a request, and `GOALS` with a model that needs 0.3 s."""
    asyncio.run(_requests())
    asyncio.run(_streams())


@asynccontextmanager
async def _connected(url: str, count: int) -> AsyncIterator[Sequence[Connection]]:
    """So many connections, open for as long as the block runs."""
    parts = urlsplit(url)
    async with AsyncExitStack() as stack:
        opened = [Connection(*await asyncio.open_connection(parts.hostname, parts.port)) for _ in range(count)]
        for each in opened:
            stack.callback(each.writer.close)
        yield opened


async def _requests() -> None:
    """One after the other, with and without the shim in turn."""
    for delay, count in ((0.0, REQUESTS), (MODEL, REQUESTS // 10)):
        with slow_server(delay) as url, shim_before(url) as through:
            async with _connected(through, 1) as [ours], _connected(url, 1) as [bare]:
                pairs = [(await ours.ask(), await bare.ask()) for _ in range(count + 5)][5:]
        with_it, without = (_best(pairs, i, "last") for i in (0, 1))
        if delay:
            ratio = f"{with_it / without:.3f} of {without * 1000:.0f} ms"
            print(f"  of a model that needs {delay * 1000:.0f} ms: {ratio}   (goal {GOALS[1].last})")
        else:
            print(f"request: {(with_it - without) * 1000:.1f} ms more than {without * 1000:.1f} ms   (goal 5)")


async def _streams() -> None:
    """One, and many at once, all with the shim and all without it in turn."""
    for count in GOALS:
        with slow_server(MODEL, EVENTS, pace=PACE) as url, shim_before(url) as through:
            async with _connected(through, count) as ours, _connected(url, count) as bare:
                pairs = [(await _together(ours), await _together(bare)) for _ in range(ROUNDS + 1)][1:]
        print(
            f"streams: {count} at once, {EVENTS} events each, one in {PACE * 1000:.0f} ms, {ROUNDS} runs each in turn"
        )
        for name in Taken._fields:
            with_it, without = (_best(pairs, i, name) for i in (0, 1))
            goal = getattr(GOALS[count], name)
            print(f"  to the {name} event: {with_it / without:.3f} of {without * 1000:.0f} ms   (goal {goal})")


def _best(pairs: Sequence[tuple[Taken, Taken]], whose: int, name: str) -> float:
    """The best run, for what other programs take from a shared machine only ever adds."""
    return min(float(getattr(pair[whose], name)) for pair in pairs)


async def _together(connections: Sequence[Connection]) -> Taken:
    """The medians of so many streams at once."""
    taken = await asyncio.gather(*(each.ask(stream=True) for each in connections))
    return Taken(*(statistics.median(each) for each in zip(*taken, strict=True)))
