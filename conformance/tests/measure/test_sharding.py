"""Many machines: shards, their merger, and pytest-xdist's workers elsewhere, each in processes of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.errors import ConformanceError
from conformance.plan.shards import Shard, shard_from
from conformance.tests.helpers.gateways import closed_port, refuses_cache_key, scripted_gateway
from conformance.tests.helpers.measured import FEW, FLEET, cells
from conformance.tests.helpers.running import Workplace, run_pytest


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
    assert [next(n for n in (1, 2, 3) if Shard(n, 3).holds(model)) for model in FLEET] == [1, 2, 1, 2, 2, 1, 2, 3]


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/b", "1/0", "1/3/4", "1", "", "-1/3", "1/ 3", "٣/٣", "1/9999999"])
def test_malformed_shards_are_refused(text: str) -> None:
    """Given what is no part of a whole, when it is read, then one line says what to write."""
    with pytest.raises(ConformanceError, match=r"--shard .* is not a part; write I/N"):
        shard_from(text)


def test_malformed_shard_is_one_line(tmp_path: Path) -> None:
    """Given a malformed shard, when pytest runs, then it ends with that line and exit code 4."""
    ended = run_pytest("--shard=4/3", *Workplace(tmp_path).options)
    assert ended.code == 4
    assert ended.err.strip() == "ERROR: --shard '4/3' is not a part; write I/N with I from 1 to N, such as 2/3"


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
            run_pytest(
                "--live", "--update-table", FEW, f"--shard={n}/2", *Workplace(tmp_path).options, env=gateway.environment
            )
            for n in (1, 2)
        ]
        [empty] = [one for one in ended if "holds none of the 1 model;" in one.err]
    assert empty.code == 4


def test_xdist_workers_elsewhere_judge_the_shared_recording(recorded: Path, tmp_path: Path) -> None:
    """Given workers in another folder (`--tx`), when they judge, then they read the controller's recording."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    tx = f"2*popen//python={sys.executable}//chdir={elsewhere}"
    places = [f"--cassettes={recorded / 'whole'}", f"--table={recorded / 'whole-table.json'}"]
    command = ["--pyargs", "conformance.suite", "--gateway=g", "-d", "--tx", tx, f"--reports={tmp_path / 'r'}", *places]
    ended = run_pytest(*command, suite=False)
    assert ended.code == 0, ended.all
    assert f"{len(FLEET) * 12 + 2} passed" in ended.out
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
    assert f"{len(FLEET) * 12 + 2} passed" in ended.out
    assert cells(tmp_path / "r" / "matrix.json") == cells(recorded / "whole-r" / "matrix.json")


def test_xdist_workers_judge_what_was_measured_live(tmp_path: Path) -> None:
    """Given a gateway, when it is measured with workers elsewhere, then the controller alone asks it."""
    elsewhere, place = tmp_path / "elsewhere", Workplace(tmp_path)
    elsewhere.mkdir()
    with scripted_gateway(refuses_cache_key, FLEET[:2]) as gateway:
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
