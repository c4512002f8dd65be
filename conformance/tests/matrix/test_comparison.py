"""Tests of `conformance.matrix.comparison`: what became of each cell between two matrices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.matrix.comparison import TITLES, Kind, compare_matrices
from conformance.tests.helpers.pages import cell, large_matrix, matrix_with


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("accepted", "accepted", None),
        ("rejected", "rejected", None),
        ("accepted", "rejected", Kind.NEWLY_BROKEN),
        ("ignored", "rejected", Kind.NEWLY_BROKEN),
        ("rejected", "honoured", Kind.NEWLY_WORKING),
        ("honoured", "ignored", Kind.CHANGED),
        ("accepted", "honoured", Kind.CHANGED),
        ("accepted", "inconclusive", Kind.UNCLEAR),
        ("inconclusive", "rejected", Kind.UNCLEAR),
        ("inconclusive", "inconclusive", None),
        (None, "rejected", Kind.APPEARED),
        ("rejected", None, Kind.GONE),
    ],
)
def test_kinds(before: str | None, after: str | None, kind: Kind | None) -> None:
    """Given a verdict on each side, when matrices are compared, then the change has its kind, or there is none."""
    old, new = (matrix_with([cell(verdict=each)] if each else []) for each in (before, after))
    assert [change.kind for change in compare_matrices(old, new).changes] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("parts", "changed"),
    [
        ({}, False),
        ({"reason": "refused with 400: no such field, request req_77aa90 at 03:00:59."}, False),
        ({"reason": "refused with 400: x does not support parameters: ['n', 'store'], for model=x"}, False),
        ({"reason": "refused with 422: not permitted."}, False),
        ({"rejected_by": "backend"}, True),
        ({"cause": "refusal_repeated"}, True),
        ({"cause": None}, False),
    ],
)
def test_other_refusals(parts: dict[str, Any], changed: bool) -> None:
    """Given two refusals, when they are compared either way, then who refused and for which cause count, and words do
    not: a gateway names whatever shared the request. A cause that an older matrix lacks is no difference."""
    told = {"reason": "refused with 400: no such field, request req_8f3a21 at 12:31:07.", "cause": "refusal_named"}
    sides = [
        matrix_with([cell(verdict="rejected", **{name: value for name, value in each.items() if value is not None})])
        for each in (told, {**told, **parts})
    ]
    for old, new in (sides, reversed(sides)):
        assert bool(compare_matrices(old, new).changes) is changed


def test_order_counts_and_json() -> None:
    """Given several changes, when they are told as JSON, then the worst come first, with both sides of each."""
    old = matrix_with([cell("a"), cell("b", verdict="rejected"), cell("c")], version="1.0")
    new = matrix_with([cell("b"), cell("a", verdict="rejected"), cell("d")], version="2.0")
    comparison = compare_matrices(old, new)
    told = json.loads(json.dumps(comparison.as_json()))

    assert comparison.breaks
    assert told["counts"] == {"newly_broken": 1, "newly_working": 1, "appeared": 1, "gone": 1}
    assert (told["old"]["gateway"]["version"], told["new"]["gateway"]["version"]) == ("1.0", "2.0")
    assert [(c["kind"], c["model"]) for c in told["changes"]] == [
        ("newly_broken", "a"),
        ("newly_working", "b"),
        ("appeared", "d"),
        ("gone", "c"),
    ]
    assert told["changes"][0]["before"] == {"verdict": "accepted", "rejected_by": None, "reason": "because."}
    assert told["changes"][0]["after"]["rejected_by"] == "gateway"
    assert told["changes"][3]["after"] is None


def test_nothing_changed() -> None:
    """Given a matrix, when it is compared with itself in another order, then nothing changed and nothing breaks."""
    matrix = large_matrix(models=3)
    comparison = compare_matrices(matrix, {**matrix, "cells": matrix["cells"][::-1]})
    assert comparison.changes == ()
    assert not comparison.breaks


def test_titles() -> None:
    """Given all kinds, when they are shown, then each has a title."""
    assert set(TITLES) == set(Kind)
