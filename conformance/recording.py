"""Send what probing asks for, at bounded concurrency, and write each model's cassette as it is done.

The controller process does this before the first test starts. Whatever ends the run, what was
exchanged until then is written.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from conformance.cassettes import Folder
from conformance.exchange import Sender, Traffic, now
from conformance.judge import Outcome
from conformance.plan import Group, Plan
from conformance.probing import Found, settle
from conformance.types import Exchange, Request, Response, Verdict

#: Groups begun at once for each request in flight: while one waits for an answer, another asks.
GROUPS_PER_REQUEST = 2


@dataclass
class Progress:
    """How far a recording is; `traffic` counts what was sent, `versions` the gateways that answered."""

    cells: int
    traffic: Traffic
    cells_done: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)


async def record(
    plan: Plan,
    sender: Sender,
    folder: Folder,
    progress: Progress,
    show: Callable[[], None],
    *,
    exhaustive: bool = False,
    litellm: bool = False,
) -> None:
    """Settle every group of the plan; `show` is called after each exchange."""
    recorder = _Recorder(sender, folder, progress, show, Counter(group.model.id for group in plan.groups))
    groups = iter(plan.groups)
    async with sender.open():
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(sender.concurrency * GROUPS_PER_REQUEST):
                    workers.create_task(recorder.work(groups, exhaustive, litellm))
        finally:
            recorder.write_rest()


class _Recorder:
    """What came back for each model that is not written yet."""

    def __init__(
        self, sender: Sender, folder: Folder, progress: Progress, show: Callable[[], None], groups_left: Counter[str]
    ) -> None:
        self._sender = sender
        self._folder = folder
        self._progress = progress
        self._show = show
        self._groups_left = groups_left
        self._free = asyncio.Semaphore(sender.concurrency)
        self._exchanges: dict[str, dict[str, Exchange]] = defaultdict(dict)

    async def work(self, groups: Iterator[Group], exhaustive: bool, litellm: bool) -> None:
        """Take groups until none is left."""
        for group in groups:
            found = await self._settle(group, exhaustive, litellm)
            self._progress.verdicts.update(outcome.verdict for outcome in found.values())
            self._progress.cells_done += len(found)
            self._show()
            self._groups_left[group.model.id] -= 1
            if not self._groups_left[group.model.id]:
                self._folder.write_model(
                    group.model.id, self._exchanges.pop(group.model.id).values(), self._sender.paths
                )

    async def _settle(self, group: Group, exhaustive: bool, litellm: bool) -> Found:
        dialogue = settle(group, exhaustive=exhaustive, litellm=litellm)
        try:
            asked: Sequence[Request] = next(dialogue)
            while True:
                answers = await asyncio.gather(*(self._exchange(request) for request in asked))
                asked = dialogue.send(tuple(answers))
        except StopIteration as end:
            found: dict[str, Outcome] = end.value
            return found

    async def _exchange(self, request: Request) -> Exchange:
        known = self._exchanges[request.model].get(request.digest)
        if known is not None:
            return known
        async with self._free:
            try:
                exchange = await self._sender.exchange(request)
            except Exception as error:  # a fault in one exchange must not end the others
                exchange = Exchange(request, Response(status=None, error=f"unexpected {type(error).__name__}"), now())
        self._exchanges[request.model][request.digest] = exchange
        if version := exchange.response.headers.get("x-litellm-version"):
            self._progress.versions[version] += 1
        self._show()
        return exchange

    def write_rest(self) -> None:
        """Write what models have that were not finished, but not over a cassette that is whole."""
        for model, exchanges in self._exchanges.items():
            if exchanges and not self._folder.has_model(model):
                self._folder.write_model(model, exchanges.values(), self._sender.paths)
        self._exchanges.clear()
