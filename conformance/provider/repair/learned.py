"""What refusals have taught, kept in the user's cache folder for a while and shared by all processes.

One file, `learned.json`, for all gateways; `conformance/docs/repair.md` has its format. A disk that is full or
read-only is no error: then a process remembers for itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from conformance.provider.files import cache_folder, read_document, write_whole

logger = logging.getLogger("conformance.provider")

SCHEMA_VERSION = 1
FILE = "learned.json"

#: Seconds after which something learnt is forgotten, and between two looks at the file.
MAX_AGE = 30 * 86_400
LOOK_SECONDS = 1.0

MAX_ENTRIES = 1000
MAX_PARAMETERS = 64
MAX_FILE = 1024 * 1024
MAX_ID = 256
MAX_ADDRESS = 500

#: Seconds that a writer waits for the lock, and after which a lock has been left behind.
LOCK_SECONDS = 0.1
STALE_LOCK_SECONDS = 10.0

#: Changes that wait for the file to be writable again.
_MAX_WAITING = 100

_NAME = re.compile(r"[A-Za-z0-9_$.+\[\]-]{1,150}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,40})?")
_BY = ("gateway", "backend", "unknown")
_ENDPOINTS = ("chat_completions", "responses", "messages")


class RequestKind(NamedTuple):
    """The requests that something is learnt about."""

    gateway: str
    model: str
    endpoint: str
    mode: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """Whether a parameter can be sent, who said so, and when, in seconds since 1970."""

    supported: bool
    by: str
    learned_at: int


@dataclass(slots=True)
class Entry:
    """What is known of one kind of requests, and the gateway's version that taught it."""

    version: str | None
    parameters: dict[str, Learnt] = field(default_factory=dict)


Entries: TypeAlias = dict[RequestKind, Entry]
_Change: TypeAlias = Callable[[Entries], None]


def address(url: str) -> str:
    """A gateway's address as the memory has it: without credentials, query, `/v1` and endpoint."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/")
    for ending in ("/chat/completions", "/responses", "/messages", "/v1"):
        path = path.removesuffix(ending).rstrip("/")
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{path}"


class Memory:
    """What was learnt, of all gateways. Safe between threads and processes; never raises.

    `generation` grows whenever anything may have changed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Nothing is read yet."""
        self.generation = 0
        self._folder = folder
        self._entries: Entries = {}
        self._waiting: list[_Change] = []
        self._looked = float("-inf")
        self._stamp: object = None
        self._oldest = float("inf")
        self._lock = threading.RLock()

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return (self._folder or cache_folder()) / FILE

    def known(self, kind: RequestKind) -> Mapping[str, bool]:
        """What can and cannot be sent with requests of this kind; empty where nothing was learnt."""
        self.look()
        entry = self._entries.get(kind)
        return {name: each.supported for name, each in entry.parameters.items()} if entry else {}

    def version(self, kind: RequestKind) -> str | None:
        """The gateway's version that taught what is known."""
        entry = self._entries.get(kind)
        return entry.version if entry else None

    def entries(self) -> Entries:
        """All that is known, read anew."""
        self._looked = float("-inf")
        self.look()
        return self._entries

    def learn(self, kind: RequestKind, version: str | None, said: Mapping[str, bool], by: str) -> None:
        """Keep what an answer has taught."""
        now = int(time.time())
        new = {name: Learnt(can, by, now) for name, can in said.items() if _NAME.fullmatch(name)}
        if not new or len(kind.model) > MAX_ID or len(kind.gateway) > MAX_ADDRESS or not kind.model:
            return
        version = version[:64] if version else None

        def change(entries: Entries) -> None:
            entry = entries.get(kind)
            if entry is None or (version and entry.version and entry.version != version):
                entry = entries[kind] = Entry(version)
            entry.version = version or entry.version  # an answer that tells none is no other version's
            entry.parameters.update(new)

        self._apply(change)

    def forget(self, wanted: Callable[[RequestKind, str], bool] | None = None) -> int:
        """Forget the parameters that are wanted forgotten, all by default; returns how many there were."""
        count = 0

        def change(entries: Entries) -> None:
            nonlocal count
            count = 0
            for kind, entry in list(entries.items()):
                gone = [name for name in entry.parameters if wanted is None or wanted(kind, name)]
                count += len(gone)
                for name in gone:
                    del entry.parameters[name]
                if not entry.parameters:
                    del entries[kind]

        self._apply(change)
        return count

    def look(self) -> None:
        """Read the file again, if it has changed, or holds what is too old by now, and was not looked at just now."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        with self._lock:
            self._looked = now
            stamp = self._stamped()
            if stamp != self._stamp or self._oldest <= time.time() - MAX_AGE:
                self._take(_read(self.file), stamp)

    def _take(self, entries: Entries, stamp: object) -> None:
        for change in self._waiting:
            change(entries)
        self._hold(entries, stamp)

    def _hold(self, entries: Entries, stamp: object) -> None:
        young = time.time() - MAX_AGE
        for kind, entry in list(entries.items()):
            entry.parameters = {name: each for name, each in entry.parameters.items() if each.learned_at > young}
            if not entry.parameters:
                del entries[kind]
        told = (each.learned_at for entry in entries.values() for each in entry.parameters.values())
        self._entries, self._stamp, self._oldest = entries, stamp, min(told, default=float("inf"))
        self.generation += 1

    def _stamped(self) -> object:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            found = self.file.stat()
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None

    def _apply(self, change: _Change) -> None:
        with self._lock:
            try:
                file = self.file
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with _locked(file.with_name(f"{FILE}.lock")):
                    entries = _read(file)
                    for each in (*self._waiting, change):
                        each(entries)
                    write_whole(file, _text(entries))
                    self._waiting.clear()
                    self._take(entries, self._stamped())
            except (OSError, RuntimeError, ValueError) as error:
                logger.debug("what was learnt is not on disk: %s: %s", type(error).__name__, error)
                # A copy, for another thread may be reading what is known.
                entries = {kind: Entry(each.version, dict(each.parameters)) for kind, each in self._entries.items()}
                change(entries)
                self._hold(entries, self._stamp)
                if len(self._waiting) < _MAX_WAITING:
                    self._waiting.append(change)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock file, which every system and language can make alone. Raises `OSError` where it is another's."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > STALE_LOCK_SECONDS:
                    file.unlink()
                    continue
            if time.monotonic() > until:
                raise
            time.sleep(0.005)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()


def _read(file: Path) -> Entries:
    """What a file holds that is whole and not too old; nothing where it cannot be read."""
    try:
        rows = list(read_document(file, SCHEMA_VERSION, MAX_FILE)["entries"])
    except FileNotFoundError:
        return {}
    except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        logger.debug("what was learnt is ignored: %s: %s: %s", file, type(error).__name__, error)
        return {}
    entries: Entries = {}
    for row in rows[:MAX_ENTRIES]:
        with contextlib.suppress(TypeError, KeyError, ValueError, AttributeError):
            kind, entry = _entry(row)
            if entry.parameters:
                entries[kind] = entry
    return entries


def _entry(row: Any) -> tuple[RequestKind, Entry]:
    kind = RequestKind(row["gateway"], row["model"], row["endpoint"], row["mode"])
    version = row["version"]
    if not all(isinstance(each, str) for each in kind) or not isinstance(version, str | None):
        raise TypeError("a row is none")
    if kind.endpoint not in _ENDPOINTS or kind.mode not in ("whole", "stream"):
        raise ValueError("a row is none")
    oldest = time.time() - MAX_AGE
    parameters = {}
    for name, said in list(row["parameters"].items())[:MAX_PARAMETERS]:
        learnt = Learnt(said["supported"], said["by"], said["learned_at"])
        whole = isinstance(learnt.supported, bool) and learnt.by in _BY and isinstance(learnt.learned_at, int)
        # A time to come is a clock that went wrong: what it says would be there for ever.
        if whole and _NAME.fullmatch(name) and oldest < learnt.learned_at <= time.time() + 86_400:
            parameters[name] = learnt
    return kind, Entry(version, parameters)


def as_document(entries: Entries) -> dict[str, Any]:
    """What is known, as the file has it: the newest, as much as there is room for."""
    newest = sorted(entries.items(), key=lambda pair: -_learned_at(pair[1]))[:MAX_ENTRIES]
    return {
        "schema_version": SCHEMA_VERSION,
        "entries": [
            {
                **kind._asdict(),
                "version": entry.version,
                "parameters": {
                    name: {"supported": each.supported, "by": each.by, "learned_at": each.learned_at}
                    for name, each in sorted(entry.parameters.items(), key=lambda pair: -pair[1].learned_at)[
                        :MAX_PARAMETERS
                    ]
                },
            }
            for kind, entry in newest
        ],
    }


def _text(entries: Entries) -> str:
    """The file's text, with the oldest left out where it would be too long to be read again."""
    document = as_document(entries)
    while len(text := json.dumps(document, separators=(",", ":"))) > MAX_FILE // 2:
        rows = document["entries"]
        del rows[len(rows) // 2 :]
    return text


def _learned_at(entry: Entry) -> int:
    return max((each.learned_at for each in entry.parameters.values()), default=0)
