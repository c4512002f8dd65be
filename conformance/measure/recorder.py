"""Send what probing asks for, at bounded concurrency, and write each model's cassette as it is done.

The controller process does this before the first test starts. Each exchange is on disk as soon as
it is made, so whatever ends the run takes none of them away, and a later run can go on from there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conformance.cassettes.folder import Folder, Part
from conformance.errors import CassetteError, ConformanceError, StoppedError
from conformance.exchange.sender import Sender, Traffic, now
from conformance.exchange.waiting import is_settled
from conformance.judge.dialogue import Ask, T
from conformance.judge.proving import prove
from conformance.judge.settling import settle
from conformance.measure.runs import run_of
from conformance.plan.cells import Group, Plan
from conformance.types import Endpoint, Exchange, Mode, Request, Response, Verdict

#: Groups begun at once for each request in flight: so many that the long ones begin early, and the
#: last of them do not end alone. Those that only wait for another attempt come on top, up to a bound.
GROUPS_PER_REQUEST = 8
MOST_GROUPS = 2048


#: Verdicts that say nothing of a model.
_UNDECIDED = frozenset({Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE})


@dataclass
class Progress:
    """How far a recording is; `traffic` counts what was sent, `versions` the gateways that answered.

    `kept` counts the exchanges of an earlier run that this one goes on from. Of the models in `undecided` nothing
    could be decided, and what was recorded of them before stays.
    """

    cells: int
    traffic: Traffic
    cells_done: int = 0
    kept: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    undecided: list[str] = field(default_factory=list)


async def record(
    plan: Plan,
    sender: Sender,
    folder: Folder,
    progress: Progress,
    show: Callable[[], None],
    *,
    exhaustive: bool = False,
    litellm: bool = False,
    since: str | None = None,
    beside: frozenset[int] = frozenset(),
    fresh: bool = False,
) -> None:
    """Settle every group of the plan; `show` is called after each exchange.

    With `since`, goes on from what was recorded then or later. The exchanges of the runs numbered in
    `beside` stay in the cassettes that are written. A model of which nothing can be decided leaves the
    evidence that it had for the same plan, unless `fresh`. Raises `StoppedError` where the budget is
    used up, when all that is in flight has come back, or where the gateway is gone.
    """
    recorder = _Recorder(plan, sender, folder, progress, show, since, beside, fresh)
    async with sender.open():
        try:
            async with asyncio.TaskGroup() as open_groups:
                for group in plan.groups:
                    await recorder.room()
                    if recorder.stopped is not None:
                        break
                    open_groups.create_task(recorder.work(group, exhaustive, litellm))
        finally:
            recorder.close()
    if recorder.stopped is not None:
        raise recorder.stopped


def _cells_of(group: Group) -> tuple[str, Endpoint, Mode]:
    """What the groups of all lanes to the same cells have in common: those cells are done when the last of them is."""
    return group.model.id, group.endpoint, group.mode


class _Model:
    """What is known of one model: its exchanges, and its cassette in the making."""

    def __init__(self, part: Part, earlier: dict[str, Exchange]) -> None:
        self.part = part
        self.earlier = earlier
        self.exchanges: dict[str, Exchange] = {}


class _Recorder:
    """What came back for each model that is not written yet."""

    def __init__(
        self,
        plan: Plan,
        sender: Sender,
        folder: Folder,
        progress: Progress,
        show: Callable[[], None],
        since: str | None,
        beside: frozenset[int],
        fresh: bool,
    ) -> None:
        self._fresh = fresh
        self._decided: set[str] = set()
        self.stopped: StoppedError | None = None
        self._open = 0
        self._sender = sender
        self._folder = folder
        self._progress = progress
        self._show = show
        self._groups_left = Counter(group.model.id for group in plan.groups)
        self._lanes_left = Counter(map(_cells_of, plan.groups))
        self._since = since
        self._beside = beside
        self._models: dict[str, _Model] = {}

    async def room(self) -> None:
        """Wait until another group may begin: those that only wait keep none from it."""
        most = GROUPS_PER_REQUEST * self._sender.concurrency
        while self.stopped is None and self._open >= min(most + self._sender.resting, max(most, MOST_GROUPS)):
            self._sender.stirred.clear()
            await self._sender.stirred.wait()
        self._open += 1

    async def work(self, group: Group, exhaustive: bool, litellm: bool) -> None:
        """Settle one group, unless nothing more is to be sent."""
        try:
            found = await self._hold(settle(group, exhaustive=exhaustive, litellm=litellm))
            if group.bodies:
                await self._hold(prove(group))
        except StoppedError as stop:
            self.stopped = stop
            return
        finally:
            self._open -= 1
            self._sender.stirred.set()
        self._progress.verdicts.update(outcome.verdict for outcome in found.values())
        self._lanes_left[_cells_of(group)] -= 1
        if not self._lanes_left[_cells_of(group)]:
            self._progress.cells_done += len(group.parameters)
        self._show()
        if any(outcome.verdict not in _UNDECIDED for outcome in found.values()):
            self._decided.add(group.model.id)
        self._groups_left[group.model.id] -= 1
        if not self._groups_left[group.model.id]:
            self._finish(group.model.id)

    def _finish(self, name: str) -> None:
        """Write a model's cassette, unless it would replace evidence by exchanges that decide nothing."""
        model = self._models.get(name) or self._begin(name)
        if name in self._decided or self._fresh or not self._has_evidence(name, model):
            model.part.finish()
        else:
            model.part.discard()
            self._progress.undecided.append(name)
        del self._models[name]

    def _has_evidence(self, name: str, model: _Model) -> bool:
        """True where the cassette that a model has answers requests of this run's plan."""
        numbers = {run_of(exchange) for exchange in model.exchanges.values()}
        try:
            older = self._folder.read_finished(name).values()
        except CassetteError:  # what cannot be read is no evidence
            return False
        return any(run_of(exchange) in numbers for exchange in older)

    async def _hold(self, dialogue: Ask[T]) -> T:
        """Carry on a dialogue. Of a model's, those furthest behind go first: none ends long after the others."""
        rounds = 0
        try:
            asked: Sequence[Request] = next(dialogue)
            while True:
                came = await asyncio.gather(
                    *(self._exchange(request, rounds) for request in asked), return_exceptions=True
                )
                answers = []
                for answer in came:
                    if isinstance(answer, BaseException):
                        raise answer  # now that what else was in flight has come back, and is on disk
                    answers.append(answer)
                asked = dialogue.send(tuple(answers))
                rounds += 1
        except StopIteration as end:
            found: T = end.value
            return found

    async def _exchange(self, request: Request, place: int) -> Exchange:
        model = self._models.get(request.model) or self._begin(request.model)
        if (known := model.exchanges.get(request.digest)) is not None:
            return known
        if (exchange := model.earlier.get(request.digest)) is not None:
            self._progress.kept += 1
            model.part.keep(exchange)
        else:
            exchange = await self._ask(request, place)
            model.part.add(exchange)
        model.exchanges[request.digest] = exchange
        if version := exchange.response.headers.get("x-litellm-version"):
            self._progress.versions[version] += 1
        self._show()
        return exchange

    async def _ask(self, request: Request, place: int) -> Exchange:
        if self.stopped is not None:
            raise self.stopped
        try:
            return await self._sender.exchange(request, place)
        except ConformanceError:
            raise
        except Exception as error:  # a fault in one exchange must not end the others
            return Exchange(request, Response(status=None, error=f"unexpected {type(error).__name__}"), now())

    def _begin(self, name: str) -> _Model:
        """Open a model's cassette, with what other runs recorded that stays, and what need not be asked again."""
        stays: list[Exchange] = []
        earlier: dict[str, Exchange] = {}
        if self._since is not None or self._beside:
            for digest, exchange in self._read(name).items():
                if run_of(exchange) in self._beside:
                    stays.append(exchange)
                elif self._since is not None and exchange.recorded_at >= self._since and is_settled(exchange):
                    earlier[digest] = exchange
        part = self._folder.part(name, self._sender.paths, go_on=bool(earlier or stays))
        for exchange in stays:
            part.keep(exchange)
        model = self._models[name] = _Model(part, earlier)
        return model

    def _read(self, name: str) -> dict[str, Exchange]:
        try:
            return self._folder.read_all(name)
        except CassetteError as error:
            way = "--resume asks that model alone" if self._since is not None else "lose what it held"
            raise CassetteError(f"{error}; or delete it, and {way}") from None

    def close(self) -> None:
        """Leave what models have that were not finished as it lies on disk."""
        for model in self._models.values():
            model.part.close()
        self._models.clear()
