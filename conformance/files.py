"""Writing files and folders so that they are whole at all times, and where what is installed is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from conformance.errors import CacheError
from conformance.provider.files import write_whole

_UMASK = os.umask(0)
os.umask(_UMASK)  # there is no other way to ask


def write_atomically(path: Path, text: str | Iterable[str]) -> None:
    """Write a file as `write_whole` does, readable as the umask has it: recordings and reports are shared."""
    write_whole(path, text, 0o666 & ~_UMASK)


def prove_writable(folder: Path) -> None:
    """Make a folder, and prove that files can be written in it: one that exists may be on a read-only file system.

    Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextlib.contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """The place to build a folder in, which does not exist yet; it becomes `place` when the block ends well.

    So what has the right name is complete, whatever was killed half-way. One process at a time may do this
    for a place: what others left of it is removed.
    """
    for leftover in place.parent.glob(f"{place.name}.partial*"):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    building = place.with_name(f"{place.name}.partial-{os.getpid()}")  # an orphan may still write to another
    try:
        yield building
        building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)  # there only where something failed


def made_for_installations(folder: Path) -> Path:
    """A folder of `installations`, made if it is not there. Raises `CacheError` where nothing can be written in it."""
    try:
        prove_writable(folder)
    except OSError as error:
        raise CacheError(
            f"cannot write to the cache folder {folder} ({error.strerror}); make it writable, or name another with "
            "the variable XDG_CACHE_HOME"
        ) from None
    return folder


def installations(name: str) -> Path:
    """The folder below the user's cache that holds what is installed under this name."""
    from platformdirs import user_cache_path

    # Older releases of platformdirs take a relative XDG_CACHE_HOME, and uv and LiteLLM run in other folders.
    return user_cache_path("litellm-conformance", appauthor=False).absolute() / name
