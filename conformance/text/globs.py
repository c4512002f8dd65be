"""The patterns of options: `*`, `?` and `[…]`, as a shell has them. Pure.

The support table knows only `*`: Python and TypeScript read it alike, and an id may hold the other signs.
"""

from __future__ import annotations

from fnmatch import fnmatchcase


def fits(name: str, pattern: str) -> bool:
    """True if a pattern of an option fits a name. A name always fits itself, whatever signs it holds."""
    return name == pattern or fnmatchcase(name, pattern)
