"""Tests of the shim's questions about a gateway's models: asked once for each key, and no request depends on them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from conformance.provider.table import Rule, Statement, SupportTable
from conformance.shim import lists
from conformance.tests.helpers.gateways import scripted_gateway
from conformance.tests.helpers.mending import CHAT
from conformance.tests.helpers.shims import shim_before

#: Refuses what is not declared, and what a route refuses.
NO = Statement(False, "s")
TABLE = SupportTable(
    (
        Rule(("*",), {"seed": NO}, declared=("no",)),
        Rule(("*",), {"user": NO}, routes=("azure",)),
        Rule(("*",), {}),
    )
)
BODY = {**CHAT, "model": "model-a", "seed": 1, "user": "u"}
DECLARED = ({"model_group": "model-a", "providers": ["azure"], "supported_openai_params": ["tools"]},)
BEHIND = ({"model_name": "model-a", "litellm_params": {"model": "azure/a"}, "model_info": {}},)


def asked(base_url: str, key: str = "sk-client", **headers: str) -> int:
    """The status of one request of a client with this key."""
    opened = {"authorization": f"Bearer {key}", **headers}
    with httpx.Client(base_url=base_url, trust_env=False, headers=opened) as client:
        return client.post("/v1/chat/completions", json=BODY).status_code


def sent(seen: list[dict[str, Any]]) -> list[list[str]]:
    """Which of the two fields each request had."""
    return [[name for name in ("seed", "user") if name in body] for body in seen]


def test_the_first_request_goes_without_what_the_list_says_is_refused() -> None:
    """Given a gateway that tells what serves a model and what it declares, when a client's first request comes, then it
    goes without what is refused there."""
    with scripted_gateway(declared=DECLARED, behind=BEHIND) as gateway:
        for asks_lists in (False, True):
            with shim_before(gateway.base_url, table=TABLE, asks_lists=asks_lists) as shim:
                assert asked(shim.base_url) == 200
    assert sent(gateway.seen) == [["seed", "user"], []]


def test_each_key_asks_once_and_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two clients, when each sends several requests, then the list is asked for once with the key of each, and
    again after an hour, with the headers that every request gets."""
    listings: list[tuple[str, str]] = []

    def listing(request: Request) -> Response:
        listings.append((request.headers["authorization"], request.headers.get("x-team", "")))
        return JSONResponse({"data": [{"id": "model-a"}]})

    with (
        scripted_gateway(listing=listing) as gateway,
        shim_before(gateway.base_url, table=TABLE, headers=("x-team: a",), asks_lists=True) as shim,
    ):
        for key in ("sk-1", "sk-2", "sk-1"):
            assert asked(shim.base_url, key) == 200
        assert listings == [("Bearer sk-1", "a"), ("Bearer sk-2", "a")]
        monkeypatch.setattr(lists, "ASKED_AGAIN_AFTER", 0.0)
        assert asked(shim.base_url, "sk-1") == 200
        until = time.monotonic() + 10
        while len(listings) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    assert listings[2:] == [("Bearer sk-1", "a")]


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_a_list_that_does_not_come_is_asked_for_again_later(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a gateway that gives no list, or nonsense, when requests come, then they go through, and it is asked once,
    and again after a minute: it may just have started."""
    listings: list[str] = []

    def listing(request: Request) -> Response:
        listings.append(request.url.path)
        return JSONResponse(["nonsense"], status)

    with (
        scripted_gateway(listing=listing) as gateway,
        shim_before(gateway.base_url, table=TABLE, asks_lists=True) as shim,
    ):
        assert [asked(shim.base_url), asked(shim.base_url)] == [200, 200]
        assert listings == ["/v1/models"]
        monkeypatch.setattr(lists, "TRIED_AGAIN_AFTER", 0.0)
        assert asked(shim.base_url) == 200
        until = time.monotonic() + 10
        while len(listings) < 2 and time.monotonic() < until:
            time.sleep(0.01)
    assert listings == ["/v1/models"] * 2
    assert sent(gateway.seen) == [["seed", "user"]] * 3


def test_nobody_waits_long_for_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a gateway whose list takes its time, when a request comes, then it goes on without it."""
    monkeypatch.setattr(lists, "PATIENCE", 0.1)
    begun, done = [], []

    def listing(_request: Request) -> Response:
        begun.append(1)
        time.sleep(1.0)
        done.append(1)
        return JSONResponse({"data": [{"id": "model-a"}]})

    with (
        scripted_gateway(listing=listing, declared=DECLARED) as gateway,
        shim_before(gateway.base_url, table=TABLE, asks_lists=True) as shim,
    ):
        assert asked(shim.base_url) == 200
        assert (begun, done) == ([1], [])
    assert sent(gateway.seen) == [["seed", "user"]]
