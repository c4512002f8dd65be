"""What a Converse request to Claude asks of the model: the same in the fields of Claude's own Messages API.

Bedrock turns one into the other itself, and passes `additionalModelRequestFields` on as they are.
https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html
"""

from __future__ import annotations

import json
from itertools import chain

from conformance.embedded.simulators.completion import Json, Stretch, object_of, text_of

_CONFIG = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop_sequences"}
_TTL = "5m"


def is_claude(model: str) -> bool:
    """Whether a model of Bedrock's is one of Anthropic's."""
    return "anthropic." in model


def asked_of_claude(body: Json) -> Json:
    """The request as Claude gets it; of its messages only who says them."""
    config, choice = (
        object_of(body.get("inferenceConfig")),
        object_of(object_of(body.get("toolConfig")).get("toolChoice")),
    )
    more = object_of(body.get("additionalModelRequestFields"))
    asked: Json = {theirs: config[ours] for ours, theirs in _CONFIG.items() if ours in config}
    asked["messages"] = [{"role": object_of(each).get("role"), "content": ""} for each in body.get("messages") or ()]
    if choice:
        kind, of = next(iter(choice.items()))
        asked["tool_choice"] = {"type": kind, **object_of(of)}
    written = _format(object_of(object_of(body.get("outputConfig")).get("textFormat")))
    # LiteLLM relies on the two being joined: it forbids parallel calls in a `tool_choice` that has no type of its own.
    # https://github.com/BerriAI/litellm/blob/main/litellm/llms/bedrock/chat/converse_transformation.py
    joined = {name: {**object_of(asked.get(name)), **value} for name, value in more.items() if isinstance(value, dict)}
    joined["output_config"] = written | object_of(joined.get("output_config"))
    return {**asked, **more, **{name: value for name, value in joined.items() if value}}


def _format(wanted: Json) -> Json:
    schema = object_of(object_of(wanted.get("structure")).get("jsonSchema")).get("schema")
    try:
        return {"format": {"type": "json_schema", "schema": json.loads(str(schema))}} if schema is not None else {}
    except ValueError:
        return {}


def stretches(body: Json) -> tuple[Stretch, ...]:
    """The prompt as the stretches that a cache can hold; a `cachePoint` ends one.

    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    """
    tools, system = object_of(body.get("toolConfig")).get("tools") or (), body.get("system") or ()
    contents = (object_of(each).get("content") or () for each in body.get("messages") or ())
    found: list[Stretch] = []
    for block in chain(tools, system, *contents):
        point = object_of(block).get("cachePoint")
        if point is None:
            found.append(Stretch(text_of([block]) or json.dumps(block)))
        elif found:
            found[-1] = Stretch(found[-1].text, str(object_of(point).get("ttl") or _TTL))
    return tuple(found)
