"""Time a command."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence


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
