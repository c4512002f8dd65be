"""Where in a request the field lies that a refusal names. Pure, and bounded whatever was sent.

A refusal may name a field by an index (`tools.0.function.strict`), in the upstream's own spelling
(`promptCacheKey`, `max_output_tokens`), inside a wrapper (`body.store`), or by its last name alone.
What it means is a place: a path with `[]` for each item of a list, so that all items are mended at once.
The rules are data, in `repair.json`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, TypeAlias

from conformance.provider.filter.places import EACH, steps_of
from conformance.provider.refusals.dialects import snake

#: A path in a body: names of fields, and `[]` for each item of a list.
Place: TypeAlias = tuple[str, ...]


@functools.cache
def rules() -> dict[str, Any]:
    """What `repair.json` says."""
    text = (resources.files(__package__) / "repair.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def trace(name: str, body: Mapping[str, Any]) -> tuple[Place, ...]:
    """The places in a request that a name in a refusal means; none where the request holds no such thing."""
    limits = rules()["limits"]
    steps = [step for step in re.split(r"[^A-Za-z0-9_$-]+", name) if step][: limits["steps"]]
    names = [step for step in steps if not step.isdecimal()]
    while names:
        found = _from_head(names, body)
        if found is not None:
            return found
        if snake(names[0]) not in rules()["wrappers"] or len(names) == 1:
            break
        names = names[1:]
    if not names:
        return ()
    # No field of this name: the last name may be that of something inside one.
    return _search({key: body[key] for key in body if key not in rules()["free_form"]}, names[-1], ())


def places_text(place: Place) -> str:
    """A place as it is written: `tools[].function.strict`."""
    text = ""
    for step in place:
        text += step if step == EACH or not text else f".{step}"
    return text


def place_of(text: str) -> Place:
    """A place from how it is written."""
    return tuple(steps_of(text))


def values_at(body: Any, place: Place) -> list[Any]:
    """The first values that a request holds at a place, in order."""
    limit = rules()["limits"]["values"]
    found: list[Any] = []
    seen: set[str] = set()
    for value in _values(body, place):
        key = f"{type(value).__name__}:{value!r}"[:200] if not isinstance(value, dict | list) else _kind(value)
        if key not in seen:
            seen.add(key)
            found.append(value)
            if len(found) >= limit:
                break
    return found


def _kind(value: Any) -> str:
    return f"object:{value.get('type')!r}"[:200] if isinstance(value, dict) else f"list:{bool(value)}"


def _values(value: Any, place: Place) -> Iterator[Any]:
    if not place:
        yield value
    elif place[0] == EACH:
        for item in value if isinstance(value, list) else ():
            yield from _values(item, place[1:])
    elif isinstance(value, dict) and place[0] in value:
        yield from _values(value[place[0]], place[1:])


def _from_head(names: Sequence[str], body: Mapping[str, Any]) -> tuple[Place, ...] | None:
    """The places that begin with the field named first, by its own name or by another; None where none does."""
    for head in (names[0], snake(names[0])):
        if head in body:
            return _inside(body, (head,), names[1:])
    for count in (2, 1):  # what another API calls a field inside one may be a field of its own here
        for text in rules()["aliases"].get(".".join(map(snake, names[:count])), ()):
            place = place_of(text)
            if any(True for _ in _values(body, place)):
                return _inside(body, place, names[count:])
    return None


def _inside(body: Mapping[str, Any], place: Place, tail: Sequence[str]) -> tuple[Place, ...]:
    """The places at or under a field that the rest of a name means."""
    if not tail:
        return (place,)
    values = list(_values(body, place))
    exact = {found for value in values for found in _exact(value, tail, place)}
    if exact:
        return tuple(sorted(exact))[: rules()["limits"]["places"]]
    found = tuple(dict.fromkeys(each for value in values for each in _search(value, tail[-1], place)))
    if found:
        return found[: rules()["limits"]["places"]]
    for text in rules()["aliases"].get(snake(tail[-1]), ()):  # what a bridge made of something in the same field
        other = place_of(text)
        if len(other) > 1 and other[0] == place[0] and any(True for _ in _values(body, other)):
            return (other,)
    # What is refused inside a field that is a plain value, or whose inside the gateway made itself, is the field.
    return () if place[0] in rules()["containers"] else (place,)


def _exact(value: Any, tail: Sequence[str], place: Place) -> Iterator[Place]:
    """The places that a path leads to, through the items of lists."""
    if not tail:
        yield place
    elif isinstance(value, list):
        seen: set[Place] = set()
        for item in value if place[-1] != EACH else ():
            for found in _exact(item, tail, (*place, EACH)):
                if found not in seen:
                    seen.add(found)
                    yield found
    elif isinstance(value, dict):
        for name in dict.fromkeys((tail[0], snake(tail[0]))):
            if name in value:
                yield from _exact(value[name], tail[1:], (*place, name))
                return


def _search(value: Any, name: str, place: Place) -> tuple[Place, ...]:
    """The places under a value where a field has this name, but for what is somebody else's schema or data."""
    limits, opaque = rules()["limits"], frozenset(rules()["opaque"])
    inner_opaque = opaque | frozenset(rules()["opaque_inside"])
    wanted = (name, snake(name))
    found: dict[Place, None] = {}
    queue: list[tuple[Any, Place]] = [(value, place)]
    for nodes, (each, at) in enumerate(queue):  # grows while it is read, breadth first
        if nodes >= limits["nodes"] or len(found) >= limits["places"]:
            break
        if isinstance(each, list):
            queue.extend((item, (*at, EACH)) for item in each[: limits["nodes"]] if isinstance(item, dict))
        elif isinstance(each, dict):
            for key, inner in each.items():
                if key in wanted:
                    found[(*at, key)] = None
                elif key not in (inner_opaque if at else opaque) and len(at) < limits["depth"] and _holds(inner):
                    queue.append((inner, (*at, key)))
    return tuple(found)


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list)
