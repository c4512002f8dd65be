"""Replays of recordings, as a user runs them: whole, narrow, damaged and of another version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from conformance.measure.settings import recorded_as
from conformance.tests.helpers.gateways import scripted_gateway, success
from conformance.tests.helpers.measured import FEW, recorded
from conformance.tests.helpers.running import Workplace, run_pytest


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_replay_needs_no_gateway(place: Workplace, workers: list[str]) -> None:
    """Given a recording, when it is replayed with no gateway in reach, then it passes with the same verdicts."""
    recorded(place)
    before = place.matrix
    ended = run_pytest(*place.options, *workers)
    assert ended.code == 0, ended.all
    assert "26 passed" in ended.out
    assert place.matrix["cells"] == before["cells"]
    assert place.matrix["run"]["mode"] == "replay"


def test_a_recording_is_found_by_host_and_port(place: Workplace) -> None:
    """Given a recording that its host and port name, when it is named as they are written, then it is replayed; where
    there is none, one line names those that there are."""
    with scripted_gateway(models=("claude-x",)) as gateway:
        ended = run_pytest("--live", "--update-table", FEW, *place.options, env=gateway.environment)
        assert ended.code == 0, ended.all
    address = gateway.base_url.removeprefix("http://")
    ended = run_pytest(f"--gateway={address}", *place.options, "-n", "1")
    assert ended.code == 0, ended.all
    ended = run_pytest("--gateway=127.0.0.1:9", *place.options)
    assert ended.code == 4
    folder = place.root / "cassettes" / "127.0.0.1-9"
    assert f"no recording in {folder}; recordings beside it: {address.replace(':', '-')}; record one" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("proxy.example", "proxy.example"),
        ("proxy.example:443", "proxy.example"),
        ("Proxy.example:80", "proxy.example"),
        ("localhost:4000", "localhost-4000"),
        ("[::1]:4000", "--1-4000"),
        ("proxy.example:70000", "proxy.example:70000"),
        ("our proxy: new", "our proxy: new"),
        ("team:2024-01", "team:2024-01"),
        ("kept:1", "kept:1"),
    ],
)
def test_what_host_and_port_are_recorded_as(tmp_path: Path, given: str, name: str) -> None:
    """Given a host and port, when they name a gateway, then it is by the name of its folder; other names stay."""
    (tmp_path / "kept:1").mkdir()
    (tmp_path / "kept:1" / "gateway.json").write_text("{}", "utf-8")
    assert recorded_as(given, tmp_path) == name


@pytest.mark.parametrize("damage", ["", '{"version": 1', None], ids=["empty", "truncated", "gone"])
def test_damaged_recording_is_one_line(place: Workplace, damage: str | None) -> None:
    """Given a recording with a damaged or missing cassette, when it is replayed, then one line names the file."""
    recorded(place)
    cassette = place.root / "cassettes" / "embedded" / "claude-x.json"
    cassette.unlink()
    if damage is not None:
        cassette.write_text(damage, encoding="utf-8")
    ended = run_pytest(*place.options)
    assert ended.code == 4, ended.all
    assert "claude-x.json" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_narrowed_run_is_replayed_as_narrow_as_it_was(place: Workplace) -> None:
    """Given a run of some models, when it is replayed, then only those are judged, and nothing is missing."""
    with scripted_gateway(models=("claude-x", "gpt-y")) as gateway:
        run_pytest(
            "--live", "--update-table", FEW, "--gateway=g", "--models=gpt*", *place.options, env=gateway.environment
        )
    run_pytest("--gateway=g", "--update-table", *place.options)
    assert {cell["model"] for cell in place.matrix["cells"]} == {"gpt-y"}
    assert place.matrix["run"]["complete"] is True
    assert place.matrix["run"]["selection"] == "gpt*"


def test_replay_of_fewer_parameters_has_the_same_verdicts(place: Workplace) -> None:
    """Given a recording of several parameters, when fewer are replayed, then their verdicts are what they were."""
    recorded(place)
    before = {json.dumps(cell) for cell in place.matrix["cells"]}
    ended = run_pytest("--parameters=prompt_cache_key,seed", *place.options)
    assert ended.code in (0, 1), ended.all
    told = [cell for cell in place.matrix["cells"] if cell["parameter"] == "prompt_cache_key"]
    assert len(told) == 2 * 2 * 2
    assert {json.dumps(cell) for cell in told} <= before
    never = {cell["reason"] for cell in place.matrix["cells"] if cell["parameter"] == "seed"}
    assert never == {"not recorded; measure it with --live."}


def test_recording_of_another_version_says_nothing_of_this_one(place: Workplace) -> None:
    """Given a gateway that was updated, when one model is measured anew, then the rest is not taken for its own."""

    def versioned(version: str) -> Any:
        def answer(body: dict[str, Any]) -> Response:
            response = success(body)
            response.headers["x-litellm-version"] = version
            return response

        return answer

    for version, narrow in (("1.0", []), ("2.0", ["--models=gpt*"])):
        with scripted_gateway(versioned(version), ("claude-x", "gpt-y")) as gateway:
            run_pytest("--live", "--update-table", FEW, "--gateway=g", *narrow, *place.options, env=gateway.environment)
    run_pytest("--gateway=g", "--models=*", "--update-table", *place.options)
    verdicts = {(cell["model"], cell["verdict"]) for cell in place.matrix["cells"]}
    assert verdicts == {("claude-x", "inconclusive"), ("gpt-y", "accepted")}
    assert place.matrix["gateway"]["version"] == "2.0"
    assert place.matrix["run"]["complete"] is False
