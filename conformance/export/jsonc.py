"""JSON with comments: read it, and change values in its text, so that all the rest stays as it is. Pure.

Comments (`//`, `/* */`) and commas after the last item are read, as most programs with such files do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null')
#: What the writer says of a part, on the rest of its line.
_REMARK = re.compile(r"(?:[ \t]*(?://[^\n]*|/\*[^\n]*?\*/))?")
_DEEPEST = 200


class JsonError(ValueError):
    """A text that is not JSON; says where."""


@dataclass
class _Node:
    """A value in the text. Of an object `parts` are by name, of a list in order; `names` are where a name begins."""

    start: int
    end: int
    value: Any
    parts: list[tuple[str, _Node]] = field(default_factory=list)
    names: list[int] = field(default_factory=list)


def parse(text: str) -> Any:
    """The value that a text holds. Raises `JsonError`."""
    return _Reader(text).document().value


def edited(text: str, value: Any) -> str:
    """The text with this value in it, which differs from what it holds in nothing that need not differ.

    Nothing is taken out: a name, or an item of a list, that `value` does not have stays. Raises `JsonError`.
    """
    edits: list[tuple[int, int, str]] = []
    _compare(text, _Reader(text).document(), value, edits)
    for _, (start, end, new) in sorted(enumerate(edits), key=lambda each: (each[1][0], each[0]), reverse=True):
        text = text[:start] + new + text[end:]
    return text


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def document(self) -> _Node:
        self._blank()
        node = self._value(0)
        self._blank()
        if self._at < len(self._text):
            raise self._error("more than one value")
        return node

    def _value(self, depth: int) -> _Node:
        if depth > _DEEPEST:
            raise self._error("nested too deep")
        sign = self._text[self._at : self._at + 1]
        if sign == "{":
            return self._holder(depth, "}")
        if sign == "[":
            return self._holder(depth, "]")
        found = _SCALAR.match(self._text, self._at)
        if found is None:
            raise self._error("no value")
        start, self._at = self._at, found.end()
        try:
            return _Node(start, self._at, json.loads(found[0]))
        except ValueError:
            raise self._error("no value", start) from None

    def _holder(self, depth: int, closing: str) -> _Node:
        node = _Node(self._at, 0, {} if closing == "}" else [])
        self._at += 1
        while True:
            self._blank()
            if self._text[self._at : self._at + 1] == closing:
                break
            if closing == "}":
                self._member(node, depth)
            else:
                item = self._value(depth + 1)
                node.parts.append(("", item))
                node.value.append(item.value)
            self._blank()
            if self._text[self._at : self._at + 1] == ",":
                self._at += 1
            elif self._text[self._at : self._at + 1] != closing:
                raise self._error(f"neither , nor {closing}")
        self._at += 1
        node.end = self._at
        return node

    def _member(self, node: _Node, depth: int) -> None:
        node.names.append(self._at)
        name = self._value(depth + 1)
        if not isinstance(name.value, str):
            raise self._error("a name that is no text", name.start)
        if name.value in node.value:
            raise self._error(f"{name.value!r} is there twice", name.start)
        self._blank()
        if self._text[self._at : self._at + 1] != ":":
            raise self._error("no colon")
        self._at += 1
        self._blank()
        value = self._value(depth + 1)
        node.parts.append((name.value, value))
        node.value[name.value] = value.value

    def _blank(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _error(self, what: str, at: int | None = None) -> JsonError:
        at = self._at if at is None else at
        return JsonError(f"line {self._text.count(chr(10), 0, at) + 1}: {what}")


def _compare(text: str, node: _Node, value: Any, edits: list[tuple[int, int, str]]) -> None:
    if isinstance(node.value, dict) and isinstance(value, Mapping):
        for name, part in node.parts:
            if name in value:
                _compare(text, part, value[name], edits)
        new = [(f"{json.dumps(name, ensure_ascii=False)}: ", each) for name, each in value.items()]
        _append(text, node, [part for part, name in zip(new, value, strict=True) if name not in node.value], edits)
    elif isinstance(node.value, list) and isinstance(value, list) and len(value) >= len(node.value):
        for (_, part), each in zip(node.parts, value, strict=False):
            _compare(text, part, each, edits)
        _append(text, node, [("", each) for each in value[len(node.value) :]], edits)
    elif node.value != value or isinstance(node.value, bool) is not isinstance(value, bool):
        edits.append((node.start, node.end, _written(value, _margin(text, node.start), _step(text))))


def _append(text: str, node: _Node, new: Sequence[tuple[str, Any]], edits: list[tuple[int, int, str]]) -> None:
    """Put parts at the end of an object or a list, each after its name, laid out as the parts before them are."""
    if not new:
        return
    step, outer = _step(text), _margin(text, node.start)
    first = (node.names or [part.start for _, part in node.parts] or [node.start])[0]
    in_lines = not node.parts or "\n" in text[node.start : first]
    margin = _margin(text, first) if node.parts and in_lines else outer + step
    between = f"\n{margin}" if in_lines else " "
    written = [
        name + (_written(each, margin, step) if in_lines else json.dumps(each, ensure_ascii=False))
        for name, each in new
    ]
    if not node.parts:
        edits.append((node.start + 1, node.end - 1, between + f",{between}".join(written) + f"\n{outer}"))
        return
    last = node.parts[-1][1].end
    blank = _BLANK.match(text, last)
    comma = blank.end() if blank else last
    if text[comma] == ",":  # after the last part, as some write it
        last = comma + 1
    else:
        edits.append((last, last, ","))
    if in_lines:
        last = _REMARK.match(text, last).end()  # type: ignore[union-attr]  # it always matches
    edits.append((last, last, between + f",{between}".join(written)))


def _margin(text: str, at: int) -> str:
    """The blanks that the line of a place begins with."""
    line = text.rfind("\n", 0, at) + 1
    return re.match(r"[ \t]*", text[line:])[0]  # type: ignore[index]  # it always matches


def _step(text: str) -> str:
    """What a level is indented by in a text: by what its first indented line is."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


def _written(value: Any, margin: str, step: str) -> str:
    """A value as JSON that stands in a line with this margin."""
    return json.dumps(value, indent=step, ensure_ascii=False).replace("\n", f"\n{margin}")


def plain(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A new document as text."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
