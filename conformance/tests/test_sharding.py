"""Many machines: shards, their merger, and pytest-xdist's workers elsewhere, each in processes of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cassettes.folder import Folder
from conformance.errors import ConformanceError
from conformance.plan.shards import Shard, shard_from
from conformance.tests.gateways import closed_port, refuses_cache_key, scripted_gateway
from conformance.tests.running import Ended, Workplace, run_command, run_pytest

FEW = "--parameters=store,prompt_cache_key"
MODELS = tuple(f"claude-{letter}" for letter in "abcd") + tuple(f"gpt-{letter}" for letter in "abcd")


def merge(*folders: Path, into: Path, options: tuple[str, ...] = ()) -> Ended:
    """Run `python -m conformance merge` as a user does."""
    return run_command("merge", *map(str, folders), "--into", str(into), *options)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of one gateway, and the same gateway measured whole: `1/g`, `2/g`, `3/g`, `whole/g`."""
    root = tmp_path_factory.mktemp("shards")
    with scripted_gateway(refuses_cache_key, MODELS) as gateway:
        for name in ("1", "2", "3", "whole"):
            shard = [] if name == "whole" else [f"--shard={name}/3"]
            options = ["--live", FEW, "--gateway=g", "--update-table", "-p", "no:allure_pytest", *shard]
            places = [f"--cassettes={root / name}", f"--reports={root / name}-r", f"--table={root / name}-table.json"]
            ended = run_pytest(*options, *places, env=gateway.environment)
            assert ended.code == 0, ended.all
    return root


@pytest.fixture
def shards(recorded: Path, tmp_path: Path) -> list[Path]:
    """Copies of the three shards, which a test may change."""
    return [Path(shutil.copytree(recorded / name / "g", tmp_path / name / "g")) for name in ("1", "2", "3")]


def cells(path: Path) -> dict[tuple[str, ...], str]:
    """The verdicts in a matrix."""
    matrix = json.loads(path.read_text("utf-8"))
    return {(c["model"], c["endpoint"], c["mode"], c["parameter"]): c["verdict"] for c in matrix["cells"]}


@given(st.lists(st.text(max_size=20), max_size=30), st.integers(1, 40))
def test_every_model_is_in_one_shard(models: list[str], total: int) -> None:
    """Given any models and any number of parts, when they are split, then each model is in exactly one."""
    for model in models:
        assert sum(Shard(index, total).holds(model) for index in range(1, total + 1)) == 1


def test_a_fleet_is_split_evenly() -> None:
    """Given 500 models and ten machines, when they are split, then none has twice its share."""
    sizes = [sum(Shard(n, 10).holds(f"vendor/model-{m}") for m in range(500)) for n in range(1, 11)]
    assert max(sizes) < 100


def test_shards_stay_what_they_are() -> None:
    """Given recordings of today, when a later release splits, then each model is where it was."""
    assert [next(n for n in (1, 2, 3) if Shard(n, 3).holds(model)) for model in MODELS] == [1, 2, 1, 2, 2, 1, 2, 3]


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/b", "1/0", "1/3/4", "1", "", "-1/3", "1/ 3", "٣/٣", "1/9999999"])
def test_malformed_shards_are_refused(text: str) -> None:
    """Given what is no part of a whole, when it is read, then one line says what to write."""
    with pytest.raises(ConformanceError, match=r"--shard .* is no part of a whole; write I/N"):
        shard_from(text)


def test_malformed_shard_is_one_line(tmp_path: Path) -> None:
    """Given a malformed shard, when pytest runs, then it ends with that line and exit code 4."""
    ended = run_pytest("--shard=4/3", *Workplace(tmp_path).options)
    assert ended.code == 4
    assert ended.err.strip() == "ERROR: --shard '4/3' is no part of a whole; write I/N with I from 1 to N, such as 2/3"


def test_shards_join_into_what_one_machine_measures(recorded: Path, tmp_path: Path) -> None:
    """Given three shards, when they are merged and replayed, then the matrix is that of one machine, and complete."""
    parts = [cells(recorded / f"{name}-r" / "matrix.json") for name in ("1", "2", "3")]
    assert all(parts)
    assert sum(map(len, parts)) == len({key for part in parts for key in part}) == len(MODELS) * 12
    assert json.loads((recorded / "2-r" / "matrix.json").read_text("utf-8"))["run"]["shard"] == "2/3"

    into = tmp_path / "cassettes" / "g"
    ended = merge(*(recorded / name / "g" for name in ("1", "2", "3")), into=into)
    assert ended.code == 0, ended.all
    assert f"3 recordings, {len(MODELS)} models, {len(MODELS) * 12} cells, complete: true" in ended.out

    whole = recorded / "whole-table.json"
    replay = ["--gateway=g", f"--cassettes={tmp_path / 'cassettes'}", f"--reports={tmp_path / 'r'}", f"--table={whole}"]
    replayed = run_pytest(*replay)
    assert replayed.code == 0, replayed.all
    assert cells(tmp_path / "r" / "matrix.json") == cells(recorded / "whole-r" / "matrix.json")
    run = json.loads((tmp_path / "r" / "matrix.json").read_text("utf-8"))["run"]
    assert run["complete"] is True
    assert "shard" not in run
    assert sorted(path.name for path in tmp_path.joinpath("cassettes").iterdir()) == ["g"]


def test_shards_of_a_replay_are_judged_apart(recorded: Path, tmp_path: Path) -> None:
    """Given a whole recording, when each machine judges a shard of it, then each passes, and together they are all."""
    seen: dict[tuple[str, ...], str] = {}
    places = [f"--cassettes={recorded / 'whole'}", f"--table={recorded / 'whole-table.json'}"]
    for name in ("1", "2", "3"):
        ended = run_pytest("--gateway=g", f"--shard={name}/3", f"--reports={tmp_path / name}", *places)
        assert ended.code == 0, ended.all
        seen |= cells(tmp_path / name / "matrix.json")
    assert seen == cells(recorded / "whole-r" / "matrix.json")


def test_another_shard_than_the_recorded_is_refused(recorded: Path, tmp_path: Path) -> None:
    """Given the recording of one shard, when another is asked for, then one line says which it is."""
    ended = run_pytest("--gateway=g", "--shard=2/3", f"--cassettes={recorded / '1'}", f"--reports={tmp_path}")
    assert ended.code == 4
    assert "is shard 1/3, and not 2/3" in ended.err


def test_empty_shard_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """Given more parts than models, when an empty one is measured, then one line says so and nothing was sent."""
    with scripted_gateway(models=("claude-x",)) as gateway:
        ended = [
            run_pytest("--live", FEW, f"--shard={n}/2", *Workplace(tmp_path).options, env=gateway.environment)
            for n in (1, 2)
        ]
        [empty] = [one for one in ended if "holds none of the 1 models" in one.err]
    assert empty.code == 4


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
    lost = [model for model in MODELS if missing.holds(model)]
    assert f"{len(lost)} of {len(MODELS)} models are in none of the recordings (1/3, 3/3): '{lost[0]}'" in ended.err

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
    assert f"1 of {len(MODELS)} models are in none of the recordings" in ended.err


def test_places_that_make_no_sense_are_refused(shards: list[Path], tmp_path: Path) -> None:
    """Given a folder without a recording, or one to write to that is in use, when merged, then one line says so."""
    ended = merge(shards[0].parent, into=tmp_path / "merged")
    assert ended.code == 4
    assert "holds no recording; name a gateway's own folder" in ended.err
    ended = merge(*shards, into=shards[0])
    assert ended.code == 4
    assert "holds something already" in ended.err


def test_xdist_workers_elsewhere_judge_the_shared_recording(recorded: Path, tmp_path: Path) -> None:
    """Given workers in another folder (`--tx`), when they judge, then they read the controller's recording."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    tx = f"2*popen//python={sys.executable}//chdir={elsewhere}"
    places = [f"--cassettes={recorded / 'whole'}", f"--table={recorded / 'whole-table.json'}"]
    command = ["--pyargs", "conformance.suite", "--gateway=g", "-d", "--tx", tx, f"--reports={tmp_path / 'r'}", *places]
    ended = run_pytest(*command, suite=False)
    assert ended.code == 0, ended.all
    assert f"{len(MODELS) * 12 + 2} passed" in ended.out
    assert cells(tmp_path / "r" / "matrix.json") == cells(recorded / "whole-r" / "matrix.json")


def test_xdist_workers_behind_a_socket_judge_the_shared_recording(recorded: Path, tmp_path: Path) -> None:
    """Given execnet's own server in a process of its own, when it is a worker, then it judges as one here would."""
    port = closed_port()
    server = [sys.executable, "-u", "-m", "execnet.script.socketserver", f"127.0.0.1:{port}"]
    places = [f"--cassettes={recorded / 'whole'}", f"--table={recorded / 'whole-table.json'}"]
    command = ["--pyargs", "conformance.suite", "--gateway=g", "-d", "--tx", f"socket=127.0.0.1:{port}"]
    with subprocess.Popen(server, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "Accept loop" in process.stdout.readline()
            ended = run_pytest(*command, f"--reports={tmp_path / 'r'}", *places, suite=False)
        finally:
            process.kill()
    assert ended.code == 0, ended.all
    assert f"{len(MODELS) * 12 + 2} passed" in ended.out
    assert cells(tmp_path / "r" / "matrix.json") == cells(recorded / "whole-r" / "matrix.json")


def test_xdist_workers_judge_what_was_measured_live(tmp_path: Path) -> None:
    """Given a gateway, when it is measured with workers elsewhere, then the controller alone asks it."""
    elsewhere, place = tmp_path / "elsewhere", Workplace(tmp_path)
    elsewhere.mkdir()
    with scripted_gateway(refuses_cache_key, MODELS[:2]) as gateway:
        command = [
            "--pyargs",
            "conformance.suite",
            "--live",
            FEW,
            "--gateway=g",
            "-d",
            "--tx",
            f"2*popen//chdir={elsewhere}",
        ]
        ended = run_pytest(*command, "--update-table", *place.options, suite=False, env=gateway.environment)
        sent = len(gateway.seen)
    assert ended.code == 0, ended.all
    assert place.matrix["run"]["requests"] == sent
    assert not (elsewhere / "cassettes").exists()
