"""Cassettes stay true: what is odd about a recording is told by name, with what to do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from conformance.tests.helpers.gateways import scripted_gateway
from conformance.tests.helpers.measured import FEW
from conformance.tests.helpers.running import Ended, Workplace, run_pytest


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a recording that is as it should be."""
    place = Workplace(tmp_path_factory.mktemp("recorded"))
    with scripted_gateway(models=("model-a", "model-b")) as gateway:
        ended = run_pytest("--live", "--gateway=g", FEW, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    return place.root


@pytest.fixture
def place(recording: Path, tmp_path: Path) -> Workplace:
    """A copy of it for one test."""
    shutil.copytree(recording, tmp_path / "copy")
    return Workplace(tmp_path / "copy")


def replayed(place: Workplace, *options: str) -> Ended:
    """Replay it, with whatever table that gives."""
    return run_pytest("--gateway=g", "--update-table", *place.options, *options)


def cassette(place: Workplace, name: str = "model-a.json") -> Path:
    """One of its files."""
    return place.root / "cassettes" / "g" / name


def test_nothing_odd(place: Workplace) -> None:
    """Given a recording that is as it should be, when it is replayed, then there is nothing to note."""
    ended = replayed(place, "--max-age=1")
    assert ended.code == 0, ended.all
    assert "NOTE" not in ended.out


def edited(place: Workplace) -> None:
    """Change an answer."""
    path = cassette(place)
    path.write_text(path.read_text("utf-8").replace('"content":"OK"', '"content":"No"', 1), "utf-8")


def truncated(place: Workplace) -> None:
    """Lose the second half."""
    path = cassette(place)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def newer(place: Workplace) -> None:
    """Come from the future."""
    path = cassette(place)
    path.write_text(path.read_text("utf-8").replace('"version":1', '"version":2', 1), "utf-8")


def swapped(place: Workplace) -> None:
    """Lie where another should."""
    shutil.copy(cassette(place, "model-b.json"), cassette(place))


def newer_list(place: Workplace) -> None:
    """Have a model list from the future."""
    path = cassette(place, "gateway.json")
    path.write_text(path.read_text("utf-8").replace('"schema_version": 1', '"schema_version": 3', 1), "utf-8")


@pytest.mark.parametrize(
    ("damage", "file", "says"),
    [
        (edited, "model-a.json", "edited after it was recorded); record it again with --live"),
        (truncated, "model-a.json", "is damaged"),
        (newer, "model-a.json", "format 2, but this suite reads formats up to 1; update the suite"),
        (swapped, "model-a.json", "belongs to another model, 'model-b'; record it again with --live"),
        (newer_list, "gateway.json", "schema_version 3, which a later suite wrote; update the suite"),
    ],
)
def test_what_cannot_be_trusted(place: Workplace, damage: object, file: str, says: str) -> None:
    """Given a recording that was tampered with, when it is replayed, then one line names the file and what to do."""
    assert callable(damage)
    damage(place)
    ended = replayed(place)
    assert ended.code == 4, ended.all
    assert file in ended.err
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_cassettes_of_another_plan(place: Workplace) -> None:
    """Given a cassette from a recording of other parameters, when it is replayed, then it is named."""
    other = Workplace(place.root / "other")
    with scripted_gateway(models=("model-a", "model-b")) as gateway:
        run_pytest(
            "--live", "--update-table", "--gateway=g", "--models=model-a", "--parameters=seed,temperature",
            *other.options,
            env=gateway.environment,
        )  # fmt: skip
    shutil.copy(cassette(other), cassette(place))
    ended = replayed(place)
    assert "NOTE recorded for another plan than gateway.json holds: model-a.json; record again with --live" in ended.out
    assert place.matrix["run"]["complete"] is False


def test_unused_cassettes(place: Workplace) -> None:
    """Given cassettes of a model that the gateway does not list, when it is replayed, then they are named."""
    shutil.copy(cassette(place), cassette(place, "model-gone.json"))
    cassette(place, "model-lost.json.part").write_text("", "utf-8")
    ended = replayed(place)
    assert ended.code == 0, ended.all
    assert "NOTE unused, of no model in gateway.json: model-gone.json, model-lost.json.part; delete them" in ended.out


def test_stale_evidence(place: Workplace) -> None:
    """Given evidence of last year, when a greatest age is named, then what is older is, with its date."""
    path = cassette(place)
    text = re.sub(r'"recorded_at":"\d{4}', '"recorded_at":"2020', path.read_text("utf-8"))
    path.write_text(re.sub(r', "digest": "\w+"', "", text, count=1), "utf-8")
    ended = replayed(place, "--max-age=30")
    assert ended.code == 0, ended.all
    assert re.search(r"NOTE older than 30 days: model-a\.json \(2020-\d\d-\d\d\); record again with --live", ended.out)
    assert "NOTE" not in replayed(place).out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--max-age=0"], "--max-age 0.0 makes no sense; give more than 0"),
        (["--resume"], "--resume is about measuring; give --live with it"),
        (["--budget-requests=-1"], "--budget-requests -1 makes no sense"),
        (["--budget-usd=nan"], "--budget-usd nan makes no sense"),
    ],
)
def test_options_that_make_no_sense(place: Workplace, options: list[str], says: str) -> None:
    """Given an option that makes no sense, when pytest runs, then one line says so, exit code 4."""
    ended = replayed(place, *options)
    assert ended.code == 4
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_measuring_again_changes_times_alone(place: Workplace) -> None:
    """Given a gateway that did not change, when it is measured again, then cassettes differ in their times alone."""

    def told(name: str) -> list[object]:
        rows = json.loads(cassette(place, name).read_text("utf-8"))["interactions"]
        for row in rows:
            for volatile in ("recorded_at", "elapsed_ms", "chunks"):
                del row["response"]["conformance"][volatile]
        return list(rows)

    names = ("model-a.json", "model-b.json")
    before = [told(name) for name in names]
    with scripted_gateway(models=("model-a", "model-b")) as gateway:
        ended = run_pytest("--live", "--gateway=g", FEW, *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert [told(name) for name in names] == before
