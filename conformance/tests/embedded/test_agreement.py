"""What the suite concludes from outside equals what the upstreams really saw, cell by cell."""

from __future__ import annotations

import os

import pytest

from conformance.embedded import EmbeddedGateway
from conformance.tests.embedded.agreeing import Measured, measure
from conformance.types import RejectedBy, Verdict

pytestmark = pytest.mark.slow


#: Models of five vendors, one name over two of them. The variable CONFORMANCE_AGREEMENT names others (`*` takes 6
#: minutes).
MODELS = (
    "claude-sonnet-4-5",
    "claude-sonnet-4-6-bedrock",
    "gemini-2-5-flash",
    "gpt-5.2",
    "team-default",
)

#: The name over two: each of its cells is asked for alone as well.
ALONE = "team-default"

#: A bare "405 Method Not Allowed": neither words nor headers tell who refuses to count.
EXCEPTION = "house-model messages whole count_tokens: rejected: nobody is blamed"


@pytest.fixture(scope="module")
def measured(gateway: EmbeddedGateway) -> Measured:
    """Every cell of the `all` set, together; and alone, of the models for which that is asked."""
    models = os.environ.get("CONFORMANCE_AGREEMENT", "")
    return measure(gateway, models or ",".join(MODELS), "all", alone=models or ALONE)


def test_every_verdict_agrees_with_what_the_upstream_saw(measured: Measured) -> None:
    """Given every cell of an `all` run, when it is judged from outside, then no verdict contradicts the upstream."""
    cells, wrong = measured.cells(), [each for each in measured.wrong() if not each.startswith(EXCEPTION)]
    print(f"{len(cells) - len(wrong)} of {len(cells)} verdicts agree with what the upstream saw")  # noqa: T201  the figure is the point
    assert wrong == []


def test_together_and_alone_give_the_same_verdicts(measured: Measured) -> None:
    """Given every cell, when it is settled among others and alone, then the verdict and who refused are the same."""
    differing = [
        f"{group.model.id} {group.endpoint} {group.mode} {parameter.id}: "
        f"{together.verdict} together ({together.reason}), {alone.verdict} alone ({alone.reason})"
        for group in measured.plan.groups
        for parameter in group.parameters
        if id(group) in measured.alone
        for together, alone in [(measured.together[id(group)][parameter.id], measured.alone[id(group)][parameter.id])]
        if (together.verdict, together.rejected_by) != (alone.verdict, alone.rejected_by)
    ]
    assert differing == []


def test_cells_take_few_requests(measured: Measured) -> None:
    """Given an `all` run, when its requests are counted, then there are hardly more than half as many as cells."""
    cells = len(measured.plan.cells)
    print(f"{measured.requests} requests for {cells} cells: {measured.requests / cells:.2f}")  # noqa: T201  the figure is the point
    assert measured.requests / cells < 0.6


def test_nothing_stays_unclear(measured: Measured) -> None:
    """Given the fleet, when it is judged, then no cell is inconclusive."""
    unclear = [
        f"{group.model.id} {group.endpoint} {group.mode} {parameter.id}: {outcome.reason}"
        for group, parameter, outcome in measured.cells()
        if outcome.verdict is Verdict.INCONCLUSIVE
    ]
    assert unclear == []


def test_every_kind_of_answer_occurs(measured: Measured) -> None:
    """Given the fleet, when it is judged, then each verdict that says something, and each refuser, is there."""
    outcomes = [outcome for _, _, outcome in measured.cells()]
    assert {outcome.verdict for outcome in outcomes} == set(Verdict) - {Verdict.INCONCLUSIVE}
    refusers = {outcome.rejected_by for outcome in outcomes if outcome.verdict is Verdict.REJECTED}
    assert refusers - {RejectedBy.UNKNOWN} == {RejectedBy.GATEWAY, RejectedBy.BACKEND}


def test_the_missions_refusal_comes_from_the_backend(measured: Measured) -> None:
    """Given Claude behind Databricks, when prompt_cache_key is let through, then the vendor's own words say no."""
    judged = [
        outcome
        for group, parameter, outcome in measured.cells()
        if group.model.id == "claude-sonnet-4-5" and parameter.id == "prompt_cache_key"
    ]
    assert len(judged) == 4
    assert {outcome.rejected_by for outcome in judged} == {RejectedBy.BACKEND}
    assert all("prompt_cache_key: Extra inputs are not permitted" in outcome.reason for outcome in judged)
