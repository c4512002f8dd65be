"""What serves each model of a gateway, and the gateway's version: as its list or its answers tell it.

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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

# A route, a slash, and what lies behind it; nothing that is no name.
_SERVED = re.compile(r"[a-z0-9_]{1,40}/[^\s\x00-\x1f\x7f]{0,400}")
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}\S{0,20}")


@dataclass
class _Gateway:
    """A gateway's version, and for each model what served it, with the time when that was told, in seconds."""

    version: str | None = None
    models: dict[str, dict[str, int]] = field(default_factory=dict)


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

    def told(self, gateway: str, model: str, headers: Mapping[str, str]) -> None:
        """Take note of what an answer's headers tell."""
        name, version = headers.get(SERVED_HEADER, ""), headers.get(VERSION_HEADER)
        self._note(gateway, {model: [name]}, version, whole=False)

    def said(self, gateway: str, model: str, served: str) -> None:
        """Take note of what the words of a refusal tell (`azure/`, `azure/gpt-5.2`), where nobody has told more."""
        if not self.served_by(gateway, model):
            self._note(gateway, {model: [served]}, None, whole=False)

    def listed(self, gateway: str, models: Mapping[str, Iterable[str]], version: str | None) -> None:
        """Take note of a gateway's whole list: it takes the place of what was told of these models."""
        self._note(gateway, models, version, whole=True)

    def _note(self, gateway: str, models: Mapping[str, Iterable[str]], version: str | None, *, whole: bool) -> None:
        known, now, changed = self._known(), int(time.time()), False
        with self._lock:
            if gateway not in known and len(known) >= MAX_GATEWAYS:
                known.clear()
            entry = known.setdefault(gateway, _Gateway())
            if version and version != entry.version and _VERSION.fullmatch(version):
                entry.version, changed = version, True
            for model, names in models.items():
                told = {name: now for name in names if _SERVED.fullmatch(name)}
                before = _without_routes(entry.models.get(model, {}), told)
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
            return {str(gateway): _gateway(row) for gateway, row in document["gateways"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
            logger.debug("what is known of gateways is ignored: %s: %s", type(error).__name__, error)
            return {}

    def _write(self, gateway: str, known: dict[str, _Gateway]) -> None:
        """Write what was told of a gateway beside what other processes have written of all since."""
        for name, there in self._read().items():
            models = {**there.models, **known[name].models} if name in known else there.models
            version = known[name].version if name == gateway else there.version
            if len(models) <= MAX_MODELS and (name in known or len(known) < MAX_GATEWAYS):
                known[name] = _Gateway(version or there.version, models)
        try:
            text = _dumped(known)
            if len(text) > MAX_FILE:  # which nobody would read
                text = _dumped({gateway: known[gateway]})
            write_whole(self.file, text)
        except (OSError, RuntimeError, ValueError) as error:
            logger.debug("what is known of gateways was not kept: %s: %s", type(error).__name__, error)


def _dumped(known: Mapping[str, _Gateway]) -> str:
    rows = {gateway: {"version": each.version, "models": each.models} for gateway, each in known.items()}
    return json.dumps({"schema_version": SCHEMA_VERSION, "gateways": rows}, separators=(",", ":"))


def _without_routes(before: dict[str, int], told: Iterable[str]) -> dict[str, int]:
    """What was told before, without bare routes if more is told now: the words of a refusal are known less well."""
    fuller = any(not name.endswith("/") for name in told)
    return {name: when for name, when in before.items() if not (fuller and name.endswith("/"))}


def _newest(told: dict[str, int]) -> dict[str, int]:
    """What was told last, as much of it as is kept."""
    return dict(sorted(told.items(), key=lambda each: -each[1])[:MAX_SERVED]) if len(told) > MAX_SERVED else told


def _gateway(row: dict[str, Any]) -> _Gateway:
    version = row["version"]
    models = {
        str(model): {name: int(when) for name, when in told.items() if _SERVED.fullmatch(name)}
        for model, told in row["models"].items()
    }
    return _Gateway(version if isinstance(version, str) and _VERSION.fullmatch(version) else None, models)
