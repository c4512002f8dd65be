"""Tests of `python -m conformance atlas --todays-list`: which list of models each release is measured with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.__main__ import commands
from conformance.atlas import asking, command, measuring
from conformance.atlas.files import AtlasFolder
from conformance.atlas.measuring import Wish
from conformance.measure.job import Job
from conformance.parameters import load_registry
from conformance.tests.atlas.building import fleet_of

#: Whoever measures for real holds the lock of the user's cache.
pytestmark = pytest.mark.usefixtures("cache")


def test_what_a_newer_list_says_otherwise_is_asked_again(
    measured: list[str], lists: dict[str, Any], tmp_path: Path
) -> None:
    """Given releases that were measured with a list, when there is a newer one, then of each just the models are asked
    again of which it says something else; a release of which it says nothing else is noted, and nothing is asked."""
    lists["1.82.6"] = {"gpt-5.2": {"supports_reasoning": False, "input_cost_per_token": 1}}
    lists["1.90.7"] = {"gpt-5.2": {"supports_reasoning": True, "input_cost_per_token": 2}}
    lists["1.91.5"] = {"gpt-5.2": {"supports_reasoning": True, "input_cost_per_token": 3}}
    for versions, *options in (
        ("1.80.17,1.82.6",),
        ("1.90.7",),
        ("1.80.17,1.82.6,1.90.7", "--todays-list"),
        ("1.91.5",),
        ("1.82.6,1.91.5", "--todays-list"),
        ("1.82.6,1.91.5", "--todays-list"),
    ):
        ran = CliRunner().invoke(commands, ["atlas", f"--versions={versions}", "--into", str(tmp_path), *options])
        assert ran.exit_code == 0, ran.output

    assert measured == ["1.82.6", "1.80.17", "1.90.7", "1.80.17 gpt-5.2", "1.82.6 gpt-5.2", "1.91.5"]
    known = {release: row["model_list"] for release, row in AtlasFolder(tmp_path).read()["releases"].items()}
    assert known == {"1.80.17": "1.90.7", "1.82.6": "1.91.5", "1.90.7": "1.90.7", "1.91.5": "1.91.5"}


def test_todays_list_reaches_releases_that_have_a_newer_patch(
    measured: list[str], lists: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two patches of one minor version, when there is a newer list, then both are asked again; the newest of all
    is asked first, for the others need its list. A newest that cannot be installed brings none."""
    old: dict[str, Any] = {"gpt-5.2": {"supports_reasoning": False}}
    lists.update({"1.82.1": old, "1.82.6": old, "1.90.7": {}})
    CliRunner().invoke(commands, ["atlas", "--versions=1.82.1,1.82.6", "--into", str(tmp_path)])
    for newest, expected in (("1.91.9", []), ("1.90.7", ["1.90.7", "1.82.1 gpt-5.2", "1.82.6 gpt-5.2"])):
        monkeypatch.setattr(command, "last_releases", lambda newest=newest: ["1.82.6", newest])
        del measured[:]
        ran = CliRunner().invoke(commands, ["atlas", "--todays-list", "--into", str(tmp_path)])
        assert ran.exit_code == 0, ran.output
        assert measured == expected
        assert "nothing to ask" not in ran.output
        assert "3 releases, 2 of them are there already" in ran.output


def test_a_model_that_joins_keeps_the_list_of_the_others(
    measured: list[str], lists: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a release with its own list and a newer release, when a model joins the fleet, then it is measured with the
    list that the release is known by; where today's list is wanted, with that, and others that it describes
    differently beside it."""
    lists.update({"1.80.17": {}, "1.90.7": {"house-model": {"supports_reasoning": True}}})
    with monkeypatch.context() as before:
        before.setattr(asking, "described_fleet", lambda _name: fleet_of("house-model"))
        for version in ("1.80.17", "1.90.7"):
            CliRunner().invoke(commands, ["atlas", f"--versions={version}", "--into", str(tmp_path)])
    for options, asked, model_list in (
        ([], "1.80.17 gpt-5.2", "1.80.17"),
        (["--todays-list"], "1.80.17 house-model", "1.90.7"),
    ):
        ran = CliRunner().invoke(commands, ["atlas", "--versions=1.80.17", "--into", str(tmp_path), *options])
        assert ran.exit_code == 0, ran.output
        assert measured[-1] == asked
        assert AtlasFolder(tmp_path).read()["releases"]["1.80.17"]["model_list"] == model_list


def test_a_release_goes_by_the_list_that_is_wished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a wish for another release's list of models, when a release is measured, then the gateway is started with
    it, and what was begun with one list does not go on with another; its own list needs no words."""
    jobs: list[Job] = []

    def run(job: Job, *_others: object) -> Any:
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "run_live", run)
    monkeypatch.setattr(measuring, "installations", lambda _name: tmp_path)
    for name in ("ensure_environment", "is_installed", "list_of"):
        monkeypatch.setattr(measuring, name, lambda *_arguments: True)
    for model_list in ("1.80.17", "1.90.7"):
        wish = Wish(load_registry(), (), model_list)
        with pytest.raises(KeyboardInterrupt):
            measuring.measure_release("1.80.17", wish, AtlasFolder(tmp_path), Console())

    assert [job.model_list for job in jobs] == [None, "1.90.7"]
    assert jobs[0].cassettes != jobs[1].cassettes


def test_some_models_alone_keep_the_list_of_the_others(
    measured: list[str], lists: dict[str, Any], tmp_path: Path
) -> None:
    """Given a release that was measured with its own list, when one of its models is asked again, then it is with
    that list; when all are, then it is with the newest one."""
    assert not lists
    for *options, expected in (
        ("--versions=1.80.17", "1.80.17"),
        ("--versions=1.90.7", "1.80.17"),
        ("--versions=1.80.17", "--again", "--models=house*", "1.80.17"),
        ("--versions=1.80.17", "--again", "1.90.7"),
    ):
        ran = CliRunner().invoke(commands, ["atlas", "--into", str(tmp_path), *options])
        assert ran.exit_code == 0, ran.output
        assert AtlasFolder(tmp_path).read()["releases"]["1.80.17"]["model_list"] == expected, options

    assert measured == ["1.80.17", "1.90.7", "1.80.17 house*", "1.80.17"]


def test_todays_list_is_about_all_models(measured: list[str], tmp_path: Path) -> None:
    """Given some models, when today's list is asked for, then it is refused: the others would be known by another."""
    ran = CliRunner().invoke(commands, ["atlas", "--todays-list", "--models=gpt*", "--into", str(tmp_path)])
    assert ran.exit_code == 4
    assert "leave --models out" in ran.output
    assert measured == []


@pytest.mark.parametrize("option", ["--todays-list", "--again"])
def test_what_is_asked_again_is_asked_about_all_parameters(
    measured: list[str], lists: dict[str, Any], tmp_path: Path, option: str
) -> None:
    """Given an atlas, when its models are to be asked again about some of its parameters, then that is refused before
    anything is measured."""
    lists.update({"1.80.17": {}, "1.90.7": {}})
    CliRunner().invoke(commands, ["atlas", "--versions=1.80.17", "--into", str(tmp_path)])
    arguments = ["atlas", "--versions=1.80.17,1.90.7", "--parameters=store:true", "--into", str(tmp_path), option]

    ran = CliRunner().invoke(commands, arguments)

    assert "that --parameters leaves out" in str(ran.exception)
    assert measured == ["1.80.17"]


def test_all_is_asked_again_with_todays_list(measured: list[str], lists: dict[str, Any], tmp_path: Path) -> None:
    """Given releases that were measured with their own list, when all is to be asked again with today's, then each is
    asked once, whole, by the list of the newest."""
    lists["1.82.6"] = {"gpt-5.2": {"supports_reasoning": False}}
    lists["1.90.7"] = {"gpt-5.2": {"supports_reasoning": True}}
    CliRunner().invoke(commands, ["atlas", "--versions=1.80.17,1.82.6", "--into", str(tmp_path)])
    del measured[:]

    options = ["--versions=1.80.17,1.82.6,1.90.7", "--again", "--todays-list", "--into", str(tmp_path)]
    ran = CliRunner().invoke(commands, ["atlas", *options])

    assert ran.exit_code == 0, ran.output
    assert measured == ["1.90.7", "1.80.17", "1.82.6"]
    assert {row["model_list"] for row in AtlasFolder(tmp_path).read()["releases"].values()} == {"1.90.7"}
