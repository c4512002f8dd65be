"""Show a recording's progress: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from conformance.measure.recorder import Progress
from conformance.text.counting import counted
from conformance.types import Verdict

#: Seconds between plain lines.
PLAIN_INTERVAL = 10.0


class Display:
    """Draws a `Progress`; call it after each exchange."""

    def __init__(self, progress: Progress, console: Console) -> None:
        """Draw on `console`, live where it is a terminal."""
        self._progress = progress
        self._console = console
        self._last = time.monotonic()
        self._bar = RichProgress(
            TextColumn("measuring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells · {task.fields[told]} ·"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=progress.cells, told=self._told())

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """Keep the display up for as long as the block runs, and leave a last line behind."""
        with self._bar:
            yield self
        self._console.print(self._line(), highlight=False, soft_wrap=True)

    def __call__(self) -> None:
        """Draw the progress as it is now."""
        self._bar.update(
            self._task,
            completed=self._progress.cells_done,
            told=self._told(),
        )
        if not self._console.is_terminal and time.monotonic() - self._last > PLAIN_INTERVAL:
            self._last = time.monotonic()
            self._console.print(self._line(), highlight=False, soft_wrap=True)

    def _line(self) -> str:
        progress = self._progress
        return f"measured {progress.cells_done}/{progress.cells} cells · {self._told()}"

    def _told(self) -> str:
        progress, traffic = self._progress, self._progress.traffic
        parts = [
            counted(traffic.requests, "request"),
            f"{progress.verdicts[Verdict.REJECTED]} rejected",
            counted(traffic.rate_limited, "rate limit"),
        ]
        if progress.kept:
            parts.append(f"{counted(progress.kept, 'answer')} kept")
        if traffic.retried:
            parts.append(f"{traffic.retried} tried again")
        return " · ".join(parts)
