"""What benchmarks share: time a command, and ask over a connection that its server may have closed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import httpx

T = TypeVar("T")

#: Attempts at what a closed connection broke off.
_ATTEMPTS = 5


async def unbroken(ask: Callable[[], Awaitable[T]]) -> T:
    """What asking brings, again over another connection where the server had closed the one that was kept."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(httpx.RemoteProtocolError, httpx.NetworkError):
            return await ask()
    return await ask()


def run_command(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak megabytes of a command that must succeed; `env` goes on top of the environment."""
    started = time.perf_counter()
    pid = os.posix_spawn(
        command[0],
        list(command),
        {**os.environ, **(env or {})},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, f"failed: {' '.join(command)}"
    return time.perf_counter() - started, usage.ru_maxrss / 1024
