"""Let a caller's signal end a wait for the gateway, without a task for every event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any


class AbortedError(Exception):
    """The caller's signal was set."""


class Abort:
    """Waits for the gateway and for the signal at once."""

    def __init__(self, signal: asyncio.Event) -> None:
        """Watch the signal until `close`; needs a running event loop."""
        self._signal = signal
        self._scope: asyncio.Timeout | None = None
        self._watch = asyncio.ensure_future(signal.wait())
        self._watch.add_done_callback(self._interrupt)

    def close(self) -> None:
        """Watch no longer."""
        self._watch.cancel()

    async def first(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What `ask` gives. Raises `AbortedError` when the signal is set before that."""
        if self._signal.is_set():
            raise AbortedError
        try:
            async with asyncio.timeout(None) as self._scope:
                return await ask()
        except TimeoutError:
            if self._signal.is_set():
                raise AbortedError from None
            raise
        finally:
            self._scope = None

    async def each(self, items: Any) -> AsyncIterator[Any]:
        """What an asynchronous iterator gives. Raises `AbortedError` as soon as the signal is set."""
        iterator = aiter(items)
        while True:
            try:
                item = await self.first(iterator.__anext__)
            except StopAsyncIteration:
                return
            yield item

    def _interrupt(self, _watch: object) -> None:
        if self._scope is not None and self._signal.is_set():
            self._scope.reschedule(asyncio.get_running_loop().time())
