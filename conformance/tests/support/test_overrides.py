"""Tests of `conformance.support.overrides`: what people say beside the measurements, and which of the two holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.errors import TableError
from conformance.provider.table import Rule, Statement
from conformance.support.deriving import same_rules, told
from conformance.support.facts import facts_of
from conformance.support.overrides import beats_measurement, overrides_from
from conformance.tests.helpers.tables import GATEWAYS, derived, fleets, matrix_of, measured, statement, whole_cell
from conformance.types import CellKey, Endpoint, Verdict

OVERRIDES = """
schema_version = 1
[[overrides]]
id = "beats"
models = ["a"]
statements = { store = true }
reason = "r"
seen = "s"
beats_measurement = true
[[overrides]]
id = "yields"
models = ["b"]
endpoints = ["responses"]
modes = ["stream"]
routes = ["azure"]
gateways = ["g"]
gateway_versions = [">=1"]
statements = { store = false }
reason = "r2"
seen = "s2"
[default]
statements = { store = true }
reason = "d"
"""


def test_overrides_are_read() -> None:
    """Given an overrides file, when it is read, then its rules keep their order and what beats stands apart."""
    overrides = overrides_from(OVERRIDES, "o.toml")

    assert overrides.beating == (Rule(("a",), {"store": Statement(True, "override:beats")}),)
    assert overrides.general == (
        Rule(
            ("b",),
            {"store": Statement(False, "override:yields")},
            endpoints=("responses",),
            modes=("stream",),
            routes=("azure",),
            gateways=("g",),
            gateway_versions=(">=1",),
        ),
        Rule(("*",), {"store": Statement(True, "default")}),
    )
    assert overrides.sources == {
        "override:beats": {"kind": "override", "reason": "r", "seen": "s"},
        "override:yields": {"kind": "override", "reason": "r2", "seen": "s2"},
        "default": {"kind": "default", "reason": "d"},
    }


@given(fleets(("a", "b")), st.sampled_from(GATEWAYS))
def test_beating_overrides(verdicts: dict[CellKey, Verdict], gateway: str) -> None:
    """Given an override that beats measurements, when derived, then it decides, and all else is as measured."""
    overrides = overrides_from(OVERRIDES, "o.toml")
    matrix = matrix_of(verdicts, gateway)
    table = derived(matrix, overrides=overrides)

    for cell, fact in facts_of(matrix):
        beaten = cell.model == "a" and cell.parameter.startswith("store")
        assert beats_measurement(told(table, cell, gateway), overrides) is beaten
        assert statement(table, cell, gateway) is (True if beaten else fact.supported)
    assert "store" not in {
        name.partition(":")[0] for rule in measured(table) if rule.models == ("a",) for name in rule.statements
    }
    assert same_rules(derived(matrix, table, overrides), table)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = = 1", "is not TOML"),
        ("schema_version = 1", "required"),
        (OVERRIDES.replace('"yields"', '"beats"'), "two overrides have the id 'beats'"),
        (OVERRIDES.replace('reason = "r2"', ""), "reason"),
        (OVERRIDES.replace('reason = "r2"', "reason = 2026-11-22"), "date"),
        (OVERRIDES.replace('models = ["b"]', "models = []"), r"overrides\[1\]\.models"),
        (OVERRIDES.replace("store = false", 'store = "no"'), r"overrides\[1\]\.statements\.store"),
        (OVERRIDES.replace("schema_version = 1", "schema_version = 2"), "schema_version"),
    ],
    ids=range(8),
)
def test_malformed_overrides(text: str, words: str) -> None:
    """Given overrides of another shape, when they are read, then the error is one line with file and place."""
    with pytest.raises(TableError, match=f"^o.toml.*{words}") as caught:
        overrides_from(text, "o.toml")

    assert "\n" not in str(caught.value)


def test_measured_against_a_human() -> None:
    """Given a measurement that an override contradicts, when derived, then the measurement wins and notes it."""
    verdicts = {whole_cell("claude-x", "prompt_cache_key", Endpoint.RESPONSES): Verdict.ACCEPTED}

    [rule] = measured(derived(matrix_of(verdicts)))

    [said] = rule.statements.values()
    assert said.supported
    assert "override:mission-claude" in said.note


def test_unmeasured_models_follow_the_mission() -> None:
    """Given nothing measured, when the table is derived, then it says what the mission observed, and fails open."""
    table = derived(matrix_of({}))

    def said(model: str, parameter: str) -> bool:
        return statement(table, whole_cell(model, parameter, Endpoint.RESPONSES), "embedded")

    for family in ("claude-x", "gemini-x", "databricks-x"):
        assert said(family, "store:true")
        assert not said(family, "prompt_cache_key")
    for family in ("gpt-x", "o3", "never-heard-of"):
        assert said(family, "store:false")
        assert said(family, "prompt_cache_key")
