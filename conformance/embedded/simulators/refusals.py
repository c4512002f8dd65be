"""What a vendor refuses beyond its schema, for some models only: rows of `refusals.toml`.

A row names where it holds (`vendors`, `models`, `operations`), the `field` it is about (a path; `[]`
stands for every item of a list, `[0]` and `[-1]` for one) and when. Each condition that it names has to hold:

- `unless` the value is one of a list, only `among` some values, only `like` some patterns
- only `below` a number, or not below another field (`reaches`)
- only `beside` another `field`, where it has one of some `values`
- only `without_beta`: where the request asks for none of these beta features

`own` says that the words are the platform's own, not those of a model that it serves.
The beta features themselves are the pseudo field `anthropic-beta[]`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from conformance.embedded.simulators.strict import Path, Problem

#: The pseudo field that holds the beta features a request asks for.
BETAS = "anthropic-beta"


@dataclass(frozen=True)
class Refusal:
    """One reason to answer with an error; the vendor's voice words it where `message` is empty.

    `own` words are the platform's own, and not those of a model that it serves and passes on.
    """

    kind: str
    path: Path = ()
    message: str = ""
    code: str | None = None
    status: int = 400
    own: bool = False
    problem: Problem | None = field(default=None, compare=False)


@cache
def rows() -> list[dict[str, Any]]:
    """The rows of `refusals.toml`."""
    text = FilePath(__file__).with_name("refusals.toml").read_text(encoding="utf-8")
    loaded: list[dict[str, Any]] = tomllib.loads(text)["refusal"]
    return loaded


def refusal(
    vendor: str, model: str, operation: str, body: Mapping[str, Any], betas: Sequence[str] = ()
) -> Refusal | None:
    """The first row that `body` runs into, or None; `betas` are the beta features that its request asks for."""
    seen = {**body, BETAS: list(betas)}
    for row in rows():
        if not (vendor in row["vendors"] and operation in row["operations"]):
            continue
        if not any(fnmatchcase(model, pattern) for pattern in row["models"]):
            continue
        for path, value in _find(seen, row["field"].split("."), ()):
            if _refused(row, value, seen):
                return _worded(row, path, value, model)
    return None


def _find(value: object, steps: list[str], path: Path) -> Iterator[tuple[Path, object]]:
    """Every place in a body that a dotted field path leads to."""
    if not steps:
        yield path, value
        return
    name, _, index = steps[0].removesuffix("]").partition("[")
    if not isinstance(value, Mapping) or name not in value:
        return
    inner = value[name]
    if not steps[0].endswith("]"):
        yield from _find(inner, steps[1:], (*path, name))
    elif isinstance(inner, list):
        chosen = range(len(inner)) if index == "" else range(len(inner))[int(index) :][:1]
        for at in chosen:
            yield from _find(inner[at], steps[1:], (*path, name, at))


def _refused(row: Mapping[str, Any], value: object, body: Mapping[str, Any]) -> bool:
    return value is not None and all(
        holds(row[name], value, body) for name, holds in _CONDITIONS.items() if name in row
    )


def _beside(row: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    found = [value for _path, value in _find(body, row["field"].split("."), ()) if value is not None]
    return bool(found) and ("values" not in row or any(value in row["values"] for value in found))


def _reaches(name: str, value: object, body: Mapping[str, Any]) -> bool:
    limit = body.get(name)
    return isinstance(value, int | float) and isinstance(limit, int | float) and value >= limit


_CONDITIONS: dict[str, Callable[[Any, object, Mapping[str, Any]], bool]] = {
    "unless": lambda listed, value, _body: not any(value == each for each in listed),
    "among": lambda listed, value, _body: any(value == each for each in listed),
    "like": lambda patterns, value, _body: any(fnmatchcase(str(value), pattern) for pattern in patterns),
    "below": lambda limit, value, _body: isinstance(value, int | float) and value < limit,
    "reaches": _reaches,
    "beside": lambda other, _value, body: _beside(other, body),
    "without_beta": lambda betas, _value, body: not set(betas) & set(body[BETAS]),
}


def _worded(row: Mapping[str, Any], path: Path, value: object, model: str) -> Refusal:
    shown = f"{value:g}" if isinstance(value, float) else f"'{value}'" if isinstance(value, str) else str(value)
    indexes = [str(step) for step in path if isinstance(step, int)]
    message = row["message"].replace("{value}", shown[:200]).replace("{index}", indexes[0] if indexes else "")
    message = message.replace("{bare}", str(value)[:200]).replace("{model}", model[:200])
    return Refusal(row["kind"], path, message, row.get("code"), own=row.get("own", False))
