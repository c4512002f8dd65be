"""Observable effects by name: what an answer shows of a parameter. Pure.

An observer compares the probe's answer with its baseline's. It returns whether the effect
was seen (True), must have shown and did not (False), or cannot be told from these two (None),
and a clause that says what was looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from conformance.answers import Answer
from conformance.types import Parameter


class Observation(NamedTuple):
    """Whether an effect was seen, and what was looked at to tell."""

    seen: bool | None
    what: str


Observer = Callable[[Parameter, Answer, Answer], Observation]


def echo(parameter: Parameter, probe: Answer, baseline: Answer) -> Observation:
    """A Responses object repeats the request's settings: the value sent, another one, or none.

    An echo that the baseline shows as well (the vendor's default) proves nothing, nor does an
    answer that leaves the setting out. LiteLLM's bridge to chat writes what it drops as null.
    """
    [(name, sent)] = parameter.body.items()
    result = probe.result
    if result is None:
        return Observation(None, "the answer holds no Responses object")
    shown, before = result.get(name), (baseline.result or {}).get(name)
    if name not in result:
        return Observation(None, f"the answer does not show `{name}`")
    if not _same(shown, sent):
        return Observation(False, f"the answer shows `{name}: {_short(shown)}`")
    if _same(before, sent):
        return Observation(None, f"the answer shows `{name}: {_short(shown)}`, as it does unasked")
    return Observation(True, f"the answer shows `{name}: {_short(shown)}`")


def _same(one: Any, other: Any) -> bool:
    """True for equal JSON values; to Python, 1 and true are equal as well."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


OBSERVERS: Mapping[str, Observer] = {"echo": echo}

#: Observers that look for the one field of a parameter's body.
SINGLE_FIELD = frozenset({"echo"})
