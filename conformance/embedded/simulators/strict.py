"""A strict reading of a JSON schema: every field must be a documented one, at every depth.

Published API schemas rarely say `additionalProperties: false`, though their servers refuse what
the schema does not list. This checker does so, and says where and why in a form that each vendor's
`voice` can word. Schemas of other kinds are converted to this form first (`schemas`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
Node: TypeAlias = Mapping[str, Any]
Kind: TypeAlias = Literal["unknown", "required", "type", "value", "range"]

_COMBINED = ("properties", "required", "anyOf", "oneOf", "allOf", "$ref")
_ABSENT = object()


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a body: `path` leads to it, `tags` are the union members chosen on the way."""

    kind: Kind
    path: Path
    value: object = None
    expected: str = ""
    allowed: tuple[Any, ...] = ()
    bound: tuple[str, float] | None = None
    tags: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Reading:
    """How literally a vendor's server takes its schema."""

    unknown_fields: bool = False  # swallow fields the schema does not list (OpenAI-compatible servers)
    nulls: bool = False  # null is the same as absent everywhere (protobuf JSON)
    enum_case: bool = True  # the case of enum values matters
    numbers_as_text: bool = False  # "5" is a number, 5 is an int64 string (protobuf JSON)


class Schema:
    """One request schema with the definitions it refers to; `problems` reads a body strictly."""

    def __init__(self, node: Node, definitions: Mapping[str, Node], reading: Reading | None = None) -> None:
        """`node` is the request schema; `definitions` holds what its references name, by last part."""
        self.node = node
        self.definitions = definitions
        self.reading = reading or Reading()
        # Keyed by identity: the nodes are parsed once and live as long as the schema.
        self._flat: dict[int, tuple[Node, dict[str, Any]]] = {}
        self._branches: dict[int, tuple[Node, list[dict[str, Any]]]] = {}

    def problems(self, value: object) -> list[Problem]:
        """Everything wrong with `value`, in the order of the body; empty when it is acceptable."""
        return self._check(self.node, value, ())

    def fields(self) -> frozenset[str]:
        """Names of the top-level fields."""
        return frozenset(self._flatten(self.node)["properties"])

    def property_node(self, name: str) -> Node:
        """The schema of one top-level field."""
        node: Node = self._flatten(self.node)["properties"][name]
        return node

    def _flatten(self, node: Node) -> dict[str, Any]:
        """The node with its reference followed and its `allOf` merged in."""
        known = self._flat.get(id(node))
        if known is not None:
            return known[1]
        flat: dict[str, Any] = {key: value for key, value in node.items() if key not in _COMBINED}
        flat["properties"] = dict(node.get("properties", {}))
        flat["required"] = list(node.get("required", ()))
        flat["union"] = list(node.get("anyOf") or node.get("oneOf") or ())
        parts: list[Node] = list(node.get("allOf", ()))
        if "$ref" in node:
            parts.append(self.definitions.get(str(node["$ref"]).rsplit("/", 1)[-1], {}))
        for part in parts:
            other = self._flatten(part)
            flat["properties"] = {**other["properties"], **flat["properties"]}
            flat["required"] += [name for name in other["required"] if name not in flat["required"]]
            flat["union"] += other["union"]
            for key, value in other.items():
                flat.setdefault(key, value)
        self._flat[id(node)] = (node, flat)
        return flat

    def _members(self, node: Node, flat: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The union's members, each with what stands beside the union merged in."""
        known = self._branches.get(id(node))
        if known is not None:
            return known[1]
        beside = {key: value for key, value in flat.items() if key not in ("union", "discriminator", "default")}
        members = []
        for branch in flat["union"]:
            member = {**beside, **self._flatten(branch)}
            member["properties"] = {**beside["properties"], **member["properties"]}
            members.append(member)
        self._branches[id(node)] = (node, members)
        return members

    def _check(self, node: Node | bool, value: object, path: Path) -> list[Problem]:
        if isinstance(node, bool):
            return [] if node else [Problem("unknown", path, value)]
        return self._check_flat(node, self._flatten(node), value, path)

    def _check_flat(self, node: Node, flat: Mapping[str, Any], value: object, path: Path) -> list[Problem]:
        if value is None and (self.reading.nulls or flat.get("nullable")):
            return []
        if flat["union"]:
            return self._check_union(self._members(node, flat), flat, value, path)
        types = _types(flat)
        if types and not any(self._is_a(kind, value, flat) for kind in types):
            return [Problem("type", path, value, expected=" or ".join(types))]
        allowed = (flat["const"],) if "const" in flat else tuple(flat.get("enum", ()))
        if allowed and not self._among(value, allowed):
            return [Problem("value", path, value, allowed=allowed)]
        if isinstance(value, Mapping):
            return self._check_object(flat, value, path)
        if isinstance(value, list):
            return self._check_array(flat, value, path)
        return _check_bounds(flat, value, path)

    def _check_object(self, flat: Mapping[str, Any], value: Mapping[str, Any], path: Path) -> list[Problem]:
        properties, extra = flat["properties"], flat.get("additionalProperties")
        open_ended = extra is True or (extra is None and (not properties or self.reading.unknown_fields))
        found = [Problem("required", (*path, name)) for name in flat["required"] if value.get(name, _ABSENT) is _ABSENT]
        for name, item in value.items():
            inner = (*path, name)
            if name in properties:
                found += self._check(properties[name], item, inner)
            elif isinstance(extra, Mapping):
                found += self._check(extra, item, inner)
            elif not open_ended and not self.reading.unknown_fields:
                found.append(Problem("unknown", inner, item))
        return found

    def _check_array(self, flat: Mapping[str, Any], value: Sequence[Any], path: Path) -> list[Problem]:
        found = _check_bounds(flat, value, path)
        items = flat.get("items")
        if items is not None:
            for index, item in enumerate(value):
                found += self._check(items, item, (*path, index))
        return found

    def _check_union(
        self, members: list[dict[str, Any]], flat: Mapping[str, Any], value: object, path: Path
    ) -> list[Problem]:
        tag = flat.get("discriminator", {}).get("propertyName")
        if tag is not None and isinstance(value, Mapping) and tag in value:
            members = [each for each in members if self._tagged(each, tag, value[tag])] or members
        results = [self._check_flat(member, member, value, path) for member in members]
        if not all(results):
            return []
        closest = min(results, key=lambda found: (_distance(found, path, tag), len(found)))
        distance = _distance(closest, path, tag)
        if distance == _WRONG_SHAPE:
            expected = dict.fromkeys(word for found in results for word in found[0].expected.split(" or ") if word)
            return [Problem("type", path, value, expected=" or ".join(expected) or "object")]
        if distance == _WRONG_TAG:
            allowed = dict.fromkeys(
                option for found in results for each in found if each.path == closest[0].path for option in each.allowed
            )
            return [replace(closest[0], allowed=tuple(allowed))]
        name = _tag_name(value, tag or "type")
        return [replace(each, tags=((len(path), name), *each.tags)) for each in closest] if name else closest

    def _tagged(self, member: Mapping[str, Any], tag: str, value: object) -> bool:
        if member["union"]:  # a union in a union: its members have the tag
            return any(self._tagged(each, tag, value) for each in self._members(member, member))
        node = member["properties"].get(tag)
        return node is not None and not self._check(node, value, ())

    def _among(self, value: object, allowed: tuple[Any, ...]) -> bool:
        if not self.reading.enum_case and isinstance(value, str):
            return value.upper() in {str(option).upper() for option in allowed}
        return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in allowed)

    def _is_a(self, kind: str, value: object, flat: Mapping[str, Any]) -> bool:
        if self.reading.numbers_as_text and kind in ("integer", "number") and isinstance(value, str):
            return value.lstrip("-").replace(".", "", 1).isdecimal()
        if self.reading.numbers_as_text and kind == "string" and flat.get("format") in ("int64", "uint64"):
            return isinstance(value, str | int) and not isinstance(value, bool)
        if isinstance(value, bool):
            return kind in ("boolean", "any")
        if kind == "integer" and isinstance(value, float):
            return value.is_integer()
        return isinstance(value, _PYTHON_TYPES[kind])


_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "any": object,
}
_WRONG_SHAPE, _WRONG_TAG, _WRONG_INSIDE = 2, 1, 0


def _types(flat: Mapping[str, Any]) -> tuple[str, ...]:
    declared = flat.get("type")
    if declared is None:
        return ("object",) if flat["properties"] else ()
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _distance(found: list[Problem], path: Path, tag: str | None) -> int:
    """How far a union member is from the value: wrong altogether, another member's tag, or wrong inside."""
    tags = {tag, "type", "role"}
    if any(each.kind in ("type", "value") and each.path == path for each in found):
        return _WRONG_SHAPE if any(each.kind == "type" and each.path == path for each in found) else _WRONG_TAG
    wrong_tag = any(
        each.kind in ("value", "required") and len(each.path) == len(path) + 1 and each.path[-1] in tags
        for each in found
    )
    return _WRONG_TAG if wrong_tag else _WRONG_INSIDE


def _tag_name(value: object, tag: str) -> str:
    name = value.get(tag) if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else ""


def _check_bounds(flat: Mapping[str, Any], value: object, path: Path) -> list[Problem]:
    if isinstance(value, bool):
        return []
    size: float | None = None
    names = ("minimum", "maximum")
    if isinstance(value, int | float):
        size = value
    elif isinstance(value, str | list):
        size = len(value)
        names = ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
    for name, sign in zip(names, (1, -1), strict=True):
        limit = flat.get(name)
        if size is not None and isinstance(limit, int | float) and (size - limit) * sign < 0:
            kinds = [kind for kind in _types(flat) if kind != "null"]
            return [Problem("range", path, value, expected=kinds[0] if kinds else "", bound=(name, limit))]
    return []
