"""LiteLLM is told to leave out what a model refuses everywhere, and nothing that it takes somewhere."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.export.clients import load_clients
from conformance.export.dropping import STUCK, TAKEN, Dropping, dropping
from conformance.export.facts import facts_of
from conformance.parameters import load_registry
from conformance.tests.helpers.pages import cell, matrix_with
from conformance.types import Endpoint, Parameter

ALL = ("chat_completions", "responses", "messages")


def drops(*cells: dict[str, Any], endpoints: tuple[str, ...] = ALL, **options: bool) -> Dropping:
    """What LiteLLM is told of the one model of these cells."""
    facts = facts_of(matrix_with(cells), load_registry(), "a test")
    return dropping(facts.models["claude-x"], endpoints, **options)


def refused(parameter: str, endpoint: str = "chat_completions", **parts: Any) -> dict[str, Any]:
    """A cell that is refused."""
    return cell(parameter=parameter, verdict="rejected", endpoint=endpoint, **parts)


def taken(parameter: str, endpoint: str = "chat_completions", **parts: Any) -> dict[str, Any]:
    """A cell that is taken."""
    return cell(parameter=parameter, endpoint=endpoint, **parts)


def test_what_is_refused_everywhere_is_left_out() -> None:
    """Given a field that is refused on one endpoint and ignored on another, when made, then it is left out."""
    made = drops(refused("seed"), cell(parameter="seed", endpoint="responses", verdict="ignored"))
    assert (made.drop, [said.parameter for said in made.promised], made.left) == (["seed"], ["seed"], [])


@pytest.mark.parametrize(
    "other",
    [taken("store:false"), taken("store:true", "responses"), taken("store:true", mode="stream")],
    ids=["another value", "another endpoint", "another mode"],
)
def test_what_is_taken_somewhere_stays(other: dict[str, Any]) -> None:
    """Given a field of which something is taken, when made, then it is not left out, and that is said."""
    made = drops(refused("store:true"), other)
    assert made.drop == []
    assert [(left.said.parameter, left.why) for left in made.left] == [("store:true", TAKEN)]


def test_another_endpoint_does_not_count_if_one_is_named() -> None:
    """Given a field that another endpoint takes, when one endpoint is named, then it is left out."""
    made = drops(refused("seed"), taken("seed", "responses"), endpoints=("chat_completions",))
    assert made.drop == ["seed"]


def test_a_default_is_no_loss() -> None:
    """Given a value that is refused, and one that asks for the default, when made, then the field is left out."""
    assert drops(refused("tool_choice:required"), taken("tool_choice:auto")).drop == ["tool_choice"]


def test_what_the_provider_keeps_stays() -> None:
    """Given a field without which a request means something else, when made, then it is not left out."""
    made = drops(refused("previous_response_id", "responses"), refused("tools.type:mcp", "responses", fields=["tools"]))
    assert made.drop == []
    assert len(made.left) == 2


def test_what_hangs_on_a_field_goes_with_it() -> None:
    """Given a field that is refused, when made, then what means nothing without it is left out, too."""
    assert drops(refused("logprobs")).drop == ["logprobs", "top_logprobs"]
    assert drops(refused("logprobs"), taken("top_logprobs")).drop == ["logprobs"]


def test_what_litellm_refuses_too_early() -> None:
    """Given LiteLLM's own refusal of what it does not leave out in time, when made, then that is said."""
    made = drops(refused("temperature", "messages"))
    assert [left.why for left in made.left] == [STUCK]
    assert drops(refused("temperature", "messages", rejected_by="backend")).drop == ["temperature"]


def test_letting_through() -> None:
    """Given what LiteLLM itself refuses and what the vendor refuses, when asked to, then the first is let through."""
    made = drops(refused("seed"), refused("n", rejected_by="backend"), let_through=True)
    assert (made.allow, made.drop) == (["seed"], ["n"])


@pytest.mark.parametrize("endpoint", ALL)
def test_the_page_says_what_the_export_does(endpoint: str) -> None:
    """Given each parameter, when a model refuses it alone, then LiteLLM is set just where a page says that it can be.

    With a field that is refused as such, all of it is.
    """
    registry = load_registry()
    asked = [each for each in registry.parameters if endpoint in {body.value for body in each.bodies}]
    wrong = []
    for one in asked:
        rest = [
            other
            for other in asked
            if other.path != one.id and not other.path.startswith(f"{one.id}.") and "+" not in other.path
        ]
        cells = [taken(other.id, endpoint, fields=_fields(other, endpoint)) for other in rest if other is not one]
        made = drops(refused(one.id, endpoint, fields=_fields(one, endpoint)), *cells, endpoints=(endpoint,))
        promised = bool(made.promised) and "+" not in one.path
        if promised is not bool(load_clients()["litellm"].conditions_of(one.id, endpoint)):
            wrong.append((one.id, made.left))
    assert wrong == []


def _fields(parameter: Parameter, endpoint: str) -> list[str]:
    return list(parameter.bodies[Endpoint(endpoint)])


@pytest.mark.parametrize(
    ("client", "parameter", "endpoint", "said"),
    [
        ("litellm", "store:false", "chat_completions", False),
        ("litellm", "system.cache_control", "messages", False),
        ("litellm", "temperature", "messages", False),
        ("litellm", "temperature", "chat_completions", True),
        ("litellm", "temperature+top_p", "chat_completions", False),
        ("litellm", "seed", "chat_completions", True),
        ("litellm", "nobody_knows", "chat_completions", True),
        ("vercel-ai", "tools.strict:true", "chat_completions", False),
        ("litellm-sdk", "tools.strict:true", "chat_completions", True),
        ("vercel-ai", "seed", "messages", False),
    ],
)
def test_what_can_be_left_out(client: str, parameter: str, endpoint: str, *, said: bool) -> None:
    """Given a value, a field in a field, or what LiteLLM refuses too early, when asked, then the client says so."""
    assert bool(load_clients()[client].conditions_of(parameter, endpoint)) is said
