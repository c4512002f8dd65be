"""Shards that are merged: what joins, what contradicts, and what is missing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.cassettes.folder import Folder
from conformance.plan.shards import Shard
from conformance.tests.helpers.measured import FLEET, cells
from conformance.tests.helpers.running import Ended, run_command, run_pytest


def merge(*folders: Path, into: Path, options: tuple[str, ...] = ()) -> Ended:
    """Run `python -m conformance merge` as a user does."""
    return run_command("merge", *map(str, folders), "--into", str(into), *options)


@pytest.fixture
def shards(recorded: Path, tmp_path: Path) -> list[Path]:
    """Copies of the three shards, which a test may change."""
    return [Path(shutil.copytree(recorded / name / "g", tmp_path / name / "g")) for name in ("1", "2", "3")]


def test_shards_join_into_what_one_machine_measures(recorded: Path, tmp_path: Path) -> None:
    """Given three shards, when they are merged and replayed, then the matrix is that of one machine, and complete."""
    parts = [cells(recorded / f"{name}-r" / "matrix.json") for name in ("1", "2", "3")]
    assert all(parts)
    assert sum(map(len, parts)) == len({key for part in parts for key in part}) == len(FLEET) * 12
    assert json.loads((recorded / "2-r" / "matrix.json").read_text("utf-8"))["run"]["shard"] == "2/3"

    into = tmp_path / "cassettes" / "g"
    ended = merge(*(recorded / name / "g" for name in ("1", "2", "3")), into=into)
    assert ended.code == 0, ended.all
    assert f"3 recordings, {len(FLEET)} models, {len(FLEET) * 12} cells, complete: true" in ended.out

    whole = recorded / "whole-table.json"
    replay = ["--gateway=g", f"--cassettes={tmp_path / 'cassettes'}", f"--reports={tmp_path / 'r'}", f"--table={whole}"]
    replayed = run_pytest(*replay)
    assert replayed.code == 0, replayed.all
    assert cells(tmp_path / "r" / "matrix.json") == cells(recorded / "whole-r" / "matrix.json")
    run = json.loads((tmp_path / "r" / "matrix.json").read_text("utf-8"))["run"]
    assert run["complete"] is True
    assert "shard" not in run
    assert sorted(path.name for path in tmp_path.joinpath("cassettes").iterdir()) == ["g"]


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a recording's document."""
    path = folder / "gateway.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["gateway"].update(version="9.9"), "differ in their gateway's version (None, '9.9')"),
        (lambda d: d["gateway"].update(url="https://elsewhere"), "differ in their gateway's address"),
        (lambda d: d["run"]["parameters"].pop(), "differ in their parameters (3 of them, 2 of them)"),
        (lambda d: d["run"].update(endpoints=["responses"]), "differ in their endpoints"),
        (lambda d: d["run"].update(exhaustive=True), "differ in their --exhaustive"),
        (lambda d: d["run"].update(selection="gpt*"), "differ in their --models"),
        (lambda d: d["models"][0].update(route="azure"), "differ in their list of models"),
        (lambda d: d["run"].update(complete=False), "was cut short"),
        (lambda d: d.pop("run"), '"run" is a required property'),
    ],
)
def test_contradictions_are_refused(shards: list[Path], tmp_path: Path, change: Any, says: str) -> None:
    """Given a shard that was made otherwise, when shards are merged, then one line tells, and nothing is written."""
    changed(shards[1], change)
    ended = merge(*shards, into=tmp_path / "merged")
    assert ended.code == 4, ended.all
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (tmp_path / "merged").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3"]


def test_one_model_measured_twice_is_a_contradiction(shards: list[Path], recorded: Path, tmp_path: Path) -> None:
    """Given two recordings of one model that differ, when merged, then both are named; alike, they are one."""
    some = next(path.name for path in shards[0].iterdir() if path.name != "gateway.json")
    shutil.copyfile(shards[0] / some, shards[1] / some)
    assert merge(*shards, into=tmp_path / "alike").code == 0
    text = (shards[0] / some).read_text("utf-8")
    (shards[1] / some).write_text(text.replace('"elapsed_ms":', '"elapsed_ms":1'), encoding="utf-8")
    ended = merge(*shards, into=tmp_path / "merged")
    assert ended.code == 4
    assert f"both hold '{some.removesuffix('.json')}', and differ" in ended.err


def test_gaps_are_refused_unless_asked_for(shards: list[Path], tmp_path: Path) -> None:
    """Given that a shard is missing, when merged, then one line says which models; with --partial it is incomplete."""
    missing = Shard(2, 3)
    ended = merge(shards[0], shards[2], into=tmp_path / "merged")
    assert ended.code == 4
    lost = [model for model in FLEET if missing.holds(model)]
    assert f"{len(lost)} of {len(FLEET)} models are in none of the recordings (1/3, 3/3): '{lost[0]}'" in ended.err

    ended = merge(shards[0], shards[2], into=tmp_path / "merged", options=("--partial",))
    assert ended.code == 0, ended.all
    assert "complete: false" in ended.out
    assert Folder(tmp_path / "merged").read_gateway()["run"]["complete"] is False


def test_what_was_not_finished_is_merged_too(shards: list[Path], tmp_path: Path) -> None:
    """Given a model whose cassette was not finished, when merged with --partial, then what it holds is there."""
    path = next(path for path in shards[0].iterdir() if path.name != "gateway.json")
    document = json.loads(path.read_text("utf-8"))
    head = {"version": document["version"], "metadata": {"model": document["metadata"]["model"]}}
    lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in document["interactions"]]
    path.with_name(f"{path.name}.part").write_text("\n".join([json.dumps(head), *lines]) + "\n", encoding="utf-8")
    path.unlink()
    ended = merge(*shards, into=tmp_path / "merged", options=("--partial",))
    assert ended.code == 0, ended.all
    assert path.stem in Folder(tmp_path / "merged").read_model(path.stem).popitem()[1].request.model


def test_missing_cassette_and_missing_cells_are_gaps(shards: list[Path], tmp_path: Path) -> None:
    """Given a cassette that is gone, or lacks exchanges, when merged, then one line names the model."""
    path = next(path for path in shards[0].iterdir() if path.name != "gateway.json")
    lines = path.read_text("utf-8").splitlines()
    head = re.sub(r', ?"digest": ?"[^"]*"', "", lines[0])  # as cassettes were before they had one
    path.write_text("\n".join([head, lines[1].rstrip(","), lines[-1]]), encoding="utf-8")
    ended = merge(*shards, into=tmp_path / "merged")
    assert ended.code == 4
    assert f"cells are not in the recordings, as of {path.stem!r}" in ended.err
    path.unlink()
    ended = merge(*shards, into=tmp_path / "merged")
    assert ended.code == 4
    assert f"1 of {len(FLEET)} models are in none of the recordings" in ended.err


def test_places_that_make_no_sense_are_refused(shards: list[Path], tmp_path: Path) -> None:
    """Given a folder without a recording, or one to write to that is in use, when merged, then one line says so."""
    ended = merge(shards[0].parent, into=tmp_path / "merged")
    assert ended.code == 4
    assert "holds no recording; name a gateway's own folder" in ended.err
    ended = merge(*shards, into=shards[0])
    assert ended.code == 4
    assert "holds something already" in ended.err
