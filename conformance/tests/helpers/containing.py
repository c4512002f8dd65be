"""Whether a part is in a whole, at any depth."""

from __future__ import annotations

from typing import Any


def has(whole: Any, part: Any) -> bool:
    """True where all of a part is in a whole: names in objects, items in lists of one length, values of one type."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and has(whole[name], part[name]) for name in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(has, whole, part))
    return type(whole) is type(part) and bool(whole == part)
