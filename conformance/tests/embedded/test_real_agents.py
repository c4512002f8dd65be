"""Real coding agents before the embedded gateway: what the shipped recording forecasts is what happens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.embedded import EmbeddedGateway
from conformance.schemas.documents import ReadinessWay
from conformance.tests.embedded.agents_run import (
    AGENTS,
    RECIPES,
    chosen,
    installed,
    marks,
    models,
    ran,
    watching,
)
from conformance.tests.helpers.shipped import shipped_matrix

pytestmark = marks

#: The agents that are run, each in one way.
WAYS = {name: AGENTS.get(name, next(iter(RECIPES.clients[name].ways))) for name in chosen(RECIPES.clients, AGENTS)}
#: What a client sends to a model of a family is captured once; these know the model by its name, and send other fields.
BY_NAME = {
    ("aider", "o3"): "it sends no `temperature` to a model of that name",
    ("openai-agents", "databricks-gpt-5-1"): "it sends `verbosity` only to names that begin with gpt-5",
}


@pytest.fixture(scope="module")
def forecasts() -> Mapping[tuple[str, str, str], ReadinessWay]:
    """What the shipped recording says of each way of each client with each model."""
    rows = shipped_matrix()["clients"]["readiness"]
    return {(row["client"], row["model"], way["way"]): way for row in rows for way in row["ways"]}


@pytest.mark.parametrize("agent", WAYS)
def test_the_forecast_is_what_happens(
    agent: str, gateway: EmbeddedGateway, forecasts: Mapping[tuple[str, str, str], ReadinessWay], tmp_path: Path
) -> None:
    """Given a real agent, when it is run with models of the fleet, then it is refused where that was forecast."""
    recipe, way = installed(agent), WAYS[agent]
    wrong, decided = [], 0
    with watching(gateway.base_url) as watched:
        for model in models(agent):
            ran(recipe, watched, gateway.api_key, model, way, tmp_path / model)
            refused = watched.refused()
            assert watched.answered, f"{agent} sent nothing for {model}"
            forecast = forecasts.get((agent, model, way))
            if forecast is None:
                pytest.skip(f"{agent} is captured request by request, so one run of it has no forecast")
            if forecast["readiness"] == "unknown" or (agent, model) in BY_NAME:
                continue
            decided += 1
            if (forecast["readiness"] == "breaks") is not bool(refused):
                wrong.append((model, forecast["reason"], refused[:1]))
    assert not wrong
    assert decided > len(models(agent)) / 2
