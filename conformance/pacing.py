"""How many requests are in flight at once: fewer when the gateway pushes back, more when it does not.

Reaction alone decides, as TCP does it: half as many after a push-back, and one more after every
round that went well. Nothing limits the rate in advance.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Window:
    """Lets so many in at once. `limit` moves between 1 and `most`; `lowest` is the least it was."""

    def __init__(self, most: int) -> None:
        """Begin with `most` at once."""
        self._most = most
        self.limit = self.lowest = float(most)
        self._inside = 0
        self._begun = 0
        self._cut_at = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        """Wait until there is room."""
        while self._inside >= int(self.limit):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn was given, and goes on to the next
                raise
        self._inside += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make room."""
        self._inside -= 1
        self._wake()

    async def step_back(self) -> None:
        """Queue up again, before another attempt, where more are in than the limit now allows."""
        if self._inside <= int(self.limit):
            return
        await self.__aexit__(None, None, None)
        try:
            await self.__aenter__()
        except BaseException:
            self._inside += 1  # which leaving takes away again
            raise

    def begin(self) -> int:
        """A number for an attempt, by which its end is told later."""
        self._begun += 1
        return self._begun

    def went_well(self) -> None:
        """Take note of an answer that is no push-back: after a round of them, one more goes in at once."""
        if self.limit < self._most:
            self.limit = min(self._most, self.limit + 1 / self.limit)
            self._wake()

    def pushed_back(self, attempt: int) -> None:
        """Take note of a push-back: half as many at once, and only once for all that were in flight."""
        if attempt > self._cut_at:
            self._cut_at = self._begun
            self.limit = max(1.0, self.limit / 2)
            self.lowest = min(self.lowest, self.limit)

    def _wake(self) -> None:
        room = int(self.limit) - self._inside
        while self._waiting and room > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1
