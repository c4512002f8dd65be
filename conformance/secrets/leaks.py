"""The check afterwards: no file that a run wrote holds its key. A hit removes the file and fails the run.

A second net behind the scrubber, which shares with it only the list of spellings: it reads the files
themselves, whoever wrote them.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from conformance.errors import LeakError, first_of
from conformance.secrets.scrubbing import SHORTEST_SECRET, Scrubber
from conformance.secrets.spellings import spellings

#: A text value of a stream's events as a cassette stores them: JSON inside a JSON text, so each quote is escaped.
_PIECE = re.compile(rb'\\"(\w{1,40})\\":\s?\\"([^\\"]*(?:\\\\(?:\\["\\]|[^\\"])[^\\"]*)*)\\"')

#: Bytes of a file that are searched at a time.
_READ = 4 * 1024 * 1024

#: A file's time may be a little behind the clock.
_CLOCK_SECONDS = 2.0


class Watch:
    """The keys of one run, and the files that must not hold them."""

    def __init__(self) -> None:
        """Watch from now on; no key is known yet."""
        self._secrets: list[str] = []
        self._began = time.time()

    def over(self, *secrets: str) -> None:
        """Watch over these too, the key and what headers hold; one so short that it is an ordinary word is none."""
        self._secrets += [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]

    @property
    def scrubber(self) -> Scrubber:
        """What takes these keys out of a text."""
        return Scrubber(self._secrets)

    def check(self, folder: Path, *, all_files: bool = False) -> None:
        """Search a folder for the keys. Raises `LeakError` that names the files which hold one.

        Those written since the run began are removed. Older ones, which may be a user's own, are read
        only with `all_files`, and left where they are.
        """
        since = self._began - _CLOCK_SECONDS
        found = list(leaking(_files(folder, 0.0 if all_files else since), self._secrets))
        removed = [path for path in found if _time(path) >= since and _removed(path)]
        left = [path for path in found if path not in removed]
        what, told = "the API key" if len(self._secrets) == 1 else "the API key or a header's value", []
        if removed:
            told.append(f"{what} stood in {self._named(removed)} in {folder}, now removed; please report this")
        if left:
            told.append(f"{what} stands in {self._named(left)} in {folder}; remove that, and change the key")
        if told:
            raise LeakError("; ".join(told))

    def _named(self, paths: Sequence[Path]) -> str:
        if any(holds(path.name.encode("utf-8", "replace"), self._secrets) for path in paths):
            return f"{len(paths)} files, by their very names,"
        return first_of([ascii(path.name) for path in paths])


def leaking(files: Iterable[Path], secrets: Iterable[str]) -> Iterator[Path]:
    """Those of the files that hold one of the secrets in any spelling, in one piece or in a stream's pieces."""
    needles = _needles(secrets)
    if not needles:
        return
    for path in files:
        name = path.name.encode("utf-8", "replace")
        if _stands_in(name, needles) or any(
            _stands_in(data, needles) or _in_pieces(data, needles) for data in _parts(path)
        ):
            yield path


def _parts(path: Path) -> Iterator[bytes]:
    """A file's lines, some at a time: no key holds the end of one, and matrices of fleets are large."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        while lines := file.readlines(_READ):
            yield b"".join(lines)


def holds(data: bytes, secrets: Iterable[str]) -> bool:
    """True where one of the secrets stands in the data, in any spelling."""
    return _stands_in(data, _needles(secrets))


def _needles(secrets: Iterable[str]) -> tuple[bytes, ...]:
    found = {text.encode() for secret in secrets for text in spellings(secret)}
    # What holds another needle needs no looking for.
    return tuple(needle for needle in sorted(found) if not any(o in needle for o in found if o != needle))


def _stands_in(data: bytes, needles: Iterable[bytes]) -> bool:
    return any(needle in data for needle in needles)


def _in_pieces(data: bytes, needles: Iterable[bytes]) -> bool:
    """True where the texts of one name in a line, which is one exchange, make up a secret."""
    for line in data.split(b"\n"):
        if b"data:" not in line:
            continue
        joined: dict[bytes, list[bytes]] = defaultdict(list)
        for name, text in _PIECE.findall(line):
            joined[name].append(text)
        if any(_stands_in(b"".join(texts), needles) for texts in joined.values() if len(texts) > 1):
            return True
    return False


def _files(folder: Path, since: float) -> Iterator[Path]:
    """Every file below a folder that was changed after a time; links are not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                if not path.is_symlink() and path.is_file() and _time(path) >= since:
                    yield path
            except OSError:
                continue


def _time(path: Path) -> float:
    return path.stat().st_mtime


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
