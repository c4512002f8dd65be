"""The strict reading of a schema: what it refuses, where, and that it is never laxer than JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.embedded.simulators.schemas import request_schema
from conformance.embedded.simulators.strict import Reading, Schema

MESSAGES = [{"role": "user", "content": "hi"}]
CHAT = {"model": "gpt-4.1", "messages": MESSAGES}

PET = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "kind": {"$ref": "#/components/schemas/Kind"},
        "toys": {"type": "array", "items": {"$ref": "#/components/schemas/Toy"}, "maxItems": 2},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object"},
    },
}
DEFINITIONS: dict[str, Any] = {
    "Kind": {"anyOf": [{"type": "string", "enum": ["cat", "dog"]}, {"type": "null"}]},
    "Toy": {
        "oneOf": [{"$ref": "#/x/Ball"}, {"$ref": "#/x/Bone"}],
        "discriminator": {"propertyName": "type"},
    },
    "Ball": {"properties": {"type": {"type": "string", "enum": ["ball"]}, "size": {"type": "number"}}},
    "Bone": {"properties": {"type": {"type": "string", "enum": ["bone"]}, "old": {"type": "boolean"}}},
}
PETS = Schema(PET, DEFINITIONS)


@pytest.mark.parametrize(
    ("changed", "kind", "path"),
    [
        ({"colour": "red"}, "unknown", ("colour",)),
        ({"name": 7}, "type", ("name",)),
        ({"name": ""}, "range", ("name",)),
        ({"age": -1}, "range", ("age",)),
        ({"age": True}, "type", ("age",)),
        ({"age": 1.5}, "type", ("age",)),
        ({"kind": "fish"}, "value", ("kind",)),
        ({"toys": [{"type": "ball"}] * 3}, "range", ("toys",)),
        ({"toys": [{"type": "ball", "old": True}]}, "unknown", ("toys", 0, "old")),
        ({"toys": [{"type": "stick"}]}, "value", ("toys", 0, "type")),
        ({"toys": ["ball"]}, "type", ("toys", 0)),
        ({"tags": {"a": 1}}, "type", ("tags", "a")),
    ],
)
def test_names_what_is_wrong_and_where(changed: dict[str, Any], kind: str, path: tuple[Any, ...]) -> None:
    """The first problem carries its kind and the path to the offender, however deep."""
    [problem] = PETS.problems({"name": "Tom", **changed})
    assert (problem.kind, problem.path) == (kind, path)


@pytest.mark.parametrize(
    "extra",
    [{}, {"age": 3.0}, {"kind": None}, {"toys": [{"type": "bone", "old": True}]}, {"free": {"any": [1, {}]}}],
)
def test_accepts_what_the_schema_lists(extra: dict[str, Any]) -> None:
    """Whole floats are integers, nulls fit where allowed, and a bare object holds anything."""
    assert PETS.problems({"name": "Tom", **extra}) == []


def test_a_wrong_tag_lists_every_tag() -> None:
    """Given a union and a tag nobody has, the values of all members are offered."""
    [problem] = PETS.problems({"name": "Tom", "toys": [{"type": "stick"}]})
    assert problem.allowed == ("ball", "bone")


def test_a_problem_inside_a_union_knows_the_member() -> None:
    """Pydantic servers put the member's tag into the path, so a problem remembers it."""
    [problem] = PETS.problems({"name": "Tom", "toys": [{"type": "ball", "old": True}]})
    assert problem.tags == ((2, "ball"),)


def test_a_lax_reading_swallows_unknown_fields_only() -> None:
    """An OpenAI-compatible server ignores what it does not know and still checks what it does."""
    lax = Schema(PET, DEFINITIONS, Reading(unknown_fields=True))
    assert lax.problems({"name": "Tom", "colour": "red"}) == []
    assert [each.kind for each in lax.problems({"name": "Tom", "age": "old"})] == ["type"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"stream_options": {"x": 1}}, ("stream_options", "x")),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "b": 1}]}]}, None),
        ({"tools": [{"type": "function", "function": {"name": "f", "stict": True}}]}, None),
        ({"response_format": {"type": "json_object", "x": 1}}, ("response_format", "x")),
    ],
)
def test_reads_the_published_openai_schema_strictly(body: dict[str, Any], path: Any) -> None:
    """Unknown fields are found at every depth of a schema that never says additionalProperties: false."""
    problems = request_schema("openai", "chat_completions").problems({**CHAT, **body})
    assert [each.kind for each in problems] == ["unknown"]
    assert path is None or problems[0].path == path


FIELDS = sorted(request_schema("openai", "chat_completions").fields())
# No nulls: the document says of some fields in one place that they may be null and in another not.
VALUES = st.recursive(
    st.booleans() | st.integers(-3, 3000) | st.floats(-3, 3) | st.sampled_from(["auto", "low", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "name", "function", "role", "content", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_is_never_laxer_than_json_schema(extra: dict[str, Any]) -> None:
    """What the strict reading accepts, a real JSON Schema validator accepts too."""
    schema = request_schema("openai", "chat_completions")
    body = {**CHAT, **extra}
    if not schema.problems(body):
        validator = _validator()
        assert validator.is_valid(body), [error.message for error in validator.iter_errors(body)]


_cache: list[Any] = []


def _validator() -> Any:
    if not _cache:
        schema = request_schema("openai", "chat_completions")
        document = {"$ref": "#/components/schemas/CreateChatCompletionRequest"}
        whole = {**document, "components": {"schemas": _nullable(schema.definitions)}}
        _cache.append(jsonschema_rs.Draft202012Validator(whole))
    return _cache[0]


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable`, which still stands in the document, as JSON Schema says it."""
    if isinstance(node, list):
        return [_nullable(each) for each in node]
    if not isinstance(node, dict):
        # YAML reads dates as dates.
        return node if isinstance(node, str | int | float | None) else str(node)
    plain = {key: _nullable(value) for key, value in node.items() if key != "discriminator"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


CODEX = {"type": "message", "role": "user", "id": "msg_1", "content": [{"type": "input_text", "text": "hi"}]}
CACHED = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
CALL = {"id": "call_1", "index": 0, "type": "function", "function": {"name": "f", "arguments": "{}"}}
REASONING = {"type": "reasoning", "summary": []}
CLAUDE, GPT = "databricks-claude-haiku-4-5", "databricks-gpt-5-1"


@pytest.mark.parametrize(
    ("vendor", "operation", "model", "body", "path"),
    [
        ("openai", "responses", "", {"input": [CODEX]}, None),
        ("azure", "responses", "", {"input": [CODEX]}, None),
        ("azure", "responses", "", {"input": [{**CODEX, "metadata": {}}]}, ("input", 0, "metadata")),
        ("openai", "responses", "", {"input": [{**REASONING, "encrypted_content": "x"}]}, None),
        ("azure", "responses", "", {"input": [{**REASONING, "id": "rs_1"}]}, None),
        ("openai", "responses", "", {"input": [REASONING]}, ("input", 0, "id")),
        ("cohere", "chat", "", {"messages": [{"role": "user", "content": "hi"}]}, None),
        ("cohere", "chat", "", {"messages": [{"role": "user", "content": "hi", "x": 1}]}, ("messages", 0, "x")),
        ("ollama", "chat", "", {"messages": [{"role": "user", "content": "hi", "x": 1}]}, None),
        ("ollama", "chat", "", {"messages": [{"role": "user", "content": []}]}, ("messages", 0, "content")),
        ("databricks", "chat_completions", CLAUDE, {"messages": [{"role": "user", "content": [CACHED]}]}, None),
        ("databricks", "chat_completions", GPT, {"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, None),
        (
            "databricks",
            "chat_completions",
            CLAUDE,
            {"messages": [{"role": "user", "content": "hi", "cache_control": {"type": "ephemeral"}}]},
            ("messages", 0, "cache_control"),
        ),
        (
            "databricks",
            "chat_completions",
            GPT,
            {"messages": [{"role": "user", "content": [CACHED]}]},
            ("messages", 0, "content", 0, "cache_control"),
        ),
    ],
)
def test_takes_what_real_clients_are_known_to_send(
    vendor: str, operation: str, model: str, body: dict[str, Any], path: Any
) -> None:
    """Given what Codex, opencode and LiteLLM's bridge send, when it is read, then vendors known to take it do."""
    found = request_schema(vendor, operation, model).problems({"model": "m", **body})
    assert [problem.path for problem in found] == ([] if path is None else [path])
