"""Versions of gateways and of model families, and the bounds that rules put on them. Pure."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def gateway_version_fits(version: str | None, bounds: Sequence[str]) -> bool:
    """True where a dotted version fits every bound; one that is not known fits none."""
    return version is not None and version_fits(_release(version), bounds)


def version_fits(version: tuple[int, ...], bounds: Sequence[str]) -> bool:
    """True where a version fits every bound, each `>=X`, `<=X`, `>X`, `<X` or `==X`; 4.0 is 4."""
    have = _without_zeros(version)
    return all(_CHECKS[sign](have, wanted) for sign, wanted in map(_bound, bounds))


#: A bound on a version.
BOUND = re.compile(r"(>=|<=|>|<|==)\s*(\d{1,9}(?:\.\d{1,9})*)")
_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@functools.lru_cache(maxsize=4096)
def _bound(text: str) -> tuple[str, tuple[int, ...]]:
    found = BOUND.fullmatch(text)
    return (found[1], _release(found[2])) if found else (">=", ())


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"\d{1,9}(?!\d)(?:\.\d{1,9}(?!\d))*", version)
    return _without_zeros(tuple(int(part) for part in found[0].split(".")) if found else ())


def _without_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    while numbers and numbers[-1] == 0:  # 1.80.0 and 1.80 are one release
        numbers = numbers[:-1]
    return numbers
