"""Programs for those who call models from code: in Python, and for Vercel's AI SDK in TypeScript. Pure.

Each is a module to import: what it holds is data by model, and one line says how to use it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.export.agents import KEY, Builder, address_of, head_of
from conformance.export.choosing import Choice
from conformance.export.clients import Client
from conformance.export.dropping import dropping, kept
from conformance.export.facts import Facts, ModelFacts
from conformance.export.outputs import Output
from conformance.provider.filter import remedies
from conformance.provider.table import split_parameter


def _program(text: Callable[[Client, Facts, Sequence[Choice]], str]) -> Builder:
    """A builder of one module."""

    def build(
        client: Client, facts: Facts, found: Sequence[Choice], _provider: str, _there: Mapping[str, Any]
    ) -> list[Output]:
        return [Output(client.file, client.format, head_of(client, facts, found), program=text(client, facts, found))]

    return build


def _python(rows: Mapping[str, Any], depth: int = 0) -> str:
    """Data as Python writes it, a model on each line."""
    pad = "    " * (depth + 1)
    lines = "".join(f"{pad}{_quoted(name)}: {_literal(value)},\n" for name, value in rows.items())
    return "{\n" + lines + "    " * depth + "}"


def _quoted(text: str) -> str:
    """A text as Python, TypeScript and JSON write it; other escapes they read differently."""
    return json.dumps(text, ensure_ascii=False)


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(name)}: {_literal(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _settings(found: Sequence[Choice]) -> dict[str, Any]:
    return {choice.model.id: choice.settings for choice in found}


def _pydantic_ai(_client: Client, facts: Facts, found: Sequence[Choice]) -> str:
    return f'''"""Profiles of models: OpenAIChatModel(name, provider=provider(), profile=PROFILES[name])."""

import os

from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider

BASE_URL = {json.dumps(f"{address_of(facts)}/v1")}

PROFILES: dict[str, OpenAIModelProfile] = {_python(_settings(found))}


def provider() -> OpenAIProvider:
    return OpenAIProvider(base_url=BASE_URL, api_key=os.environ["{KEY}"])
'''


def _langchain(_client: Client, facts: Facts, found: Sequence[Choice]) -> str:
    return f'''"""Settings of models: chat_model(name), or ChatOpenAI(model=name, **SETTINGS[name])."""

import os
from typing import Any

from langchain_openai import ChatOpenAI

BASE_URL = {json.dumps(f"{address_of(facts)}/v1")}

SETTINGS: dict[str, dict[str, Any]] = {_python(_settings(found))}


def chat_model(name: str, **more: Any) -> ChatOpenAI:
    known = {{"model": name, "base_url": BASE_URL, "api_key": os.environ["{KEY}"]}}
    return ChatOpenAI(**known, **{{**SETTINGS.get(name, {{}}), **more}})
'''


def _openai_agents(_client: Client, facts: Facts, found: Sequence[Choice]) -> str:
    return f'''"""Settings of models: Agent(model=model(name), model_settings=settings(name)).

They are given for every model, for without any the SDK sends some by a model's name.
"""

import os
from typing import Any

from agents import ModelSettings, OpenAIChatCompletionsModel
from openai import AsyncOpenAI

BASE_URL = {json.dumps(f"{address_of(facts)}/v1")}

#: What a model refuses of what ModelSettings can say: leave it unset.
REFUSED: dict[str, list[str]] = {_python({c.model.id: c.settings.get("refused", []) for c in found})}

SETTINGS: dict[str, dict[str, Any]] = {
        _python({c.model.id: {k: v for k, v in c.settings.items() if k != "refused"} for c in found})
    }


def settings(name: str, **wanted: Any) -> ModelSettings:
    """What is wanted of a model, without what it refuses."""
    refused = REFUSED.get(name, [])
    return ModelSettings(**{{**{{k: v for k, v in wanted.items() if k not in refused}}, **SETTINGS.get(name, {{}})}})


def model(name: str) -> OpenAIChatCompletionsModel:
    return OpenAIChatCompletionsModel(name, AsyncOpenAI(base_url=BASE_URL, api_key=os.environ["{KEY}"]))
'''


def _litellm_sdk(client: Client, facts: Facts, found: Sequence[Choice]) -> str:
    names = [choice.model.id for choice in found]
    by_endpoint: dict[str, dict[str, Any]] = {}
    for endpoint in client.endpoints:
        made = {name: dropping(facts.models[name], (endpoint,)).drop for name in names}
        by_endpoint[endpoint] = {name: drop for name, drop in made.items() if drop}
    return f'''"""What to leave out for each model: completion(name, messages, seed=1), or

litellm.completion(f"litellm_proxy/{{name}}", ..., additional_drop_params=DROP["chat_completions"].get(name)).
"""

import os
from typing import Any

import litellm

BASE_URL = {json.dumps(address_of(facts))}

DROP: dict[str, dict[str, list[str]]] = {{
    "chat_completions": {_python(by_endpoint["chat_completions"], 1)},
    "responses": {_python(by_endpoint["responses"], 1)},
}}


def _known(name: str, endpoint: str) -> dict[str, Any]:
    drop = DROP[endpoint].get(name)
    known = {{"model": f"litellm_proxy/{{name}}", "api_base": BASE_URL, "api_key": os.environ["{KEY}"]}}
    return {{**known, "additional_drop_params": drop}} if drop else known


def completion(name: str, messages: list[Any], **more: Any) -> Any:
    return litellm.completion(messages=messages, **_known(name, "chat_completions"), **more)


def responses(name: str, input: Any, **more: Any) -> Any:
    return litellm.responses(input=input, **_known(name, "responses"), **more)
'''


def _refused_fields(model: ModelFacts, endpoint: str) -> dict[str, list[str] | None]:
    """The top-level fields that a model refuses: None for all values, or the values of a text."""
    found: dict[str, list[str] | None] = {}
    for said in model.refused((endpoint,)):
        path, value = split_parameter(said.parameter)
        if "." in path or "+" in path or kept(said) or path == "count_tokens":
            continue
        if value is None or (model.refuses(endpoint, path) and not model.takes(endpoint, path)):
            found[path] = None
        elif said.group == "reasoning" and (values := found.setdefault(path, [])) is not None:
            values.append(value)
    needs = remedies()["needs"].get(endpoint, {})
    found |= {name: None for name, on in needs.items() if name.isidentifier() and found.get(on, ()) is None}
    return found


def _vercel(_client: Client, facts: Facts, found: Sequence[Choice]) -> str:
    rows = {c.model.id: _refused_fields(c.model, c.way.endpoint) for c in found}
    lines = "".join(f"  {_quoted(name)}: {json.dumps(row)},\n" for name, row in rows.items() if row)
    return f"""// Use: gateway("MODEL") with generateText, streamText and the rest.
import {{ createOpenAICompatible }} from "@ai-sdk/openai-compatible";

// The fields that a model refuses: null for any value, or the values that it refuses.
const REFUSED = {{
{lines}}} as Record<string, Record<string, string[] | null>>;

export const gateway = createOpenAICompatible({{
  name: "litellm",
  baseURL: {json.dumps(f"{address_of(facts)}/v1")},
  apiKey: process.env.{KEY},
  includeUsage: true,
  transformRequestBody: (body) => {{
    const refused = REFUSED[body.model] ?? {{}};
    const taken = ([name, value]: [string, unknown]) => {{
      const values = Object.hasOwn(refused, name) ? refused[name] : [];
      return values !== null && !values.includes(String(value));
    }};
    return Object.fromEntries(Object.entries(body).filter(taken));
  }},
}});
"""


BUILDERS: Mapping[str, Builder] = {
    "pydantic-ai": _program(_pydantic_ai),
    "langchain": _program(_langchain),
    "openai-agents": _program(_openai_agents),
    "litellm-sdk": _program(_litellm_sdk),
    "vercel-ai": _program(_vercel),
}
