"""What leaves each parameter out in LiteLLM, and what that costs: `mends.toml`. Pure.

That the settings turn every refusal of the shipped recording into a success is tested on the embedded gateway.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

_FIELDS = ("cost", "drop", "allow", "advice", "default", "stuck")


@functools.cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((resources.files(__package__) / "mends.toml").read_text(encoding="utf-8"))


def dropped(parameter: str, group: str, endpoint: str, fields: Sequence[str]) -> dict[str, Any]:
    """How LiteLLM mends a parameter that is rejected on an endpoint; `fields` are its top-level request fields.

    The keys: `cost` and `advice` in words or None, `drop` and `allow` as lists for LiteLLM's
    `additional_drop_params` and `allowed_openai_params`. `default` is true for a value that asks for what a model
    does anyway. `stuck` is true where LiteLLM refuses it itself before it leaves anything out.
    """
    found = _row(parameter, group)
    return {
        "cost": found["cost"],
        "advice": found["advice"],
        "default": bool(found["default"]),
        "stuck": endpoint in (found["stuck"] or ()),
        "drop": _listed(found["drop"], endpoint, fields),
        "allow": _listed(found["allow"], endpoint, fields),
    }


def _row(parameter: str, group: str) -> dict[str, Any]:
    tables = _tables()
    path = parameter.partition(":")[0]
    rows = [
        tables["parameters"].get(parameter, {}),
        tables["parameters"].get(path, {}),
        tables["groups"].get(group, {}),
    ]
    return {name: next((row[name] for row in rows if name in row), None) for name in _FIELDS}


def _listed(setting: Any, endpoint: str, fields: Sequence[str]) -> list[str]:
    chosen = setting.get(endpoint) if isinstance(setting, Mapping) else setting
    return list(fields if chosen is None else chosen)


def known_names() -> tuple[frozenset[str], frozenset[str]]:
    """The groups and the parameters (ids or paths) that the data speaks of."""
    tables = _tables()
    return frozenset(tables["groups"]), frozenset(tables["parameters"])
