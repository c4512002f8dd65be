"""Tests of `conformance.support.outcomes`: how a verdict stands to the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.provider.table import Rule, Statement, SupportTable
from conformance.support.outcomes import Standing, compare, knows
from conformance.support.overrides import Overrides
from conformance.types import CellKey, Endpoint, Judgement, Mode, RejectedBy, Verdict

ACCEPT = "pytest --update-table"
KEY = CellKey("m", Endpoint.RESPONSES, Mode.WHOLE, "store:true")


def judged(verdict: Verdict) -> Judgement:
    """The cell `store:true` of model `m`, with this verdict."""
    by = RejectedBy.BACKEND if verdict is Verdict.REJECTED else None
    return Judgement(key=KEY, fields=("store",), verdict=verdict, reason="because.", rejected_by=by)


def saying(supported: bool | None, source: str = "embedded-1", **selectors: tuple[str, ...]) -> SupportTable:
    """A table with one rule about `store`, or with none."""
    statements = {} if supported is None else {"store": Statement(supported, source)}
    return SupportTable((Rule(("*",), statements, **selectors),))


NO_OVERRIDES = Overrides((), (), {})
BEATING = Overrides((Rule(("m",), {"store": Statement(True, "override:mine")}),), (), {})


@pytest.mark.parametrize(
    ("verdict", "said", "standing"),
    [
        (Verdict.HONOURED, True, Standing.SAME),
        (Verdict.ACCEPTED, True, Standing.SAME),
        (Verdict.IGNORED, True, Standing.SAME),
        (Verdict.REJECTED, False, Standing.SAME),
        (Verdict.HONOURED, None, Standing.SAME),
        (Verdict.REJECTED, None, Standing.DEVIATES),
        (Verdict.REJECTED, True, Standing.DEVIATES),
        (Verdict.HONOURED, False, Standing.DEVIATES),
        (Verdict.ACCEPTED, False, Standing.DEVIATES),
        (Verdict.IGNORED, False, Standing.DEVIATES),
        *(
            (verdict, said, Standing.UNKNOWN)
            for verdict in ("inconclusive", "not_applicable")
            for said in (True, False)
        ),
    ],
)
def test_kinds(verdict: Verdict | str, said: bool | None, standing: Standing) -> None:
    """Given a verdict and a statement, when they are compared, then null says nothing and no rule means send it."""
    outcome = compare(judged(Verdict(verdict)), saying(said), NO_OVERRIDES, "embedded", ACCEPT)

    assert outcome.standing is standing
    assert ("because." in outcome.message) is (standing is not Standing.SAME)
    assert (ACCEPT in outcome.message) is (standing is Standing.DEVIATES)


@pytest.mark.parametrize(
    ("verdict", "standing", "words"),
    [
        (Verdict.REJECTED, Standing.SAME, "override:mine contradicts it on purpose"),
        (Verdict.ACCEPTED, Standing.STALE, f"remove 'mine' from the overrides, then {ACCEPT}"),
        (Verdict.INCONCLUSIVE, Standing.UNKNOWN, "inconclusive: because."),
    ],
)
def test_overrides_that_beat(verdict: Verdict, standing: Standing, words: str) -> None:
    """Given an override meant to contradict, when the measurement agrees with it, then it is stale."""
    outcome = compare(judged(verdict), saying(True, "override:mine"), BEATING, "embedded", ACCEPT)

    assert outcome.standing is standing
    assert words in outcome.message


def test_another_gateways_rule() -> None:
    """Given a rule of another gateway, when a verdict is compared, then the rule does not speak."""
    table = saying(False, gateways=("other",))

    assert compare(judged(Verdict.ACCEPTED), table, NO_OVERRIDES, "embedded", ACCEPT).standing is Standing.SAME
    assert compare(judged(Verdict.ACCEPTED), table, NO_OVERRIDES, "other", ACCEPT).standing is Standing.DEVIATES


def test_message_of_a_deviation() -> None:
    """Given a deviation, when it is told, then the words name cell, both sides, who refused, and the way out."""
    outcome = compare(judged(Verdict.REJECTED), saying(True), NO_OVERRIDES, "embedded", ACCEPT)

    assert outcome.message == (
        "measured: store:true is rejected by the backend for 'm' on responses (whole)\n  because.\n"
        "the table: store:true is safe to send (embedded-1)\n"
        "to accept the measurement: pytest --update-table"
    )


@pytest.mark.parametrize(
    ("verdict", "said", "strict", "standing"),
    [
        (Verdict.REJECTED, True, False, Standing.NEWS),
        (Verdict.REJECTED, None, False, Standing.NEWS),
        (Verdict.HONOURED, False, False, Standing.NEWS),
        (Verdict.HONOURED, True, False, Standing.SAME),
        (Verdict.REJECTED, False, False, Standing.SAME),
        (Verdict.INCONCLUSIVE, False, False, Standing.UNKNOWN),
        (Verdict.REJECTED, True, True, Standing.DEVIATES),
        (Verdict.REJECTED, None, True, Standing.DEVIATES),
    ],
)
def test_general_knowledge_is_not_contradicted(
    verdict: Verdict, said: bool | None, strict: bool, standing: Standing
) -> None:
    """Given a table that does not know the gateway, when a verdict differs, then it is news and nothing fails."""
    outcome = compare(judged(verdict), saying(said), NO_OVERRIDES, "stranger", ACCEPT, strict=strict)

    assert outcome.standing is standing
    assert outcome.standing.fails is (standing is Standing.DEVIATES)
    assert (f"to keep the measurement: {ACCEPT}" in outcome.message) is (standing is Standing.NEWS)


def test_overrides_that_beat_are_not_stale_by_a_stranger() -> None:
    """Given an override meant to contradict, when a stranger's measurement agrees with it, then all is as told."""
    table, beaten = saying(True, "override:mine"), judged(Verdict.REJECTED)

    assert compare(judged(Verdict.ACCEPTED), table, BEATING, "stranger", ACCEPT, strict=False).standing is Standing.SAME
    assert compare(beaten, table, BEATING, "stranger", ACCEPT, strict=False).standing is Standing.SAME


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ({"kind": "measured", "gateway": "ours"}, True),
        ({"kind": "measured", "gateway": "theirs"}, False),
        ({"kind": "override", "gateway": "ours"}, False),
        ({"kind": "default"}, False),
    ],
)
def test_whom_a_table_knows(row: dict[str, str], known: bool) -> None:
    """Given a table's source, when it is asked for a gateway, then it knows that one where it was measured there."""
    assert knows(SupportTable(saying(True).rules, {"embedded-1": row}), "ours") is known


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (RejectedBy.GATEWAY, "store:true is rejected by the gateway for 'm'"),
        (RejectedBy.UNKNOWN, "store:true is rejected (who refused is not known) for 'm'"),
        (None, "store:true is rejected for 'm'"),
    ],
)
def test_who_refused_is_told_in_a_sentence(by: RejectedBy | None, words: str) -> None:
    """Given a deviation, when it is told who refused, or that nobody knows, then that is a sentence."""
    judgement = replace(judged(Verdict.REJECTED), rejected_by=by)

    assert words in compare(judgement, saying(True), NO_OVERRIDES, "embedded", ACCEPT, strict=True).message
