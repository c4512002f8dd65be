"""How deep JSON may nest. Python reads a little deeper than it can write, compare or show elsewhere. Pure."""

from __future__ import annotations

from typing import Any

#: Levels of lists and objects; honest answers and requests have about ten.
MAX_LEVELS = 200

_HOLDERS = (dict, list)


def nests_too_deep(text: str, value: Any) -> bool:
    """True where a JSON object or list, which this text says, has more than `MAX_LEVELS` levels."""
    if text.count("[") + text.count("{") <= MAX_LEVELS:  # which is quick, and true of nearly all
        return False
    inside = [value]
    for _ in range(MAX_LEVELS):
        inside = [
            each
            for holder in inside
            for each in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(each, _HOLDERS)
        ]
        if not inside:
            return False
    return True
