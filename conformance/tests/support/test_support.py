"""Tests of `conformance.support.deriving`: a table says what was measured, with no rule too many."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.table import Rule, Statement, SupportTable, parse_table
from conformance.support.deriving import same_rules
from conformance.support.facts import Fact, facts_of, source_of
from conformance.support.writing import dump_table
from conformance.tests.helpers.tables import (
    GATEWAYS,
    IDS,
    SHIPPED,
    channel,
    derived,
    fleets,
    matrix_of,
    measured,
    statement,
    whole_cell,
)
from conformance.text.names import cassette_name
from conformance.types import CellKey, Endpoint, Mode, Verdict


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


def test_one_rule_for_one_refusal() -> None:
    """Given two models that refuse all, when their table is derived, then it has one rule, without values or modes."""
    verdicts = channel("a", Verdict.REJECTED) | channel("b", Verdict.REJECTED) | channel("c", Verdict.ACCEPTED)

    [rule] = measured(derived(matrix_of(verdicts)))

    said = Statement(False, "embedded-1.109.1", ("backend",))
    assert rule == Rule(
        models=("a", "b"),
        statements={"prompt_cache_key": said, "store": said},
        endpoints=("chat_completions", "messages", "responses"),
        gateways=("embedded",),
        cassettes=("a.json", "b.json"),
    )


def test_values_apart() -> None:
    """Given a model that refuses one value only, when derived, then the rule speaks of that value."""
    verdicts = channel("a", Verdict.ACCEPTED) | channel("a", Verdict.REJECTED, ["store:false"])

    table = derived(matrix_of(verdicts))

    [rule] = measured(table)
    assert set(rule.statements) == {"store:false"}
    assert statement(table, whole_cell("a", "store:true"), "embedded")
    assert not statement(table, whole_cell("a", "store:false"), "embedded")


def test_facts() -> None:
    """Given a matrix, when its facts are taken out, then silent cells are none, and each tells where it is from."""
    verdicts = {
        whole_cell("A"): Verdict.REJECTED,
        whole_cell("b"): Verdict.IGNORED,
        whole_cell("c"): Verdict.NOT_APPLICABLE,
    }
    matrix = matrix_of(verdicts, version=None)

    assert source_of(matrix) == "embedded-unversioned"
    assert dict(facts_of(matrix)) == {
        whole_cell("A"): Fact(False, "embedded-unversioned", frozenset({"backend"}), cassette_name("A")),
        whole_cell("b"): Fact(True, "embedded-unversioned", frozenset(), "b.json"),
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
