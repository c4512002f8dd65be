"""Tests of `conformance.support.deriving`: what a derived table keeps of other runs and other gateways."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.table import Question, Statement
from conformance.support.facts import facts_of
from conformance.tests.helpers.tables import (
    EMBEDDED,
    GATEWAYS,
    channel,
    derived,
    fleets,
    matrix_of,
    measured,
    statement,
    whole_cell,
)
from conformance.types import CellKey, Verdict


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
        assert statement(table, key, EMBEDDED) is (
            facts[key].supported if key in facts else statement(known, key, EMBEDDED)
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
        assert statement(three, key, second) is fact.supported


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

    assert not statement(table, whole_cell("a"), "proxy.example")
    assert statement(table, whole_cell("a"), "localhost-4000")
    assert table.lookup(Question("a", "responses"), "store:true") == Statement(True, "default")


def test_each_gateway_keeps_its_own() -> None:
    """Given a gateway that takes what the embedded one refuses, when derived, then each keeps its own, and others
    hear of neither."""
    general = matrix_of(channel("a", Verdict.REJECTED))
    own = matrix_of(channel("a", Verdict.ACCEPTED), "proxy.example")

    table = derived(own, derived(general))

    assert not statement(table, whole_cell("a"), EMBEDDED)
    assert statement(table, whole_cell("a"), "proxy.example")
    assert statement(table, whole_cell("a"), "localhost-4000")
