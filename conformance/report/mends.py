"""The mend of each parameter, as data for the page: settings that leave it out, and what that costs.

The data is `mends.toml`. That its settings for LiteLLM turn every refusal of the shipped recording
into a success is tested on the embedded gateway; those for Pi are as Pi 0.73.1 declares them.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

_FIELDS = ("cost", "drop", "allow", "pi", "advice")


@functools.cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((resources.files(__package__) / "mends.toml").read_text(encoding="utf-8"))


def mend_of(parameter: str, group: str, endpoint: str, fields: Sequence[str]) -> dict[str, Any]:
    """How to mend a parameter that is rejected on an endpoint; `fields` are its top-level request fields.

    The keys: `cost` and `advice` in words or None, `drop` and `allow` as lists for LiteLLM's
    `additional_drop_params` and `allowed_openai_params`, `pi` as a part of a model's entry in Pi's
    `models.json`, or None.
    """
    tables = _tables()
    path = parameter.partition(":")[0]
    rows = [
        tables["parameters"].get(parameter, {}),
        tables["parameters"].get(path, {}),
        tables["groups"].get(group, {}),
    ]
    found = {name: next((row[name] for row in rows if name in row), None) for name in _FIELDS}
    pi = (found["pi"] or {}).get(endpoint)
    return {
        "cost": found["cost"],
        "advice": found["advice"],
        "drop": _listed(found["drop"], endpoint, fields),
        "allow": _listed(found["allow"], endpoint, fields),
        "pi": None if pi is None else json.loads(pi),
    }


def _listed(setting: Any, endpoint: str, fields: Sequence[str]) -> list[str]:
    chosen = setting.get(endpoint) if isinstance(setting, Mapping) else setting
    return list(fields if chosen is None else chosen)


def known_names() -> tuple[frozenset[str], frozenset[str]]:
    """The groups and the parameters (ids or paths) that the data speaks of."""
    tables = _tables()
    return frozenset(tables["groups"]), frozenset(tables["parameters"])
