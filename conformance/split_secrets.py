"""Secrets that a stream's events hold in pieces: `sk-so` in one delta, `me-key` in the next. Pure.

The texts at one place of successive events are joined, searched as one, and what was found is taken
out of each event that held a part of it. Events that held none stay byte for byte.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

#: Finds secrets in a text, as (start, end).
Find = Callable[[str], Iterable[tuple[int, int]]]

_EVENT = re.compile(r"^(data:[ \t]*)?(\{[^\r\n]*\})[ \t]*$", re.MULTILINE)

#: What tells apart the texts that a stream interleaves: choices, tool calls, output items.
_MARKS = ("type", "index", "output_index", "content_index")


def without_split(text: str, find: Find, replacement: str) -> str:
    """The text without secrets that are spread over several of its events; `replacement` marks where one began."""
    lines = list(_EVENT.finditer(text))
    if len(lines) < 2:
        return text
    documents = [_parsed(line[2]) for line in lines]
    pieces: dict[tuple[Any, ...], list[tuple[int, Any, Any]]] = defaultdict(list)
    for number, document in enumerate(documents):
        for where, holder, name in _texts(document, ()):
            pieces[where].append((number, holder, name))
    changed: set[int] = set()
    for told in pieces.values():
        changed |= _joined(told, find, replacement)
    if not changed:
        return text
    parts, end = [], 0
    for number in sorted(changed):
        line = lines[number]
        parts += [text[end : line.start(2)], json.dumps(documents[number], separators=(",", ":"))]
        end = line.end(2)
    return "".join([*parts, text[end:]])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts(value: Any, where: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Every text in a document: its place, what holds it, and under which name or number."""
    waiting = [(value, where)]
    while waiting:
        holder, where = waiting.pop()
        if isinstance(holder, dict):
            where = (*where, *(mark for name in _MARKS if isinstance(mark := holder.get(name), str | int)))
            items: Iterable[tuple[Any, Any]] = holder.items()
        elif isinstance(holder, list):
            items = enumerate(holder)
        else:
            continue
        for name, item in items:
            if isinstance(item, str):
                yield (*where, name), holder, name
            elif isinstance(item, dict | list):
                waiting.append((item, (*where, name)))


def _joined(pieces: list[tuple[int, Any, Any]], find: Find, replacement: str) -> set[int]:
    """Take secrets out of texts that follow each other; the numbers of the events that were changed."""
    texts = [holder[name] for _, holder, name in pieces]
    if len(texts) < 2 or all(text == texts[0] for text in texts[1:]):  # an id that every event repeats
        return set()
    changed: set[int] = set()
    found = list(find("".join(texts)))
    at = sum(map(len, texts))
    for (number, holder, name), text in zip(reversed(pieces), reversed(texts), strict=True):
        at -= len(text)
        kept = text
        for start, end in reversed(found):
            low, high = max(start - at, 0), min(end - at, len(text))
            if low < high:
                kept = kept[:low] + (replacement if start >= at else "") + kept[high:]
                changed.add(number)
        holder[name] = kept
    return changed
