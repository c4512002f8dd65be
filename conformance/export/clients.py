"""The clients that can be configured, and by what: `clients.toml` as objects. Pure.

A lever is a setting of a client that makes it leave something out, or send it otherwise. A way is one manner to run
the client, such as one of the wires that it speaks.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, TypeAlias

from conformance.export.dropping import droppable
from conformance.export.facts import ModelFacts
from conformance.provider.table import split_parameter

#: Where a lever names the value that is refused, and the parameter without it.
_VALUE, _PATH = "$value", "$path"

#: What must not be refused, and what must be, for a setting to help.
Condition: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Lever:
    """One setting. It mends `parameters` (ids or paths) on `endpoints`.

    `unless` names what it sends instead, `every` what has to be refused besides: then it helps. `values` are the
    client's names of a path's values. `where` is the address that says so, if it is not one of the client's.
    """

    parameters: tuple[str, ...]
    endpoints: tuple[str, ...]
    template: str
    values: Mapping[str, str]
    unless: tuple[str, ...] = ()
    every: tuple[str, ...] = ()

    @property
    def setting(self) -> dict[str, Any]:
        """The setting as it stands, where it needs no value."""
        made: dict[str, Any] = json.loads(self.template)
        return made

    def bound(self, parameter: str) -> Lever:
        """The lever with this parameter's path, and the name of its value, filled in."""
        path, value = split_parameter(parameter)
        template = self.template.replace(_VALUE, self.values.get(value or "", value or "")).replace(_PATH, path)
        every = tuple(each.replace(_PATH, path) for each in self.every)
        return replace(self, template=template, every=every)

    def knows(self, name: str, parameter: str, endpoint: str) -> bool:
        """True if it is about this name, on this endpoint, and about this value of it."""
        value = split_parameter(parameter)[1]
        return name in self.parameters and endpoint in self.endpoints and (not self.values or value in self.values)

    def helps(self, model: ModelFacts, endpoint: str) -> bool:
        """True if what it sends instead is not refused, and all is refused that it takes away."""
        return not any(model.refuses(endpoint, each) for each in self.unless) and all(
            model.refuses(endpoint, each) for each in self.every
        )


@dataclass(frozen=True)
class Way:
    """One manner to run a client. `captured` are the names that the captured requests have for it."""

    name: str
    endpoint: str
    captured: tuple[str, ...]
    setting: Mapping[str, Any]


@dataclass(frozen=True)
class Cannot:
    """What a client cannot be set to, and why."""

    parameters: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Client:
    """One client. `file` is its usual file, in the folder that the environment's `variable` names if that is set.

    `docs` are where its settings are described, and `proof` says how the export is tested. `drops` says that it can be
    told to leave out any field.
    """

    id: str
    title: str
    version: str
    file: str
    variable: str
    also: tuple[str, ...]
    format: str
    docs: tuple[str, ...]
    proof: str
    instead: str
    captured: str | None
    modes: tuple[str, ...]
    ways: tuple[Way, ...]
    levers: tuple[Lever, ...]
    cannot: tuple[Cannot, ...]
    drops: bool = False

    def conditions_of(self, parameter: str, endpoint: str) -> tuple[Condition, ...]:
        """The conditions under which one of its settings helps with a refused parameter; empty if none does."""
        if endpoint not in self.endpoints:
            return ()
        if not self.drops:
            return tuple((lever.unless, lever.every) for lever in self.levers_for(parameter, endpoint))
        return (((), ()),) if droppable(parameter, endpoint, inside=self.format != "typescript") else ()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that it speaks."""
        return tuple(dict.fromkeys(way.endpoint for way in self.ways))

    def levers_for(self, parameter: str, endpoint: str) -> tuple[Lever, ...]:
        """The levers about a parameter, those about it itself before those about its path."""
        names = dict.fromkeys((parameter, split_parameter(parameter)[0]))
        return tuple(
            lever.bound(parameter) for name in names for lever in self.levers if lever.knows(name, parameter, endpoint)
        )


@functools.cache
def load_clients() -> Mapping[str, Client]:
    """All clients, in the order of the file."""
    text = resources.files("conformance.export").joinpath("clients.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return {name: _client(name, row, data["instead"]) for name, row in data["client"].items()}


def _client(name: str, row: Mapping[str, Any], instead: Mapping[str, str]) -> Client:
    ways = tuple(
        Way(way, each["endpoint"], tuple(each.get("captured", ())), json.loads(each.get("set", "{}")))
        for way, each in row["way"].items()
    )
    endpoints = tuple(dict.fromkeys(way.endpoint for way in ways))
    return Client(
        id=name,
        title=row["title"],
        version=row["version"],
        file=row["file"],
        variable=row.get("variable", ""),
        also=tuple(row.get("also", ())),
        format=row["format"],
        docs=tuple(row["docs"]),
        proof=row["proof"],
        instead=instead[row["instead"]],
        captured=row.get("captured"),
        modes=tuple(row.get("modes", ("whole", "stream"))),
        ways=ways,
        levers=tuple(_lever(each, endpoints) for each in row.get("lever", ())),
        cannot=tuple(Cannot(tuple(each["for"]), each["why"]) for each in row.get("cannot", ())),
        drops=row.get("drops", False),
    )


def _lever(row: Mapping[str, Any], endpoints: tuple[str, ...]) -> Lever:
    return Lever(
        parameters=tuple(row["for"]),
        endpoints=tuple(row.get("on", endpoints)),
        template=row["set"],
        values=row.get("values", {}),
        unless=tuple(row.get("unless", ())),
        every=tuple(row.get("every", ())),
    )
