"""What a model is, read from its name: its family and version, and the route that serves it.

The patterns are data, `families.json`, shared with the Pi extension. The first one that is found in a name,
in lower case, decides: its groups are the version. `claude-sonnet-4-5-20250929` is claude 4.5.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any, NamedTuple

#: The name that stands for what the caller does not know, where a rule selects just that.
UNKNOWN = "unknown"

#: Names longer than this are nobody's.
_MAX_NAME = 512


class Family(NamedTuple):
    """A family of models, and the version of one of them; empty where its name has none."""

    name: str
    version: tuple[int, ...]


class Served(NamedTuple):
    """What serves a model: LiteLLM's name for the route, and the model's name there."""

    route: str
    upstream: str


@functools.lru_cache(maxsize=4096)
def family_of(name: str) -> Family | None:
    """The family that a model's name tells; None where it tells none."""
    lowered = name[:_MAX_NAME].lower()
    for family, pattern in _families():
        found = pattern.search(lowered)
        if found:
            return Family(family, tuple(int(part) for part in found.groups() if part))
    return None


@functools.lru_cache(maxsize=4096)
def served_from(model: str) -> Served | None:
    """Route and upstream of a model as LiteLLM names it: `databricks/databricks-claude-opus-4-8`.

    None where it names no route: `azure/` alone, as a group of models declares it, has a route without upstream.
    """
    route, slash, upstream = model.partition("/")
    if not slash or not route:
        return None
    sub, _, rest = upstream.partition("/")
    if rest and sub in _data()["subroutes"].get(route, ()):
        return Served(f"{route}/{sub}", rest)
    return Served(route, upstream)


@functools.cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((resources.files(__package__) / "families.json").read_text(encoding="utf-8"))
    return data


@functools.cache
def _families() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row["name"], re.compile(row["pattern"], re.ASCII)) for row in _data()["families"])
