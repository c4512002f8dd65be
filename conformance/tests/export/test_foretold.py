"""What a support table foretells refuses no more than a measurement does."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from conformance.export.clients import load_clients
from conformance.export.dropping import dropping
from conformance.export.facts import Facts, facts_of
from conformance.export.foretold import foretold
from conformance.export.making import Wishes, made
from conformance.parameters import load_registry
from conformance.provider.table import load_table, parse_table
from conformance.tests.helpers.shipped import shipped_matrix
from conformance.types import Endpoint, Gateway, Model

REGISTRY = load_registry()
ENDS = tuple(each.value for each in Endpoint)
#: Where the table's own rule for a family is at odds with the recording: no fault of the export.
OF_THE_TABLE = {("proxy.example", "claude-sonnet-5-vertex", "messages", "count_tokens")}
REFUSES = {"supported": False, "source": "s"}


@cache
def from_the_table(name: str) -> Facts:
    """What the shipped table says of the models of the shipped recording, on a gateway of this name."""
    told = shipped_matrix()["gateway"]
    gateway = Gateway(name=name, url=told["url"], software=told["software"], version=told["version"])
    models = [
        Model(id=row["id"], route=row["route"], served_by=tuple(row["served_by"])) for row in shipped_matrix()["models"]
    ]
    return facts_of(foretold(gateway, models, load_table(), REGISTRY), REGISTRY, "the table")


@cache
def from_the_matrix() -> Facts:
    """What the shipped recording says."""
    return facts_of(shipped_matrix(), REGISTRY, "the matrix")


def of_a_table(*statements: str, endpoint: str = "chat_completions") -> Facts:
    """What a table says that refuses this of one model on one endpoint."""
    rule = {"models": ["m"], "endpoints": [endpoint], "statements": dict.fromkeys(statements, REFUSES)}
    rows: dict[str, Any] = {"schema_version": 1, "sources": {"s": {"kind": "measured"}}}
    table = parse_table({**rows, "rules": [rule, {"models": ["*"], "statements": {}}]})
    gateway = Gateway(name="any", url="http://localhost:4000")
    return facts_of(foretold(gateway, [Model(id="m")], table, REGISTRY), REGISTRY, "a table")


@pytest.mark.parametrize("name", ["embedded", "proxy.example"])
def test_no_field_more_than_was_measured(name: str) -> None:
    """Given models that were measured, when the table is asked, then it refuses nothing that was not refused."""
    names = {parameter.path for parameter in REGISTRY.parameters} | {each.id for each in REGISTRY.parameters}
    more = [
        (name, model.id, endpoint, each)
        for model in from_the_table(name).models.values()
        for endpoint in ENDS
        for each in names
        if model.refuses(endpoint, each) and not from_the_matrix().models[model.id].refuses(endpoint, each)
    ]
    assert set(more) <= OF_THE_TABLE


@pytest.mark.parametrize("ends", [ENDS, *((each,) for each in ENDS)])
def test_litellm_leaves_out_nothing_that_is_taken(ends: tuple[str, ...]) -> None:
    """Given models that were measured, when LiteLLM is set by the table, then it drops only what they refuse."""
    for model in from_the_table("proxy.example").models.values():
        measured = from_the_matrix().models[model.id]
        more = set(dropping(model, ends).drop) - set(dropping(measured, ends).drop)
        assert all(measured.refuses(end, each) for each in more for end in ends), model.id


@pytest.mark.parametrize("client", ["pi", "opencode", "litellm"])
def test_every_listed_model_is_there(client: str) -> None:
    """Given models of which the table says little, when exported, then all are in the file, and none is called dull."""
    facts = from_the_table("proxy.example")
    output = made(load_clients()[client], facts, Wishes())[0]
    text = str((output.defaults, output.settings))
    assert all(f"'{name}'" in text for name in facts.models)
    assert set(facts.models) == set(from_the_matrix().models)
    if client == "opencode":
        assert "'reasoning': False" not in str(output.defaults)


def test_a_model_of_which_nothing_is_known() -> None:
    """Given a model that no table knows, when exported, then it is listed, and nothing is said of it."""
    output = made(load_clients()["opencode"], of_a_table(), Wishes())[0]
    assert output.defaults["provider"]["litellm"]["models"] == {"m": {"name": "m", "tool_call": True}}
    assert output.settings == {}


def test_a_combination_is_not_its_parts() -> None:
    """Given two fields that are refused together, when read, then neither is refused, and neither is left out."""
    model = of_a_table("temperature+top_p").models["m"]
    assert not model.refuses("chat_completions", "temperature")
    assert not model.refuses("chat_completions", "top_p")
    assert dropping(model, ("chat_completions",)).drop == []


def test_a_value_is_not_its_field() -> None:
    """Given one refused value, when read, then its field is not refused; where all are, or the field is, it is."""
    values = [each.id for each in REGISTRY.parameters if each.path == "reasoning_effort"]
    for statements, refused in (values[:1], False), (values, True), (["reasoning_effort"], True):
        model = of_a_table(*statements).models["m"]
        assert model.refuses("chat_completions", "reasoning_effort") is refused
        assert ("reasoning_effort" in dropping(model, ("chat_completions",)).drop) is refused


def test_an_endpoint_is_not_another() -> None:
    """Given a field that one endpoint refuses, when nothing is known of another, then it stays, unless one is named."""
    model = of_a_table("store").models["m"]
    assert dropping(model, ENDS).drop == []
    assert dropping(model, ("chat_completions",)).drop == ["store"]
