"""Two quick clients are captured for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.clients.capture import capture
from conformance.clients.profiles import load_profiles
from conformance.clients.recipes import Recipe
from conformance.schemas.documents import ClientProfile
from conformance.tests.helpers.running import run_command

QUICK = ("openai", "llm")


@pytest.mark.slow
def test_two_clients_are_captured(tmp_path: Path) -> None:
    """Given no file, when two clients are captured in turn, then both are there, and the rest as it is shipped."""
    file = tmp_path / "profiles.json"
    for name in QUICK:
        done = run_command("clients", "capture", "--only", name, "--out", str(file))
        assert done.code == 0, done.all

    shipped = {each["client"]: each for each in load_profiles()["profiles"]}
    captured = load_profiles(file)["profiles"]
    assert [each["client"] for each in captured] == list(shipped)
    for each in captured:
        assert each["requests"] == shipped[each["client"]]["requests"]


def test_what_is_not_captured_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given one client to capture into another file, when the file is new, then the others are in it as shipped; when
    it is there, then they stay as they are in it."""
    file, shipped = tmp_path / "profiles.json", load_profiles()
    day = iter(("2031-01-01", "2032-02-02"))

    def fake(recipe: Recipe, *_: object) -> ClientProfile:
        (profile,) = [each for each in shipped["profiles"] if each["client"] == recipe.name]
        return {**profile, "captured_at": next(day)}

    monkeypatch.setattr("conformance.clients.capture.install", lambda *_: None)
    monkeypatch.setattr("conformance.clients.capture.captured", fake)
    expected = {each["client"]: each["captured_at"] for each in shipped["profiles"]}
    for name, captured in (("llm", "2031-01-01"), ("openai", "2032-02-02")):
        assert capture(file, [name], lambda _: None) == []
        expected[name] = captured
        assert {each["client"]: each["captured_at"] for each in load_profiles(file)["profiles"]} == expected


def test_an_unknown_client(tmp_path: Path) -> None:
    """Given a name that no client has, when it is to be captured, then one line says so, and nothing is written."""
    done = run_command("clients", "capture", "--only", "openia", "--out", str(tmp_path / "profiles.json"))
    assert done.code == 4
    assert done.err.strip() == "ERROR: no client is called openia; did you mean 'openai'?"
    assert not list(tmp_path.iterdir())
