"""Two quick clients are captured for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.clients.profiles import load_profiles
from conformance.tests.helpers.running import run_command

QUICK = ("openai", "llm")


@pytest.mark.slow
def test_two_clients_are_captured(tmp_path: Path) -> None:
    """Given no profiles, when two clients are captured in turn, then both are there, as they are shipped."""
    file = tmp_path / "profiles.json"
    for name in QUICK:
        done = run_command("clients", "capture", "--only", name, "--out", str(file))
        assert done.code == 0, done.all

    shipped = {each["client"]: each for each in load_profiles()["profiles"]}
    captured = load_profiles(file)["profiles"]
    assert [each["client"] for each in captured] == list(QUICK)
    for each in captured:
        assert each["requests"] == shipped[each["client"]]["requests"]


def test_an_unknown_client(tmp_path: Path) -> None:
    """Given a name that no client has, when it is to be captured, then one line says so, and nothing is written."""
    done = run_command("clients", "capture", "--only", "openia", "--out", str(tmp_path / "profiles.json"))
    assert done.code == 4
    assert done.err.strip() == "ERROR: no client is called openia; did you mean 'openai'?"
    assert not list(tmp_path.iterdir())
