"""Measure the suite against what it could be at best, each ratio from one run.

python -m conformance.bench live       recording against a slow server, over the ideal: of plain answers, and mixed
python -m conformance.bench replay     replaying cells, over as many empty tests
python -m conformance.bench embedded   recording the embedded gateway, over a bare httpx loop
python -m conformance.bench provider   filtering, streaming and importing, over the bare OpenAI SDK
python -m conformance.bench hook       what the hook adds to a request inside LiteLLM
python -m conformance.bench shim       a request and streams through the shim, over the same without it
python -m conformance.bench scaling    a cell among 100,000, over one among 10,000
python -m conformance.bench memory     live runs over 1,000 and 10,000 models; takes a while, so only when it is named
python -m conformance.bench travel     agents' requests to models that the atlas has not, over an oracle; as long
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from conformance.bench.fleet import memory, scaling
from conformance.bench.hook import hook
from conformance.bench.provider import provider
from conformance.bench.server import answer, slow_server
from conformance.bench.shim import shim
from conformance.bench.timing import run_command, unbroken
from conformance.bench.travel import main as travel
from conformance.cassettes.folder import Folder
from conformance.discover.listing import Discovered, discover
from conformance.exchange.sender import Sender, Traffic, now
from conformance.judge.settling import settle
from conformance.measure.gateway_document import gateway_document
from conformance.measure.recorder import Progress, record
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.plan.cells import Group, Plan, make_plan
from conformance.provider.rate_limits import named_wait
from conformance.provider.target import Target
from conformance.schemas.documents import RecordedRun
from conformance.support.deriving import derive
from conformance.support.overrides import load_overrides
from conformance.support.writing import dump_table
from conformance.types import Endpoint, Exchange, Gateway, Model, Request, Response

DELAY, CONCURRENCY, MODELS = 0.3, 64, 80
CELLS = 10_000


def _plan(models: Sequence[Model]) -> Plan:
    registry = load_registry()
    return make_plan(models, registry, registry.select("core"), tuple(Endpoint))


def _fleet(count: int) -> list[Model]:
    return [Model(id=f"model-{number:05}") for number in range(count)]


class _Remembering(Sender):
    """A sender that remembers what it sent, and the waits that answers named."""

    sent: list[Request]
    named: float

    async def exchange(self, request: Request, place: int = 0) -> Exchange:
        """Send one request, and remember it."""
        self.sent.append(request)
        return await super().exchange(request, place)

    async def _ask(self, request: Request) -> tuple[Response, bool]:
        response, broken = await super()._ask(request)
        if response.status == 429:
            self.named += named_wait("", headers=response.headers) or 0.0
        return response, broken


def _record(plan: Plan, target: Target, concurrency: int) -> tuple[float, _Remembering]:
    """Seconds that a recording takes, cassettes written, and who made it."""
    traffic = Traffic()
    with tempfile.TemporaryDirectory() as folder:
        sender = _Remembering(target, load_registry().paths, concurrency, traffic)
        sender.sent, sender.named = [], 0.0
        progress = Progress(len(plan.cells), traffic)
        started = time.perf_counter()
        asyncio.run(record(plan, sender, Folder(Path(folder)), progress, lambda: None))
        return time.perf_counter() - started, sender


def live() -> None:
    """Goals: at most 1.15 of the ideal with plain answers, 1.2 with mixed ones.

    The ideal keeps `CONCURRENCY` requests in flight from the first moment to the last, and costs
    nothing itself: attempts × DELAY / CONCURRENCY seconds, all attempts counted that were sent. Of a
    mixed fleet come the waits that its push-backs name on top, as if who waits kept his place in
    flight: their sum / CONCURRENCY. Waits that nobody named are not in it.
    """
    with slow_server(0) as url:
        _record(_plan(_fleet(1)), Target(url, "sk-benchmark"), CONCURRENCY)  # libraries are imported once
    for name, mixed, goal in (("plain", False, 1.15), ("mixed", True, 1.2)):
        with slow_server(DELAY, mixed=mixed) as url:
            taken, sender = _record(_plan(_fleet(MODELS)), Target(url, "sk-benchmark"), CONCURRENCY)
        attempts = sender.traffic.requests
        ideal = (attempts * DELAY + sender.named) / CONCURRENCY
        print(f"live, {name}: {attempts} attempts of {DELAY * 1000:.0f} ms, {CONCURRENCY} at once, {MODELS} models")
        print(f"  {taken:.2f} s over the ideal {ideal:.2f} s: {taken / ideal:.2f}   (goal {goal})")


def replay() -> None:
    """Goal: at most 1.3 times as many empty tests, under 300 MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = _synthetic_recording(folder)
        empty = folder / "test_empty.py"
        empty.write_text(
            f"import pytest\n@pytest.mark.parametrize('number', range({cells}))\ndef test_empty(number):\n    pass\n"
        )
        suite = Path(__file__).parent.parent / "suite"
        common = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        options = [f"--{option}={folder / option}" for option in ("cassettes", "reports")]
        ours = [*common, str(suite), *options, f"--table={folder / 'table.json'}"]
        theirs = [*common, str(empty), f"--rootdir={folder}", "-c", os.devnull]
        pairs = [(run_command(ours), run_command(theirs)) for _ in range(3)]
    ratio = statistics.median(a[0] / b[0] for a, b in pairs)
    taken, memory = (statistics.median(a[i] for a, _ in pairs) for i in (0, 1))
    base = statistics.median(b[0] for _, b in pairs)
    print(f"replay: {cells} cells, three runs each, medians")
    print(f"  {taken:.2f} s over {base:.2f} s of empty tests: {ratio:.2f}   (goal 1.3)")
    print(f"  peak memory {memory:.0f} MB   (goal 300)")


def _synthetic_recording(folder: Path) -> int:
    """Write a recording of about `CELLS` cells and its table; returns the number of cells."""
    registry = load_registry()
    models = _fleet(-(-CELLS // len(_plan(_fleet(1)).cells)))
    gateway = Gateway(name="embedded", url="http://127.0.0.1", software="litellm", version="0", simulated=True)
    recordings = Folder(folder / "cassettes" / "embedded")
    plan = _plan(models)
    for model, groups in plan.groups_of.items():
        exchanges = [exchange for group in groups for exchange in _imagined(group)]
        recordings.write_model(model, exchanges, registry.paths)
    run: RecordedRun = {
        "started_at": now(),
        "finished_at": now(),
        "complete": True,
        "requests": 0,
        "exhaustive": False,
        "selection": None,
        "parameters": [p.id for p in registry.select("core")],
        "endpoints": list(Endpoint),
    }
    recordings.write_gateway(gateway_document(Discovered(gateway, tuple(models), ()), run))
    matrix = Replay(recordings, recordings.read_gateway(), registry, registry.select("core"), tuple(Endpoint)).matrix()
    table = derive(matrix, load_overrides(), None, registry.values_of)
    (folder / "table.json").write_text(dump_table(table))
    return len(plan.cells)


def _imagined(group: Group) -> list[Exchange]:
    """The exchanges of a group that is told yes to everything."""
    dialogue, exchanges = settle(group), []
    asked = next(dialogue)
    with contextlib.suppress(StopIteration):
        while True:
            answers = [Exchange(request, _answered(group.entry.path, request), now()) for request in asked]
            exchanges += answers
            asked = dialogue.send(tuple(answers))
    return exchanges


def _answered(path: str, request: Request) -> Response:
    head, _, body = answer(path, request.content).partition(b"\r\n\r\n")
    streamed = b"event-stream" in head
    return Response(
        status=200,
        headers={
            "content-type": "text/event-stream" if streamed else "application/json",
            "x-litellm-version": "0",
        },
        body=body,
        elapsed_ms=300,
        chunks=((299, len(body)),) if streamed else (),
    )


def embedded() -> None:
    """Goal: at most 1.1 of a bare httpx loop with the same requests at the same concurrency."""
    from conformance.embedded import embedded_gateway

    with embedded_gateway(say=print) as gateway:
        target = Target(gateway.base_url, gateway.api_key)
        plan = _plan(discover(target).models)
        sent = _record(plan, target, 8)[1].sent  # both meet a gateway that is warm
        pairs = [(_record(plan, target, 8)[0], _bare(sent, target, 8)) for _ in range(5)]
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    ours, bare = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    print(f"embedded: {len(sent)} requests, 8 at once, five runs each in turn, medians")
    print(f"  {ours:.2f} s over a bare loop's {bare:.2f} s: {ratio:.2f}   (goal 1.1)")


def _bare(requests: Sequence[Request], target: Target, concurrency: int) -> float:
    """Seconds that plain httpx takes to send these requests and read the answers."""
    paths = load_registry().paths

    async def run() -> None:
        headers = {"authorization": f"Bearer {target.api_key}", "content-type": "application/json"}
        async with httpx.AsyncClient(headers=headers, timeout=60) as client:
            queue = iter(requests)

            async def work() -> None:
                for request in queue:
                    method, path = ("GET", f"/{request.fetch}") if request.fetch else ("POST", "")
                    url = target.url(paths[request.endpoint] + path)
                    await unbroken(functools.partial(client.request, method, url, content=request.content))

            await asyncio.gather(*(work() for _ in range(concurrency)))

    started = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - started


BENCHMARKS: dict[str, Callable[[], None]] = {
    "live": live,
    "replay": replay,
    "embedded": embedded,
    "provider": provider,
    "hook": hook,
    "shim": shim,
    "scaling": scaling,
    "memory": memory,
    "travel": travel,
}

#: Those that take long run only when they are named.
LONG = ("memory", "travel")


def main() -> None:
    """Run the benchmarks named, or all but the longest."""
    wanted = sys.argv[1:] or [name for name in BENCHMARKS if name not in LONG]
    for name in wanted:
        if name not in BENCHMARKS:
            sys.exit(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    for name in wanted:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
