"""Ctrl-C and SIGTERM: heard once, however often they come, so that what follows the first comes to its end.

Nothing depends on it but tidiness: what is recorded is on disk already, as `kill -9` may come too.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turns the first of these signals into `KeyboardInterrupt`, and passes over those that follow."""

    def __init__(self) -> None:
        """Nothing is heard before `listen`."""
        self.heard = False
        self._deaf = False
        self._stop: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Begin to hear; only the main thread can, and what is ignored stays so."""
        for number in _SIGNALS if threading.current_thread() is threading.main_thread() else ():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)

    def ignore(self) -> None:
        """Pass over these signals from here on: what is left is short, and to be done."""
        self._deaf = True

    def restore(self) -> None:
        """Leave the signals as they were; but a process that was told to end goes on to pass over them."""
        if self.heard:
            return
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end; the signal cancels it, and comes out when it has come to rest."""

        async def cancellable() -> None:
            task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(task.cancel)  # which wakes the loop
            try:
                await task
            finally:
                self._stop = None

        try:
            asyncio.run(cancellable())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if self.heard:  # at the very end, when there was nothing left to cancel
            raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.heard or self._deaf:
            return
        self.heard = True
        for each in self._before:  # also while Python itself shuts down, which takes its handlers away
            signal.signal(each, signal.SIG_IGN)
        if self._stop is None:
            raise KeyboardInterrupt
        self._stop()
