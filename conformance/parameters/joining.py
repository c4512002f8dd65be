"""Several parameters in one body: parts that agree are joined, such as two properties of one tool. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.parameters._reading import leaves


def agree(one: Any, other: Any) -> bool:
    """True where two values can be joined and each is still all there.

    Objects agree where the values of all names that they share do, lists of one length where all items do.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(agree(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(agree, one, other))
    return bool(type(one) is type(other) and one == other)  # True is not 1 here


def joined(one: Any, other: Any) -> Any:
    """Two values as one; where they do not agree, the other."""
    if not agree(one, other):
        return other
    if isinstance(one, Mapping):
        return {**one, **{name: joined(one[name], value) if name in one else value for name, value in other.items()}}
    return [joined(*items) for items in zip(one, other, strict=True)] if isinstance(one, list) else other


def sole_value(body: Any) -> Any:
    """The one plain value that a body has, at whatever depth; None where it has several, or a list."""
    values = [value for _, value in leaves(body)]
    return values[0] if len(values) == 1 and not isinstance(values[0], Mapping | list) else None
