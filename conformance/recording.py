"""Send a plan's requests at bounded concurrency and write each model's cassette as it is done.

The controller process does this before the first test starts. A baseline that fails spares
its group's other requests: their verdicts could not be drawn. Whatever ends the run, what was
exchanged until then is written.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from conformance.answers import read_answer
from conformance.cassettes import Folder
from conformance.exchange import Sender, Traffic, now
from conformance.judge import Judge
from conformance.plan import Group, Plan
from conformance.types import Exchange, Request, Response, Verdict


@dataclass
class Progress:
    """How far a recording is; `traffic` counts what was sent, `versions` the gateways that answered."""

    cells: int
    requests: int
    traffic: Traffic
    cells_done: int = 0
    requests_done: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)


async def record(plan: Plan, sender: Sender, folder: Folder, progress: Progress, show: Callable[[], None]) -> None:
    """Send everything in the plan; `show` is called after each exchange."""
    recorder = _Recorder(plan, sender, folder, progress, show)
    async with sender.open():
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(sender.concurrency):
                    workers.create_task(recorder.work())
        finally:
            recorder.write_rest()


class _Recorder:
    """The queue of requests, and what came back for each model not written yet."""

    def __init__(
        self, plan: Plan, sender: Sender, folder: Folder, progress: Progress, show: Callable[[], None]
    ) -> None:
        self._sender = sender
        self._folder = folder
        self._paths = sender.paths
        self._progress = progress
        self._show = show
        self._waiting = deque(plan.groups)
        # Requests of begun groups go before new groups, so that models finish one after another.
        self._ready: deque[tuple[_Open, Request]] = deque()
        self._open = 0
        self._changed = asyncio.Condition()
        self._groups_left = Counter(group.model for group in plan.groups)
        self._exchanges: dict[str, dict[str, Exchange]] = defaultdict(dict)

    async def work(self) -> None:
        """Take requests until none is left; one worker is one request at a time."""
        while (taken := await self._take()) is not None:
            opened, request = taken
            exchange = await self._exchange(request)
            self._exchanges[request.model][request.digest] = exchange
            self._progress.requests_done += 1
            if version := exchange.response.headers.get("x-litellm-version"):
                self._progress.versions[version] += 1
            opened.pending -= 1
            if not opened.pending:
                await self._advance(opened)
            self._show()

    async def _take(self) -> tuple[_Open, Request] | None:
        async with self._changed:
            while True:
                if self._ready:
                    return self._ready.popleft()
                if self._waiting:
                    opened = _Open(self._waiting.popleft())
                    self._open += 1
                    self._ready.extend((opened, request) for request in opened.start(opened.group.baselines))
                elif not self._open:
                    return None
                else:
                    await self._changed.wait()

    async def _exchange(self, request: Request) -> Exchange:
        try:
            return await self._sender.exchange(request)
        except Exception as error:  # a fault in one exchange must not end the others
            return Exchange(request, Response(status=None, error=f"unexpected {type(error).__name__}"), now())

    async def _advance(self, opened: _Open) -> None:
        """Go on with a group whose requests have all come back: to its probes, or to its end."""
        group, exchanges = opened.group, self._exchanges[opened.group.model]
        first_half = not opened.begun
        opened.begun = True
        passed = all(read_answer(request, exchanges[request.digest].response).ok for request in group.baselines)
        async with self._changed:
            if first_half and passed and group.others:
                self._ready.extendleft((opened, request) for request in reversed(opened.start(group.others)))
            else:
                self._finish(group, exchanges, spared=len(group.others) if first_half else 0)
            self._changed.notify_all()

    def _finish(self, group: Group, exchanges: dict[str, Exchange], spared: int) -> None:
        self._open -= 1
        judge = Judge(lambda request: exchanges.get(request.digest))
        self._progress.verdicts.update(judge.judge(cell).verdict for cell in group.cells)
        self._progress.cells_done += len(group.cells)
        self._progress.requests -= spared
        self._groups_left[group.model] -= 1
        if not self._groups_left[group.model]:
            self._folder.write_model(group.model, exchanges.values(), self._paths)
            del self._exchanges[group.model]

    def write_rest(self) -> None:
        """Write what models have that were not finished."""
        for model, exchanges in self._exchanges.items():
            if exchanges:
                self._folder.write_model(model, exchanges.values(), self._paths)
        self._exchanges.clear()


@dataclass
class _Open:
    """A group that was begun: how many of its requests are out, and whether its baselines are through."""

    group: Group
    pending: int = 0
    begun: bool = False

    def start(self, requests: tuple[Request, ...]) -> tuple[Request, ...]:
        self.pending = len(requests)
        return requests
