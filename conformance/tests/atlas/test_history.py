"""Tests of `conformance.atlas.history`: what did not change is written once, and nothing is lost by it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import (
    ABSENT,
    Atlas,
    Place,
    empty,
    histories,
    snapshot,
    spelled_out,
    state_of,
    with_release,
)
from conformance.atlas.releases import in_order
from conformance.cassettes.folder import Folder
from conformance.errors import AtlasError
from conformance.matrix.document import Matrix
from conformance.tests.helpers.tables import matrix_of
from conformance.types import CellKey, Endpoint, Mode, Verdict

RELEASES = ("1.80.17", "1.81.16", "1.82.6", "1.100.5")
VERDICTS = st.sampled_from([Verdict.REJECTED, Verdict.ACCEPTED, Verdict.IGNORED, Verdict.INCONCLUSIVE])
MODELS = ("databricks/a", "azure/b")
ROW = {"measured_at": "now", "cells": 2, "requests": 3, "seconds": 4, "simulated": True, "model_list": "1.90.0"}

#: What a release says of each model; a model may not have been asked.
measured = st.dictionaries(st.sampled_from(MODELS), VERDICTS, min_size=1)


def cell(model: str) -> CellKey:
    """One cell of a model."""
    return CellKey(model, Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, "store:true")


def grown(releases: dict[str, dict[str, Verdict]], order: list[str]) -> Atlas:
    """An atlas into which these releases were put in this order."""
    atlas = empty()
    for release in order:
        matrix = matrix_of({cell(model): verdict for model, verdict in releases[release].items()}, "atlas", release)
        atlas, _ = with_release(atlas, release, matrix, ROW, in_order({*atlas["releases"], release}))
    return atlas


@given(st.fixed_dictionaries(dict.fromkeys(RELEASES, measured)), st.permutations(RELEASES))
def test_every_state_can_be_read_back(releases: dict[str, dict[str, Verdict]], order: list[str]) -> None:
    """Given releases that are measured in any order, when a state is looked up, then it is what was measured."""
    atlas = grown(releases, order)

    assert list(atlas["releases"]) == list(RELEASES)
    for release, said in releases.items():
        states = snapshot(atlas, release)
        assert {each.model for each in states} == set(said)
        for model, verdict in said.items():
            by = "backend" if verdict is Verdict.REJECTED else None
            assert states[Place(model, "chat_completions/whole", "store:true")] == state_of(verdict, by)


@given(st.fixed_dictionaries(dict.fromkeys(RELEASES, measured)), st.permutations(RELEASES))
def test_what_did_not_change_is_written_once(releases: dict[str, dict[str, Verdict]], order: list[str]) -> None:
    """Given any releases, when the histories are read, then two neighbours never say the same."""
    for _place, history in histories(grown(releases, order)):
        states = list(history.values())
        assert states[0] != ABSENT
        assert all(one != other for one, other in itertools.pairwise(states))


def test_only_what_began_with_a_release_needs_evidence() -> None:
    """Given two releases that differ in one cell, when the second is added, then it begins just that cell."""
    first = matrix_of({cell("a/x"): Verdict.ACCEPTED, cell("a/y"): Verdict.ACCEPTED}, "atlas", "1.80.17")
    second = matrix_of({cell("a/x"): Verdict.REJECTED, cell("a/y"): Verdict.ACCEPTED}, "atlas", "1.81.16")

    atlas, begun = with_release(empty(), "1.80.17", first, ROW, ["1.80.17"])
    assert len(begun) == 2
    atlas, begun = with_release(atlas, "1.81.16", second, ROW, ["1.80.17", "1.81.16"])

    assert {place.model for place in begun} == {"a/x"}
    history = atlas["cells"]["a/y"]["chat_completions/whole"]["store:true"]
    assert spelled_out(history, atlas["releases"])["1.81.16"] == "accepted"


def test_measuring_less_again_loses_nothing(tmp_path: Path) -> None:
    """Given a release in the atlas, when fewer cells of it are measured again, then that is refused, and all stays."""
    folder = AtlasFolder(tmp_path)
    both = matrix_of({cell("a/x"): Verdict.ACCEPTED, cell("a/y"): Verdict.REJECTED}, "atlas", "1.80.17")
    for row in both["cells"]:
        row["evidence"] = []
    one = cast("Matrix", {**both, "cells": both["cells"][:1]})
    recording = Folder(tmp_path / "recording")
    recording.path.mkdir()
    for model in ("a/x", "a/y"):
        recording.write_model(model, [], {})
    folder.add("1.80.17", both, recording, 1, "1.80.17")
    before = folder.file.read_text()

    with pytest.raises(AtlasError, match=r"1 cells of 1\.80\.17"):
        folder.add("1.80.17", one, recording, 1, "1.80.17")

    assert folder.file.read_text() == before


def test_a_release_in_between_tells_what_it_leaves_without_evidence(tmp_path: Path) -> None:
    """Given two releases that agree, when one between them differs, then the later one is to be measured again."""
    folder, recording = AtlasFolder(tmp_path), Folder(tmp_path / "recording")
    recording.path.mkdir()
    recording.write_model("a/x", [], {})
    added = []
    for release, verdict in (("1.80.17", "ACCEPTED"), ("1.82.6", "ACCEPTED"), ("1.81.16", "REJECTED")):
        matrix = matrix_of({cell("a/x"): Verdict[verdict]}, "atlas", release)
        for row in matrix["cells"]:
            row["evidence"] = []
        added.append(folder.add(release, matrix, recording, 1, "1.82.6").unproven)

    assert added == [None, None, "1.82.6"]
