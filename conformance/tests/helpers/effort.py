"""How much work something is, whatever the machine and whoever else is on it: a ratio, and no time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

_LETTERS = "abcdefgh" * 12_500


def effort(work: Callable[[], object]) -> float:
    """How many times the processor's time of one fixed piece of work this takes: a million letters, one by one.

    What goes over a megabyte a few times is 1 to 50; what goes over it again for each of its letters, thousands.
    """
    unit = _unit()
    return _seconds(work) / max(unit, _unit())


def _unit() -> float:
    return 10 * _seconds(_piece)


def _piece() -> None:
    for _ in re.finditer("[a-h]", _LETTERS):
        pass


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
