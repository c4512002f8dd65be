"""The user's home and cache folders, and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.provider.errors import ConformanceError, HomeError


def at_home(path: str | Path, kind: type[ConformanceError] = HomeError) -> Path:
    """A path with the folder that its `~` stands for. Raises an error of this kind where that is not known."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):
        do = "set HOME" if Path(path).parts[:1] == ("~",) else "write the path in full"
        raise kind(f"nobody knows the home folder in {path}; {do}") from None


def cache_folder() -> Path:
    """Where this package's caches lie for this user. Raises `HomeError` for a user without a home."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or at_home("~/AppData/Local")
    elif sys.platform == "darwin":
        base = at_home("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or at_home("~/.cache")
    return Path(base) / "litellm-conformance"


def read_document(file: Path, version: int, largest: int) -> dict[str, Any]:
    """The JSON document that a file of ours holds, in this version of its format.

    Raises `FileNotFoundError` where there is none, and another `OSError`, `ValueError`, `TypeError` or `KeyError`
    for a file that cannot be read, has more than `largest` bytes, or is of another kind.
    """
    if file.stat().st_size > largest:
        raise ValueError("too large")
    document: dict[str, Any] = json.loads(file.read_bytes())
    if document["schema_version"] != version:
        raise ValueError("of another kind")
    return document


def write_whole(file: Path, text: str | Iterable[str], mode: int = 0o600) -> None:
    """Put a text, or the pieces of one, into a file that is at all times whole: the old one or the new.

    By default only this user can read it, also in the folder that is made for it. Raises `OSError`.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == 0o600 else 0o777)
    handle, name = tempfile.mkstemp(prefix=f".{file.name[:40]}.", suffix=".tmp", dir=file.parent)  # which is 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.writelines([text] if isinstance(text, str) else text)
        if mode != 0o600:
            Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
