"""How many requests are in flight at once: fewer when the gateway pushes back, more when it does not.

Reaction alone decides, as TCP does it: half as many when a good part of a round's answers are
push-backs, and a little more with every answer that is none. Nothing limits the rate in advance.

A push-back now and then is a single deployment's, and the wait that it names is answer enough. A
model that gets nothing else while most others are answered speaks for itself alone.

Models share the room: a place goes to the one that has the fewest. A model that takes minutes to
answer would else have them all before long, as each place that another gives back would be its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator

#: The gateway as a whole pushes back where one answer in so many of a round does.
ONE_IN = 4

#: Push-backs in a row, while most other models are answered, after which a model speaks for itself alone.
IN_A_ROW = 2

#: Answers after which it is forgotten who was answered: so many twice, at least.
MEMORY = 32

#: By how much the window grows with each good answer, at least: by an eighth in a round. A small window grows by
#: one in two rounds: faster, and the gateway refuses some of each round again.
GROWTH = 1 / 8

#: For how long a place that a model gave back is kept from others that have more: its next request comes a moment
#: after an answer, when that is written down and judged. Ticks are counted, and not time: where the whole process
#: stood still, nobody could come back.
KEPT_TICKS, TICK_SECONDS = 3, 0.01


class Window:
    """Lets so many in at once. `limit` moves between 1 and `most`; `lowest` is the least it was."""

    def __init__(self, most: int) -> None:
        """Begin with `most` at once."""
        self._most = most
        self.limit = self.lowest = float(most)
        self._inside: Counter[str] = Counter()  # by model
        self._begun = 0
        self._cut_at = 0
        # Of each model a heap: by place, then by arrival.
        self._waiting: defaultdict[str, list[tuple[int, int, asyncio.Future[None]]]] = defaultdict(list)
        self._arrived = 0
        self._waking = False
        # Of each model, the ticks at which the places that are kept for it are kept no longer.
        self._kept: defaultdict[str, deque[int]] = defaultdict(deque)
        self._ticks = 0
        self._ticking = False
        self._answers = self._pushed = 0  # of this round
        self._heard = 0
        self._in_a_row: Counter[str] = Counter()
        # The models that were answered lately and before, and those that only were pushed back.
        self._well: tuple[set[str], set[str]] = (set(), set())
        self._ill: tuple[set[str], set[str]] = (set(), set())

    @contextlib.asynccontextmanager
    async def turn(self, model: str, place: int = 0) -> AsyncIterator[None]:
        """Be inside for as long as the block runs.

        Of those that wait, the model with the fewest inside comes first, and of equals the lowest place.
        """
        turn = asyncio.get_running_loop().create_future()
        self._arrived += 1
        heapq.heappush(self._waiting[model], (place, self._arrived, turn))
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(model)  # the turn was given, and goes on to the next
            raise
        try:
            yield
        finally:
            self._leave(model)

    def begin(self) -> int:
        """A number for an attempt, by which its end is told later."""
        self._begun += 1
        return self._begun

    def went_well(self, model: str) -> None:
        """Take note of an answer of a model that is no push-back: more go in at once."""
        self._count()
        self._well[0].add(model)
        self._in_a_row.pop(model, None)
        if self.limit < self._most:
            self.limit = min(self._most, self.limit + max(0.5 / self.limit, GROWTH))
            self._wake()

    def pushed_back(self, model: str, attempt: int) -> None:
        """Take note of a push-back: where a round has many, half as many go in, once for all that were in flight."""
        self._count()
        self._in_a_row[model] += 1
        if self._in_a_row[model] > IN_A_ROW:
            self._ill[0].add(model)
        if attempt <= self._cut_at or self.is_alone(model):
            return
        self._pushed += 1
        if self._pushed * ONE_IN >= self.limit:
            self._cut_at = self._begun
            self._pushed = 0
            self.limit = max(1.0, self.limit / 2)
            self.lowest = min(self.lowest, self.limit)

    def is_alone(self, model: str) -> bool:
        """True for a model that gets nothing but push-backs, while more of the others are answered than are not."""
        well, ill = (len(set.union(*sets) - {model}) for sets in (self._well, self._ill))
        return self._in_a_row[model] > IN_A_ROW and well > ill

    def _count(self) -> None:
        """Begin another round after as many answers as go in at once."""
        if self._answers >= self.limit:
            self._answers = self._pushed = 0
        if self._heard >= max(MEMORY, self._most):
            self._heard = 0
            self._well, self._ill = (set(), self._well[0]), (set(), self._ill[0])
        self._answers += 1
        self._heard += 1

    def _leave(self, model: str) -> None:
        """Give a place back; for a moment it is kept for the same model's next request."""
        self._inside[model] -= 1
        if not self._inside[model]:
            del self._inside[model]
        self._kept[model].append(self._ticks + KEPT_TICKS)
        self._go_on_ticking()
        self._wake()

    def _go_on_ticking(self) -> None:
        """Have another tick to come for as long as a place is kept."""
        if self._kept and not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._ticks += 1
        for model, ends in list(self._kept.items()):
            while ends and ends[0] < self._ticks:
                self._unkeep(model)
        self._go_on_ticking()
        self._wake()

    def _unkeep(self, model: str) -> None:
        """Keep the oldest of a model's places no longer."""
        if kept := self._kept.get(model):
            kept.popleft()
            if not kept:
                del self._kept[model]

    def _wake(self) -> None:
        """Let in who may come in, once all that happens at this moment has happened."""
        if self._waiting and not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self._let_in)

    def _let_in(self) -> None:
        self._waking = False
        room = int(self.limit) - self._inside.total()
        while room > 0 and (model := self._next(room)) is not None:
            waiting = self._waiting[model]
            _, _, turn = heapq.heappop(waiting)
            if not waiting:
                del self._waiting[model]
            if not turn.done():  # else who waited was cancelled
                self._unkeep(model)
                self._inside[model] += 1
                room -= 1
                turn.set_result(None)

    def _next(self, room: int) -> str | None:
        """The model that comes next; None where none waits, or all the room is kept for models that have less."""
        if not self._waiting:
            return None
        model = min(self._waiting, key=lambda each: (self._inside[each], self._waiting[each][0][:2]))
        fewer = ((self._inside[model] - self._inside[other], kept) for other, kept in self._kept.items())
        return model if room > sum(min(len(kept), less) for less, kept in fewer if less > 0) else None
