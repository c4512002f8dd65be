"""Tests of `conformance.judge.repeating`: how often a refusal in words that name nothing has to repeat."""

from __future__ import annotations

import pytest

from conformance.judge.repeating import Known, Suspect
from conformance.tests.helpers.building import CHAT, WHOLE, exchanged, refused, succeeded
from conformance.tests.helpers.policies import parameter
from conformance.types import Exchange, Request, Response, Verdict

NOTHING = Known(batches=0, sibling=False, familiar=False, stumbles=False)


def asked(response: Response | None = None, repeat: int = 0) -> Exchange:
    """An exchange with this response, or with a success."""
    request = Request("m", CHAT, WHOLE, {"model": "m"}, repeat)
    return exchanged(request, response or succeeded(request))


def suspect(status: int, times: int, beside: Response | None = None, words: str = "oops") -> Suspect:
    """A parameter that was refused so often with this status, each time but the first beside such a baseline."""
    found = Suspect(parameter("alpha"), asked(), [asked(refused(words, status))])
    for again in range(1, times):
        found.note([asked(refused(words, status), again)], asked(beside, again))
    return found


@pytest.mark.parametrize(
    ("status", "known", "needed"),
    [
        (400, NOTHING, 2),
        (404, Known(batches=3, sibling=False, familiar=False, stumbles=True), 2),
        (400, Known(batches=0, sibling=True, familiar=True, stumbles=False), 1),
        (500, NOTHING, 4),
        (500, Known(batches=1, sibling=False, familiar=False, stumbles=False), 3),
        (500, Known(batches=0, sibling=False, familiar=True, stumbles=False), 3),
        (500, Known(batches=0, sibling=True, familiar=True, stumbles=False), 2),
        (500, Known(batches=9, sibling=True, familiar=True, stumbles=False), 2),
        (500, Known(batches=0, sibling=False, familiar=False, stumbles=True), 6),
    ],
)
def test_how_often_it_has_to_repeat(status: int, known: Known, needed: int) -> None:
    """Given refusals that repeat beside passing baselines, when there are enough, then that is a rejection."""
    outcome = suspect(status, needed).outcome(known)
    assert outcome is not None
    assert outcome.verdict is Verdict.REJECTED
    if needed > 1:
        assert suspect(status, needed - 1).outcome(known) is None
        assert suspect(status, needed - 1).wanted(known) == 1


def test_what_the_baseline_meets_too_is_no_evidence() -> None:
    """Given refusals beside baselines that fail as well, when they repeat, then nothing is concluded from them."""
    outcome = suspect(500, 9, beside=refused("oops", 500)).outcome(NOTHING)
    assert outcome is not None
    assert (outcome.verdict, outcome.reason) == (
        Verdict.INCONCLUSIVE,
        "the baseline fails too: server error 500: oops.",
    )


def test_server_errors_that_differ_have_to_repeat_oftener() -> None:
    """Given server errors in other words each time, when they repeat, then more of them are wanted."""
    found = suspect(500, 3)
    found.note([asked(refused("something else", 502), 4)], asked(repeat=4))
    assert found.outcome(NOTHING) is None
    assert found.wanted(NOTHING) == 2
