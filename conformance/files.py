"""Writing files so that they are whole at all times."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from conformance.provider.files import write_whole

_UMASK = os.umask(0)
os.umask(_UMASK)  # there is no other way to ask


def write_atomically(path: Path, text: str | Iterable[str]) -> None:
    """Write a file as `write_whole` does, readable as the umask has it: recordings and reports are shared."""
    write_whole(path, text, 0o666 & ~_UMASK)
