"""Tests of `conformance.atlas.standing`, and of `python -m conformance diff` between releases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Atlas, release_of
from conformance.atlas.standing import names_release, standing_at
from conformance.errors import AtlasError
from conformance.matrix.comparison import compare_matrices
from conformance.matrix.document import Matrix, cell_key, dump_matrix
from conformance.measure.replay import Replay
from conformance.schemas import first_error
from conformance.tests.helpers.running import run_command
from conformance.tests.helpers.shipped import RECORDING, REGISTRY


def told(matrix: Matrix) -> dict[Any, Any]:
    """What a matrix says of each cell, and shows; which file shows it is another matter."""
    names = "fields", "verdict", "rejected_by", "reason", "roles"
    cells: Sequence[Mapping[str, Any]] = matrix["cells"]
    return {
        cell_key(cell): (*(cell[name] for name in names), [each.rpartition("#")[2] for each in cell["evidence"]])
        for cell in cells
    }


def test_a_release_stands_as_it_was_measured(tmp_path: Path) -> None:
    """Given two releases of which the second changes a cell, when each is looked up, then its matrix is the measured
    one, and says of each cell where the exchanges are."""
    folder, gateway = AtlasFolder(tmp_path), RECORDING.read_gateway()
    first, second = (Replay(RECORDING, gateway, REGISTRY, selection="house-model").matrix() for _ in range(2))
    changed = second["cells"][3]
    changed["verdict"], changed["rejected_by"], changed["reason"] = "rejected", "gateway", "refused with 400."
    folder.add("1.81.16", first, RECORDING, 1, "1.90.7")
    folder.add("1.90.7", second, RECORDING, 1, "1.90.7")

    atlas, archives = folder.read(), Archives(tmp_path)
    old, new = (standing_at(atlas, archives, name, REGISTRY) for name in ("1.81.16", "1.90"))

    assert told(old) == told(first)
    assert told(new) == told(second)
    assert (new["gateway"]["version"], new["gateway"]["simulated"]) == ("1.90.7", True)
    assert first_error("matrix", json.loads("".join(dump_matrix(new)))) is None
    assert [each.key for each in compare_matrices(old, new).changes] == [cell_key(changed)]
    files = {cell_key(cell): cell["evidence"][0].partition("#")[0] for cell in new["cells"] if cell["evidence"]}
    assert files.pop(cell_key(changed)) == "1.90.7.zip"
    assert set(files.values()) == {"1.81.16.zip"}


@pytest.mark.parametrize(
    ("name", "release"), [("1.90.7", "1.90.7"), ("v1.90", "1.90.7"), ("1.9", None), ("1.90.1", None), ("2", None)]
)
def test_a_release_is_named_in_full_or_by_its_minor_version(name: str, release: str | None) -> None:
    """Given a name, when the release is looked for, then it is found, or one line names those that there are."""
    atlas: Atlas = {"releases": {"1.81.16": {}, "1.90.3": {}, "1.90.7": {}}}
    if release:
        assert names_release(name)
        assert release_of(atlas, name) == release
        return
    with pytest.raises(AtlasError, match=r"it has 1\.81\.16, 1\.90\.3, 1\.90\.7"):
        release_of(atlas, name)


def test_the_command_compares_releases() -> None:
    """Given two releases of the shipped atlas, when they are compared, then it says what broke; the same is no
    difference, and what the atlas has not is one line."""
    ended = run_command("diff", "1.90", "1.109.3")
    assert ended.code == 1, ended.all
    assert "litellm 1.90.7" in ended.out
    assert "newly broken" in ended.out
    assert "simulators" in ended.out

    assert run_command("diff", "1.90", "1.90.7").code == 0


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ("1.79.0", "the atlas has no release 1.79.0; it has 1.80"),
        ("1.90.0rc1", "the atlas has no release 1.90.0rc1; it has 1.80"),
        ("nowhere.json", "1.90 is a release of the atlas"),
    ],
)
def test_what_cannot_be_compared_with_a_release_is_one_line(other: str, line: str) -> None:
    """Given a release and what is none of the atlas, when they are compared, then one line says so."""
    ended = run_command("diff", "1.90", other)
    assert ended.err.count("\n") == 1
    assert line in ended.err
    assert ended.code == 4
