"""Tests of `conformance.measure.recorder`: one sick model holds no other up."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cassettes.folder import Folder
from conformance.exchange.sender import Sender
from conformance.measure.recorder import Progress, record
from conformance.parameters import load_registry
from conformance.plan.cells import Plan, make_plan
from conformance.provider.target import Target
from conformance.tests.helpers.building import CHAT
from conformance.tests.helpers.gateways import KEY
from conformance.types import Model, Request, Response, Verdict

SICK = Model(id="sick")
SICK_ALL_OVER = replace(SICK, deployments=32, deployment_ids=tuple(f"deployment-{number}" for number in range(32)))
WELL = tuple(Model(id=f"well-{number}") for number in range(6))


class Answering(Sender):
    """A sender whose gateway answers at once, the sick model with an answer of a test's choice."""

    sick: tuple[Response, bool]

    async def _ask(self, request: Request) -> tuple[Response, bool]:
        await asyncio.sleep(0)
        if request.model == SICK.id:
            return self.sick
        return Response(status=200, body=b'{"choices":[{"finish_reason":"stop"}]}'), False


def plan_of(*models: Model) -> Plan:
    """What is asked of some models in these tests: three fields of whole chat completions."""
    registry = load_registry()
    return make_plan(models, registry, registry.select("store,temperature,top_p"), (CHAT,))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    ("model", "sick"),
    [
        (SICK_ALL_OVER, (Response(status=429, headers={"retry-after": "20"}), False)),
        (SICK_ALL_OVER, (Response(status=503, body=b"{}"), False)),
        (SICK, (Response(status=None, error="the connection broke"), True)),
    ],
    ids=["push-back", "overload", "hang-up"],
)
def test_a_sick_model_holds_no_other_up(
    model: Model, sick: tuple[Response, bool], concurrency: int, place: int, tmp_path: Path
) -> None:
    """Given a model that only makes us wait, on all its deployments, when it waits, then all others are measured."""
    plan = plan_of(*WELL[: place * 3], model, *WELL[place * 3 :])
    cells = Counter(cell.key.model for cell in plan.cells)
    others = len(plan.cells) - cells[SICK.id]
    waits: list[float] = []

    async def run() -> Progress:
        others_are_done = asyncio.Event()

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await others_are_done.wait()

        def show() -> None:
            if progress.cells_done >= others:
                others_are_done.set()

        sender = Answering(Target("http://gateway", KEY), load_registry().paths, concurrency, sleep=sleep)
        sender.sick = sick
        progress = Progress(len(plan.cells), sender.traffic)
        async with asyncio.timeout(60):
            await record(plan, sender, Folder(tmp_path), progress, show)
        return progress

    progress = asyncio.run(run())
    assert progress.verdicts.total() == cells[SICK.id] * max(1, model.deployments) + others
    assert sum(verdict is not Verdict.INCONCLUSIVE for verdict in progress.verdicts.elements()) == others
    assert waits
    assert {path.name for path in tmp_path.glob("*.json")} == {f"{model.id}.json" for model in (SICK, *WELL)}


@pytest.mark.parametrize("deployments", [1, 2, 5])
@pytest.mark.parametrize("known", [True, False], ids=["by id", "by name"])
def test_progress_ends_at_its_total(deployments: int, known: bool, tmp_path: Path) -> None:
    """Given models with several deployments, each of which is asked for every cell, when all is recorded, then the
    progress has counted each cell once, and never more cells than there are."""
    ids = tuple(f"deployment-{number}" for number in range(deployments)) if known else ()
    plan = plan_of(*WELL[:2], replace(WELL[2], deployments=deployments, deployment_ids=ids), WELL[3])
    seen: list[int] = []

    async def run() -> Progress:
        sender = Answering(Target("http://gateway", KEY), load_registry().paths, 4)
        progress = Progress(plan.size, sender.traffic)
        await record(plan, sender, Folder(tmp_path), progress, lambda: seen.append(progress.cells_done))
        return progress

    progress = asyncio.run(run())
    assert progress.cells_done == progress.cells == len(plan.cells) == max(seen)
