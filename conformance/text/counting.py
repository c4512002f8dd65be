"""Numbers of things, for people. Pure."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """How many there are of something, by its name in the singular: `1 cell`, `1,717 cells`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
