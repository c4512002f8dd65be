"""What a run asks about on one endpoint: where each parameter lies in a body, and which fields probes hold. Pure.

Where a parameter lies, the provider's filter says; the rest is read from the bodies of the registry.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeAlias

from conformance.parameters import Registry
from conformance.provider.filter import places_named, remedies, value_name
from conformance.provider.filter.places import EACH, spelled, steps_of
from conformance.types import Endpoint, Parameter

#: The steps to a place in a body, `[]` for each item of a list.
Place: TypeAlias = tuple[str, ...]

#: The keys whose values tell what an object is.
KINDS = ("type", "role")


@dataclass(frozen=True)
class Shapes:
    """An endpoint's parameters and fields.

    `stated` and `named` lead from a place to a parameter's path: as the filter's data states it, or as the
    path itself says. `ids` are a path's parameters by the value that they name, `together` those that are
    about several fields at once. `known` are the places that some probe holds, `kinds` the types and roles
    that were seen there, also those of a list's items, and below `free` the keys are the caller's own. `replayed`
    are the parameters that a client sends back only where an answer held them, with those whose effect shows that
    answers do.
    """

    stated: Mapping[Place, str]
    named: Mapping[str, str]
    ids: Mapping[str, Mapping[str | None, str]]
    together: Mapping[str, tuple[str, ...]]
    known: frozenset[Place]
    kinds: Mapping[Place, frozenset[str]]
    free: frozenset[Place]
    replayed: Mapping[str, tuple[str, ...]]

    def path_at(self, place: Place) -> str | None:
        """The path of the parameters that are about this place, or None."""
        if (path := self.stated.get(place)) is not None:
            return path
        return None if place[-1] == EACH else self.named.get(without_lists(place))


def without_lists(place: Place) -> str:
    """A place as parameters' ids write it."""
    return ".".join(step for step in place if step != EACH)


def name_at(path: str, value: Any) -> str:
    """How parameters' ids spell a value at a path."""
    return value_name(value, remedies()["remedies"].get(path, {}))


def shapes_of(registry: Registry, endpoint: Endpoint) -> Shapes:
    """What the registry asks about on an endpoint."""
    parameters = [parameter for parameter in registry.parameters if endpoint in parameter.bodies]
    alone = [parameter for parameter in parameters if "+" not in parameter.path]
    stated = {p.path: places_named(p.path, endpoint) for p in alone}
    known, kinds = _seen(registry, endpoint, parameters)
    ids: dict[str, dict[str | None, str]] = {}
    for parameter in alone:
        ids.setdefault(parameter.path, {})[parameter.value] = parameter.id
        for place in map(tuple, map(steps_of, stated[parameter.path])):
            if place[-1] == EACH and parameter.value:  # the value is what the items' types say
                kinds[*place, KINDS[0]] = kinds.get((*place, KINDS[0]), frozenset()) | {parameter.value}
    return Shapes(
        stated={tuple(steps_of(place)): path for path, places in stated.items() for place in places},
        named={path: path for path, places in stated.items() if not places},
        ids=ids,
        together={p.id: tuple(p.path.split("+")) for p in parameters if "+" in p.path},
        known=known,
        kinds=kinds,
        free=frozenset(place for place in _free() if not _is_asked_below(place, alone)),
        replayed=_replayed(parameters),
    )


def _is_asked_below(place: Place, parameters: list[Parameter]) -> bool:
    return any(parameter.path.startswith(f"{without_lists(place)}.") for parameter in parameters)


def _replayed(parameters: list[Parameter]) -> dict[str, tuple[str, ...]]:
    rows = _basics()["replayed"]
    return {p.id: tuple(rows.get(p.id, {}).get("shown_by", ())) for p in parameters if p.after or p.id in rows}


def _seen(
    registry: Registry, endpoint: Endpoint, parameters: list[Parameter]
) -> tuple[frozenset[Place], dict[Place, frozenset[str]]]:
    """The places in all bodies that a run sends to an endpoint, and the types and roles that stand there."""
    entry = registry.endpoints[endpoint]
    basics = _basics()["endpoints"].get(endpoint, {"places": [], "values": {}})
    known: set[Place] = set()
    for written in basics["places"]:
        steps = tuple(steps_of(written))
        known |= {steps[:length] for length in range(1, len(steps) + 1)}
    kinds: dict[Place, set[str]] = {tuple(steps_of(at)): set(names) for at, names in basics["values"].items()}
    for body in (entry.body, *entry.caps, *(parameter.bodies[endpoint] for parameter in parameters)):
        for place, value in _places(body, ()):
            known.add(place)
            if place[-1] in KINDS and isinstance(value, str):
                kinds.setdefault(place, set()).add(value)
            elif place[-1] == EACH and isinstance(value, Mapping):
                kinds.setdefault(place, set()).add(spelled(value))
    return frozenset(known), {place: frozenset(names) for place, names in kinds.items()}


def _places(value: Any, at: Place) -> Iterator[tuple[Place, Any]]:
    """Every place in one of the registry's own bodies, with what stands there."""
    if at:
        yield at, value
    if at in _free():
        return
    for name, each in parts_of(value):
        yield from _places(each, (*at, name))


def parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object or a list holds, with the step that leads to it; nothing where it is neither."""
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list):
        for item in value:
            yield EACH, item


@functools.cache
def _basics() -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / "basics.toml").read_text(encoding="utf-8"))


@functools.cache
def _free() -> frozenset[Place]:
    return frozenset(tuple(steps_of(written)) for written in _basics()["free"]["places"])
