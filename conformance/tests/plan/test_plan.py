"""Tests of `conformance.plan.cells`: which cells there are, and what the requests of a group look like."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.errors import DiscoveryError, RegistryError
from conformance.parameters import load_registry
from conformance.plan.cells import (
    MAX_DEPLOYMENTS,
    Lane,
    lanes,
    make_plan,
    refuse_useless_patterns,
    select_endpoints,
    select_models,
)
from conformance.tests.helpers.building import CHAT, MESSAGES, RESPONSES, STREAM, WHOLE
from conformance.types import Endpoint, Mode, Model, digest_of

REGISTRY = load_registry()
CORE = REGISTRY.select("core")
MODELS = (Model(id="a"), Model(id="b/c", deployments=2, deployment_ids=("one", "two")))


def test_every_cell_once() -> None:
    """Given two models and the core set, when planned, then each cell that applies is there once, in order."""
    plan = make_plan(MODELS, REGISTRY, CORE, tuple(Endpoint))

    keys = [(c.key.model, c.key.endpoint, c.key.mode, c.key.parameter) for c in plan.cells]
    assert keys == [
        (m.id, e, mode, p.id)
        for m in MODELS
        for e in Endpoint
        for mode in Mode
        for p in CORE
        if e in p.bodies
        if mode in p.modes
    ]


def test_groups_of_each_model() -> None:
    """Given a balanced model among two, when planned, then it has a group for each deployment."""
    plan = make_plan(MODELS, REGISTRY, CORE, tuple(Endpoint))

    assert {model: len(groups) for model, groups in plan.groups_of.items()} == {"a": 6, "b/c": 12}
    assert {group.lane.asked for group in plan.groups_of["b/c"]} == {"one", "two"}


def test_request_is_body_cap_and_parameter() -> None:
    """Given a group, when its requests are made, then they have the endpoint's body, and the parts in order."""
    for group in make_plan(MODELS[:1], REGISTRY, CORE, tuple(Endpoint)).groups:
        cap = group.entry.caps[0]
        baseline = group.request(cap).body
        assert baseline == {
            "model": "a",
            **group.entry.body,
            **cap,
            **({"stream": True} if group.mode is STREAM else {}),
        }
        assert group.request(cap, {"x": 1}).body == {**baseline, "x": 1}
        assert group.request({}, {"x": 1}, without=tuple(cap)).body == {
            name: value for name, value in {**baseline, "x": 1}.items() if name not in cap
        }


def test_contexts_replace_fields_of_the_body() -> None:
    """Given a context, when its baseline is made, then its fields stand in place of the endpoint's."""
    group = make_plan(MODELS[:1], REGISTRY, REGISTRY.select("all"), tuple(Endpoint)).groups[0]
    for name, bodies in REGISTRY.contexts.items():
        if group.endpoint in bodies:
            body = group.request({}, contexts=[name]).body
            assert body == {"model": "a", **group.entry.body, **bodies[group.endpoint].body}


def test_parameters_apply_where_they_say() -> None:
    """Given a parameter for one endpoint and mode, when planned, then no other cell and no idle group is made."""
    parameter = replace(CORE[0], bodies={RESPONSES: {"x": 1}}, effects={}, modes=(WHOLE,))

    plan = make_plan([Model(id="a")], REGISTRY, [parameter], tuple(Endpoint))

    assert [(c.key.endpoint, c.key.mode) for c in plan.cells] == [(RESPONSES, WHOLE)]
    assert len(plan.groups) == 1


@pytest.mark.parametrize(("deployments", "count"), [(0, 1), (1, 1), (2, 6), (3, 9), (40, 9)])
def test_lanes_where_deployments_have_no_ids(deployments: int, count: int) -> None:
    """Given a number of deployments without ids, when planned, then each is likely reached, in bounded tries."""
    assert lanes(Model(id="a", deployments=deployments)) == tuple(Lane("a", n) for n in range(count))


@pytest.mark.parametrize(
    ("glob", "ids"),
    [
        (None, ["claude-a", "gpt-5", "x[y]"]),
        ("", ["claude-a", "gpt-5", "x[y]"]),
        ("claude*", ["claude-a"]),
        ("gpt-?", ["gpt-5"]),
        ("gpt*, claude*", ["claude-a", "gpt-5"]),
        ("x[y]", ["x[y]"]),
    ],
)
def test_select_models(glob: str | None, ids: list[str]) -> None:
    """Given a glob or an exact id, when models are chosen, then those that fit come in their order."""
    models = [Model(id="claude-a"), Model(id="gpt-5"), Model(id="x[y]")]

    assert [model.id for model in select_models(models, glob)] == ids


@pytest.mark.parametrize("glob", ["GPT*", "nothing", ",", " "])
def test_select_no_models(glob: str) -> None:
    """Given a glob that fits nothing, when models are chosen, then the error names some that there are."""
    models = [Model(id=f"m{n}") for n in range(12)]

    with pytest.raises(DiscoveryError, match=r"fits none of the 12 models: 'm0', .*'m9' and 2 more$"):
        select_models(models, glob)


@pytest.mark.parametrize(
    ("glob", "useless"),
    [(None, None), (" , ", None), ("m*, n", None), ("m?,n", None), ("m*,o", "o"), ("o*,m1", "o*"), ("p,o", "p")],
)
def test_a_pattern_that_fits_no_model(glob: str | None, useless: str | None) -> None:
    """Given several patterns, when one fits no model, then the error names that one, whatever the others fit."""
    models = [Model(id="m1"), Model(id="m2"), Model(id="n")]

    with pytest.raises(DiscoveryError, match=re.escape(f"{useless!r} fits none")) if useless else nullcontext():
        refuse_useless_patterns(models, glob)


def test_headers_of_all_that_travels() -> None:
    """Given parameters that need headers, when they travel together, then each value is there once."""
    thinking, tools = (REGISTRY.by_id[name] for name in (EDITS, "tools.defer_loading"))
    [group] = make_plan(MODELS[:1], REGISTRY, [replace(thinking, modes=(WHOLE,))], [MESSAGES]).groups

    asked = group.request({}, headers=[thinking.headers, tools.headers, thinking.headers])

    assert asked.headers == {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-management-2025-06-27,advanced-tool-use-2025-11-20",
    }
    assert asked.digest != group.request({}).digest
    assert asked.digest != replace(asked, door="/count_tokens").digest


EDITS = "context_management.edits:clear_thinking_20251015"


@pytest.mark.parametrize(
    ("names", "endpoints"),
    [
        (None, (CHAT, RESPONSES, MESSAGES)),
        ("responses", (RESPONSES,)),
        ("responses, chat_completions,", (CHAT, RESPONSES)),
    ],
)
def test_select_endpoints(names: str | None, endpoints: tuple[Endpoint, ...]) -> None:
    """Given endpoints by name, when they are chosen, then they come in the house's order."""
    assert select_endpoints(names) == endpoints


@pytest.mark.parametrize("names", ["chat", "responses,embeddings", " , "])
def test_select_unknown_endpoints(names: str) -> None:
    """Given a name that is no endpoint, when they are chosen, then the error tells those there are."""
    with pytest.raises(RegistryError, match="is not an endpoint; choose from chat_completions, responses, messages"):
        select_endpoints(names)


@given(st.text(st.characters(), max_size=30))
def test_any_model_id_can_be_asked(model_id: str) -> None:
    """Given any model id, lone surrogates too, when planned, then bodies are ASCII and digests differ."""
    plan = make_plan([Model(id=model_id)], REGISTRY, CORE, tuple(Endpoint))

    requests = [group.request(cap) for group in plan.groups for cap in group.entry.caps]
    assert all(request.content.isascii() for request in requests)
    assert len({request.digest for request in requests}) == len(requests)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("chat", {"a": 1, "b": 2}, 0), ("chat", {"b": 2, "a": 1}, 0), True),
        (("chat", {"a": True}, 0), ("chat", {"a": 1}, 0), False),
        (("chat", {"a": 1}, 0), ("chat", {"a": 1}, 1), False),
        (("chat", {"a": 1}, 0), ("responses", {"a": 1}, 0), False),
    ],
)
def test_digests(one: tuple[str, object, int], other: tuple[str, object, int], same: bool) -> None:
    """Given two requests, when they are digested, then the digests are the same if the requests are."""
    assert (digest_of(*one) == digest_of(*other)) is same


def test_deployments_without_number() -> None:
    """Given a gateway that declares 100,000 deployments of a model, when it is planned, then a few are asked."""
    ids = tuple(f"deployment-{number}" for number in range(100_000))
    assert lanes(Model(id="a", deployments=len(ids), deployment_ids=ids)) == tuple(map(Lane, ids[:MAX_DEPLOYMENTS]))
