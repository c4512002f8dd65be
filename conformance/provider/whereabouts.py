"""What serves each model of a gateway, what is declared for it, and the version: as its list or its answers tell it.

A rule of the table that holds for a route or a version speaks only where these are known. One file in the user's
cache folder, `whereabouts.json`, for all gateways. A disk that is full or read-only is no error: then a process
remembers for itself. What an answer told is forgotten a day after it was told last, for names are given away anew.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from conformance.provider.files import cache_folder, read_document, write_whole

logger = logging.getLogger("conformance.provider")

SCHEMA_VERSION = 1
FILE = "whereabouts.json"

#: The headers of an answer that tell what served it, and the version of LiteLLM.
SERVED_HEADER, VERSION_HEADER = "x-litellm-model-name", "x-litellm-version"

#: Seconds after which something told is forgotten, and after which it is written down as told anew.
MAX_AGE, RENEWED_AFTER = 86_400, 3_600

MAX_FILE = 1024 * 1024
MAX_GATEWAYS = 64
MAX_MODELS = 2000
MAX_SERVED = 16
#: Of the parameters of a model: how many, and of how many characters.
MAX_NAMES, MAX_NAME = 256, 80

# A route, a slash, and what lies behind it; nothing that is no name.
_SERVED = re.compile(r"[a-z0-9_]{1,40}/[^\s\x00-\x1f\x7f]{0,400}")
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}\S{0,20}")


class _Declared(NamedTuple):
    """What a list declared for a model, and when: it holds for this release, and for what the list said serves it."""

    when: int
    version: str | None
    served_by: tuple[str, ...]
    names: tuple[str, ...] | None


@dataclass
class _Gateway:
    """A gateway's version, and for each model what served it, with the time in seconds, and what is declared for it."""

    version: str | None = None
    models: dict[str, dict[str, int]] = field(default_factory=dict)
    declared: dict[str, _Declared] = field(default_factory=dict)


class Whereabouts:
    """What serves which model. Safe between threads; never raises. `gateway` is an address as `address` makes it."""

    def __init__(self, folder: Path | None = None) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._gateways: dict[str, _Gateway] | None = None
        self._served: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def version(self, gateway: str) -> str | None:
        """The version of LiteLLM that a gateway told last."""
        known = self._known().get(gateway)
        return known.version if known else None

    def served_by(self, gateway: str, model: str) -> tuple[str, ...]:
        """What serves a model, named as LiteLLM names it (`azure/gpt-5.2`), sorted; empty where nobody told."""
        kept = self._served.get((gateway, model))
        if kept is not None and kept[0] > time.time():
            return kept[1]
        known = self._known().get(gateway)
        told = known.models.get(model, {}) if known else {}
        oldest = time.time() - MAX_AGE
        served = tuple(sorted(name for name, when in told.items() if when >= oldest))
        if len(self._served) >= MAX_MODELS:
            self._served.clear()
        self._served[gateway, model] = time.time() + 60, served
        return served

    def declared(self, gateway: str, model: str) -> tuple[str, ...] | None:
        """The chat parameters that a gateway's list declared for a model, sorted; None where nobody knows.

        It holds for a day, while the gateway has the same version and nothing else is known to serve the model.
        """
        known = self._known().get(gateway)
        told = known.declared.get(model) if known else None
        if known is None or told is None or told.when < time.time() - MAX_AGE:
            return None
        same = told.version in (None, known.version) and told.served_by == self.served_by(gateway, model)
        return told.names if same else None

    def told(self, gateway: str, model: str, headers: Mapping[str, str]) -> None:
        """Take note of what an answer's headers tell."""
        name, version = headers.get(SERVED_HEADER, ""), headers.get(VERSION_HEADER)
        self._note(gateway, {model: [name]}, version)

    def said(self, gateway: str, model: str, served: str) -> None:
        """Take note of what the words of a refusal tell (`azure/`, `azure/gpt-5.2`), where nobody has told more."""
        if not self.served_by(gateway, model):
            self._note(gateway, {model: [served]}, None)

    def listed(
        self,
        gateway: str,
        models: Mapping[str, Iterable[str]],
        version: str | None,
        declared: Mapping[str, tuple[str, ...] | None] | None = None,
    ) -> None:
        """Take note of a gateway's whole list: it takes the place of what was told of these models.

        `declared` has each model's declared chat parameters, where there are any.
        """
        self._note(gateway, models, version, declared or {})

    def _note(
        self,
        gateway: str,
        models: Mapping[str, Iterable[str]],
        version: str | None,
        declared: Mapping[str, tuple[str, ...] | None] | None = None,
    ) -> None:
        """Take note of what serves models; `declared` is there where a whole list tells it."""
        whole = declared is not None
        known, now, changed = self._known(), int(time.time()), False
        with self._lock:
            if gateway not in known and len(known) >= MAX_GATEWAYS:
                known.clear()
            entry = known.setdefault(gateway, _Gateway())
            if version and version != entry.version and _VERSION.fullmatch(version):
                entry.version, changed = version, True
            for model, names in models.items():
                told = {name: now for name in names if _SERVED.fullmatch(name)}
                if declared is not None:
                    says = _Declared(now, entry.version, tuple(sorted(told)), _bounded(declared.get(model)))
                    changed |= _declare(entry, model, says)
                before = _without_routes(entry.models.get(model, {}), told)
                if whole and not _tells_more(told, (name for name, when in before.items() if now - when < MAX_AGE)):
                    continue
                after = _newest(
                    told if whole else told | {name: when for name, when in before.items() if name not in told}
                )
                if not told:
                    continue
                if after.keys() == before.keys() and all(now - before[name] < RENEWED_AFTER for name in told):
                    continue
                if model not in entry.models and len(entry.models) >= MAX_MODELS:
                    entry.models.clear()
                entry.models[model], changed = after, True
                self._served.pop((gateway, model), None)
            if changed:
                self._write(gateway, known)

    def _known(self) -> dict[str, _Gateway]:
        with self._lock:
            if self._gateways is None:
                self._gateways = self._read()
            return self._gateways

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return (self._folder or cache_folder()) / FILE

    def _read(self) -> dict[str, _Gateway]:
        try:
            document = read_document(self.file, SCHEMA_VERSION, MAX_FILE)
            lists = [_bounded(tuple(names)) if isinstance(names, list) else None for names in document.get("lists", [])]
            return {str(gateway): _gateway(row, lists) for gateway, row in document["gateways"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, RuntimeError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError) as error:
            logger.debug("what is known of gateways is ignored: %s: %s", type(error).__name__, error)
            return {}

    def _write(self, gateway: str, known: dict[str, _Gateway]) -> None:
        """Write what was told of a gateway beside what other processes have written of all since."""
        for name, there in self._read().items():
            here = known.get(name, _Gateway())
            models = {**there.models, **here.models}
            version = (here.version if name == gateway else there.version) or there.version
            if len(models) <= MAX_MODELS and (name in known or len(known) < MAX_GATEWAYS):
                known[name] = _Gateway(version, models, _newer_of(there.declared, here.declared))
        try:
            text = _dumped(known)
            if len(text) > MAX_FILE:  # which nobody would read
                text = _dumped({gateway: known[gateway]})
            if len(text) > MAX_FILE:
                text = _dumped({gateway: _Gateway(known[gateway].version, known[gateway].models)})
            if len(text) <= MAX_FILE:
                write_whole(self.file, text)
        except (OSError, RuntimeError, ValueError) as error:
            logger.debug("what is known of gateways was not kept: %s: %s", type(error).__name__, error)


def _dumped(known: Mapping[str, _Gateway]) -> str:
    lists: dict[tuple[str, ...], int] = {}  # many models have the same
    rows = {
        gateway: {
            "version": each.version,
            "models": each.models,
            "declared": {
                model: [*told[:3], None if told.names is None else lists.setdefault(told.names, len(lists))]
                for model, told in each.declared.items()
            },
        }
        for gateway, each in known.items()
    }
    document = {"schema_version": SCHEMA_VERSION, "gateways": rows, "lists": list(lists)}
    return json.dumps(document, separators=(",", ":"))


def _declare(entry: _Gateway, model: str, told: _Declared) -> bool:
    """Take note of what a list declares for a model; True where that is to be written."""
    before = entry.declared.get(model)
    if before is None and told.names is None:
        return False
    if before is not None and before[1:] == told[1:] and told.when - before.when < RENEWED_AFTER:
        return False
    if before is None and len(entry.declared) >= MAX_MODELS:
        entry.declared.clear()
    entry.declared[model] = told
    return True


def _newer_of(one: Mapping[str, _Declared], other: Mapping[str, _Declared]) -> dict[str, _Declared]:
    """What two processes were told, the newer of each model, and of those the newest that are kept."""
    both = {**one, **{model: told for model, told in other.items() if model not in one or told.when >= one[model].when}}
    if len(both) <= MAX_MODELS:
        return both
    return dict(sorted(both.items(), key=lambda each: -each[1].when)[:MAX_MODELS])


def _bounded(names: tuple[Any, ...] | None) -> tuple[str, ...] | None:
    """The names of parameters, if they can be that."""
    if names is None or len(names) > MAX_NAMES:
        return None
    return names if all(isinstance(name, str) and len(name) <= MAX_NAME for name in names) else None


def _without_routes(before: dict[str, int], told: Iterable[str]) -> dict[str, int]:
    """What was told before, without bare routes if more is told now: the words of a refusal are known less well."""
    fuller = any(not name.endswith("/") for name in told)
    return {name: when for name, when in before.items() if not (fuller and name.endswith("/"))}


def _tells_more(listed: Iterable[str], before: Iterable[str]) -> bool:
    """Whether a list tells more than was known. One that its key may not read whole has bare routes alone."""
    routes = {name.partition("/")[0] + "/" for name in before if not name.endswith("/")}
    return not routes or routes != set(listed)


def _newest(told: dict[str, int]) -> dict[str, int]:
    """What was told last, as much of it as is kept."""
    return dict(sorted(told.items(), key=lambda each: -each[1])[:MAX_SERVED]) if len(told) > MAX_SERVED else told


def _gateway(row: dict[str, Any], lists: Sequence[tuple[str, ...] | None]) -> _Gateway:
    models = {
        str(model): {name: int(when) for name, when in told.items() if _SERVED.fullmatch(name)}
        for model, told in row["models"].items()
    }
    declared = {str(model): _declared(told, lists) for model, told in row.get("declared", {}).items()}
    return _Gateway(_version(row["version"]), models, declared)


def _declared(told: Sequence[Any], lists: Sequence[tuple[str, ...] | None]) -> _Declared:
    when, version, served, number = told
    names = lists[number] if isinstance(number, int) and 0 <= number < len(lists) else None
    return _Declared(int(when), _version(version), tuple(map(str, served)), names)


def _version(told: object) -> str | None:
    return told if isinstance(told, str) and _VERSION.fullmatch(told) else None
