"""Real coding agents with their exports: each works with each model that the export says it works with."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.clients.profiles import load_profiles
from conformance.clients.recipes import Recipe, load_recipes
from conformance.clients.running import install, run
from conformance.embedded import EmbeddedGateway
from conformance.errors import ClientError
from conformance.export.choosing import Choice, choices
from conformance.export.clients import load_clients
from conformance.files import installations
from conformance.readiness.families import family_of
from conformance.tests.embedded.agents_run import AGENTS as USUAL
from conformance.tests.embedded.agents_run import Watched, models, watching
from conformance.tests.embedded.agents_run import chosen as asked_for
from conformance.tests.helpers.exports import merged_into, outputs_for, shipped_facts, texts_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strays of clients are looked for in /proc"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the clients are installed with npm"),
]

RECIPES, PROFILES = load_recipes(), load_profiles()


def _pi(recipe: Recipe, url: str, _model: str) -> Recipe:
    text = texts_for("pi", url=url, provider="gateway")["~/.pi/agent/models.json"]
    return replace(recipe, files={"${home}/agent/models.json": _literal(text)})


def _opencode(recipe: Recipe, url: str, _model: str) -> Recipe:
    text = texts_for("opencode", url=url, provider="gateway")["~/.config/opencode/opencode.json"]
    return replace(recipe, files={"${home}/.config/opencode/opencode.json": _literal(text)})


def _codex(recipe: Recipe, url: str, _model: str) -> Recipe:
    """The export goes into a file that a user has: one that names the gateway, and some settings of its own."""
    [(name, own)] = recipe.files.items()
    own = own.replace("${base_url}", url).replace("${more}", "").replace("GATEWAY_KEY", "LITELLM_API_KEY")
    return replace(recipe, files={name: _literal(merged_into("codex", own, url))})


def _claude_code(recipe: Recipe, url: str, model: str) -> Recipe:
    """The export names the gateway, and a file of its own what some models need."""
    texts = texts_for("claude-code", url=url)
    environment = {name: value for name, value in recipe.environment.items() if name != "ANTHROPIC_BASE_URL"}
    files = {"${home}/.claude/settings.json": texts.pop("~/.claude/settings.json")}
    more: list[str] = []
    for output in outputs_for("claude-code", url=url)[1:]:
        if model in output.head[0].partition(":")[0].removeprefix("For ").split(", "):
            more = ["--settings", "${home}/.claude/" + output.name]
            files["${home}/.claude/" + output.name] = texts[output.name]
    program, *rest = recipe.command
    return replace(recipe, command=(program, *more, *rest), environment=environment, files=files)


def _aider(recipe: Recipe, url: str, _model: str) -> Recipe:
    text = texts_for("aider", url=url)["~/.aider.model.settings.yml"]
    return replace(recipe, files={"${home}/.aider.model.settings.yml": _literal(text)})


def _continue(recipe: Recipe, url: str, model: str) -> Recipe:
    text = texts_for("continue", model, url=url)["~/.continue/config.yaml"]
    return replace(recipe, files={"${home}/config.yaml": _literal(text)})


def _cline(recipe: Recipe, url: str, _model: str) -> Recipe:
    """The export goes into a file that a user has, with the key in it and without the address."""
    [(name, own)] = recipe.files.items()
    own = own.replace("${provider}", "openai-compatible").replace(', "baseUrl": "${base_url}/v1"', "")
    merged = merged_into("cline", own, url)
    assert f'"baseUrl": "{url}/v1"' in merged
    return replace(recipe, files={name: merged})


def _qwen_code(recipe: Recipe, url: str, _model: str) -> Recipe:
    """The export goes into a file that a user has."""
    [(name, own)] = recipe.files.items()
    text = merged_into("qwen-code", own.replace("${auth}", "openai"), url)
    environment = {key: value for key, value in recipe.environment.items() if not key.startswith("OPENAI_")}
    return replace(recipe, files={name: _literal(text)}, environment=environment)


def _literal(text: str) -> str:
    return text.replace("$", "$$")


AGENTS: Mapping[str, Callable[[Recipe, str, str], Recipe]] = {
    "pi": _pi,
    "opencode": _opencode,
    "codex": _codex,
    "claude-code": _claude_code,
    "aider": _aider,
    "continue": _continue,
    "cline": _cline,
    "qwen-code": _qwen_code,
}


def ran(agent: str, recipe: Recipe, watched: Watched, gateway: EmbeddedGateway, model: str, root: Path) -> list[str]:
    """Run an agent with its export for one prompt with one model; what it was refused."""
    home, work = root / "home", root / "work"
    for folder in (home, work):
        folder.mkdir(parents=True)
    for name, text in RECIPES.files.items():
        (work / name).write_text(text, encoding="utf-8")
    with_export = AGENTS[agent](recipe, watched.base_url, model)
    with_export = replace(with_export, environment={**with_export.environment, "LITELLM_API_KEY": gateway.api_key})
    way = next(iter(recipe.ways.values()))
    values = {**RECIPES.families[family_of(PROFILES, model)], **way, "model": model}
    places = {"base_url": watched.base_url, "key": gateway.api_key, "prompt": RECIPES.prompt}
    filled = with_export.filled({**values, **places, "home": str(home), "work": str(work)})
    watched.answered.clear()
    ended = run(filled, install(recipe, installations("clients"), print), home, work)
    refused = watched.refused()
    assert watched.answered, f"{agent} sent nothing for {model}: {ended.said}"
    looped = "Loop detection" in ended.said  # the simulators call a tool whenever one is offered
    assert refused or looped or ended.code == 0, f"{agent} ended with {ended.code} for {model}: {ended.said}"
    return refused


def chosen(agent: str) -> dict[str, Choice]:
    """What the export says of each model."""
    client = load_clients()[agent]
    return {choice.model.id: choice for choice in choices(client, shipped_facts(agent), client.endpoints)}


@pytest.mark.parametrize("agent", asked_for(AGENTS, USUAL))
def test_it_works_where_the_export_says_so(agent: str, gateway: EmbeddedGateway, tmp_path: Path) -> None:
    """Given an agent with its export, when it is run with every model of the fleet, then it is refused only where the
    export says that no setting helps."""
    recipe = RECIPES.clients[agent]
    try:
        install(recipe, installations("clients"), print)
    except ClientError as error:
        pytest.skip(str(error))
    wrong, works = [], 0
    with watching(gateway.base_url) as watched:
        for model, choice in chosen(agent).items():
            if model not in models(agent):
                continue
            refused = ran(agent, recipe, watched, gateway, model, tmp_path / model)
            works += choice.works
            if choice.works is bool(refused):
                wrong.append((model, choice.way.name, choice.settings, [s.parameter for s in choice.left], refused[:1]))
    assert not wrong, json.dumps(wrong, indent=1)
    assert works >= (1 if agent == "codex" else len(models(agent)))
