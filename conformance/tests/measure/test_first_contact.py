"""A gateway that the shipped table has never heard of: what it answers is news, and not failure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.tests.helpers.gateways import ScriptedGateway, refuses_cache_key, scripted_gateway
from conformance.tests.helpers.running import CHECKOUT, Workplace, run_pytest

FEW = "--parameters=prompt_cache_key"

#: The refusals that the shipped table does not expect: on one endpoint, for the overrides know the other.
NEWS = "NEWS 2 cells differ from the shipped table, which does not know this gateway"


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A gateway whose Claude refuses `prompt_cache_key` on both endpoints."""
    with scripted_gateway(refuses_cache_key, ("claude-x", "gpt-y")) as running:
        yield running


def measured(place: Workplace, gateway: ScriptedGateway, *options: str, gateway_name: str = "stranger") -> list[str]:
    """The options of a live run of this gateway that names no table."""
    folders = [option for option in place.options if not option.startswith("--table")]
    return ["--live", FEW, f"--gateway={gateway_name}", *folders, *options]


def statuses(place: Workplace) -> dict[str, set[str]]:
    """The tags of Allure's results by their status."""
    found: dict[str, set[str]] = {}
    for path in (place.root / "reports" / "allure-results").glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        tags = {label["value"] for label in result["labels"] if label["name"] == "tag"}
        found.setdefault(result["status"], set()).update(tags)
    return found


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="test per cell"),
        pytest.param(["-n", "2"], id="xdist", marks=pytest.mark.slow),
        pytest.param(["--test-per=model"], id="test per model"),
    ],
)
def test_what_a_stranger_answers_is_news(place: Workplace, gateway: ScriptedGateway, options: list[str]) -> None:
    """Given a gateway unknown to the shipped table, when it is measured, then all passes, and news is counted."""
    shipped = (CHECKOUT / "conformance" / "provider" / "parameter_support.json").read_bytes()
    ended = run_pytest(*measured(place, gateway, *options), env=gateway.environment)
    assert ended.code == 0, ended.all
    assert NEWS in ended.out
    assert "--table=stranger-table.json" in ended.out
    assert "failed" not in ended.out
    assert statuses(place).keys() == {"passed"}
    assert "news" in statuses(place)["passed"]
    assert (CHECKOUT / "conformance" / "provider" / "parameter_support.json").read_bytes() == shipped


@pytest.mark.parametrize("per", ["cell", "model"])
def test_news_fails_where_it_is_asked_to(place: Workplace, gateway: ScriptedGateway, per: str) -> None:
    """Given a gateway unknown to the shipped table, when the table is to be strict, then its news fails."""
    ended = run_pytest(*measured(place, gateway, "--strict-table", f"--test-per={per}"), env=gateway.environment)
    assert ended.code == 1, ended.all
    assert "measured: prompt_cache_key is rejected" in ended.out
    assert "NEWS" not in ended.out
    assert "failed" in statuses(place)


def test_the_printed_command_keeps_the_news(place: Workplace, gateway: ScriptedGateway, tmp_path: Path) -> None:
    """Given news, when the printed command is run, then a table of one's own holds it, and later deviations fail."""
    ended = run_pytest(*measured(place, gateway), env=gateway.environment)
    found = re.search(r"to keep what was measured: pytest (.*)", ended.out)
    assert found
    away = tmp_path / "away"
    away.mkdir()
    kept = run_pytest(*shlex.split(found[1]), cwd=away, suite=False)
    assert kept.code == 0, kept.all
    table = away / "stranger-table.json"
    assert '"stranger-unversioned"' in table.read_text(encoding="utf-8")

    named = measured(place, gateway, f"--table={table}")[1:]
    assert run_pytest(*named).code == 0
    with scripted_gateway(models=("claude-x", "gpt-y")) as changed:
        ended = run_pytest("--live", *named, env=changed.environment)
    assert ended.code == 1, ended.all
    assert "the table: prompt_cache_key is rejected (stranger-unversioned)" in ended.out
    assert f"--table={table}" in ended.out


def test_a_table_that_the_user_named_is_meant(place: Workplace, gateway: ScriptedGateway) -> None:
    """Given a table that the user named, when a gateway answers otherwise, then that fails, whichever rule told it."""
    shipped = CHECKOUT / "conformance" / "provider" / "parameter_support.json"
    ended = run_pytest(*measured(place, gateway, f"--table={shipped}"), env=gateway.environment)
    assert ended.code == 1, ended.all
    assert "the table: prompt_cache_key is safe to send (default)" in ended.out


def test_the_embedded_gateway_is_known(place: Workplace, gateway: ScriptedGateway) -> None:
    """Given the gateway of the shipped table, when it answers otherwise than any rule says, then that fails."""
    ended = run_pytest(*measured(place, gateway, gateway_name="embedded"), env=gateway.environment)
    assert ended.code == 1, ended.all
    assert "the table: prompt_cache_key is safe to send (default)" in ended.out
    assert "test_table_is_what_the_recording_gives" in ended.out


def test_a_failure_says_first_what_it_is_about(place: Workplace, gateway: ScriptedGateway) -> None:
    """Given a cell that fails, when it is told, then the sentences and the command stand before the short evidence."""
    ended = run_pytest(*measured(place, gateway, "--strict-table"), env=gateway.environment)
    told = ended.out[ended.out.index("measured: ") :].splitlines()
    starts = ["measured: ", "  refused with 400", "the table: ", "to accept the measurement: pytest ", "the evidence"]
    assert [line for line, start in zip(told, starts, strict=False) if not line.startswith(start)] == []
    evidence = [line for line in told if line.startswith(("  > ", "  < "))]
    assert evidence
    assert max(map(len, evidence)) < 320
    assert not any("separated by spaces. Where only" in line for line in evidence)
