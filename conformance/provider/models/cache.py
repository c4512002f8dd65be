"""The model list on disk: the last one that a gateway gave, for when it cannot be asked.

What it declares of parameters is not kept here, for that soon grows old: `whereabouts` has it.

One file for each gateway and key, in the user's cache folder. Its name and content are bound to
the address and to a fingerprint of the key and further headers, which are never written themselves.
Whoever writes one removes those that nobody has renewed for long: keys that are given anew would leave a file each.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.provider.files import cache_folder, read_document, write_whole
from conformance.provider.models.catalogue import Listed, declared_by
from conformance.provider.target import Target

logger = logging.getLogger("conformance.provider")

_SCHEMA_VERSION = 1
_MAX_FILE = 64 * 1024 * 1024

#: Seconds after which a list is removed that nobody has renewed. Who comes back later asks the gateway in any case, and
#: after a month its old models are no help where it does not answer.
KEPT_FOR = 30 * 86_400.0

#: The files that are lists, and nothing else in the folder.
_LIST = re.compile(r"models-[0-9a-f]{24}\.json")


@dataclass(frozen=True)
class Cached:
    """A model list and when it was fetched, in seconds since 1970."""

    models: tuple[Listed, ...]
    fetched_at: float

    @property
    def age(self) -> float:
        """Seconds since it was fetched; infinite where that lies in the future."""
        age = time.time() - self.fetched_at
        return age if age >= 0 else float("inf")


def fingerprint(target: Target) -> str:
    """Tells one gateway, key and set of headers from another, and tells nobody what they are."""
    parts = [target.base_url, target.api_key, *(f"{name}:{value}" for name, value in sorted(target.headers.items()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def cache_file(target: Target, folder: Path | None = None) -> Path:
    """The file that holds this gateway's list for this key."""
    return (folder or cache_folder()) / f"models-{fingerprint(target)}.json"


def read_models(target: Target, folder: Path | None = None) -> Cached | None:
    """The list kept for this gateway and key; None where there is none that can be read."""
    file = None
    try:
        file = cache_file(target, folder)
        document = read_document(file, _SCHEMA_VERSION, _MAX_FILE)
        if document["base_url"] != target.base_url:
            raise ValueError("of another kind")
        models = tuple(_listed(row) for row in document["models"])
        return Cached(models, float(document["fetched_at"])) if models else None
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, ValueError, OverflowError, TypeError, KeyError, AttributeError) as error:
        logger.debug("the model list %s is ignored: %s: %s", file, type(error).__name__, error)
        return None


def write_models(target: Target, models: Sequence[Listed], folder: Path | None = None) -> Cached:
    """Keep a list, whole or not at all, readable by this user alone; a full or read-only disk is no error."""
    cached = Cached(tuple(models), time.time())
    document = {
        "schema_version": _SCHEMA_VERSION,
        "base_url": target.base_url,
        "fetched_at": cached.fetched_at,
        "models": [
            {
                "id": each.id,
                "declared": dict(each.declared),
                "route": each.route,
                "served_by": list(each.served_by),
            }
            for each in models
        ],
    }
    try:
        file = cache_file(target, folder)
        write_whole(file, json.dumps(document, separators=(",", ":")))
        _remove_old(file.parent)
    except (OSError, RuntimeError, ValueError) as error:
        logger.debug("the model list was not kept: %s: %s", type(error).__name__, error)
    return cached


def _remove_old(folder: Path) -> None:
    """Remove lists that are old. Raises `OSError` only where the folder cannot be read."""
    before = time.time() - KEPT_FOR
    for file in folder.iterdir():
        if _LIST.fullmatch(file.name):
            with contextlib.suppress(OSError):  # another process may have been faster, or it is no file
                if file.stat().st_mtime < before:
                    file.unlink()


def _listed(row: dict[str, object]) -> Listed:
    model, declared, route = row["id"], row["declared"], row["route"]
    if not isinstance(model, str) or not isinstance(declared, dict) or not isinstance(route, str | None):
        raise TypeError("a row is none")
    served = row.get("served_by", [])
    names = tuple(name for name in served if isinstance(name, str)) if isinstance(served, list) else ()
    return Listed(model, declared_by([declared]), route, names)
