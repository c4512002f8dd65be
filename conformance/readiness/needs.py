"""What a client's request is made of: parameters that a run asks about, and fields that it does not. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.provider.filter.places import EACH
from conformance.readiness.shapes import KINDS, Place, Shapes, name_at, parts_of, without_lists

#: The date in the type of a tool of Anthropic's; ids go without it.
_DATE = re.compile(r"_20\d{6}$")

#: Characters of a field or value that are kept of a body; profiles hold shorter ones.
_NAME = 80


@dataclass
class Needs:
    """What one body needs, each once and in the order of the body.

    `parameters` are ids. `values` are values that no parameter asks about of a field that some do: by their
    name, the ids of that field's other values. `unasked` are fields, and kinds of things, that nothing asks about.
    `replayed` is that of the endpoint's shapes.
    """

    parameters: dict[str, None] = field(default_factory=dict)
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unasked: dict[str, None] = field(default_factory=dict)
    replayed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def needs_of(body: Any, shapes: Shapes) -> Needs:
    """What a body needs of an endpoint. Never raises, whatever JSON it is."""
    needs = Needs(replayed=shapes.replayed)
    # Only places that probes hold as well are gone into, so a body is never deeper than those.
    _look(body, (), shapes, needs)
    if isinstance(body, Mapping):
        for name, fields in shapes.together.items():
            if all(each in body for each in fields):
                needs.parameters[name] = None
    return needs


def _look(value: Any, at: Place, shapes: Shapes, needs: Needs) -> None:
    for name, each in _kinds_first(value):
        place = (*at, name)
        path = shapes.path_at(place)
        if path is None and place not in shapes.known:
            needs.unasked[_written(place)] = None
            continue
        settled = _count(place, path, each, shapes, needs)
        if name in KINDS and not settled:
            return  # what else an object of an unknown kind holds says nothing more
        if place not in shapes.free:
            _look(each, place, shapes, needs)


def _kinds_first(value: Any) -> list[tuple[str, Any]]:
    """What an object or list holds; of an object, what says its kind comes first."""
    return sorted(parts_of(value), key=lambda part: part[0] not in KINDS)


def _count(place: Place, path: str | None, value: Any, shapes: Shapes, needs: Needs) -> bool:
    """Count one place in; False where it holds a kind that is known by its name alone, or not at all."""
    kinds = shapes.kinds.get(place, frozenset())
    kind = value if place[-1] in KINDS and isinstance(value, str) else None
    if path is not None:
        ids, name = shapes.ids[path], name_at(path, value)
        found = ids.get(name) or ids.get(_DATE.sub("", name)) or ids.get(None)
        if found is not None:
            needs.parameters[found] = None
            return kind is None or kind in kinds
        if name in kinds:
            return True
        if kind is None and not isinstance(value, Mapping):
            needs.values[_written(place, name)] = tuple(ids.values())
            return True
        needs.unasked[f"{path[:_NAME]}:{name[:_NAME]}"] = None  # another kind is another thing
        return False
    if kind is None or kind in kinds:
        return True
    needs.unasked[_written(place, kind)] = None
    return False


def _written(place: Place, value: str | None = None) -> str:
    """A place, and a value there, as parameters' ids write them."""
    path = without_lists(place) or EACH
    return path[:_NAME] if value is None else f"{path[:_NAME]}:{value[:_NAME]}"
