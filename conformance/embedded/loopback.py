"""Serve an ASGI app on loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from conformance.errors import EmbeddedGatewayError

_START_SECONDS = 30.0


class Server(uvicorn.Server):
    """uvicorn's server, which ends at once: its own looks ten times a second whether it should.

    It says nothing. Ctrl-C and SIGTERM end it, where it runs in the main thread.
    """

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        """The options are those of uvicorn's `Config`."""
        quiet = {"log_config": None, "log_level": "critical", "lifespan": "off"}
        super().__init__(uvicorn.Config(app, **{**quiet, **options}))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    def end(self) -> None:
        """Make it end, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal for the end, which uvicorn would raise once more behind it."""
        self.end()

    async def main_loop(self) -> None:
        """Wait for the end."""
        self._loop = asyncio.get_running_loop()
        ticks = itertools.count()
        while not await self.on_tick(next(ticks)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let connections come to their end."""
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


def listener(port: int = 0) -> socket.socket:
    """A socket that listens on loopback, by default on a free port. Raises `OSError` where the port cannot be had."""
    # With its protocol named, as `socket.create_server` does not: else asyncio leaves Nagle's algorithm on, and an
    # answer in several pieces waits 40 ms for the client's acknowledgement.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        made.listen(1024)
    except OSError:
        made.close()
        raise
    return made


@contextlib.contextmanager
def serving(app: ASGIApp, certificate: Path | None = None) -> Iterator[str]:
    """Serve an app on a free loopback port for as long as the block runs, over TLS with a certificate and its key.

    Gives the base address. Raises `EmbeddedGatewayError` where the server does not start.
    """
    server = Server(app, port=0, ssl_certfile=certificate)
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
