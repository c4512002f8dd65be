"""What the suite concludes from outside equals what the upstreams really saw, cell by cell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.discover.listing import discover
from conformance.embedded import EmbeddedGateway, Received
from conformance.exchange.sender import Sender
from conformance.judge.findings import Found
from conformance.judge.reasons import UNMET, Outcome
from conformance.judge.settling import settle
from conformance.parameters import load_registry
from conformance.plan.cells import Group, Plan, make_plan, select_models
from conformance.provider.target import Target
from conformance.types import Endpoint, Exchange, Parameter, RejectedBy, Verdict

pytestmark = pytest.mark.slow


#: A model of each route and way to a vendor; the variable CONFORMANCE_AGREEMENT names others (`*` takes 9 minutes).
MODELS = (
    "claude-sonnet-4-5",
    "claude-opus-4-8",
    "claude-sonnet-4-6-bedrock",
    "gemini-2-5-flash",
    "gpt-5.2",
    "gpt-4.1",
    "databricks-meta-llama-3-3-70b-instruct",
    "team-default",
)


@dataclass(frozen=True)
class Measured:
    """A plan, what was found of each of its groups, and what each request made reach the upstreams."""

    plan: Plan
    found: Mapping[int, Found]
    together: Mapping[int, Found]
    reached: Mapping[tuple[str, str], list[Received]]
    requests: int

    def cells(self) -> list[tuple[Group, Parameter, Outcome]]:
        """Every parameter of every group, with its outcome when it was asked for alone."""
        return [(g, p, self.found[id(g)][p.id]) for g in self.plan.groups for p in g.parameters]

    def upstream(self, group: Group, digest: str) -> list[Received]:
        """What one request made reach an upstream."""
        return self.reached[group.model.id, digest]


@pytest.fixture(scope="module")
def measured(gateway: EmbeddedGateway) -> Measured:
    """Every cell of the `all` set, one request after another, so that what reached an upstream has one cause."""
    registry, target = load_registry(), Target(gateway.base_url, gateway.api_key)
    models = select_models(discover(target).models, os.environ.get("CONFORMANCE_AGREEMENT", ",".join(MODELS)))
    plan = make_plan(models, registry, registry.select("all"), tuple(Endpoint))
    exchanges: dict[tuple[str, str], Exchange] = {}
    reached: dict[tuple[str, str], list[Received]] = {}

    async def hold(group: Group, sender: Sender, *, exhaustive: bool) -> Found:
        dialogue = settle(group, exhaustive=exhaustive, litellm=True)
        try:
            asked = next(dialogue)
            while True:
                answers = []
                for request in asked:
                    key = group.model.id, request.digest
                    if key not in exchanges:
                        gateway.clear_received()
                        exchanges[key] = await sender.exchange(request)
                        reached[key] = gateway.received()
                    answers.append(exchanges[key])
                asked = dialogue.send(tuple(answers))
        except StopIteration as end:
            found: Found = end.value
            return found

    async def hold_all(*, exhaustive: bool) -> dict[int, Found]:
        async with Sender(target, registry.paths, concurrency=1).open() as sender:
            return {id(group): await hold(group, sender, exhaustive=exhaustive) for group in plan.groups}

    together = asyncio.run(hold_all(exhaustive=False))
    requests = len(exchanges)
    return Measured(plan, asyncio.run(hold_all(exhaustive=True)), together, reached, requests)


#: What the gateway does itself, so that its effect shows though no upstream hears of it.
BY_THE_GATEWAY = {
    "stream_options.include_usage": "LiteLLM counts the tokens itself and adds the usage chunk",
    "count_tokens": "LiteLLM estimates the count where the vendor has no door for it",
}


def contradictions(measured: Measured, group: Group, parameter: Parameter, outcome: Outcome) -> list[str]:
    """How an outcome contradicts what its probe made reach an upstream."""
    if outcome.verdict is Verdict.INCONCLUSIVE or outcome.cause in UNMET:
        return []
    probe, *others = outcome.evidence
    received = measured.upstream(group, probe.digest)
    refused = [request for request in received if request.status >= 400]
    match outcome.verdict, outcome.rejected_by:
        case Verdict.REJECTED, RejectedBy.GATEWAY:
            return ["blamed on the gateway, but an upstream heard of it"] if received else []
        case Verdict.REJECTED, RejectedBy.BACKEND:
            return [] if refused else ["blamed on the backend, which never refused it"]
        case Verdict.REJECTED, _:
            return ["nobody is blamed, where the gateway is LiteLLM"]
        case _ if refused or not (received or parameter.door):
            return ["a success that no upstream answered with one"]
        case Verdict.HONOURED, _ if parameter.id not in BY_THE_GATEWAY:
            [baseline] = measured.upstream(group, others[0].digest)
            heard: Any = received[0].body
            return [] if heard != baseline.body else ["honoured, but the upstream heard the same as without it"]
    return []


def test_every_verdict_agrees_with_what_the_upstream_saw(measured: Measured) -> None:
    """Given every cell of an `all` run, when it is judged from outside, then no verdict contradicts the upstream."""
    cells = measured.cells()
    wrong = [
        f"{group.model.id} {group.endpoint} {group.mode} {parameter.id}: {outcome.verdict}: {contradiction}"
        for group, parameter, outcome in cells
        for contradiction in contradictions(measured, group, parameter, outcome)
    ]
    print(f"{len(cells) - len(wrong)} of {len(cells)} verdicts agree with what the upstream saw")  # noqa: T201  the figure is the point
    assert wrong == []


def test_together_and_alone_give_the_same_verdicts(measured: Measured) -> None:
    """Given every cell, when it is settled among others and alone, then the verdict and who refused are the same."""
    differing = [
        f"{group.model.id} {group.endpoint} {group.mode} {parameter.id}: "
        f"{together.verdict} together ({together.reason}), {alone.verdict} alone ({alone.reason})"
        for group, parameter, alone in measured.cells()
        for together in [measured.together[id(group)][parameter.id]]
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
    assert refusers == {RejectedBy.GATEWAY, RejectedBy.BACKEND}


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
