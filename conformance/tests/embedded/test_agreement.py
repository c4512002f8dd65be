"""What the suite concludes from outside equals what the upstreams really saw, cell by cell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from conformance.discovery import discover
from conformance.embedded import EmbeddedGateway, Received
from conformance.exchange import Sender
from conformance.judge import Judge
from conformance.parameters import load_registry
from conformance.plan import Plan, make_plan
from conformance.provider.target import Target
from conformance.types import Endpoint, Exchange, Judgement, PlannedCell, RejectedBy, Request, Verdict


@dataclass(frozen=True)
class Measured:
    """A plan, its exchanges, and what each of its requests made reach the upstreams."""

    plan: Plan
    exchanges: Mapping[str, Exchange]
    reached: Mapping[str, list[Received]]

    def judge(self, cell: PlannedCell) -> Judgement:
        """The verdict that the suite draws, knowing nothing of the upstreams."""
        return Judge(lambda request: self.exchanges.get(request.digest)).judge(cell)


@pytest.fixture(scope="module")
def measured(gateway: EmbeddedGateway) -> Measured:
    """Every exchange of a core run, one after another, so that what reached an upstream has one cause."""
    registry, target = load_registry(), Target(gateway.base_url, gateway.api_key)
    models = discover(target).models
    plan = make_plan(models, registry, registry.select("core"), tuple(Endpoint))
    exchanges: dict[str, Exchange] = {}
    reached: dict[str, list[Received]] = {}

    async def send(request: Request, sender: Sender) -> None:
        gateway.clear_received()
        exchanges[request.digest] = await sender.exchange(request)
        reached[request.digest] = gateway.received()

    async def send_all() -> None:
        async with Sender(target, registry.paths, concurrency=1).open() as sender:
            for group in plan.groups:
                for request in (*group.baselines, *group.others):
                    await send(request, sender)

    asyncio.run(send_all())
    return Measured(plan, exchanges, reached)


def contradictions(judgement: Judgement, received: list[Received], field: str) -> list[str]:
    """How a verdict contradicts what one probe made reach an upstream."""
    forwarded = [request for request in received if field in request.body]
    refused = [request for request in received if request.status >= 400]
    match judgement.verdict, judgement.rejected_by:
        case Verdict.HONOURED, _:
            return [] if forwarded and not refused else ["honoured, but it never reached the upstream, or was refused"]
        case Verdict.ACCEPTED | Verdict.IGNORED, _:
            return [] if received and not refused else ["a success that the upstream did not answer with one"]
        case Verdict.REJECTED, RejectedBy.GATEWAY:
            return ["blamed on the gateway, but the upstream saw it"] if forwarded else []
        case Verdict.REJECTED, RejectedBy.BACKEND:
            return [] if forwarded and refused else ["blamed on the backend, which never refused it"]
        case Verdict.REJECTED, _:
            return ["nobody is blamed, where the gateway is LiteLLM"]
    return []


def test_every_verdict_agrees_with_what_the_upstream_saw(measured: Measured) -> None:
    """Given every cell of a core run, when it is judged from outside, then no verdict contradicts the upstream."""
    wrong = [
        f"{cell!r}: {contradiction}"
        for cell in measured.plan.cells
        for probe in cell.probes
        for contradiction in contradictions(measured.judge(cell), measured.reached[probe.digest], cell.parameter.path)
    ]
    told = len(measured.plan.cells)
    print(f"{told - len(wrong)} of {told} verdicts agree with what the upstream saw")  # noqa: T201  the figure is the point
    assert wrong == []


def test_only_the_split_alias_stays_unclear(measured: Measured) -> None:
    """Given the fleet, when it is judged, then only the alias over two unlike routes is inconclusive."""
    unclear = {cell.key.model for cell in measured.plan.cells if measured.judge(cell).verdict is Verdict.INCONCLUSIVE}
    assert unclear == {"team-default"}


def test_every_kind_of_answer_occurs(measured: Measured) -> None:
    """Given the fleet, when it is judged, then each verdict and each refuser is there to be tested."""
    judged = [measured.judge(cell) for cell in measured.plan.cells]
    assert {judgement.verdict for judgement in judged} == set(Verdict) - {Verdict.NOT_APPLICABLE}
    refusers = {judgement.rejected_by for judgement in judged if judgement.verdict is Verdict.REJECTED}
    assert refusers == {RejectedBy.GATEWAY, RejectedBy.BACKEND}


def test_the_missions_refusal_comes_from_the_backend(measured: Measured) -> None:
    """Given Claude behind Databricks, when prompt_cache_key is let through, then the vendor's own words say no."""
    judged = [
        measured.judge(cell)
        for cell in measured.plan.cells
        if cell.key.model == "claude-sonnet-4-5" and cell.key.parameter == "prompt_cache_key"
    ]
    assert len(judged) == 4
    assert {judgement.rejected_by for judgement in judged} == {RejectedBy.BACKEND}
    assert all("prompt_cache_key: Extra inputs are not permitted" in judgement.reason for judgement in judged)
