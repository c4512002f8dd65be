"""What a bug report says of a fault, as data (`fault_words.toml`): one account for the page and for the command."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import TypeAlias

#: By topic (`what`, `speaker`, `expected`, `simulated`) a sentence for each who refused, and for `ignored`.
Words: TypeAlias = Mapping[str, Mapping[str, str]]


@functools.cache
def fault_words() -> Words:
    """All of them."""
    return tomllib.loads((resources.files(__package__) / "fault_words.toml").read_text(encoding="utf-8"))
