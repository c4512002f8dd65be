"""Serve an ASGI app on loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from conformance.errors import EmbeddedGatewayError

_START_SECONDS = 30.0


class _Server(uvicorn.Server):
    """uvicorn's server, which ends at once: its own looks ten times a second whether it should."""

    def __init__(self, app: Starlette, certificate: Path | None) -> None:
        config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ssl_certfile=certificate)
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    def end(self) -> None:
        """Make it end, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        ticks = itertools.count()
        while not await self.on_tick(next(ticks)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in [*self.server_state.connections]:
            connection.shutdown()
        while self.server_state.connections:
            await asyncio.sleep(0.005)
        waiting = [*self.server_state.tasks]
        for task in waiting:  # nobody listens to these any more
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@contextlib.contextmanager
def serving(app: Starlette, certificate: Path | None = None) -> Iterator[str]:
    """Serve an app on a free loopback port for as long as the block runs, over TLS with a certificate and its key.

    Gives the base address. Raises `EmbeddedGatewayError` where the server does not start.
    """
    server = _Server(app, certificate)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise EmbeddedGatewayError("a server on loopback did not start; try again")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{port}"
    finally:
        server.end()
        thread.join(10)
