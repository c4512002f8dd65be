"""What a client's request is made of: parameters that a run asks about, and fields that it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.clients.profiles import load_profiles
from conformance.parameters import load_registry
from conformance.readiness.needs import Needs, needs_of
from conformance.readiness.shapes import Shapes, shapes_of
from conformance.types import Endpoint

REGISTRY = load_registry()
SHAPES = {endpoint.value: shapes_of(REGISTRY, endpoint) for endpoint in REGISTRY.endpoints}
CHAT, RESPONSES = SHAPES["chat_completions"], SHAPES["responses"]
PROBES = [
    pytest.param(parameter.id, endpoint, body, id=f"{endpoint}-{parameter.id}")
    for parameter in REGISTRY.parameters
    for endpoint, body in parameter.bodies.items()
    if not parameter.after or parameter.after == "baseline"  # the others are filled from an answer
    if not parameter.door
]


@pytest.mark.parametrize(("name", "endpoint", "body"), PROBES)
def test_each_parameter_is_found_in_its_own_probe(name: str, endpoint: Endpoint, body: dict[str, Any]) -> None:
    """Given a probe of the registry, when it is taken for a client's body, then it needs that parameter, and no
    field of it is one that the registry does not ask about."""
    needs = needs_of(body, SHAPES[endpoint.value])
    assert name in needs.parameters
    assert not needs.values
    assert not needs.unasked


def found(body: dict[str, Any], shapes: Shapes = CHAT) -> tuple[list[str], list[str], list[str]]:
    """What a body needs, each kind as a list."""
    needs = needs_of(body, shapes)
    return list(needs.parameters), list(needs.values), list(needs.unasked)


class TestPlaces:
    """Where a parameter lies in a body."""

    def test_fields_at_the_top(self) -> None:
        """Given fields at the top, when they are mapped, then each value is spelled as the registry spells it."""
        assert found({"store": False, "temperature": 0.7, "stream": True}) == (["store:false", "temperature"], [], [])

    def test_fields_in_objects(self) -> None:
        """Given fields inside objects, when they are mapped, then their paths are the registry's."""
        body = {"reasoning": {"effort": "high", "summary": "auto"}, "text": {"format": {"type": "json_object"}}}
        names = ["reasoning.effort:high", "reasoning.summary", "text.format:json_object"]
        assert found(body, RESPONSES) == (names, [], [])

    def test_fields_of_tools(self) -> None:
        """Given tools of both endpoints, when they are mapped, then `strict` is found where each endpoint has it."""
        chat = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}]}
        responses = {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]}
        assert found(chat) == (["tools", "tools.strict:true"], [], [])
        assert found(responses, RESPONSES) == (["tools", "tools.strict:false"], [], [])
        assert found({"tools": []}) == (["tools:empty"], [], [])

    def test_parts_of_messages(self) -> None:
        """Given a conversation with roles, images and tool turns, when it is mapped, then what is asked about is
        found, and what every conversation is made of needs nothing."""
        messages = [
            {"role": "developer", "content": "text"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": ""}}],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {}}]},
            {"role": "tool", "tool_call_id": "1", "content": "text"},
        ]
        names = ["messages.role:developer", "messages.content.type:image_url", "messages.tool_calls"]
        assert found({"messages": messages}) == (names, [], [])

    def test_values_in_lists(self) -> None:
        """Given a list of values, when it is mapped, then each value is its own parameter, or is not asked about."""
        body = {"include": ["reasoning.encrypted_content", "file_search_call.results"]}
        assert found(body, RESPONSES) == (
            ["include:reasoning.encrypted_content"], ["include:file_search_call.results"], []
        )  # fmt: skip

    def test_parameters_of_two_fields(self) -> None:
        """Given two fields that are also asked about together, when both are there, then so is that parameter."""
        assert found({"temperature": 1, "top_p": 1})[0] == ["temperature", "top_p", "temperature+top_p"]
        assert found({"top_p": 1})[0] == ["top_p"]

    def test_a_named_tool_choice(self) -> None:
        """Given a tool choice that is an object, when it is mapped, then it is called as the filter calls it."""
        assert found({"tool_choice": {"type": "function", "function": {"name": "f"}}})[0] == ["tool_choice:named"]


class TestUnasked:
    """What the registry does not ask about is named, once, and with its place."""

    def test_unknown_fields(self) -> None:
        """Given fields of which no probe has any, when they are mapped, then they are named, and not gone into."""
        body = {
            "client_metadata_x": {"a": {"b": 1}},
            "messages": [{"role": "user", "hue": 1}, {"role": "user", "hue": 2}],
        }
        assert found(body) == ([], [], ["client_metadata_x", "messages.hue"])

    def test_unknown_kinds(self) -> None:
        """Given a tool and a role of a kind that no probe has, when they are mapped, then the kind is named, and
        nothing else of that object."""
        body = {
            "tools": [{"name": "x", "hue": {"blue": 1}, "type": "sorcery"}],
            "messages": [{"role": "wizard", "x": 1}],
        }
        assert found(body) == (["tools"], [], ["tools.type:sorcery", "messages.role:wizard"])

    def test_a_value_that_nobody_asked_for(self) -> None:
        """Given a field whose values are asked for one by one, when it has another, then the other values are kept,
        by which it may be judged."""
        needs = needs_of({"reasoning_effort": "ultra"}, CHAT)
        assert list(needs.values) == ["reasoning_effort:ultra"]
        assert "reasoning_effort:high" in needs.values["reasoning_effort:ultra"]

    def test_keys_of_the_callers_own(self) -> None:
        """Given a tool's schema and labels, when they are mapped, then their keys are nobody's parameters."""
        schema = {"type": "object", "properties": {"store": {"type": "sorcery"}}}
        body = {"metadata": {"store": "x"}, "tools": [{"type": "function", "function": {"parameters": schema}}]}
        assert found(body) == (["metadata", "tools"], [], [])

    def test_a_field_of_another_endpoint(self) -> None:
        """Given a field that is asked about on another endpoint, when it is mapped, then it is not asked about here."""
        assert found({"max_output_tokens": 1}) == ([], [], ["max_output_tokens"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
FIELDS = sorted({step for place in CHAT.known | RESPONSES.known for step in place if step != "[]"})
#: Bodies that are nearly right: the fields' names are the registry's, and what they hold is anything.
NEARLY = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=30,
)


@given(body=NEARLY, endpoint=st.sampled_from(sorted(SHAPES)))
def test_no_body_is_too_hostile(body: Any, endpoint: str) -> None:
    """Given whatever JSON, when it is mapped, then that ends, names no parameter of another endpoint, and names
    nothing that is long."""
    needs = needs_of(body, SHAPES[endpoint])
    assert all(endpoint in REGISTRY.by_id[name].bodies for name in needs.parameters)
    assert all(name and len(name) <= 161 for name in (*needs.values, *needs.unasked))


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=list(SHAPES))
def test_no_body_is_too_deep(shapes: Shapes) -> None:
    """Given bodies that are nested beyond what Python recurses, when they are mapped, then nothing is gone into."""
    deep: Any = {}
    for _ in range(100_000):
        deep = [{"messages": deep, "input": deep}]
    assert needs_of({"messages": deep, "input": deep, "tools": deep}, shapes) != Needs()


def test_every_captured_body_is_mapped() -> None:
    """Given what real clients were seen to send, when it is mapped, then every body of a measured endpoint needs
    something that is asked about, or holds something that is not, and most need tools."""
    requests = [each for profile in load_profiles()["profiles"] for each in profile["requests"]]
    needs = [needs_of(each["body"], SHAPES[each["endpoint"]]) for each in requests if each["endpoint"] in SHAPES]
    assert sum("tools" in each.parameters for each in needs) > len(needs) / 2
    assert not any("messages" in name.split(".")[-1] for each in needs for name in each.unasked)
