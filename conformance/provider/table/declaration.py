"""What a gateway declares of a parameter. Pure.

For each model LiteLLM declares the parameters of Chat Completions that it lets through: `supported_openai_params` of
`/model_group/info`. By the same list it refuses the others itself, before anything is sent to a vendor. What it does
with a request of another endpoint, it decides by the chat parameters that it makes of it: `declared.json` has the
names that differ.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from importlib import resources

from conformance.provider.table.families import UNKNOWN

#: What a gateway can say of a parameter, besides `unknown`.
DECLARED, UNDECLARED = "yes", "no"


def declaration(declared: Collection[str] | None, endpoint: str, parameter: str) -> str:
    """Whether a model's declared chat parameters have one: `yes`, `no`, or `unknown` where they are not known.

    An empty list is LiteLLM's way to say that it does not know.
    """
    if not declared:
        return UNKNOWN
    return DECLARED if all(name in declared for name in chat_names(endpoint, parameter)) else UNDECLARED


@functools.lru_cache(maxsize=4096)
def chat_names(endpoint: str, parameter: str) -> tuple[str, ...]:
    """The chat parameters that stand for one of an endpoint: several where it is about several fields together."""
    others = _chat_names().get(endpoint, {})

    def chat_name(path: str) -> str:
        place = path
        while place not in others and "." in place:
            place = place.rpartition(".")[0]
        return others.get(place, place)

    return tuple(map(chat_name, parameter.partition(":")[0].split("+")))


@functools.cache
def _chat_names() -> Mapping[str, Mapping[str, str]]:
    text = (resources.files(__package__) / "declared.json").read_text(encoding="utf-8")
    names: Mapping[str, Mapping[str, str]] = json.loads(text)["chat_names"]
    return names
