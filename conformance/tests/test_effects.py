"""Tests of `conformance.parameters.effects`: what an answer shows of a parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.answers import Answer
from conformance.parameters import load_registry
from conformance.parameters.effects import echo

[STORE_FALSE] = load_registry().select("store:false")
NOTHING: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("sent", "shown", "unasked", "seen", "words"),
    [
        (False, {"store": False}, {"store": True}, True, "`store: false`"),
        (False, {"store": False}, NOTHING, True, "`store: false`"),
        (False, {"store": False}, {"store": False}, None, "as it does unasked"),
        (False, {"store": True}, {"store": True}, False, "`store: true`"),
        (False, {"store": None}, {"store": None}, False, "`store: null`"),
        (False, NOTHING, NOTHING, None, "does not show `store`"),
        (False, None, NOTHING, None, "no Responses object"),
        (False, {"store": 0}, {"store": True}, False, "`store: 0`"),
        (True, {"store": 1}, {"store": False}, False, "`store: 1`"),
        (True, {"store": True}, {"store": 1}, True, "`store: true`"),
        (1, {"store": 1.0}, NOTHING, True, "`store: 1.0`"),
        ("é", {"store": "é"}, NOTHING, True, '`store: "\\u00e9"`'),
        ("a", {"store": "\ud800"}, NOTHING, False, '`store: "\\ud800"`'),
        ("a", {"store": "b" * 90}, NOTHING, False, "…"),
    ],
)
def test_echo(sent: Any, shown: Any, unasked: Any, seen: bool | None, words: str) -> None:
    """Given what probe and baseline show, when they are compared, then an echo counts if it is the probe's own."""
    parameter = replace(STORE_FALSE, body={"store": sent})

    observation = echo(parameter, Answer(ok=True, result=shown), Answer(ok=True, result=unasked))

    assert observation.seen is seen
    assert words in observation.what
    assert observation.what.encode()


def test_echo_without_baseline_object() -> None:
    """Given a baseline without an object, when the probe shows its value, then the effect was seen."""
    assert echo(STORE_FALSE, Answer(ok=True, result={"store": False}), Answer(ok=True)).seen is True
