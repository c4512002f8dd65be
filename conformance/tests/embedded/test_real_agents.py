"""Real coding agents before the embedded gateway: what the shipped recording forecasts is what happens."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import load_profiles
from conformance.clients.recipes import Recipe, load_recipes
from conformance.clients.running import install, run
from conformance.embedded import EmbeddedGateway
from conformance.errors import ClientError
from conformance.files import installations
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.readiness.families import family_of
from conformance.readiness.section import with_clients
from conformance.schemas.documents import ReadinessWay
from conformance.tests.embedded.watched import MODELS, Watched, watching
from conformance.tests.helpers.running import CHECKOUT
from conformance.types import Endpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strays of clients are looked for in /proc"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the clients are installed with npm"),
]

RECIPES, PROFILES = load_recipes(), load_profiles()
#: The way that each agent is run in.
AGENTS = {"codex": "plain", "opencode": "default", "claude-code": "default", "pi": "chat"}


@pytest.fixture(scope="module")
def forecasts() -> Mapping[tuple[str, str, str], ReadinessWay]:
    """What the shipped recording says of each way of each client with each model."""
    registry, folder = load_registry(), Folder(CHECKOUT / "cassettes" / "embedded")
    replay = Replay(folder, folder.read_gateway(), registry, registry.select("all"), tuple(Endpoint))
    matrix = with_clients(replay.matrix(), registry, PROFILES)
    return {
        (row["client"], row["model"], way["way"]): way for row in matrix["clients"]["readiness"] for way in row["ways"]
    }


def ran(recipe: Recipe, watched: Watched, gateway: EmbeddedGateway, model: str, way: str, root: Path) -> list[str]:
    """Run an agent for one prompt with one model; what it was refused."""
    home, work = root / "home", root / "work"
    for folder in (home, work):
        folder.mkdir(parents=True)
    for name, text in RECIPES.files.items():
        (work / name).write_text(text, encoding="utf-8")
    values = {**RECIPES.families[family_of(PROFILES, model)], **recipe.ways[way], "model": model}
    places = {"base_url": watched.base_url, "key": gateway.api_key, "prompt": RECIPES.prompt}
    filled = recipe.filled({**values, **places, "home": str(home), "work": str(work)})
    watched.answered.clear()
    run(filled, install(recipe, installations("clients"), print), home, work)
    return watched.refused()


@pytest.mark.parametrize("agent", AGENTS)
def test_the_forecast_is_what_happens(
    agent: str, gateway: EmbeddedGateway, forecasts: Mapping[tuple[str, str, str], ReadinessWay], tmp_path: Path
) -> None:
    """Given a real agent, when it is run with every model of the fleet, then it is refused where that was forecast."""
    recipe, way = RECIPES.clients[agent], AGENTS[agent]
    try:
        install(recipe, installations("clients"), print)
    except ClientError as error:
        pytest.skip(str(error))
    wrong, decided = [], 0
    with watching(gateway) as watched:
        for model in MODELS:
            refused = ran(recipe, watched, gateway, model, way, tmp_path / model)
            assert watched.answered, f"{agent} sent nothing for {model}"
            forecast = forecasts[agent, model, way]
            if forecast["readiness"] == "unknown":
                continue
            decided += 1
            if (forecast["readiness"] == "breaks") is not bool(refused):
                wrong.append((model, forecast["reason"], refused[:1]))
    assert not wrong
    assert decided > len(MODELS) / 2
