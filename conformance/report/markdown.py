"""Markdown that stays within a size and says nothing but what it means to. Pure.

Ids and error texts are written by others: they stand in code spans, in which there is no markup, no
mention, no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from conformance.report.terminal import printable

#: What a comment on GitHub may hold is 65,536 characters; this many bytes are surely fewer.
COMMENT_LIMIT = 65_000
#: Room for the lines that say what was left out.
_RESERVE = 600


def code(text: str, limit: int = 80) -> str:
    """A foreign text as a code span, cut at `limit` characters, safe also in a table."""
    shown = re.sub(r"\\*\|", r"\\|", printable(text, limit))  # a bar ends a table's cell unless escaped
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown or ' '}{pad}{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None) -> list[str]:
    """The lines of a table; columns from `numbers_from` on are aligned to the right."""
    ruler = ["---:" if numbers_from is not None and n >= numbers_from else "---" for n in range(len(header))]
    return [_row(header), _row(ruler), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


class Document:
    """Lines up to a number of bytes; what no longer fits is counted and said."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes of UTF-8."""
        self._left = limit - _RESERVE
        self._lines: list[str] = []

    def add(self, *lines: str) -> bool:
        """Add all these lines, or none where they do not fit; True where they did."""
        size = sum(len(line.encode("utf-8")) + 1 for line in lines)
        if size > self._left:
            return False
        self._left -= size
        self._lines.extend(lines)
        return True

    def add_some(self, lines: Sequence[str], what: str, *, head: int = 0, more: int = 0) -> None:
        """Add lines from the first on, as many as fit; `what` they are is said of those left out.

        The first `head` lines are a table's own, and `more` were left out before.
        """
        fits, left_out = self.add(*lines[:head]), more
        for line in lines[head:]:
            fits = fits and self.add(line)
            left_out += not fits
        if left_out:
            self._lines += ["", f"… and {left_out:,} more {what}."]  # from the reserve

    @property
    def text(self) -> str:
        """All that was added, as text."""
        return "\n".join(self._lines) + "\n"
