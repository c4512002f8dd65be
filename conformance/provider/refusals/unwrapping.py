"""Every text and every error object inside a refusal: JSON inside text inside JSON, Python's repr of bytes. Pure.

Bounded in time and memory whatever a server sends.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: What is read of a refusal: characters, levels of nesting, texts.
MAX_TEXT = 65_536
MAX_DEPTH = 16
MAX_TEXTS = 200

_decoder = json.JSONDecoder()


def unwrap(text: str) -> Iterator[str | Mapping[str, Any]]:
    """Every text and every error object inside a refusal, outermost first.

    Looks into JSON, JSON inside texts, and Python's repr of bytes.
    """
    budget = MAX_TEXTS
    queue: list[tuple[Any, int]] = [(text[:MAX_TEXT], 0)]
    while queue and budget:
        value, depth = queue.pop(0)
        budget -= 1
        if isinstance(value, str):
            yield value
            inner = list(_embedded(value)) if depth < MAX_DEPTH else []
        elif isinstance(value, Mapping):
            yield value
            inner = list(value.values())
        else:
            inner = list(value) if isinstance(value, list) else []
        queue.extend((part, depth + 1) for part in inner if isinstance(part, str | dict | list))


def _embedded(text: str) -> Iterator[Any]:
    """The JSON values and Python literals that a text holds, found from left to right."""
    position, tries = 0, 20
    while tries and (match := _OPENING.search(text, position)):
        tries -= 1
        value, position = _literal(text, match)
        if value is not None:
            yield value


_OPENING = re.compile(r"""b(?=['"])|[{\[]|"(?=\s*[{\[])""")
#: Bytes as `repr` writes them, and only so: other escapes would make Python warn.
_BYTES = re.compile(
    r"""b(?:'(?:[^'\\\x00-\x1f\x7f-\U0010ffff]|\\(?:x[0-9a-f]{2}|[\\'nrt]))*'"""
    r"""|"(?:[^"\\\x00-\x1f\x7f-\U0010ffff]|\\(?:x[0-9a-f]{2}|[\\nrt]))*")"""
)


def _literal(text: str, opening: re.Match[str]) -> tuple[Any, int]:
    start = opening.start()
    if opening[0] == "b":
        if found := _BYTES.match(text, start):
            try:
                return ast.literal_eval(found[0]).decode("utf-8", "replace"), found.end()
            except (ValueError, SyntaxError, MemoryError):
                return None, start + 1
        return None, start + 1
    try:
        value, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1
    return (value, end) if isinstance(value, str | dict | list) else (None, start + 1)
