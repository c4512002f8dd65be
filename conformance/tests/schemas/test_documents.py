"""The types of the JSON contracts say what the schemas say."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Sequence
from importlib import resources
from typing import Any, Literal, NotRequired, Union

import pytest

from conformance.schemas import documents

DOCUMENTS = {
    "matrix": documents.Matrix,
    "gateway": documents.GatewayDocument,
    "parameter_support": documents.TableDocument,
    "profiles": documents.ProfilesDocument,
}
NAMES = {str: "string", bool: "boolean", int: "integer", type(None): "null"}


def schema_of(name: str) -> dict[str, Any]:
    """A schema of the package."""
    text = (resources.files("conformance.schemas") / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def differences(hint: Any, node: dict[str, Any], root: dict[str, Any], place: str) -> list[str]:
    """Where a type and a part of a schema do not say the same."""
    if "$ref" in node:
        return differences(hint, root["$defs"][node["$ref"].rpartition("/")[2]], root, place)
    if typing.is_typeddict(hint):
        return object_differences(hint, node, root, place)
    kind, parts = typing.get_origin(hint), typing.get_args(hint)
    if kind is NotRequired:
        return differences(parts[0], node, root, place)
    if kind is Literal or "enum" in node or "const" in node:
        return [] if allowed(hint) == wanted(node) else [f"{place}: {allowed(hint)} and {wanted(node)}"]
    if kind in (list, Sequence):
        return differences(parts[0], node["items"], root, f"{place}[]")
    if kind is dict:
        return (
            differences(parts[1], node["additionalProperties"], root, f"{place}.*")
            if node.get("additionalProperties")
            else []
        )
    if "oneOf" in node:
        pairs = zip(parts, node["oneOf"], strict=True)
        return [found for one, other in pairs for found in differences(one, other, root, place)]
    if kind in (Union, types.UnionType) and (inner := [part for part in parts if typing.get_origin(part) is list]):
        return differences(inner[0], node, root, place)
    named = {NAMES[part] for part in parts or (hint,)}
    declared = {node["type"]} if isinstance(node["type"], str) else set(node["type"])
    return [] if named == declared else [f"{place}: {named} and {declared}"]


def allowed(hint: Any) -> set[Any]:
    """The values that a type allows; a plain number stands for any of the schema's."""
    if typing.get_origin(hint) is Literal:
        return set(typing.get_args(hint))
    if hint is int:
        return {int}
    return {value for part in typing.get_args(hint) for value in ({None} if part is type(None) else allowed(part))}


def wanted(node: dict[str, Any]) -> set[Any]:
    """The values that a schema allows."""
    values = set(node["enum"]) if "enum" in node else {node["const"]}
    return {int} if all(type(value) is int for value in values) else values


def object_differences(hint: Any, node: dict[str, Any], root: dict[str, Any], place: str) -> list[str]:
    """Where an object's keys, or what they hold, differ."""
    hints = typing.get_type_hints(hint, include_extras=True)
    found = []
    if set(hints) != set(node["properties"]):
        found.append(f"{place}: keys differ: {set(hints) ^ set(node['properties'])}")
    required = {name for name, each in hints.items() if typing.get_origin(each) is not NotRequired}
    if required != set(node["required"]):
        found.append(f"{place}: required keys differ: {required ^ set(node['required'])}")
    for name in set(hints) & set(node["properties"]):
        found += differences(hints[name], node["properties"][name], root, f"{place}.{name}")
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_types_say_what_schemas_say(name: str) -> None:
    """Given a contract, when its type is held against its JSON Schema, then keys, values and what is required agree."""
    schema = schema_of(name)
    assert differences(DOCUMENTS[name], schema, schema, name) == []


def test_a_difference_is_seen() -> None:
    """Given a schema with another key, another type or another value, when it is compared, then each is named."""
    schema = schema_of("matrix")
    cell = schema["properties"]["cells"]["items"]
    cell["properties"]["verdict"] = {"enum": ["maybe"]}
    cell["properties"]["reason"]["type"] = "integer"
    cell["required"].remove("declared")
    schema["properties"]["gateway"]["properties"]["colour"] = {"type": "string"}
    found = differences(documents.Matrix, schema, schema, "matrix")
    assert len(found) == 4, found
