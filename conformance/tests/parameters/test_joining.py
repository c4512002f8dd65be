"""Parts of bodies as one, where they agree. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.parameters.joining import agree, joined, sole_value
from conformance.tests.helpers.containing import has

_PLAIN = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["a", "b"])
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
)
TOOL = {"type": "function", "function": {"name": "f"}}


@given(_VALUES, _VALUES)
def test_what_agrees_is_all_there(one: Any, other: Any) -> None:
    """Given any two values that agree, when they are joined, then both are still in it; else the other one counts."""
    whole = joined(one, other)
    assert has(whole, other)
    assert has(whole, one) is agree(one, other)


@given(_VALUES)
def test_a_value_agrees_with_itself(value: Any) -> None:
    """Given any value, when it is joined with itself, then nothing changes."""
    assert agree(value, value)
    assert joined(value, value) == value


def test_two_properties_of_one_tool() -> None:
    """Given two parameters of one tool, when they are joined, then it is one tool with both."""
    strict = [{**TOOL, "function": {"name": "f", "strict": True}}]
    cached = [{**TOOL, "cache_control": {"type": "ephemeral"}}]
    both = [{"type": "function", "function": {"name": "f", "strict": True}, "cache_control": {"type": "ephemeral"}}]
    assert joined(strict, cached) == both


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (0.0, False), ([1], [1, 2]), ({"x": 1}, [1]), ({"x": "a"}, {"x": "b"})]
)
def test_what_does_not_agree(one: Any, other: Any) -> None:
    """Given two values of which one would hide a part of the other, then they do not agree."""
    assert not agree(one, other)


@pytest.mark.parametrize(
    ("body", "value"),
    [({"a": 0.2}, 0.2), ({"a": {"b": "none"}}, "none"), ({"a": 1, "b": 2}, None), ({"a": [1]}, None), ({}, None)],
)
def test_the_one_value_of_a_body(body: dict[str, Any], value: object) -> None:
    """Given a body, when it has one plain value, then that is found, at whatever depth."""
    assert sole_value(body) == value
