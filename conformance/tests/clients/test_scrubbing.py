"""Captured requests hold their structure, and nothing of the machine that they were captured on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.clients.scrubbing import MODEL, OPAQUE, PATH, TEXT, Stripper

KEY = "sk-0123456789abcdef0123456789abcdef"
UUIDS = ("01a21f2d-334c-7243-ad3f-739c7cb8b3ad", "c889cf54-d027-4429-bb30-ea6fef92975d")
#: What must not stay, wherever it stands.
PLANTED = (
    *(KEY, f"Bearer {KEY}", f"{KEY}-suffix", json.dumps({"key": KEY}), json.dumps([[KEY]]), KEY.encode().hex()),
    *("/home/somebody/project", "~/project", "C:\\Users\\somebody", "file:///home/somebody", "src/home/somebody"),
    *("buildbox-17", "BUILDBOX-17", "somebody", "at buildbox-17", "x.buildbox-17.y", *UUIDS),
    *("AKIAABCDEFGHIJKLMNOP", "dapi0123456789abcdef", "http://10.1.2.3:4000/v1", "some words of a prompt"),
)
#: Signs of each of them, in small letters.
SIGNS = (
    "0123456789",
    "somebody",
    "buildbox",
    "akia",
    "dapi",
    "10.1.2",
    "words",
    "739c7cb8",
    "c889cf54",
    KEY.encode().hex(),
)
FIELDS = (
    *("id", "call_id", "user", "prompt_cache_key", "content", "text", "arguments", "name", "type", "metadata", "input"),
    *("data", "signature", "messages", "parameters", "enum", "default", "client_metadata", "sessionId", "url"),
)
leaves = st.one_of(
    st.sampled_from(PLANTED), st.none(), st.booleans(), st.integers(), st.sampled_from(("auto", "24h", ""))
)
names = st.sampled_from((*FIELDS, *PLANTED))
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))
bodies = st.dictionaries(names, values, max_size=6)


def stripper() -> Stripper:
    """One for a run on a machine whose names are known."""
    return Stripper(model="gpt-5.2", secrets=[KEY], names=("somebody", "buildbox-17", "/home/somebody"))


def shape(value: Any) -> Any:
    """How a value is nested, and of which types it is."""
    if isinstance(value, dict):
        return sorted(repr(shape(each)) for each in value.values())
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


@given(bodies)
def test_nothing_of_the_machine_stays(body: dict[str, Any]) -> None:
    """Given a key, paths, names and ids anywhere in a body, when it is stripped, then none is left, in any field."""
    text = json.dumps(stripper().body(body)).lower()
    assert [sign for sign in SIGNS if sign in text] == []


@given(bodies)
def test_the_structure_stays(body: dict[str, Any]) -> None:
    """Given any body, when it is stripped, then it is nested as before, and every value has the type that it had."""
    assert shape(stripper().body(body)) == shape(body)


@pytest.mark.parametrize(
    ("field", "value", "becomes"),
    [
        ("reasoning_effort", "xhigh", "xhigh"),
        ("prompt_cache_retention", "24h", "24h"),
        ("include", ["reasoning.encrypted_content"], ["reasoning.encrypted_content"]),
        ("type", "clear_thinking_20251015", "clear_thinking_20251015"),
        ("$schema", "http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-07/schema#"),
        ("$ref", "#/$defs/Answer", "#/$defs/Answer"),
        ("media_type", "image/png", "image/png"),
        ("maximum", 9007199254740991, 9007199254740991),
        ("temperature", 0.5, 0.5),
        ("content", "", ""),
        ("content", "OK", TEXT),
        ("content", ["OK", None], [TEXT, None]),
        ("instructions", "You read files.", TEXT),
        ("cwd", "/home/somebody", PATH),
        ("encrypted_content", "a" * 90, OPAQUE),
        ("started_at", 1795819385, 1),
        ("started_at_ms", 1795819385725, 1),
        ("asked", "gpt-5.2", MODEL),
        ("url", "data:image/png;base64,iVBORw0KGgo=", TEXT),
        ("arguments", '{"path": "/home/somebody/a"}', '{"path": "path"}'),
        ("arguments", "no JSON", "{}"),
        ("turn", '{"id": "msg_0a1b2c3d", "kind": "exec"}', '{"id": "msg_1", "kind": "exec"}'),
    ],
)
def test_what_a_value_becomes(field: str, value: Any, becomes: Any) -> None:
    """Given a field and its value, when it is stripped, then what a backend can refuse stays, and else a word."""
    assert stripper().body({field: value}) == {field: becomes}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("msg_ef21a707-1690-547b-9f75-ab2e72a06a83", "msg_1"),
        ("call_f81b40dc7137dfbb1ccc5155", "call_1"),
        ("qwen-code:a414bc1c-0d43-42ec-96c4-84efa5f6a8c9", "qwen-code:1"),
        (UUIDS[0], "00000000-0000-4000-8000-000000000001"),
        (f"{UUIDS[0]}:0", "id_1"),
        ("somebody_0123", "id_1"),
        (KEY, "id_1"),
        ("/home/somebody", "id_1"),
    ],
)
def test_ids_keep_what_backends_demand(value: str, becomes: str) -> None:
    """Given an id, when it is stripped, then its prefix stays, and a UUID is one; what else it holds does not."""
    assert stripper().body({"id": value}) == {"id": becomes}


def test_ids_agree() -> None:
    """Given a run's requests, when they are stripped, then equal ids are equal, and others differ, to the end."""
    run = stripper()
    first = run.body({"input": [{"id": "fc_0a1b2c3d", "call_id": "call_0a1b2c3d"}, {"call_id": "call_99999999"}]})
    later = run.body({"input": [{"call_id": "call_99999999"}, {"tool_call_id": "call_0a1b2c3d"}]})
    assert first == {"input": [{"call_id": "call_1", "id": "fc_1"}, {"call_id": "call_2"}]}
    assert later == {"input": [{"call_id": "call_2"}, {"tool_call_id": "call_1"}]}


def test_fields_have_one_order() -> None:
    """Given a client that sends its fields in any order, when two requests are stripped, then both are one text."""
    ids = {"a_id": UUIDS[0], "b_id": UUIDS[1]}
    one, other = (stripper().body(body) for body in (ids, dict(reversed(ids.items()))))
    assert json.dumps(one) == json.dumps(other)


def test_one_tool_of_each_kind() -> None:
    """Given many tools, when a body is stripped, then one of each kind stays, and of a kind the one that was called."""
    plain: list[dict[str, Any]] = [
        {"type": "function", "name": name, "parameters": {}} for name in ("edit", "read", "write")
    ]
    other = [{"type": "web_search"}, {"type": "function", "name": "wait", "parameters": {}, "strict": True}]
    nested = {"type": "namespace", "tools": plain}
    called = {"type": "function_call", "name": "read", "arguments": "{}"}
    found = stripper().body({"input": [called], "tools": [*plain, *other, nested]})["tools"]
    assert [each.get("name") or each["type"] for each in found] == ["read", "web_search", "wait", "namespace"]
    assert [each["name"] for each in found[-1]["tools"]] == ["read"]


@given(st.dictionaries(st.sampled_from(("tools", "messages", "tool_calls", "function", "content", "type")), values))
def test_bodies_that_no_client_sends(body: dict[str, Any]) -> None:
    """Given lists and objects where others belong, when a body is stripped, then it is, and stays JSON."""
    json.loads(json.dumps(stripper().body(body)))


def test_headers() -> None:
    """Given headers, when a request is stripped, then only the named ones stay, without secrets."""
    sent = {"authorization": f"Bearer {KEY}", "anthropic-beta": "effort-2025-11-24", "x-app": "cli", "openai-beta": KEY}
    found = stripper().headers(sent, ("anthropic-beta", "openai-beta", "anthropic-version"))
    assert found == {"anthropic-beta": "effort-2025-11-24", "openai-beta": "[scrubbed]"}
