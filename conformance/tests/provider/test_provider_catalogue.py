"""Tests of `conformance.provider.models.catalogue`: what a gateway's rows tell of its models, nonsense among them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.errors import GatewayError
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models.cache import Cached
from conformance.provider.models.catalogue import Listed, catalogue, data_rows, listed_rows
from conformance.tests.helpers.gateways import KEY


def _info(name: str, served_by: str, **info: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": served_by}, "model_info": info}


def _params(**params: Any) -> dict[str, Any]:
    return {"model_name": "m", "litellm_params": {"model": "azure/a", **params}, "model_info": {}}


def test_several_deployments_behind_one_name() -> None:
    """Given a name with two deployments, when read, then what is declared holds for both."""
    infos = [
        _info("m", "databricks/a", max_input_tokens=100, input_cost_per_token=1e-6, supports_vision=True),
        _info("m", "openai/b", max_input_tokens=200, input_cost_per_token="2e-6", supports_vision=False),
        _info("one", "azure/a", cache_read_input_token_cost=1e-8),
        _info("one", "azure/b"),
    ]

    [model, one] = catalogue([{"id": "m"}, {"id": "one"}], [{"model_group": "m", "supports_vision": True}], infos)

    served = ("databricks/a", "openai/b")
    assert model == Listed(
        "m", {"max_input_tokens": 100, "input_cost_per_token": 2e-6, "supports_vision": False}, None, served
    )
    assert one == Listed("one", {"cache_read_input_token_cost": 1e-8}, "azure", ("azure/a", "azure/b"))


_ONE = [_info("m", "azure/a")]


@pytest.mark.parametrize(
    ("told", "infos", "parameters"),
    [
        (["tools", "seed", "tools", 3, ""], _ONE, ("seed", "tools")),
        (["seed"], [*_ONE, *_ONE], ("seed",)),
        (["seed"], [_info("m", "gpt-4o")], ("seed",)),
        (["seed"], [*_ONE, _info("m", "azure/b")], None),
        (["seed"], [], None),
        ([], _ONE, None),
        (None, _ONE, None),
        ("tools", _ONE, None),
        (["seed"], [_info("m", "azure/a", base_model="azure/gpt-5")], None),
        (["seed"], [_params(base_model="azure/gpt-5")], None),
        (["seed"], [_params(allowed_openai_params=["tools"])], None),
        (["seed"], [*_ONE, _params(allowed_openai_params=["tools"])], None),
        (["seed"], [_params(allowed_openai_params=[])], ("seed",)),
    ],
)
def test_what_is_declared_of_a_model(told: Any, infos: Any, parameters: Any) -> None:
    """Given a group's chat parameters, when read, then they hold for the one thing behind the name. They tell nothing
    where it is several things, or a route alone, where LiteLLM declares nothing, or where it was set to decide
    otherwise."""
    group = {"model_group": "m", "providers": ["azure"], "supported_openai_params": told}

    [model] = catalogue([{"id": "m"}], [group], infos)

    assert model.parameters == parameters


def test_models_that_declare_the_same_share_it() -> None:
    """Given two models that declare the same, when read, then it is kept once."""
    groups = [{"model_group": name, "supported_openai_params": ["seed", "tools"]} for name in "mn"]

    one, other = catalogue([{"id": "m"}, {"id": "n"}], groups, [_info("m", "azure/a"), _info("n", "azure/b")])

    assert one.parameters == ("seed", "tools")
    assert one.parameters is other.parameters


def test_rows_that_are_no_models() -> None:
    """Given ids that are no names, twice there, or of models that do not chat, when read, then they are left out."""
    rows: list[dict[str, Any]] = [
        {"id": "b"},
        {"id": "b", "mode": "embedding"},
        {"id": ""},
        {"id": None},
        {"id": 7},
        {"id": ["a"]},
        {"id": "line\nbreak"},
        {"id": "\ud800"},
        {"id": "x" * 600},
        {"id": "openai/*"},
        {"id": "pictures", "mode": "image_generation"},
        {"id": "by-info"},
        {"id": "a", "mode": 3},
        {},
    ]

    found = catalogue(rows, (), [_info("by-info", "openai/e", mode="embedding"), {"model_name": []}, {"model_info": 1}])

    assert [listed.id for listed in found] == ["b", "a"]


@pytest.mark.parametrize("value", [None, True, "many", "", [], {}, -1, float("nan"), float("inf"), "1e400", 10**400])
def test_declared_nonsense_counts_for_nothing(value: Any) -> None:
    """Given a number that is none, when it is declared, then the rules hold as if it were not."""
    group = {
        "model_group": "m",
        **dict.fromkeys(("max_input_tokens", "input_cost_per_token", "supports_vision"), value),
    }

    [listed] = catalogue([{"id": "m"}], [group, {"model_group": None}], [{"model_name": "m", "litellm_params": "x"}])

    assert {key: fact for key, fact in listed.declared.items() if fact is not True} == {}


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(["m", "chat"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "mode", "model_group", "model_name", "model_info", "litellm_params", "model", "providers"]
            )
            | st.sampled_from(["max_input_tokens", "input_cost_per_token", "supports_vision", "data"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(_ANY, _ANY, _ANY)
def test_any_answer(rows: Any, groups: Any, infos: Any) -> None:
    """Given any JSON in the three answers, when read, then models or one line come of it, never another error."""

    def body(value: Any) -> bytes:
        return json.dumps({"data": value}).encode()

    try:
        listed = listed_rows(200, body(rows), "http://h")
    except GatewayError:
        return
    found = catalogue(listed, data_rows(body(groups)), data_rows(body(infos)))
    assert len({each.id for each in found}) == len(found)
    ours = LiteLLMProvider("http://h", KEY, cache_folder=Path("/nonexistent"))
    ours._cached = Cached(found, time.time())
    assert all(model.max_tokens > 0 and model.context_window > 0 for model in ours.models())
