"""What is published of an atlas beside its cells: how far its predictions can be trusted, and what its rules say.

It takes a while to count, so it is kept in `honesty.json` beside the atlas that it was counted from.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

from conformance.atlas.files import AtlasFolder
from conformance.atlas.honesty import honesty
from conformance.atlas.rules import HOWS
from conformance.errors import AtlasError
from conformance.files import write_atomically
from conformance.provider.table import SupportTable
from conformance.schemas import first_error

SCHEMA_VERSION = 1
FILE = "honesty.json"

#: Such a document: see `schemas/honesty.schema.json`.
Published: TypeAlias = dict[str, Any]


def publish(folder: AtlasFolder, carried: SupportTable) -> Published:
    """Count it for the atlas in a folder, with the rules that it gives, and keep it there. Raises `AtlasError`."""
    atlas = folder.read()
    document: Published = {
        "schema_version": SCHEMA_VERSION,
        "atlas": _digest(folder),
        "clients": [
            {"declarations": declarations, "left_out": honesty(atlas, declarations=declarations)}
            for declarations in (True, False)
        ],
        "statements": _statements(carried),
    }
    path = folder.path / FILE
    try:
        write_atomically(path, json.dumps(document, indent=1) + "\n")
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror}); name another folder with --into") from None
    return document


def published(folder: AtlasFolder) -> Published | None:
    """What was counted for the atlas in a folder; None where nothing was, or for another state of it."""
    try:
        document: Published = json.loads((folder.path / FILE).read_text(encoding="utf-8"))
        current = _digest(folder)
    except (OSError, ValueError, RecursionError):
        return None
    return document if first_error("honesty", document) is None and document["atlas"] == current else None


def _digest(folder: AtlasFolder) -> str:
    return hashlib.sha256(folder.file.read_bytes()).hexdigest()


def _statements(carried: SupportTable) -> list[dict[str, Any]]:
    """Of each kind of statements how many there are, and the fewest and most models and releases behind one."""
    behind: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for rule in carried.rules:
        for statement in rule.statements.values():
            source = carried.sources[statement.source]
            behind[source["how"]].append((source["models"], source["releases"]))
    rows = []
    for how in HOWS:
        if behind[how]:
            models, releases = zip(*behind[how], strict=True)
            rows.append({"how": how, "count": len(models), "models": _span(models), "releases": _span(releases)})
    return rows


def _span(numbers: Sequence[int]) -> list[int]:
    return [min(numbers), max(numbers)]
