"""Real coding agents before the embedded gateway: what the shipped recording forecasts is what happens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.cassettes.folder import Folder
from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.readiness.section import with_clients
from conformance.schemas.documents import ReadinessWay
from conformance.tests.embedded.agents_run import AGENTS, PROFILES, installed, marks, ran, watching
from conformance.tests.helpers.running import CHECKOUT
from conformance.types import Endpoint

pytestmark = marks

#: The models behind one route; behind two, chance decides.
NAMES = [row["name"] for row in fleet()["deployment"] if "mode" not in row.get("info", {})]
MODELS = [name for name in NAMES if NAMES.count(name) == 1]


@pytest.fixture(scope="module")
def forecasts() -> Mapping[tuple[str, str, str], ReadinessWay]:
    """What the shipped recording says of each way of each client with each model."""
    registry, folder = load_registry(), Folder(CHECKOUT / "cassettes" / "embedded")
    replay = Replay(folder, folder.read_gateway(), registry, registry.select("all"), tuple(Endpoint))
    matrix = with_clients(replay.matrix(), registry, PROFILES)
    return {
        (row["client"], row["model"], way["way"]): way for row in matrix["clients"]["readiness"] for way in row["ways"]
    }


@pytest.mark.parametrize("agent", AGENTS)
def test_the_forecast_is_what_happens(
    agent: str, gateway: EmbeddedGateway, forecasts: Mapping[tuple[str, str, str], ReadinessWay], tmp_path: Path
) -> None:
    """Given a real agent, when it is run with every model of the fleet, then it is refused where that was forecast."""
    recipe, way = installed(agent), AGENTS[agent]
    wrong, decided = [], 0
    with watching(gateway.base_url) as watched:
        for model in MODELS:
            ran(recipe, watched, gateway.api_key, model, way, tmp_path / model)
            refused = watched.refused()
            assert watched.answered, f"{agent} sent nothing for {model}"
            forecast = forecasts[agent, model, way]
            if forecast["readiness"] == "unknown":
                continue
            decided += 1
            if (forecast["readiness"] == "breaks") is not bool(refused):
                wrong.append((model, forecast["reason"], refused[:1]))
    assert not wrong
    assert decided > len(MODELS) / 2
