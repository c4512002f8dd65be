"""The suite's discovery and the provider's model list, given the same documents: one answer, but for one decision."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import Response

from conformance.discover.listing import Discovered, discover
from conformance.errors import DiscoveryError
from conformance.provider.errors import GatewayError
from conformance.provider.models.catalogue import Listed
from conformance.provider.models.fetching import fetch
from conformance.provider.target import Target
from conformance.tests.helpers.gateways import KEY
from conformance.tests.helpers.listings import listing


def document(rows: Any) -> Response:
    """A list whose ids no JSON library writes by itself."""
    return Response(json.dumps({"data": rows}), media_type="application/json")


def both(rows: Any, groups: Any = (), infos: Any = ()) -> tuple[Discovered, tuple[Listed, ...]]:
    """What the suite and what the provider make of the same three answers."""
    with listing(document(rows), groups, infos) as url:
        return discover(Target(url, KEY)), fetch(Target(url, KEY)).models


def info(name: str, served_by: Any, **info: Any) -> dict[str, Any]:
    """A row of `/model/info`."""
    return {"model_name": name, "litellm_params": {"model": served_by}, "model_info": info}


@pytest.mark.parametrize(
    ("groups", "infos", "route"),
    [
        ([{"model_group": "m", "providers": ["openai"]}], [info("m", "gpt-5.2")], "openai"),
        ([{"model_group": "m", "providers": ["openai"]}], [info("m", "azure/gpt-5.2")], "azure"),
        ([{"model_group": "m", "providers": ["", "openai"]}], [], "openai"),
        ([], [info("m", "azure/a"), info("m", "databricks/b")], None),
        ([], [info("m", "/a")], None),
        ([], [info("m", "gpt-5.2")], None),
    ],
)
def test_one_route(groups: Any, infos: Any, route: str | None) -> None:
    """Given what a gateway declares of a model, when both read it, then both find the same route."""
    found, [listed] = both([{"id": "m"}], groups, infos)

    assert [model.route for model in found.models] == [listed.route] == [route]


@pytest.mark.parametrize(
    ("rows", "infos", "chats"),
    [
        ([{"id": "m", "mode": ""}], [], True),
        ([{"id": "m", "mode": ""}], [info("m", "a/b", mode="embedding")], False),
        ([{"id": "m", "mode": "chat"}, {"id": "m", "mode": "embedding"}], [], True),
        ([{"id": "m", "mode": "embedding"}, {"id": "m", "mode": "chat"}], [], False),
        ([{"id": "m", "mode": 7}], [info("m", "a/b", mode="rerank")], False),
        ([{"id": "m*"}], [], False),
    ],
)
def test_one_answer_to_what_chats(rows: Any, infos: Any, chats: bool) -> None:
    """Given modes that are odd, or declared twice, when both read them, then both keep the model, or neither."""
    found, listed = both([*rows, {"id": "z"}], (), infos)

    kept = [rows[0]["id"], "z"] if chats else ["z"]
    assert [model.id for model in found.models] == [each.id for each in listed] == kept


def test_one_price() -> None:
    """Given prices that only `/model/info` declares, when both read them, then both know the same price."""
    rows = [info("m", "a/b", input_cost_per_token="1e-6", output_cost_per_token=5e-6)]
    found, [listed] = both([{"id": "m"}], (), rows)

    assert found.prices["m"].input == listed.declared["input_cost_per_token"] == 1e-6
    assert found.prices["m"].output == listed.declared["output_cost_per_token"] == 5e-6


@pytest.mark.parametrize("odd", ["x" * 513, "line\nbreak", "\ud800", "\u202ea"])
def test_the_suite_measures_ids_that_the_provider_does_not_offer(odd: str) -> None:
    """Given an id that no list can show, when both read it, then the suite measures it and the provider leaves it."""
    found, listed = both([{"id": odd}, {"id": "m"}])

    assert {model.id for model in found.models} == {odd, "m"}
    assert found.left_out == ()
    assert [each.id for each in listed] == ["m"]


PAGES = {
    "401": Response("no", 401),
    "403": Response("no", 403),
    "404": Response("no", 404),
    "429": Response("slow", 429),
    "500": Response("boom", 500),
    "307": Response(None, 307, {"location": "/elsewhere"}),
    "master key": Response("No connected db.", 400),
    "HTML": Response("<html>", 200),
    "text": Response("hello", 200),
    "no list": Response('{"models": []}', 200),
    "empty": document([]),
    "no ids": document([{"id": 7}]),
    "none chats": document([{"id": "e", "mode": "embedding"}]),
    "packed": Response(b"packed", 200, {"content-encoding": "br"}),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_one_sentence(page: Response) -> None:
    """Given an answer that lists nothing, when both read it, then both say the same."""
    with listing(page) as url:
        with pytest.raises(DiscoveryError) as suites:
            discover(Target(url, KEY))
        with pytest.raises(GatewayError) as providers:
            fetch(Target(url, KEY))

    assert str(suites.value) == str(providers.value)
