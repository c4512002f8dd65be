"""What a vendor refuses beyond its schema, for some models only: rows of `refusals.toml`.

A row names where it holds (`vendors`, `models`, `operations`), the `field` it is about (a path;
`[]` stands for every item of a list) and when: always, `unless` the value is one of a list, only
`among` some values, `below` a number, or only `beside` another field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from conformance.embedded.simulators.strict import Path, Problem


@dataclass(frozen=True)
class Refusal:
    """One reason to answer with an error; the vendor's voice words it where `message` is empty."""

    kind: str
    path: Path = ()
    message: str = ""
    code: str | None = None
    status: int = 400
    problem: Problem | None = field(default=None, compare=False)


@cache
def rows() -> list[dict[str, Any]]:
    """The rows of `refusals.toml`."""
    text = FilePath(__file__).with_name("refusals.toml").read_text(encoding="utf-8")
    loaded: list[dict[str, Any]] = tomllib.loads(text)["refusal"]
    return loaded


def refusal(vendor: str, model: str, operation: str, body: Mapping[str, Any]) -> Refusal | None:
    """The first row that `body` runs into, or None."""
    for row in rows():
        if not (vendor in row["vendors"] and operation in row["operations"]):
            continue
        if not any(fnmatchcase(model, pattern) for pattern in row["models"]):
            continue
        for path, value in _find(body, row["field"].split("."), ()):
            if _refused(row, value, body):
                return _worded(row, path, value)
    return None


def _find(value: object, steps: list[str], path: Path) -> Iterator[tuple[Path, object]]:
    """Every place in a body that a dotted field path leads to."""
    if not steps:
        yield path, value
        return
    name, listed = steps[0].removesuffix("[]"), steps[0].endswith("[]")
    if not isinstance(value, Mapping) or name not in value:
        return
    inner = value[name]
    if not listed:
        yield from _find(inner, steps[1:], (*path, name))
    elif isinstance(inner, list):
        for index, item in enumerate(inner):
            yield from _find(item, steps[1:], (*path, name, index))


def _refused(row: Mapping[str, Any], value: object, body: Mapping[str, Any]) -> bool:
    if value is None:
        return False
    if "unless" in row and any(value == allowed for allowed in row["unless"]):
        return False
    if "among" in row and not any(value == listed for listed in row["among"]):
        return False
    if "below" in row and not (isinstance(value, int | float) and value < row["below"]):
        return False
    return "beside" not in row or body.get(row["beside"]) is not None


def _worded(row: Mapping[str, Any], path: Path, value: object) -> Refusal:
    shown = f"{value:g}" if isinstance(value, float) else f"'{value}'" if isinstance(value, str) else str(value)
    indexes = [str(step) for step in path if isinstance(step, int)]
    message = row["message"].replace("{value}", shown[:200]).replace("{index}", indexes[0] if indexes else "")
    return Refusal(row["kind"], path, message, row.get("code"))
