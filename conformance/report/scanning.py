"""JavaScript cut into code, literals and comments: as much of the language as the page's own modules need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class PieceKind(Enum):
    """What a piece of a module is."""

    CODE = "code"
    LITERAL = "literal"  # a string, a regular expression, or a template's part outside `${}`
    COMMENT = "comment"


class Piece(NamedTuple):
    """A piece of a module."""

    kind: PieceKind
    text: str


class ScanError(ValueError):
    """A quote or a brace that nothing closes; `start` is its place."""

    def __init__(self, message: str, start: int) -> None:
        """Say what is wrong, and where."""
        super().__init__(message)
        self.start = start


_SPECIAL = re.compile(r"[\"'`/{}]")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""", re.DOTALL)
_TEMPLATE = re.compile(r"[`}](?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
#: Code that ends with a value: a slash after it divides. After any other code it begins a regular expression.
_VALUE = re.compile(
    r"(?<![\w$])(?!(?:return|typeof|case|in|of|delete|void|throw|new|else|await)\s*$)[\w$]+\s*$|[)\]}]\s*$"
)


def scan(text: str) -> Iterator[Piece]:
    """The pieces of a module; together they are its text. Raises `ScanError` for what it cannot cut."""
    opened: list[tuple[str, int]] = []  # each `{`, and each `${` of a template, with its place
    before = ""  # what stands before a slash, but for comments
    at = 0
    while at < len(text):
        kind, end = _next(text, at, before, in_template=bool(opened) and opened[-1][0] == "${")
        found = text[at:end]
        if found[0] == "}":
            if not opened:
                raise ScanError("this brace closes nothing", at)
            opened.pop()
        if found == "{" or (kind is PieceKind.LITERAL and found[0] in "`}" and found[-1] == "{"):
            opened.append((found[-2:], at))
        yield Piece(kind, found)
        if kind is not PieceKind.COMMENT and not found.isspace():
            before = ")" if kind is PieceKind.LITERAL and found[-1] != "{" else found
        at = end
    if opened:
        raise ScanError("nothing closes this brace", opened[-1][1])


def _next(text: str, at: int, before: str, *, in_template: bool) -> tuple[PieceKind, int]:
    """What the piece at a place is, and where it ends."""
    sign = text[at]
    if sign == "`" or (sign == "}" and in_template):
        return PieceKind.LITERAL, _end(_TEMPLATE, text, at)
    if sign in "\"'":
        return PieceKind.LITERAL, _end(_STRING, text, at)
    if text.startswith(("//", "/*"), at):
        return PieceKind.COMMENT, _end(_COMMENT, text, at)
    if sign == "/" and not _VALUE.search(before[-40:]):
        return PieceKind.LITERAL, _end(_REGEX, text, at)
    if sign in "{}/":
        return PieceKind.CODE, at + 1
    following = _SPECIAL.search(text, at)
    return PieceKind.CODE, following.start() if following else len(text)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise ScanError("nothing closes this quote, comment or regular expression", at)
    return match.end()
