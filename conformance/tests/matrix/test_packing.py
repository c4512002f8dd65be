"""Rows kept packed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.matrix.packing import Block, Packed

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=5,
)
_rows = st.lists(st.dictionaries(st.text(st.characters()), _json, max_size=4), max_size=5)


@given(st.lists(_rows, max_size=4))
def test_packed_rows_are_a_sequence(blocks: list[list[dict[str, Any]]]) -> None:
    """Given rows in blocks, lone surrogates in them too, when packed, then they read as one list of all would."""
    rows, packed = [row for block in blocks for row in block], Packed(map(Block, blocks))

    assert list(packed) == rows
    assert packed == rows
    assert len(packed) == len(rows)
    assert [packed[place] for place in range(-len(rows), len(rows))] == rows + rows
    assert packed[1:3] == rows[1:3]
    for outside in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError):
            packed[outside]


def test_packed_rows_are_others() -> None:
    """Given packed rows, when held against other rows or more of them, then they are not the same."""
    packed = Packed([Block([{"a": 1}])])
    assert packed != [{"a": 2}]
    assert packed != [{"a": 1}, {"a": 1}]
    assert packed != "a"


def test_rows_are_made_anew() -> None:
    """Given packed rows, when somebody changes one that was handed out, then the packed one stays."""
    packed = Packed([Block([{"a": [1]}])])
    packed[0]["a"].append(2)
    assert packed[0] == {"a": [1]}
