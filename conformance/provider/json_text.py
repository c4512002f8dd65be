"""Change a JSON text and keep every byte of it that need not change."""

from __future__ import annotations

import json
import re
from typing import Any

_scan = json.JSONDecoder().raw_decode
_GONE = object()
_SPACE = re.compile(r"[ \t\n\r]*")


def edited(text: str, before: Any, after: Any) -> str:
    """`text`, which says `before`, changed so that it says `after`.

    Members that `after` lacks go with their comma; whatever is the same in both keeps its own
    spelling: spaces, the order of keys, `1.0` and `1e2`, escapes. `text` must be valid JSON.
    """
    start = _skip(text, 0)
    end = len(text.rstrip(" \t\n\r"))
    return text[:start] + _value(text, start, end, before, after) + text[end:]


def _value(text: str, start: int, end: int, before: Any, after: Any) -> str:
    if after is before:
        return text[start:end]
    if isinstance(before, dict) and isinstance(after, dict) and text[start] == "{":
        return _object(text, start, before, after)
    if isinstance(before, list) and isinstance(after, list) and text[start] == "[":
        pairs = _paired(before, after)
        if pairs is not None:
            return _array(text, start, before, pairs)
    return text[start:end] if after == before else json.dumps(after, separators=(",", ":"))


def _object(text: str, start: int, before: dict[str, Any], after: dict[str, Any]) -> str:
    """An object's text; each member keeps what stands before it, and the first one what follows the brace."""
    pieces: list[tuple[str, str]] = []
    at, lead = _skip(text, start + 1), start + 1
    while text[at] != "}":
        key, key_end = _scan(text, at)
        value_at = _skip(text, _skip(text, key_end) + 1)
        _, value_end = _scan(text, value_at)
        if key in after:
            value = _value(text, value_at, value_end, before[key], after[key])
            pieces.append((text[lead:at], text[at:value_at] + value))
        lead, at = value_end, _next(text, value_end)
    added = [key for key in after if key not in before]
    pieces += [(",", f"{json.dumps(key)}:{json.dumps(after[key], separators=(',', ':'))}") for key in added]
    first = text[start + 1 : _skip(text, start + 1)]
    body = "".join((lead if index else first) + member for index, (lead, member) in enumerate(pieces))
    return "{" + body + text[lead : at + 1]


def _array(text: str, start: int, before: list[Any], after: list[Any]) -> str:
    """A list's text; `after` holds what becomes of each item, `_GONE` where it goes."""
    pieces: list[str] = []
    at, lead = _skip(text, start + 1), start + 1
    first = text[lead:at]
    for old, new in zip(before, after, strict=True):
        _, end = _scan(text, at)
        if new is not _GONE:
            pieces += [text[lead:at] if pieces else first, _value(text, at, end, old, new)]
        lead, at = end, _next(text, end)
    return "[" + "".join(pieces) + text[lead : at + 1]


def _paired(before: list[Any], after: list[Any]) -> list[Any] | None:
    """What became of each item of a list that has lost some; None where that cannot be told."""
    if len(before) == len(after):
        return after
    left = iter(after)
    wanted = next(left, _GONE)
    pairs = []
    for item in before:
        kept = item is wanted
        pairs.append(item if kept else _GONE)
        wanted = next(left, _GONE) if kept else wanted
    return pairs if wanted is _GONE else None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _next(text: str, at: int) -> int:
    """Where the next member begins after one that ends here, or the closing bracket stands."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at
