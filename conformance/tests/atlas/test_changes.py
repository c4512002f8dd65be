"""Tests of what a release changed: which cells count, how they are grouped, and which groups come first."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.atlas.changes import TURNS, Turn, comparison_of, comparisons, fate_of, turn_of, turns_of
from conformance.errors import AtlasError
from conformance.tests.atlas.building import RELEASES, STATES, atlas_of, history_of

CHAT, STREAM = "chat_completions/whole", "chat_completions/stream"


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        ("h", "g", Turn.BROKE),
        ("a", "r", Turn.BROKE),
        ("i", "b", Turn.BROKE),
        ("g", "a", Turn.MENDED),
        ("b", "h", Turn.MENDED),
        ("a", "i", Turn.SILENCED),
        ("h", "i", Turn.SILENCED),
        ("g", "i", Turn.SILENCED),
        ("i", "a", Turn.HEARD),
        ("i", "h", Turn.HEARD),
        ("a", "h", None),
        ("g", "b", None),
    ],
)
def test_turn(before: str, after: str, turn: Turn | None) -> None:
    """Given two states, when they are compared, then the change has its name, or there is none."""
    assert turn_of(STATES[before], STATES[after]) == turn


@pytest.mark.parametrize("unknown", "?n.")
@pytest.mark.parametrize("known", "haigbr")
def test_unknown_is_no_change(unknown: str, known: str) -> None:
    """Given a state that says nothing on either side, when both are compared, then there is no change."""
    assert turn_of(STATES[unknown], STATES[known]) is None
    assert turn_of(STATES[known], STATES[unknown]) is None


def test_every_pair_of_fates_is_a_turn() -> None:
    """Given two different fates, then there is a name for the way from one to the other."""
    fates = {fate for state in STATES.values() if (fate := fate_of(state))}
    assert set(TURNS) == set(itertools.permutations(fates, 2))


def test_state_begins_earlier() -> None:
    """Given a state that held for three releases, when it changes, then the change names where it began."""
    assert list(turns_of(history_of("aaaag"), RELEASES)) == [("1.81.16", "1.100.5", Turn.BROKE)]


def test_unknown_between() -> None:
    """Given releases that do not know between two that differ, when they are compared, then nothing changed."""
    assert list(turns_of(history_of("a?..g"), RELEASES)) == []


@given(st.text("haigbr?n.", min_size=5, max_size=5))
def test_turns_are_of_neighbours(letters: str) -> None:
    """Given any history, when its changes are listed, then they are those between releases that follow each other."""
    expected = [
        (after, turn)
        for place, (before, after) in enumerate(itertools.pairwise(letters))
        if (turn := turn_of(STATES[before], STATES[after]))
        for after in [RELEASES[place + 1]]
    ]
    assert [(release, turn) for _, release, turn in turns_of(history_of(letters), RELEASES)] == expected


def test_groups() -> None:
    """Given cells of two models and modes that broke alike, when they are grouped, then they are one group."""
    atlas = atlas_of(
        {
            ("databricks/a", CHAT, "store"): "aaaag",
            ("databricks/a", STREAM, "store"): "hhhhg",
            ("databricks/b", CHAT, "store"): "aaaab",
            ("databricks/c", CHAT, "store"): "aaaaa",
            ("openai/a", CHAT, "store"): "aaaag",
            ("openai/a", CHAT, "user"): "gggga",
        }
    )
    newest, *older = comparisons(atlas)
    assert (newest.release, newest.before) == ("1.100.5", "1.99.4")
    assert [each.release for each in older] == ["1.99.4", "1.90.7", "1.82.6"]
    assert all(not groups for each in older for groups in each.groups.values())
    first, second = newest.groups[Turn.BROKE]
    assert (first.route, first.endpoint, first.parameter) == ("databricks", "chat_completions", "store")
    assert (first.models, first.of, first.cells) == (("databricks/a", "databricks/b"), 3, 3)
    assert (first.modes, first.before) == (("stream", "whole"), ("accepted", "honoured"))
    assert first.after == ("rejected:backend", "rejected:gateway")
    assert (second.route, second.cells) == ("openai", 1)
    assert newest.cells(Turn.BROKE) == 4
    assert newest.cells(Turn.MENDED) == 1


def test_most_cells_first() -> None:
    """Given groups of several sizes, when they are listed, then the largest is first, and what hurts comes first."""
    cells = {(f"r{size}/{number}", CHAT, "store"): "aaaag" for size in (1, 3, 2) for number in range(size)}
    [newest, *_] = comparisons(atlas_of(cells))
    assert [group.route for group in newest.groups[Turn.BROKE]] == ["r3", "r2", "r1"]
    assert list(newest.groups) == [Turn.BROKE, Turn.SILENCED, Turn.MENDED, Turn.HEARD]


@pytest.mark.parametrize(("release", "told"), [("9.9.9", "no release 9.9.9"), ("1.81.16", "oldest release")])
def test_nothing_to_compare(release: str, told: str) -> None:
    """Given a release that is unknown, or the oldest, when it is asked for, then one line says so."""
    with pytest.raises(AtlasError, match=told):
        comparison_of(atlas_of({("openai/a", CHAT, "store"): "aaaag"}), release)


def test_route_that_is_not_known() -> None:
    """Given a model whose route is not known, when it changes, then its group says so."""
    atlas = atlas_of({("openai/a", CHAT, "store"): "aaaag"})
    atlas["models"]["openai/a"]["route"] = None
    [newest, *_] = comparisons(atlas)
    assert [group.route for group in newest.groups[Turn.BROKE]] == ["unknown route"]
