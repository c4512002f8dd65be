"""Writing files so that they are whole at all times."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_UMASK = os.umask(0)
os.umask(_UMASK)  # there is no other way to ask


def write_atomically(path: Path, text: str | Iterable[str]) -> None:
    """Put a text, or the pieces of one, into a file so that the file is at all times whole: the old one or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.writelines([text] if isinstance(text, str) else text)
        Path(temporary).chmod(0o666 & ~_UMASK)  # mkstemp makes it the writer's alone; recordings are shared
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
