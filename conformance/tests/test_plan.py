"""Tests of `conformance.plan`: which cells there are, and which requests they need."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.errors import DiscoveryError, RegistryError
from conformance.parameters import load_registry
from conformance.plan import make_plan, repeats, select_endpoints, select_models
from conformance.tests.building import CHAT, RESPONSES, STREAM, WHOLE
from conformance.types import Endpoint, Mode, Model, digest_of

REGISTRY = load_registry()
CORE = REGISTRY.select("core")
MODELS = (Model(id="a"), Model(id="b/c", deployments=2))


def test_every_cell_once() -> None:
    """Given two models and the core set, when planned, then each model × endpoint × mode × parameter is there."""
    plan = make_plan(MODELS, REGISTRY, CORE, tuple(Endpoint))

    keys = [(c.key.model, c.key.endpoint, c.key.mode, c.key.parameter) for c in plan.cells]
    assert keys == [(m.id, e, mode, p.id) for m in MODELS for e in Endpoint for mode in Mode for p in CORE]


def test_requests_are_counted() -> None:
    """Given a balanced model among two, when planned, then every request is there once and counted."""
    plan = make_plan(MODELS, REGISTRY, CORE, tuple(Endpoint))
    requests = [request for group in plan.groups for request in (*group.baselines, *group.others)]

    # baseline, bogus key, three probes, two wrong values (`store` shares one), on two endpoints in
    # two modes; once for the first model, six times for the two deployments of the other
    assert plan.requests == len(requests) == 7 * 4 * (1 + 6)
    assert len({(request.model, request.digest) for request in requests}) == len(requests)


def test_cells_use_the_groups_requests() -> None:
    """Given a plan, when a cell's requests are looked for, then its group sends each of them."""
    for group in make_plan(MODELS, REGISTRY, CORE, tuple(Endpoint)).groups:
        sent = {request.digest for request in (*group.baselines, *group.others)}
        for cell in group.cells:
            assert cell.key.model == group.model
            assert {r.digest for r in (*cell.baselines, *cell.probes, *cell.bogus, *cell.wrong)} <= sent


def test_probe_is_baseline_and_parameter() -> None:
    """Given a planned cell, when its bodies are compared, then the probe adds the parameter and nothing else."""
    for cell in make_plan(MODELS, REGISTRY, CORE, tuple(Endpoint)).cells:
        baseline = cell.baselines[0].body
        assert cell.probes[0].body == {**baseline, **cell.parameter.body}
        assert cell.bogus[0].body == {**baseline, **REGISTRY.control}
        assert cell.wrong[0].body == {**baseline, **cell.parameter.wrong}
        assert baseline["model"] == cell.key.model
        assert baseline.get("stream") is (True if cell.key.mode is STREAM else None)


def test_parameters_apply_where_they_say() -> None:
    """Given a parameter for one endpoint and mode, when planned, then no other cell and no idle group is made."""
    parameter = replace(CORE[0], endpoints=(RESPONSES,), modes=(WHOLE,), wrong={})

    plan = make_plan([Model(id="a")], REGISTRY, [parameter], tuple(Endpoint))

    assert [(c.key.endpoint, c.key.mode) for c in plan.cells] == [(RESPONSES, WHOLE)]
    assert [cell.wrong for cell in plan.cells] == [()]
    assert len(plan.groups) == 1


@pytest.mark.parametrize(("deployments", "asked"), [(0, 1), (1, 1), (2, 6), (3, 9), (40, 9)])
def test_repeats(deployments: int, asked: int) -> None:
    """Given a number of deployments, when planned, then each is likely reached and the number stays bounded."""
    assert repeats(Model(id="a", deployments=deployments)) == asked


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

    with pytest.raises(DiscoveryError, match=r"fits none of the 12 models: 'm0', .*'m9', …$"):
        select_models(models, glob)


@pytest.mark.parametrize(
    ("names", "endpoints"),
    [
        (None, (CHAT, RESPONSES)),
        ("responses", (RESPONSES,)),
        ("responses, chat_completions,", (CHAT, RESPONSES)),
    ],
)
def test_select_endpoints(names: str | None, endpoints: tuple[Endpoint, ...]) -> None:
    """Given endpoints by name, when they are chosen, then they come in the house's order."""
    assert select_endpoints(names) == endpoints


@pytest.mark.parametrize("names", ["chat", "responses,messages", " , "])
def test_select_unknown_endpoints(names: str) -> None:
    """Given a name that is no endpoint, when they are chosen, then the error tells those there are."""
    with pytest.raises(RegistryError, match="is no endpoint; there are chat_completions and responses"):
        select_endpoints(names)


@given(st.text(st.characters(), max_size=30))
def test_any_model_id_can_be_asked(model_id: str) -> None:
    """Given any model id, lone surrogates too, when planned, then bodies are ASCII and digests differ."""
    plan = make_plan([Model(id=model_id)], REGISTRY, CORE, tuple(Endpoint))

    requests = [request for group in plan.groups for request in (*group.baselines, *group.others)]
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
