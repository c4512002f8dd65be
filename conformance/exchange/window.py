"""How many requests are in flight at once: fewer when the gateway pushes back, more when it does not.

Reaction alone decides, as TCP does it: half as many when a good part of a round's answers are
push-backs, and a little more with every answer that is none. Nothing limits the rate in advance.

A push-back now and then is a single deployment's, and the wait that it names is answer enough. A
model that gets nothing else while most others are answered speaks for itself alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import Counter
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


class Window:
    """Lets so many in at once. `limit` moves between 1 and `most`; `lowest` is the least it was."""

    def __init__(self, most: int) -> None:
        """Begin with `most` at once."""
        self._most = most
        self.limit = self.lowest = float(most)
        self._inside = 0
        self._begun = 0
        self._cut_at = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap: by place, then by arrival
        self._arrived = 0
        self._answers = self._pushed = 0  # of this round
        self._heard = 0
        self._in_a_row: Counter[str] = Counter()
        # The models that were answered lately and before, and those that only were pushed back.
        self._well: tuple[set[str], set[str]] = (set(), set())
        self._ill: tuple[set[str], set[str]] = (set(), set())

    @contextlib.asynccontextmanager
    async def turn(self, place: int = 0) -> AsyncIterator[None]:
        """Be inside for as long as the block runs; of those that wait, the lowest place comes first."""
        while self._inside >= int(self.limit):
            turn = asyncio.get_running_loop().create_future()
            self._arrived += 1
            heapq.heappush(self._waiting, (place, self._arrived, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn was given, and goes on to the next
                raise
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._wake()

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

    def _wake(self) -> None:
        room = int(self.limit) - self._inside
        while self._waiting and room > 0:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                room -= 1
