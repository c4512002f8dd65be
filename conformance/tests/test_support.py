"""Tests of `conformance.support`: a table says what was measured, with no rule too many."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cassette_format import cassette_name
from conformance.errors import TableError
from conformance.matrix import Matrix, cell_row, make_matrix
from conformance.provider.table import Question, Rule, Statement, SupportTable, parse_table
from conformance.support import (
    GENERAL_GATEWAY,
    Fact,
    Overrides,
    beats_measurement,
    derive,
    dump_table,
    facts_of,
    overrides_from,
    same_rules,
    source_of,
    told,
)
from conformance.types import CellKey, Endpoint, Gateway, Judgement, Mode, Model, RejectedBy, Verdict

VALUES = {"store": ("store:true", "store:false"), "prompt_cache_key": ("prompt_cache_key",)}
IDS = tuple(name for names in VALUES.values() for name in names)
SHIPPED = overrides_from(
    (resources.files("conformance") / "overrides.toml").read_text(encoding="utf-8"), "overrides.toml"
)
MODELS = ("claude-haiku-4-5", "claude-opus", "gpt-4.1", "gpt-5.2", "gemini-2-5-pro", "o3", "nova", "x y\ud800", "a,b")
GATEWAYS = (GENERAL_GATEWAY, "proxy.example", "localhost-4000")

#: What a channel (endpoint, mode) of a model says of each parameter.
Channels = Mapping[tuple[Endpoint, Mode], Sequence[Verdict]]


def matrix_of(
    verdicts: Mapping[CellKey, Verdict],
    gateway: str = GENERAL_GATEWAY,
    version: str | None = "1.109.1",
    **run: Any,
) -> Matrix:
    """A matrix with these cells; `run` overrides parts of its run."""
    judgements = [
        Judgement(
            key=key,
            fields=(key.parameter.partition(":")[0],),
            verdict=verdict,
            reason="because.",
            rejected_by=RejectedBy.BACKEND if verdict is Verdict.REJECTED else None,
            evidence=("0123456789abcdef",),
        )
        for key, verdict in verdicts.items()
    ]
    whole = {
        "mode": "live",
        "started_at": "s",
        "finished_at": "f",
        "complete": True,
        "requests": 1,
        "selection": None,
        **run,
    }
    models = [Model(id=model) for model in dict.fromkeys(key.model for key in verdicts)]
    return make_matrix(
        Gateway(name=gateway, url="http://g", software="litellm", version=version),
        whole,
        models,
        [cell_row(judgement, None, cassette_name(judgement.key.model)) for judgement in judgements],
    )


def values_of(path: str) -> Sequence[str]:
    """The ids that stand for values of one field, as a registry tells them."""
    return VALUES.get(path, ())


def derived(matrix: Matrix, previous: SupportTable | None = None, overrides: Overrides = SHIPPED) -> SupportTable:
    """The table of a matrix, with the registry's values."""
    return derive(matrix, overrides, previous, values_of)


def statement(table: SupportTable, key: CellKey, gateway: str) -> bool:
    """What a table says of a cell; no rule means that it is sent."""
    found = told(table, key, gateway)
    return found is None or found.supported


def measured(table: SupportTable) -> list[Rule]:
    """The rules that come from measurements."""
    kinds = {name: row["kind"] for name, row in table.sources.items()}
    return [rule for rule in table.rules if any(kinds[s.source] == "measured" for s in rule.statements.values())]


_VERDICTS = st.sampled_from([Verdict.REJECTED, Verdict.ACCEPTED, Verdict.REJECTED, *Verdict])
_CHANNELS: st.SearchStrategy[Channels] = st.fixed_dictionaries(
    {(e, m): st.tuples(*(_VERDICTS for _ in IDS)) for e in Endpoint for m in Mode}
)


@st.composite
def fleets(draw: st.DrawFn, models: Sequence[str] = MODELS) -> dict[CellKey, Verdict]:
    """The verdicts of some models; a few behaviours are shared among them, as vendors do it."""
    behaviours = draw(st.lists(_CHANNELS, min_size=1, max_size=3))
    chosen = draw(st.lists(st.sampled_from(models), unique=True, min_size=1))
    return {
        CellKey(model, endpoint, mode, parameter): verdict
        for model in chosen
        for channels in (draw(st.sampled_from(behaviours)),)
        for (endpoint, mode), verdicts in channels.items()
        for parameter, verdict in zip(IDS, verdicts, strict=True)
    }


@given(fleets(), st.sampled_from(GATEWAYS))
def test_reproduces_every_statement(verdicts: dict[CellKey, Verdict], gateway: str) -> None:
    """Given any fleet, when its table is derived, then looking a cell up gives what was measured of it."""
    matrix = matrix_of(verdicts, gateway)
    table = derived(matrix)

    for key, fact in facts_of(matrix):
        assert statement(table, key, gateway) is fact.supported


@given(fleets(), st.sampled_from(GATEWAYS))
def test_round_trip(verdicts: dict[CellKey, Verdict], gateway: str) -> None:
    """Given a derived table, when it is dumped and parsed, then it is the same table."""
    table = derived(matrix_of(verdicts, gateway))

    assert parse_table(json.loads(dump_table(table))) == table


@given(fleets(), st.sampled_from(GATEWAYS))
def test_deriving_twice_is_stable(verdicts: dict[CellKey, Verdict], gateway: str) -> None:
    """Given a derived table, when it is derived again from the same matrix, then its rules stay."""
    matrix = matrix_of(verdicts, gateway)
    table = derived(matrix)

    assert same_rules(derived(matrix, table), table)
    assert dump_table(derived(matrix, parse_table(json.loads(dump_table(table))))) == dump_table(table)


@given(fleets(), st.sampled_from(GATEWAYS))
def test_every_rule_is_needed(verdicts: dict[CellKey, Verdict], gateway: str) -> None:
    """Given a derived table, when a measured rule is taken out, then the table says something else."""
    table = derived(matrix_of(verdicts, gateway))

    for rule in measured(table):
        without = replace(table, rules=tuple(other for other in table.rules if other is not rule))
        assert any(statement(without, key, gateway) != statement(table, key, gateway) for key in verdicts)


@given(fleets(), st.sampled_from(GATEWAYS))
def test_few_rules(verdicts: dict[CellKey, Verdict], gateway: str) -> None:
    """Given any fleet, when its table is derived, then no rule is spent on what needs none, nor two on one fact."""
    matrix = matrix_of(verdicts, gateway)
    base = SupportTable(SHIPPED.general)
    news = [key for key, fact in facts_of(matrix) if statement(base, key, gateway) is not fact.supported]

    rules = measured(derived(matrix))

    assert len(rules) <= len(news)
    assert sum(len(rule.statements) * len(rule.models) for rule in rules) <= len(news)


@given(fleets(), fleets(), st.sampled_from(GATEWAYS))
def test_null_overwrites_nothing(before: dict[CellKey, Verdict], after: dict[CellKey, Verdict], gateway: str) -> None:
    """Given a table and a run that is inconclusive in places, when derived anew, then what was known there stays."""
    silent = dict.fromkeys(before, Verdict.INCONCLUSIVE)
    again = {key: after.get(key, verdict) for key, verdict in silent.items()}
    known = derived(matrix_of(before, gateway))
    matrix = matrix_of(again, gateway, "2.0")

    table = derived(matrix, known)

    facts = dict(facts_of(matrix))
    for key in before:
        expected = facts[key].supported if key in facts else statement(known, key, gateway)
        assert statement(table, key, gateway) is expected


@given(fleets(), fleets(), st.booleans())
def test_runs_cut_short_forget_nothing(
    before: dict[CellKey, Verdict], after: dict[CellKey, Verdict], complete: bool
) -> None:
    """Given a run of some models, or one cut short, when derived anew, then the other models' statements stay."""
    known = derived(matrix_of(before))
    selection = "some*" if complete else None
    matrix = matrix_of(after, version="2.0", complete=complete, selection=selection)

    table = derived(matrix, known)

    facts = dict(facts_of(matrix))
    for key in {**before, **after}:
        assert statement(table, key, GENERAL_GATEWAY) is (
            facts[key].supported if key in facts else statement(known, key, GENERAL_GATEWAY)
        )


@given(fleets(), fleets(), st.permutations(GATEWAYS))
def test_other_gateways_survive(
    before: dict[CellKey, Verdict], after: dict[CellKey, Verdict], names: Sequence[str]
) -> None:
    """Given another gateway's table, when one is derived, then the other's measured rules are all still there."""
    first, second, third = names
    known = derived(matrix_of(before, first))
    both = derived(matrix_of(after, second), known)
    three = derived(matrix_of(before, third), both)

    assert [rule for rule in three.rules if rule in measured(known)] == measured(known)
    assert [rule for rule in three.rules if rule in measured(both)] == measured(both)
    for key, fact in facts_of(matrix_of(after, second)):
        if third != GENERAL_GATEWAY:
            assert statement(three, key, second) is fact.supported


def key(model: str, parameter: str = "store:true", endpoint: Endpoint = Endpoint.CHAT_COMPLETIONS) -> CellKey:
    """A whole cell."""
    return CellKey(model, endpoint, Mode.WHOLE, parameter)


def channel(model: str, verdict: Verdict, parameters: Sequence[str] = IDS) -> dict[CellKey, Verdict]:
    """The same verdict for some parameters of a model, everywhere."""
    return {CellKey(model, e, m, p): verdict for e in Endpoint for m in Mode for p in parameters}


def test_one_rule_for_one_refusal() -> None:
    """Given two models that refuse all, when their table is derived, then it has one rule, without values or modes."""
    verdicts = channel("a", Verdict.REJECTED) | channel("b", Verdict.REJECTED) | channel("c", Verdict.ACCEPTED)

    [rule] = measured(derived(matrix_of(verdicts)))

    said = Statement(False, "embedded-1.109.1", ("backend",))
    assert rule == Rule(
        models=("a", "b"),
        statements={"prompt_cache_key": said, "store": said},
        endpoints=("chat_completions", "responses"),
        cassettes=("a.json", "b.json"),
    )


def test_values_apart() -> None:
    """Given a model that refuses one value only, when derived, then the rule speaks of that value."""
    verdicts = channel("a", Verdict.ACCEPTED) | channel("a", Verdict.REJECTED, ["store:false"])

    table = derived(matrix_of(verdicts))

    [rule] = measured(table)
    assert set(rule.statements) == {"store:false"}
    assert statement(table, key("a", "store:true"), "embedded")
    assert not statement(table, key("a", "store:false"), "embedded")


def test_measured_against_a_human() -> None:
    """Given a measurement that an override contradicts, when derived, then the measurement wins and notes it."""
    verdicts = {key("claude-x", "prompt_cache_key", Endpoint.RESPONSES): Verdict.ACCEPTED}

    [rule] = measured(derived(matrix_of(verdicts)))

    [said] = rule.statements.values()
    assert said.supported
    assert "override:mission-claude" in said.note


def test_unmeasured_models_follow_the_mission() -> None:
    """Given nothing measured, when the table is derived, then it says what the mission observed, and fails open."""
    table = derived(matrix_of({}))

    def said(model: str, parameter: str) -> bool:
        return statement(table, key(model, parameter, Endpoint.RESPONSES), "embedded")

    for family in ("claude-x", "gemini-x", "databricks-x"):
        assert said(family, "store:true")
        assert not said(family, "prompt_cache_key")
    for family in ("gpt-x", "o3", "never-heard-of"):
        assert said(family, "store:false")
        assert said(family, "prompt_cache_key")


def test_models_no_longer_listed() -> None:
    """Given a complete run that lists a model no more, when derived anew, then its rules and sources are gone."""
    known = derived(matrix_of(channel("gone", Verdict.REJECTED)))

    table = derived(matrix_of(channel("here", Verdict.ACCEPTED)), known)

    assert measured(table) == []
    assert "embedded-1.109.1" in known.sources
    assert "embedded-1.109.1" not in table.sources


def test_one_gateway_says_nothing_of_another() -> None:
    """Given a foreign gateway's refusal, when the same cell is looked up without it, then nobody is refused."""
    table = derived(matrix_of(channel("a", Verdict.REJECTED), "proxy.example"))

    assert not statement(table, key("a"), "proxy.example")
    assert statement(table, key("a"), "localhost-4000")
    assert table.lookup(Question("a", "responses"), "store:true") == Statement(True, "default")


def test_own_gateway_before_the_general() -> None:
    """Given a gateway that takes what the embedded one refuses, when derived, then each keeps its own."""
    general = matrix_of(channel("a", Verdict.REJECTED))
    own = matrix_of(channel("a", Verdict.ACCEPTED), "proxy.example")

    table = derived(own, derived(general))

    assert not statement(table, key("a"), GENERAL_GATEWAY)
    assert statement(table, key("a"), "proxy.example")
    assert not statement(table, key("a"), "localhost-4000")


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
        (OVERRIDES.replace('"yields"', '"beats"'), "the override 'beats' is there twice"),
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


def test_facts() -> None:
    """Given a matrix, when its facts are taken out, then silent cells are none, and each tells where it is from."""
    verdicts = {key("A"): Verdict.REJECTED, key("b"): Verdict.IGNORED, key("c"): Verdict.NOT_APPLICABLE}
    matrix = matrix_of(verdicts, version=None)

    assert source_of(matrix) == "embedded-unversioned"
    assert dict(facts_of(matrix)) == {
        key("A"): Fact(False, "embedded-unversioned", frozenset({"backend"}), cassette_name("A")),
        key("b"): Fact(True, "embedded-unversioned", frozenset(), "b.json"),
    }


def test_provenance() -> None:
    """Given a measured rule, when its source is looked up, then it says gateway, version and cassettes."""
    table = derived(matrix_of(channel("a", Verdict.REJECTED), "proxy.example"))

    assert table.sources["proxy.example-1.109.1"] == {
        "kind": "measured",
        "gateway": "proxy.example",
        "software": "litellm",
        "version": "1.109.1",
        "simulated": False,
        "cassettes": "cassettes/proxy.example",
    }
    assert set(table.sources) == {s.source for rule in table.rules for s in rule.statements.values()}


def test_large_fleets_are_quick() -> None:
    """Given a thousand models of eight behaviours, when derived, then there are no more rules than things to say."""
    patterns = [[Verdict.REJECTED if n >> bit & 1 else Verdict.ACCEPTED for bit in range(3)] for n in range(8)]
    verdicts = {
        CellKey(f"m{n}", endpoint, mode, parameter): patterns[n % 8][index]
        for n in range(1000)
        for endpoint in Endpoint
        for mode in Mode
        for index, parameter in enumerate(IDS)
    }

    # three parameters, and `store` as a whole
    assert len(measured(derived(matrix_of(verdicts)))) <= len(IDS) + 1
