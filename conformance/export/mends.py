"""The mend of each parameter, as data: settings of LiteLLM and Pi that leave it out, and what that costs. Pure.

The data is `mends.toml`, and for clients `clients.toml`. That the settings for LiteLLM turn every refusal of the
shipped recording into a success is tested on the embedded gateway.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from conformance.export.clients import load_clients

_FIELDS = ("cost", "drop", "allow", "advice", "default", "stuck")


@functools.cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((resources.files(__package__) / "mends.toml").read_text(encoding="utf-8"))


def mend_of(parameter: str, group: str, endpoint: str, fields: Sequence[str]) -> dict[str, Any]:
    """How to mend a parameter that is rejected on an endpoint; `fields` are its top-level request fields.

    The keys: `cost` and `advice` in words or None, `drop` and `allow` as lists for LiteLLM's
    `additional_drop_params` and `allowed_openai_params`, `pi` as a part of a model's entry in Pi's
    `models.json`, or None. `default` is true for a value that asks for what a model does anyway.
    `stuck` is true where LiteLLM refuses it itself before it leaves anything out.
    """
    found = _row(parameter, group)
    lever = load_clients()["pi"].lever_for(parameter, endpoint)
    return {
        "cost": found["cost"],
        "advice": found["advice"],
        "default": bool(found["default"]),
        "stuck": endpoint in (found["stuck"] or ()),
        "drop": _listed(found["drop"], endpoint, fields),
        "allow": _listed(found["allow"], endpoint, fields),
        "pi": None if lever is None else lever.setting,
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
