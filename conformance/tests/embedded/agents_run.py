"""Real agents, run for one prompt, and a door that sees how they are answered."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conformance.clients.profiles import load_profiles
from conformance.clients.recipes import Recipe, load_recipes
from conformance.clients.running import Ran, install, run
from conformance.embedded.config import fleet
from conformance.embedded.loopback import serving
from conformance.errors import ClientError
from conformance.files import installations
from conformance.readiness.families import family_of

#: What a test of real agents needs.
marks = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strays of clients are looked for in /proc"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the clients are installed with npm"),
]

RECIPES, PROFILES = load_recipes(), load_profiles()
#: The way that each agent is run in.
AGENTS = {"codex": "plain", "opencode": "default", "claude-code": "default", "pi": "chat"}

#: The variable names other clients, separated by commas; `*` is all of them, with every model. That takes an hour.
ASKED = os.environ.get("CONFORMANCE_AGENTS", "").split(",")

_NAMES = [row["name"] for row in fleet()["deployment"] if "mode" not in row.get("info", {})]
#: The models behind one route; behind two, chance decides.
MODELS = [name for name in _NAMES if _NAMES.count(name) == 1]
#: Some of them, of each vendor one, for what is proven with all of them only where that is asked for.
SOME = ["claude-opus-4-8", "gpt-5.2", "gemini-2-5-flash"]
#: One run of it takes as long as ten of another.
SLOW = "opencode"


def chosen(known: Iterable[str], usual: Iterable[str]) -> list[str]:
    """Of the clients that a test knows the usual ones, or those that are asked for."""
    wanted = [name for name in ASKED if name] or list(usual)
    return [name for name in known if name in wanted or "*" in wanted]


def models(agent: str) -> list[str]:
    """The models that a test of many clients asks with one of them."""
    return MODELS if "*" in ASKED else SOME[:2] if agent == SLOW else SOME


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
def watching(base_url: str) -> Iterator[Watched]:
    """A door before the gateway at this address, on a free port, while the block runs."""
    watched = Watched()

    async def passed(request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        where, query = base_url + request.url.path, request.url.query.encode()
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


class HasAddress(Protocol):
    """A gateway, or what stands before it."""

    base_url: str


def ran(recipe: Recipe, asked: HasAddress, key: str, model: str, way: str, root: Path) -> Ran:
    """Run an agent for one prompt with one model; what is `Watched` then holds what it was answered, and no more."""
    home, work = root / "home", root / "work"
    for folder in (home, work):
        folder.mkdir(parents=True)
    for name, text in RECIPES.files.items():
        (work / name).write_text(text, encoding="utf-8")
    values = {**RECIPES.families[family_of(PROFILES, model)], **recipe.ways[way], "model": model}
    places = {"base_url": asked.base_url, "key": key, "prompt": RECIPES.prompt}
    filled = recipe.filled({**values, **places, "home": str(home), "work": str(work)})
    if isinstance(asked, Watched):
        asked.answered.clear()
    return run(filled, install(recipe, installations("clients"), print), home, work)


def installed(agent: str) -> Recipe:
    """The recipe of an agent that is installed; skips the test where it cannot be."""
    recipe = RECIPES.clients[agent]
    try:
        install(recipe, installations("clients"), print)
    except ClientError as error:
        pytest.skip(str(error))
    return recipe
