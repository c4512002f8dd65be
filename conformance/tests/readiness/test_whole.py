"""Which whole bodies prove most, and what a run for some clients asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.clients.profiles import load_profiles
from conformance.errors import ClientError
from conformance.parameters import Registry, load_registry
from conformance.plan.cells import WholeBody, make_plan
from conformance.readiness.whole import bodies_of, needed_by, select_clients
from conformance.tests.readiness.test_forecast import profiles, request
from conformance.types import Endpoint, Mode, Model

REGISTRY, PROFILES = load_registry(), load_profiles()
CHAT, WHOLE = Endpoint.CHAT_COMPLETIONS, Mode.WHOLE
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def chosen(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    """The bodies that are asked of a client that sends these in one way."""
    document = profiles(*(request(turn=turn, body=body) for turn, body in enumerate(bodies, 1)))
    return [dict(sent.body) for sent in bodies_of(document, REGISTRY, ["agent"])("claude-x", CHAT, WHOLE)]


class TestBodies:
    """The fewest that show."""

    def test_the_largest_and_the_one_without_tools(self) -> None:
        """Given bodies with and without tools, when they are chosen, then of each the one with most in it is asked."""
        small, large = {"tools": TOOLS, "store": True}, {"tools": TOOLS, "store": True, "user": "u", "hue": 1}
        title = {"store": True, "user": "u"}
        assert chosen(small, {"user": "u"}, large, title) == [large, title]

    def test_what_an_answer_held_is_not_asked(self) -> None:
        """Given a body that sends an answer's reasoning back, when bodies are chosen, then it is left out: nobody's
        reasoning would be refused."""
        first = {"store": True}
        replay = {"messages": [{"role": "assistant", "reasoning_content": "text"}], "store": True, "user": "u"}
        opaque = {"messages": [{"role": "assistant", "signature": "opaque"}], "store": True, "user": "u"}
        assert chosen(first, replay, opaque) == [first]
        assert chosen(replay) == []

    def test_headers_that_a_body_depends_on(self) -> None:
        """Given one body with two sets of headers, when bodies are chosen, then each is asked with its own: without
        them it would be another request."""
        sent = {"store": True}
        document = profiles(request("a", body=sent, headers={"anthropic-beta": "x"}), request("b", body=sent))
        asked = bodies_of(document, REGISTRY, ["agent"])("claude-x", CHAT, WHOLE)
        assert list(asked) == [WholeBody(sent, {"anthropic-beta": "x"}), WholeBody(sent)]

    def test_a_body_that_several_send_is_asked_once(self) -> None:
        """Given two ways that send the same, when bodies are chosen, then it is there once; nobody else's are."""
        document = profiles(request("a", body={"store": True}), request("b", body={"store": True}))
        assert len(bodies_of(document, REGISTRY, ["agent"])("claude-x", CHAT, WHOLE)) == 1
        assert not bodies_of(document, REGISTRY, [])("claude-x", CHAT, WHOLE)
        assert not bodies_of(document, REGISTRY, ["agent"])("claude-x", CHAT, Mode.STREAM)

    def test_the_family_counts(self) -> None:
        """Given requests for several families, when bodies are chosen for a model, then they are its family's."""
        document = profiles(
            request(body={"store": True}, families=["claude"]), request(body={"user": "u"}, families=["unknown"])
        )
        bodies = bodies_of(document, REGISTRY, ["agent"])
        assert [sent.body for sent in bodies("my-claude", CHAT, WHOLE)] == [{"store": True}]
        assert [sent.body for sent in bodies("gpt-5", CHAT, WHOLE)] == [{"user": "u"}]

    def test_every_way_has_a_body(self) -> None:
        """Given the captured clients, when bodies are chosen, then each way to a measured endpoint has one or two of
        its own requests, and none of them holds a model's answer."""
        for profile in PROFILES["profiles"]:
            bodies = bodies_of(PROFILES, REGISTRY, [profile["client"]])
            ways = {
                (each["way"], Endpoint(each["endpoint"]), Mode(each["mode"]))
                for each in profile["requests"]
                if each["endpoint"] in set(Endpoint) and "unknown" in each["families"]
            }
            for way, endpoint, mode in ways:
                sent = [each["body"] for each in profile["requests"] if each["way"] == way]
                asked = [sent.body for sent in bodies("some-model", endpoint, mode)]
                assert 1 <= sum(body in sent for body in asked) <= 2 * len(ways), (profile["client"], way)
                assert "opaque" not in json.dumps(asked)


class TestNeeded:
    """What a run for some clients measures."""

    def test_parameters_of_their_bodies(self) -> None:
        """Given a client, when it is asked what it needs, then that is what its bodies hold, on every endpoint, what
        that builds on, and what tells whether an answer would be sent back."""
        document = profiles(
            request(body={"user": "u", "messages": [{"role": "assistant", "reasoning_content": "x"}]}),
            request(turn=2, endpoint="responses", body={"input": "x", "reasoning": {"summary": "auto"}}),
            request(turn=3, endpoint="messages", body={"seed": 1}),
        )
        names = {parameter.id for parameter in needed_by(document, REGISTRY)}
        assert names == {
            "user", "messages.reasoning_content", "thinking", "reasoning.summary", "reasoning.effort:low",
        }  # fmt: skip

    def test_other_values_of_a_field(self) -> None:
        """Given a value that no parameter asks about, when it is needed, then all values of its field are: together
        they speak for it."""
        document = profiles(request(body={"store": None}))
        assert {parameter.id for parameter in needed_by(document, REGISTRY)} == {"store:true", "store:false"}

    def test_a_client_of_another_endpoint(self) -> None:
        """Given a client that speaks only an endpoint that nothing asks about, when it is asked what it needs, then
        one line says so."""
        with pytest.raises(ClientError, match="anything that agent sends"):
            needed_by(profiles(request(endpoint="messages", body={"max_tokens": 1})), Registry((), {}, {}))

    def test_few_clients_need_few(self) -> None:
        """Given the captured clients, when one is chosen, then it needs fewer parameters than all of them."""
        codex = needed_by(select_clients(PROFILES, "codex"), REGISTRY)
        everybody = needed_by(PROFILES, REGISTRY)
        assert 5 < len(codex) < len(everybody) < len(REGISTRY.parameters)


class TestSelection:
    """`--clients`."""

    def test_names(self) -> None:
        """Given names, when clients are chosen, then those are there, in the order of the profiles."""
        found = select_clients(PROFILES, "pi, codex,")
        assert [each["client"] for each in found["profiles"]] == ["pi", "codex"]
        assert select_clients(PROFILES, None) == select_clients(PROFILES, "all") == PROFILES
        assert select_clients(PROFILES, "codex, all") == PROFILES

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            ("codx", "did you mean 'codex'"),
            ("ALL", "did you mean 'all'"),
            (",", "choose all, or some of pi"),
            ("x" * 5000, "'x{100}…' was not captured"),
        ],
    )
    def test_names_that_nobody_has(self, names: str, told: str) -> None:
        """Given a name that no client has, when clients are chosen, then one line says which there are."""
        with pytest.raises(ClientError, match=told) as raised:
            select_clients(PROFILES, names)
        assert "\n" not in str(raised.value)


def test_bodies_travel_with_the_plan() -> None:
    """Given bodies, when a plan is made, then each group holds those of its model, endpoint and mode, and no cell is
    more."""
    document = profiles(request(body={"store": True}))
    models = [Model(id="claude-x"), Model(id="gpt-5")]
    arguments = models, REGISTRY, REGISTRY.select("store"), tuple(Endpoint)
    plan = make_plan(*arguments, bodies=bodies_of(document, REGISTRY, ["agent"]))
    assert plan.size == make_plan(*arguments).size
    there = {(group.model.id, group.endpoint, group.mode) for group in plan.groups if group.bodies}
    assert there == {("claude-x", CHAT, WHOLE), ("gpt-5", CHAT, WHOLE)}
