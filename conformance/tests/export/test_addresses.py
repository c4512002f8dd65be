"""Which address of a gateway an export has: the user's, one that is said, or none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.export.clients import load_clients
from conformance.tests.helpers.exports import export, told


@pytest.mark.parametrize(
    ("client", "own"),
    [
        ("codex", 'model = "m"\n[model_providers.mine]\nname = "Mine"\nbase_url = "http://127.0.0.1/v1"\n'),
        ("pi", '{"providers": {"mine": {"baseUrl": "http://127.0.0.1/v1", "api": "openai-completions"}}}'),
        ("opencode", '{"provider": {"mine": {"options": {"baseURL": "http://127.0.0.1/v1/"}}}}'),
    ],
)
def test_a_way_in_that_a_user_has_stays(client: str, own: str, place: Path) -> None:
    """Given a file that reaches the gateway in a way of its own, when merged into, then no other way is added."""
    (place / "f").write_text(own, encoding="utf-8")
    new = export("--for", client, "--into", "f", "--base-url", "http://127.0.0.1").stdout
    assert "LITELLM_API_KEY" not in new
    assert "litellm" not in new.rpartition("<<<")[2].partition("\n")[2]
    assert set(re.findall(r"model_provider = (.*)", new)) <= {'"mine"'}


@pytest.mark.parametrize(
    ("client", "own"),
    [
        ("pi", '{"providers": {"litellm": {"baseUrl": "http://elsewhere/v1"}}}'),
        ("opencode", '{"provider": {"litellm": {"options": {"baseURL": "http://elsewhere/v1"}}}}'),
        ("codex", '[model_providers.litellm]\nbase_url = "http://elsewhere/v1"\n'),
    ],
)
def test_another_gateway_of_that_name(client: str, own: str, place: Path) -> None:
    """Given a file with another gateway of the name, when merged into, then one line says so; another name helps."""
    (place / "f").write_text(own, encoding="utf-8")
    ours = ("--for", client, "--into", "f", "--base-url", "http://ours.example")
    assert "another gateway under the name 'litellm'" in told(export(*ours))
    assert export(*ours, "--provider", "mine").exit_code == 0


@pytest.mark.parametrize("client", ["pi", "opencode", "codex", "claude-code", "continue", "qwen-code", "cline"])
def test_an_address_that_is_said_goes_before_an_earlier_one(client: str, place: Path) -> None:
    """Given an export's file, when it is made again with another address, then that is in it, and the old one not."""
    assert export("--for", client, "--into", "f", "--write", "--base-url", "http://old.example:1").exit_code == 0
    ended = export("--for", client, "--into", "f", "--write", "--base-url", "http://new.example:2")
    assert ended.exit_code == 0, ended.exception
    new = (place / "f").read_text("utf-8")
    assert "http://new.example:2" in new
    assert "old.example" not in new


@pytest.mark.parametrize("client", [each for each in load_clients() if each != "litellm"])
def test_the_address_of_a_simulated_gateway(client: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a matrix of simulators, when exported, then the address is the environment's, or else nobody's."""
    alone = export("--for", client)
    assert "http://127.0.0.1" not in alone.output
    assert "address is not known" in alone.output
    monkeypatch.setenv("LITELLM_BASE_URL", "http://127.0.0.1:4321/v1")
    named = export("--for", client)
    assert "http://127.0.0.1:4321" in named.output
    assert "address is not known" not in named.output


def test_no_address_is_put_into_settings_of_claude_code(place: Path) -> None:
    """Given settings of a user, when nobody knows the address, then none is written, and the user's own stays."""
    for own in ('{"env": {"ANTHROPIC_BASE_URL": "http://mine.example"}}', '{"model": "opus"}'):
        (place / "f").write_text(own, encoding="utf-8")
        assert export("--for", "claude-code", "--into", "f", "--write").exit_code == 0
        assert (place / "f").read_text("utf-8") == own
