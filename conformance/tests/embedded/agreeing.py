"""Measures one request after another, so that what reached an upstream has one cause; and holds verdicts against it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Measured:
    """A plan, what was found of each of its groups, and what each request made reach the upstreams.

    `together` asked for as many parameters at once as can be, `alone` for each alone, of some groups.
    """

    plan: Plan
    alone: Mapping[int, Found]
    together: Mapping[int, Found]
    reached: Mapping[tuple[str, str], list[Received]]
    requests: int

    def cells(self) -> list[tuple[Group, Parameter, Outcome]]:
        """Every parameter of every group, with its outcome when it was asked for alone, if it was."""
        found = {**self.together, **self.alone}
        return [(g, p, found[id(g)][p.id]) for g in self.plan.groups for p in g.parameters]

    def upstream(self, group: Group, digest: str) -> list[Received]:
        """What one request made reach an upstream."""
        return self.reached[group.model.id, digest]

    def wrong(self) -> list[str]:
        """Each verdict that contradicts what its probe made reach an upstream."""
        return [
            f"{group.model.id} {group.endpoint} {group.mode} {parameter.id}: {outcome.verdict}: {contradiction}"
            for group, parameter, outcome in self.cells()
            for contradiction in _contradictions(self, group, parameter, outcome)
        ]


def measure(gateway: EmbeddedGateway, models: str, parameters: str, *, alone: str = "") -> Measured:
    """Every cell of these parameters of these models, one request after another; also each alone, of those `alone`."""
    registry, target = load_registry(), Target(gateway.base_url, gateway.api_key)
    chosen = select_models(discover(target).models, models)
    plan = make_plan(chosen, registry, registry.select(parameters), tuple(Endpoint))
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

    async def hold_all(groups: Sequence[Group], *, exhaustive: bool) -> dict[int, Found]:
        async with Sender(target, registry.paths, concurrency=1).open() as sender:
            return {id(group): await hold(group, sender, exhaustive=exhaustive) for group in groups}

    together = asyncio.run(hold_all(plan.groups, exhaustive=False))
    requests = len(exchanges)
    some = {model.id for model in select_models(chosen, alone)} if alone else set()
    each = [group for group in plan.groups if group.model.id in some]
    return Measured(plan, asyncio.run(hold_all(each, exhaustive=True)), together, reached, requests)


#: What the gateway does itself, so that its effect shows though no upstream hears of it.
BY_THE_GATEWAY = {
    "stream_options.include_usage": "LiteLLM counts the tokens itself and adds the usage chunk",
    "count_tokens": "LiteLLM estimates the count where the vendor has no door for it",
}


def _contradictions(measured: Measured, group: Group, parameter: Parameter, outcome: Outcome) -> list[str]:
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
        case Verdict.ACCEPTED, _ if parameter.unknown_id:
            return [] if refused else ["looked up, but no upstream said that it is not there"]
        case _ if refused or not (received or parameter.door):
            return ["a success that no upstream answered with one"]
        case Verdict.HONOURED, _ if parameter.id not in BY_THE_GATEWAY:
            [baseline] = measured.upstream(group, others[0].digest)
            heard: Any = received[0].body
            return [] if heard != baseline.body else ["honoured, but the upstream heard the same as without it"]
    return []
