"""Tests of `python -m conformance atlas`: which releases are measured, and what is told of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from filelock import FileLock

from conformance.__main__ import commands, main
from conformance.atlas import asking, command, releases
from conformance.atlas.archives import Archives
from conformance.atlas.carrying import carried_table
from conformance.atlas.files import Added, AtlasFolder
from conformance.atlas.measuring import Done
from conformance.atlas.published import published
from conformance.errors import EmbeddedGatewayError, StoppedError
from conformance.parameters import load_registry
from conformance.provider.table import load_table, shipped_table_path
from conformance.support.deriving import carried_by
from conformance.support.overrides import load_overrides
from conformance.tests.atlas.building import fleet_of

#: Whoever measures for real holds the lock of the user's cache.
pytestmark = pytest.mark.usefixtures("cache")


def test_each_release_is_measured_once(measured: list[str], tmp_path: Path) -> None:
    """Given an atlas, when the command runs twice, then each release is measured once, and one that cannot be
    installed is left out."""
    for expected, counted in ((["1.82.6", "1.80.17"], True), (["1.82.6", "1.80.17"], False)):
        ran = CliRunner().invoke(commands, ["atlas", "--into", str(tmp_path)])
        assert ran.exit_code == 0, ran.output
        assert ("counting how often its predictions are right" in ran.output) is counted
        assert "left out: LiteLLM 1.81.9 could not be installed" in ran.output
        assert measured == expected
    atlas = AtlasFolder(tmp_path).read()
    assert published(AtlasFolder(tmp_path))
    assert list(atlas["releases"]) == ["1.80.17", "1.82.6"]
    assert all(len(history) == 1 for each in atlas["cells"].values() for ps in each.values() for history in ps.values())


def test_a_model_that_joins_the_fleet_is_measured_alone(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an atlas, when the fleet has a model more, then that is measured at each release, and all else stays."""
    CliRunner().invoke(commands, ["atlas", "--versions=1.80.17,1.82.6", "--into", str(tmp_path)])
    folder, archives = AtlasFolder(tmp_path), Archives(tmp_path)
    before, place = folder.read(), ("house-model", "chat_completions/whole", "store:true")
    shown = archives.row("1.80.17", *place)
    monkeypatch.setattr(asking, "described_fleet", lambda _name: fleet_of("house-model", "gpt-5.2"))
    del measured[:]

    for _ in range(2):
        ran = CliRunner().invoke(commands, ["atlas", "--versions=1.80.17,1.82.6", "--into", str(tmp_path)])
        assert ran.exit_code == 0, ran.output

    assert measured == ["1.80.17 gpt-5.2", "1.82.6 gpt-5.2"]
    after = folder.read()
    assert set(after["models"]) == {"house-model", "gpt-5.2"}
    assert after["cells"]["house-model"] == before["cells"]["house-model"]
    assert after["releases"]["1.80.17"]["cells"] == 2 * before["releases"]["1.80.17"]["cells"]
    assert shown
    assert Archives(tmp_path).row("1.80.17", *place) == shown
    assert set(shown["evidence"]) <= set(Archives(tmp_path).exchanges("1.80.17", "house-model"))
    assert Archives(tmp_path).row("1.80.17", "gpt-5.2", *place[1:])


def test_what_a_release_in_between_leaves_without_evidence_is_asked_again(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two releases that agree, when one between them differs, then of the later one just the models are asked
    again whose states have no evidence any more; then nothing is left to do."""
    add = AtlasFolder.add

    def add_other(folder: AtlasFolder, version: str, matrix: Any, *others: Any) -> Added:
        if version == "1.81.16":
            matrix = {
                **matrix,
                "cells": [{**cell, "verdict": "ignored", "rejected_by": None} for cell in matrix["cells"]],
            }
        return add(folder, version, matrix, *others)

    monkeypatch.setattr(AtlasFolder, "add", add_other)
    for versions in ("1.80.17", "1.82.6", "1.80.17,1.81.16,1.82.6", "1.80.17,1.81.16,1.82.6"):
        ran = CliRunner().invoke(commands, ["atlas", f"--versions={versions}", "--into", str(tmp_path)])
        assert ran.exit_code == 0, ran.output

    assert measured == ["1.80.17", "1.82.6", "1.81.16", "1.82.6 house-model"]
    place = "house-model", "chat_completions/whole", "store:true"
    assert Archives(tmp_path).row("1.82.6", *place)


def test_no_release_that_can_be_installed_is_no_failure(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an empty atlas and releases that cannot be installed, when the command runs, then each is left out."""
    monkeypatch.setattr(command, "last_releases", lambda: ["1.80.9", "1.81.9"])
    ran = CliRunner().invoke(commands, ["atlas", "--into", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert ran.output.count("left out: LiteLLM") == 2
    assert measured == []


def test_a_release_that_is_named_has_to_be_there(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a release that cannot be installed, when it is named, then that is an error of one line."""
    monkeypatch.setattr("sys.argv", ["conformance", "atlas", "--versions=1.90.7,1.81.9", f"--into={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4
    assert capsys.readouterr().err == "ERROR: LiteLLM 1.81.9 could not be installed\n"
    assert measured == ["1.90.7"]  # the others need its list of models


def test_a_command_that_is_stopped_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given Ctrl-C while a release is measured, when the command ends, then one line tells that nothing is lost."""

    def stop(*_arguments: object) -> Done:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure_release", stop)
    monkeypatch.setattr("sys.argv", ["conformance", "atlas", "--versions=1.90.7", f"--into={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (",", "names no release"),
        ("new", "is not a LiteLLM version"),
        ("1.82.7", "compromised release"),
        ("1.107.0", "compromised release"),
    ],
)
def test_what_is_no_release_is_refused(versions: str, words: str) -> None:
    """Given a name of no release, or of a compromised one, when it is to be measured, then it is refused."""
    with pytest.raises(EmbeddedGatewayError, match=words):
        releases.named_releases(versions)


def test_releases_are_numbers_and_not_texts() -> None:
    """Given releases in any order, when they are sorted, then 1.100 comes after 1.82."""
    assert releases.named_releases("1.100.5, v1.82.6,1.80.17") == ["1.80.17", "1.82.6", "1.100.5"]


@pytest.mark.parametrize("name", ["file", "file/atlas"])
def test_an_atlas_that_cannot_be_written_is_refused_before_anything_is_measured(
    measured: list[str], tmp_path: Path, name: str
) -> None:
    """Given a file in the place of the atlas, when a release is to be added, then an error names it at once."""
    (tmp_path / "file").write_text("")
    ran = CliRunner().invoke(commands, ["atlas", "--into", str(tmp_path / name)])
    assert ran.exception is not None
    assert "cannot" in str(ran.exception)
    assert measured == []


def test_an_empty_list_of_releases_is_not_all_of_them(measured: list[str], tmp_path: Path) -> None:
    """Given `--versions=` of a variable that is not set, when the command runs, then nothing is measured."""
    ran = CliRunner().invoke(commands, ["atlas", "--versions=", "--into", str(tmp_path)])
    assert "names no release" in str(ran.exception)
    assert measured == []


def test_an_empty_atlas_has_no_honesty(tmp_path: Path) -> None:
    """Given no atlas, when its honesty is asked for, then an error says how to measure one."""
    ran = CliRunner().invoke(commands, ["atlas-honesty", "--atlas", str(tmp_path)])
    assert "has no releases" in str(ran.exception)


def test_the_table_has_each_release_at_once(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the shipped atlas, when a run is stopped after its first release, then the table has that one already."""
    table = tmp_path / "table.json"
    table.write_text(shipped_table_path().read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(command, "SHIPPED", tmp_path)
    monkeypatch.setattr(command, "shipped_table_path", lambda: table)
    first: Callable[..., Done] = vars(command)["measure_release"]  # the one of `measured`

    def stop_after_one(version: str, *others: Any) -> Done:
        if measured:
            raise KeyboardInterrupt
        return first(version, *others)

    monkeypatch.setattr(command, "measure_release", stop_after_one)
    with pytest.raises(StoppedError):
        command.add_releases("1.80.17,1.82.6", None, "core", None)
    assert (
        carried_by(load_table(table)).rules
        == carried_table(AtlasFolder(tmp_path).read(), load_registry(), load_overrides()).rules
    )


def test_one_run_at_a_time(cache: Path, measured: list[str], tmp_path: Path) -> None:
    """Given a run that measures, when another is started, then it says so and touches nothing."""
    with FileLock(cache / "running.lock"):
        ran = CliRunner().invoke(commands, ["atlas", "--into", str(tmp_path / "atlas")])
    assert str(ran.exception) == "another process measures releases on this machine; wait until it is done"
    assert measured == []
    assert not (tmp_path / "atlas").exists()


def test_stopped_before_anything_was_measured(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a run that still asks which releases there are, when it is stopped, then it ends with one line of ours."""

    def stop() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "last_releases", stop)
    ran = CliRunner().invoke(commands, ["atlas", "--into", str(tmp_path)])
    assert isinstance(ran.exception, StoppedError)
    assert "the same command goes on" in str(ran.exception)
    assert measured == []
