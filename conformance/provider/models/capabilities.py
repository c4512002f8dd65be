"""What a model can do, as far as its gateway declares it and rules on its name tell. Pure.

The rules are data, in `capabilities.json`: regular expressions that mean the same in Python and
in JavaScript, searched for in the lower-cased id, the first that is found decides.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

#: Of a model id, this many characters are read.
MAX_ID = 1024


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. `input` holds `text`, and `image` where it sees; the sizes are tokens."""

    reasoning: bool
    input: tuple[str, ...]
    context_window: int
    max_tokens: int


def capabilities_of(model_id: str, declared: Mapping[str, Any] | None = None) -> Capabilities:
    """What a model can do. Never raises: what is unknown or malformed gets the rules' default.

    `declared` is a row of LiteLLM's `/model_group/info`, or the `model_info` of its `/model/info`.
    What it declares wins over the rules, but for the longest answer: there the smaller figure
    wins, since backends that reserve output capacity admit fewer requests the more one asks for.
    """
    rules = _rules()
    name = model_id[:MAX_ID].lower() if isinstance(model_id, str) else ""
    row = declared if isinstance(declared, Mapping) else {}
    names = rules["declared"]
    reasoning = _flag(row, names["reasoning"], _any(rules["reasoning"], name))
    sees = _flag(row, names["image"], _any(rules["image"], name))
    context = _tokens(row.get(names["context_window"])) or _sized(rules["context_window"], name)
    most = _sized(rules["max_tokens"], name)
    return Capabilities(
        reasoning=reasoning,
        input=("text", "image") if sees else ("text",),
        context_window=context,
        max_tokens=min(most, context, _tokens(row.get(names["max_tokens"])) or most),
    )


@functools.cache
def _rules() -> dict[str, Any]:
    text = (resources.files(__package__) / "capabilities.json").read_text(encoding="utf-8")
    rules: dict[str, Any] = json.loads(text)
    return rules


def _any(patterns: list[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _sized(rules: Mapping[str, Any], name: str) -> int:
    found = (rule["value"] for rule in rules["rules"] if re.search(rule["pattern"], name))
    return int(next(found, rules["default"]))


def _flag(row: Mapping[str, Any], key: str, otherwise: bool) -> bool:
    """What a row declares; a false of LiteLLM's group rows is also what they say of the unknown."""
    value = row.get(key)
    doubtful = value is False and _rules()["declared"]["false_says_nothing_beside"] in row
    return value if isinstance(value, bool) and not doubtful else otherwise


def _tokens(value: object) -> int | None:
    """A declared number of tokens: 1 to 2**53, whole, also as a float or a text of digits."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**53:
        return None
    return int(value)
