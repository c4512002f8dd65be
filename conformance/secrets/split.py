"""Secrets that a stream's events hold in pieces: `sk-so` in one delta, `me-key` in the next. Pure.

The texts at one place of successive events are joined, searched as one, and what was found is taken
out of each event that held a part of it. Events that held none stay byte for byte.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

#: Finds secrets in a text, as (start, end).
Find = Callable[[str], Iterable[tuple[int, int]]]

#: A line may end with either character, or both: `^` and `$` know one of them.
_EVENT = re.compile(r"(?<![^\r\n])(data:[ \t]*)?(\{[^\r\n]*\})[ \t]*(?![^\r\n])")

#: What tells apart the texts that a stream interleaves: choices, tool calls, output items.
_MARKS = ("type", "index", "output_index", "content_index")


def without_split(text: str, find: Find, replacement: str) -> str:
    """The text without secrets that are spread over several of its events; `replacement` marks where one began."""
    lines = list(_EVENT.finditer(text))
    if len(lines) < 2:
        return text
    documents = [_parsed(line[2]) for line in lines]
    pieces: dict[int, list[tuple[int, Any, Any]]] = defaultdict(list)
    places = _Places()
    for number, document in enumerate(documents):
        for where, holder, name in _texts(document, places):
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


class _Places(dict[Any, int]):
    """A number for each place in documents, by the number of what holds it: a deep path is as short as any."""

    def __missing__(self, place: Any) -> int:
        self[place] = len(self) + 1
        return self[place]


def _texts(value: Any, places: _Places) -> Iterator[tuple[int, Any, Any]]:
    """Every text in a document: its place, what holds it, and under which name or number."""
    waiting = [(value, 0)]
    while waiting:
        holder, where = waiting.pop()
        if isinstance(holder, dict):
            marks = [mark for name in _MARKS if isinstance(mark := holder.get(name), str | int)]
            where = places[where, *marks, ...] if marks else where
            items: Iterable[tuple[Any, Any]] = holder.items()
        elif isinstance(holder, list):
            items = enumerate(holder)
        else:
            continue
        for name, item in items:
            if isinstance(item, str):
                yield places[where, name], holder, name
            elif isinstance(item, dict | list):
                waiting.append((item, places[where, name]))


def _joined(pieces: list[tuple[int, Any, Any]], find: Find, replacement: str) -> set[int]:
    """Take secrets out of texts that follow each other; the numbers of the events that were changed."""
    texts = [holder[name] for _, holder, name in pieces]
    if len(texts) < 2 or all(text == texts[0] for text in texts[1:]):  # an id that every event repeats
        return set()
    changed: set[int] = set()
    found = deque(find("".join(texts)))
    begin = 0
    for (number, holder, name), text in zip(pieces, texts, strict=True):
        end, at, kept = begin + len(text), 0, []
        while found and found[0][0] < end:
            first, last = found[0]
            kept += [text[at : max(first - begin, 0)], replacement if first >= begin else ""]
            at = min(last, end) - begin
            changed.add(number)
            if last > end:  # it goes on in the next
                break
            found.popleft()
        if at:
            holder[name] = "".join([*kept, text[at:]])
        begin = end
    return changed
