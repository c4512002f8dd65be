"""Tests of `conformance.judge.reasons`: each cause has its verdict and its sentence, and nobody types them twice."""

from __future__ import annotations

import json
import string
import typing
from pathlib import Path

import pytest

from conformance.answers.reading import Answer
from conformance.judge import reasons
from conformance.judge.reasons import (
    MEANINGS,
    UNMET,
    concluded,
    not_recorded,
    rejected,
    unclear,
    unmet,
    without_baseline,
)
from conformance.schemas import documents
from conformance.tests.helpers.policies import group, held, random_policy
from conformance.types import Cause, RejectedBy, Response, Verdict

ROOT = Path(__file__).parents[2]
REFUSED = rejected(Cause.REFUSAL_NAMED, Answer(status=400, refusal="no such field"), Response(status=400))


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_makes_an_outcome(cause: Cause) -> None:
    """Given a cause, when what it asks for is filled in, then the outcome has it, its verdict and one sentence."""
    names = [name for _, name, _, _ in string.Formatter().parse(MEANINGS[cause].sentence) if name]
    outcome = concluded(cause, **dict.fromkeys(names, "{x}"))

    assert outcome.cause is cause
    assert outcome.verdict is MEANINGS[cause].verdict
    assert outcome.reason.count("{x}") == len(names)
    assert outcome.verdict in (Verdict.REJECTED, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)


def test_documents_know_the_causes() -> None:
    """Given the causes, when the matrix's type is read, then it names each of them, in their order."""
    assert typing.get_args(documents.CauseName) == tuple(cause.value for cause in Cause)


def test_nothing_decides_by_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given sentences that say nothing, when random policies are settled, then verdicts and causes are the same."""

    def settled() -> list[tuple[str, Verdict, Cause | None]]:
        found = [held(random_policy(seed, stumbles=0.7), group()) for seed in range(40)]
        return [(name, outcome.verdict, outcome.cause) for each in found for name, outcome in each.items()]

    before = settled()
    mute = {cause: meaning._replace(sentence="-") for cause, meaning in MEANINGS.items()}
    monkeypatch.setattr(reasons, "MEANINGS", mute)

    assert settled() == before
    assert len({cause for _, _, cause in before}) > 5


@pytest.mark.parametrize(
    ("answer", "cause", "reason"),
    [
        (Answer(status=429, refusal="slow down"), Cause.RATE_LIMITED, "rate limited (429): slow down."),
        (Answer(status=500, refusal="oops"), Cause.SERVER_ERROR, "server error 500: oops."),
        (Answer(status=401, refusal="wrong key."), Cause.REFUSAL_UNCLEAR, "refused with 401: wrong key."),
        (Answer(problem="it broke", cause=Cause.CUT_OFF), Cause.CUT_OFF, "it broke."),
        (Answer(problem="it broke"), Cause.NO_ANSWER, "it broke."),
    ],
)
def test_answers_that_say_nothing(answer: Answer, cause: Cause, reason: str) -> None:
    """Given an answer that says nothing about a parameter, when it is judged, then cause and sentence say why."""
    outcome = unclear(answer)

    assert (outcome.verdict, outcome.cause, outcome.reason) == (Verdict.INCONCLUSIVE, cause, reason)
    lost = without_baseline(Cause.BASELINE_LOST, answer)
    assert (lost.cause, lost.reason) == (Cause.BASELINE_LOST, f"the baseline fails too: {reason}")


def test_a_cut_text_gets_no_full_stop() -> None:
    """Given words that were cut off, when they end a sentence, then nothing follows the dots."""
    assert unclear(Answer(status=500, refusal="x " * 2000)).reason.endswith("…")


def test_what_builds_on_a_parameter_that_did_not_pass() -> None:
    """Given a parameter that did not pass, when others build on it, then each says so, and why, however long."""
    other = unmet("logprobs", REFUSED)
    last = unmet("top_logprobs", other)

    assert (other.verdict, other.cause, other.rejected_by) == (
        Verdict.NOT_APPLICABLE,
        Cause.PREREQUISITE_REJECTED,
        None,
    )
    assert (last.verdict, last.cause) == (Verdict.NOT_APPLICABLE, Cause.PREREQUISITE_NOT_APPLICABLE)
    assert {other.cause, last.cause} == UNMET
    assert last.reason == (
        "there is nothing to ask: its prerequisite top_logprobs does not apply: there is nothing to ask: "
        "its prerequisite logprobs is rejected: refused with 400: no such field"
    )


def test_what_builds_on_something_inconclusive_has_its_cause() -> None:
    """Given a parameter that was not recorded, when another builds on it, then that one was not recorded either."""
    other = unmet("tools", not_recorded())

    assert (other.verdict, other.cause, other.recorded) == (Verdict.INCONCLUSIVE, Cause.NOT_RECORDED, False)
    assert other.reason == "its prerequisite tools is inconclusive: not recorded; measure it with --live."


def test_refusals_say_who_refused() -> None:
    """Given a refusal about the parameter, when it is judged, then its cause says how that is known."""
    assert (REFUSED.verdict, REFUSED.cause) == (Verdict.REJECTED, Cause.REFUSAL_NAMED)
    assert (REFUSED.reason, REFUSED.rejected_by) == ("refused with 400: no such field", RejectedBy.UNKNOWN)


def test_schema_names_the_causes() -> None:
    """Given the matrix's schema, when its causes are read, then they are the suite's."""
    schema = json.loads((ROOT / "schemas" / "matrix.schema.json").read_text("utf-8"))
    assert schema["properties"]["cells"]["items"]["properties"]["cause"]["enum"] == [cause.value for cause in Cause]
