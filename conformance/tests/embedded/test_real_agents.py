"""Real coding agents before the embedded gateway: what the shipped recording forecasts is what happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import load_profiles
from conformance.clients.recipes import Recipe, load_recipes
from conformance.clients.running import install, run
from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.embedded.loopback import serving
from conformance.errors import ClientError
from conformance.files import installations
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.readiness.families import family_of
from conformance.readiness.section import with_clients
from conformance.schemas.documents import ReadinessWay
from conformance.tests.helpers.running import CHECKOUT
from conformance.types import Endpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strays of clients are looked for in /proc"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the clients are installed with npm"),
]

RECIPES, PROFILES = load_recipes(), load_profiles()
#: The agents that are run, each in one way. The variable CONFORMANCE_AGENTS names others (`*` takes half an hour).
USUAL = {"codex": "plain", "opencode": "default", "claude-code": "default", "pi": "chat"}
ASKED = os.environ.get("CONFORMANCE_AGENTS", ",".join(USUAL)).split(",")
AGENTS = {
    name: USUAL.get(name, next(iter(recipe.ways)))
    for name, recipe in RECIPES.clients.items()
    if name in ASKED or "*" in ASKED
}
#: What a client sends to a model of a family is captured once; these know the model by its name, and send other fields.
BY_NAME = {
    ("aider", "o3"): "it sends no `temperature` to a model of that name",
    ("openai-agents", "databricks-gpt-5-1"): "it sends `verbosity` only to names that begin with gpt-5",
}
#: The models behind one route; behind two, chance decides.
NAMES = [row["name"] for row in fleet()["deployment"] if "mode" not in row.get("info", {})]
MODELS = [name for name in NAMES if NAMES.count(name) == 1]


@dataclass
class Watched:
    """A door before the gateway: what came through, and how it was answered."""

    base_url: str = ""
    answered: list[tuple[str, int, bytes]] = field(default_factory=list)

    def refused(self) -> list[str]:
        """The words of each answer that an agent did not get."""
        asked = [each for each in self.answered if each[0].rpartition("/v1")[2] in PATHS]
        return [
            bytes(told[:600]).decode("utf-8", "replace") for _, status, told in asked if status >= 400 or ERROR in told
        ]


PATHS = {"/chat/completions", "/responses", "/messages"}
ERROR = b'"error":{'


@contextlib.contextmanager
def watching(gateway: EmbeddedGateway) -> Iterator[Watched]:
    """Such a door on a free port, while the block runs."""
    watched = Watched()

    async def passed(request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        where, query = gateway.base_url + request.url.path, request.url.query.encode()
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            answer = await client.request(
                request.method, where, params=query, headers=headers, content=await request.body()
            )
        watched.answered.append((request.url.path, answer.status_code, answer.content))
        kept = {name: value for name, value in answer.headers.items() if name == "content-type"}
        return Response(answer.content, answer.status_code, kept)

    app = Starlette(routes=[Route("/{path:path}", passed, methods=["GET", "POST", "HEAD"])])
    with serving(app) as watched.base_url:
        yield watched


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
            forecast = forecasts.get((agent, model, way))
            if forecast is None:
                pytest.skip(f"{agent} is captured request by request, so one run of it has no forecast")
            if forecast["readiness"] == "unknown" or (agent, model) in BY_NAME:
                continue
            decided += 1
            if (forecast["readiness"] == "breaks") is not bool(refused):
                wrong.append((model, forecast["reason"], refused[:1]))
    assert not wrong
    assert decided > len(MODELS) / 2
