"""Where a parameter lies in a request body, how its value is spelled, and how to change it there. Pure."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

#: What a list step is written as, at the end of a name: `tools[].strict`.
EACH = "[]"


class Gone:
    """Stands in for a value that was left out."""


#: What a change returns for a value that is to be left out.
GONE = Gone()

#: From a value to what stands in its place, which may be the value itself.
Mend: TypeAlias = Callable[[Any], Any]


def steps_of(path: str) -> Iterator[str]:
    """The steps of a path as it is written, `[]` for each item of a list."""
    for name in path.split("."):
        yield name.removesuffix(EACH)
        if name.endswith(EACH):
            yield EACH


def spelled(value: Any) -> str:
    """A value as parameter ids spell it: `true`, `false`, `null`, a number, or the string itself.

    An object is spelled by its `type`, a list `empty` or `list`. Numbers beyond what Python and
    JavaScript write alike (under 0.0001, from 2**53 on) are `number`.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _spelled_number(value)
    if isinstance(value, dict):
        kind = value.get("type")
        return kind if isinstance(kind, str) else "object"
    return "list" if value else "empty"


def _spelled_number(value: float) -> str:
    if not abs(value) < 2**53:
        return "number"
    if value == math.floor(value):
        return str(int(value))
    return str(value) if abs(value) >= 0.0001 else "number"


def mend_at(body: dict[str, Any], at: tuple[str, ...], mend: Mend, vital: str | None = None) -> None:
    """Mend one place in a body, whose inner values are the caller's and stay as they are.

    What this empties goes too, for it would say nothing; so does an object that loses what is `vital` to it.
    """
    name = at[0]
    if name in body:
        inner = _mended(body[name], at, 1, mend, vital)
        if inner is GONE:
            del body[name]
        else:
            body[name] = inner


def _mended(value: Any, at: tuple[str, ...], depth: int, mend: Mend, vital: str | None) -> Any:
    """A value with one place in it mended: the same object where nothing was to do."""
    if depth == len(at):
        return mend(value)
    name = at[depth]
    if name == EACH:
        if not isinstance(value, list):
            return value
        if depth + 1 < len(at) and not any(at[depth + 1] in item for item in value if isinstance(item, dict)):
            return value  # the common case, and a conversation is long
        items = [_mended(item, at, depth + 1, mend, vital) for item in value]
        if all(map(operator.is_, items, value)):
            return value
        return [item for item in items if item is not GONE] or GONE
    if not isinstance(value, dict) or name not in value:
        return value
    inner = _mended(value[name], at, depth + 1, mend, vital)
    if inner is value[name]:
        return value
    if inner is GONE:
        return GONE if name == vital else {key: each for key, each in value.items() if key != name} or GONE
    return {**value, name: inner}
