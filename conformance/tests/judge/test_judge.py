"""Tests of `conformance.judge.verdicts`: what answers show, and how the outcomes of lanes are combined."""

from __future__ import annotations

import pytest

from conformance.answers.reading import Answer
from conformance.judge.reasons import Outcome, not_recorded, rejected
from conformance.judge.verdicts import Channel, Passed, channel_of, combined, outcome_of_success
from conformance.parameters import EndpointEntry, load_registry
from conformance.tests.helpers.building import CHAT, RESPONSES, WHOLE, exchanged, refused, said, succeeded
from conformance.types import Cause, CellKey, Evidence, Parameter, RejectedBy, Request, Response, Role, Verdict

READ, UNREAD, UNKNOWN = Channel(True, "read."), Channel(False, "unread"), Channel(None, "unknown")
KEY = CellKey("m", RESPONSES, WHOLE, "store:false")
LITELLM = "litellm.UnsupportedParamsError: x does not support parameters: ['store'], for model=m"


@pytest.fixture
def store() -> Parameter:
    """A parameter that a Responses object repeats."""
    [parameter] = load_registry().select("store:false")
    return parameter


def passed(shown: dict[str, object], unasked: dict[str, object]) -> Passed:
    """A success that shows this, and a baseline that shows that."""
    probe, baseline = (
        exchanged(Request("m", RESPONSES, WHOLE, {"model": "m"}), said({"output": [], **each}))
        for each in (shown, unasked)
    )
    return Passed(probe, baseline)


@pytest.mark.parametrize(
    ("channel", "shown", "verdict"),
    [
        (READ, {"store": False}, Verdict.HONOURED),
        (UNREAD, {"store": False}, Verdict.ACCEPTED),
        (UNKNOWN, {"store": False}, Verdict.ACCEPTED),
        (READ, {"store": True}, Verdict.IGNORED),
        (READ, {"store": None}, Verdict.IGNORED),
        (READ, {}, Verdict.ACCEPTED),
    ],
)
def test_an_echo_counts_where_somebody_reads(
    store: Parameter, channel: Channel, shown: dict[str, object], verdict: Verdict
) -> None:
    """Given a success, when it shows the setting, then that is an effect only where somebody reads what is sent."""
    assert outcome_of_success(store, RESPONSES, passed(shown, {"store": True}), channel).verdict is verdict


def test_acceptance_says_what_it_is_worth(store: Parameter) -> None:
    """Given a success that shows nothing, when it is accepted, then the reason says what the controls make of that."""
    assert outcome_of_success(store, CHAT, passed({}, {}), UNREAD).reason.endswith("; unread.")


@pytest.mark.parametrize(
    ("message", "headers", "by"),
    [
        (LITELLM, {}, RejectedBy.GATEWAY),
        ("litellm.BadRequestError: XException - store: Extra inputs are not permitted", {}, RejectedBy.BACKEND),
        ("store: Extra inputs are not permitted", {"llm_provider-date": "x"}, RejectedBy.BACKEND),
        ("store: Extra inputs are not permitted", {}, RejectedBy.UNKNOWN),
    ],
)
def test_who_refused(message: str, headers: dict[str, str], by: RejectedBy) -> None:
    """Given a refusal, when its words and headers are read, then they tell who refused, as far as they can."""
    outcome = rejected(Cause.REFUSAL_NAMED, Answer(status=400, refusal=message), Response(status=400, headers=headers))
    assert outcome.rejected_by is by
    assert "refused with 400" in outcome.reason


def request(**fields: object) -> Request:
    """A request with these fields."""
    return Request("m", CHAT, WHOLE, {"model": "m", "messages": [], **fields})


TYPE_ERROR = refused("XException - Invalid type for 'store': expected boolean", headers={"llm_provider-x": "y"})
UNKNOWN_KEY = refused("XException - bogus_key: Extra inputs are not permitted")


@pytest.mark.parametrize(
    ("bogus", "wrong", "read", "worth"),
    [
        (None, TYPE_ERROR, True, "the controls tell nothing"),
        (UNKNOWN_KEY, TYPE_ERROR, True, "a bogus key is refused here"),
        ("ok", TYPE_ERROR, True, "a bogus key is swallowed"),
        (UNKNOWN_KEY, "ok", False, "a value of a wrong type passes"),
        (UNKNOWN_KEY, refused(LITELLM), None, "a bogus key is refused here"),
        (UNKNOWN_KEY, refused("wrong key", 401), None, "a bogus key is refused here"),
        (refused("wrong key", 401), refused("slow down", 429), None, "the controls tell nothing"),
    ],
)
def test_controls(bogus: Response | str | None, wrong: Response | str, read: bool | None, worth: str) -> None:
    """Given the two controls' answers, when they are read, then they say what successes here are worth."""

    def control(answer: Response | str | None, **fields: object) -> object:
        sent = request(**fields)
        return None if answer is None else exchanged(sent, succeeded(sent) if isinstance(answer, str) else answer)

    entry = EndpointEntry(path="/x", body={}, caps=({},), bogus={"bogus_key": "x"}, channel={"store": "w"})
    channel = channel_of(control(bogus, bogus_key="x"), control(wrong, store="w"), entry)  # type: ignore[arg-type]
    assert channel.read is read
    assert worth in channel.worth
    assert channel.swallows is (bogus == "ok")
    assert channel.recorded is (bogus is not None)


def outcome(verdict: Verdict, deployment: str = "a") -> Outcome:
    """What was found on one deployment."""
    by = RejectedBy.BACKEND if verdict is Verdict.REJECTED else None
    return Outcome(verdict, f"{verdict}.", by, (Evidence(Role.PROBE, deployment * 16),), deployment)


@pytest.mark.parametrize(
    ("verdicts", "deployments", "combination"),
    [
        ([Verdict.ACCEPTED], 1, Verdict.ACCEPTED),
        ([Verdict.ACCEPTED, Verdict.ACCEPTED], 2, Verdict.ACCEPTED),
        ([Verdict.ACCEPTED, Verdict.REJECTED], 2, Verdict.REJECTED),
        ([Verdict.INCONCLUSIVE, Verdict.REJECTED], 2, Verdict.REJECTED),
        ([Verdict.INCONCLUSIVE, Verdict.HONOURED], 2, Verdict.INCONCLUSIVE),
        ([Verdict.HONOURED, Verdict.IGNORED], 2, Verdict.IGNORED),
        ([Verdict.ACCEPTED], 2, Verdict.INCONCLUSIVE),
    ],
)
def test_lanes_are_combined(verdicts: list[Verdict], deployments: int, combination: Verdict) -> None:
    """Given a verdict for each deployment, when they are combined, then the worst holds and a split is told."""
    outcomes = [outcome(verdict, name) for verdict, name in zip(verdicts, "abc", strict=False)]
    judgement = combined(KEY, ("store",), outcomes, deployments)

    assert judgement.verdict is combination
    assert (judgement.rejected_by is not None) is (combination is Verdict.REJECTED)
    assert judgement.split == (dict(zip("abc", verdicts, strict=False)) if len(set(verdicts)) > 1 else {})


def test_evidence_is_each_exchange_once() -> None:
    """Given an outcome, when exchanges are named as its evidence, then each stands there once, in its first role."""
    one = exchanged(request(), said({}, headers={"x-litellm-model-id": "d"}))
    shown = not_recorded().shown_by((Role.PROBE, one), (Role.BASELINE, one))
    assert shown.evidence == (Evidence(Role.PROBE, one.request.digest),)
    assert shown.deployment == "d"
