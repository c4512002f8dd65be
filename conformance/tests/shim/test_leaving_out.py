"""Tests of what the shim leaves out and mends: the provider decides, and an answer's header and the terminal tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from conformance.provider.table import Rule, Statement, SupportTable
from conformance.tests.helpers.gateways import KEY, events, scripted_gateway
from conformance.tests.helpers.mending import CHAT, INPUT, refuses
from conformance.tests.helpers.shims import shim_before

NO = Statement(False, "s")
TABLE = SupportTable((Rule(("m",), {"store": NO, "anthropic-beta:new-1": NO}), Rule(("*",), {})))
DROPPED = "x-litellm-conformance-dropped"
MESSAGE = {"model": "m", "messages": [{"role": "user", "content": "a secret prompt"}], "max_tokens": 9, "store": True}
#: A request for each endpoint, with a field that nobody takes.
ASKED = {"/v1/chat/completions": CHAT, "/v1/responses": INPUT, "/v1/messages": MESSAGE}
every_endpoint = pytest.mark.parametrize("path", ASKED)


def ask(base_url: str, path: str, **more: Any) -> httpx.Response:
    """What a client with a key gets for the endpoint's request, with these fields besides."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=base_url, trust_env=False, headers=headers) as client:
        return client.post(path, json={**ASKED[path], **more})


def refused_in_a_stream(words: str) -> Any:
    """A refusal as it comes inside a stream that has begun well."""
    return events({"error": {"message": words, "type": "invalid_request_error"}})


@every_endpoint
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_table_refuses_is_not_sent(path: str, stream: bool) -> None:
    """Given a table, when a request goes through the shim, then without what is refused, and the answer tells so."""
    with scripted_gateway() as gateway, shim_before(gateway.base_url, table=TABLE) as shim:
        response = ask(shim.base_url, path, stream=stream)
        untouched = ask(shim.base_url, path, stream=stream, model="another")
    assert response.status_code == 200
    assert response.headers[DROPPED] == "store"
    assert DROPPED not in untouched.headers
    first, second = gateway.seen
    assert first == {name: value for name, value in {**ASKED[path], "stream": stream}.items() if name != "store"}
    assert second == {**ASKED[path], "stream": stream, "model": "another"}
    assert [headers["authorization"] for headers in gateway.headers] == [f"Bearer {KEY}"] * 2


@every_endpoint
@pytest.mark.parametrize("how", [None, refused_in_a_stream], ids=["whole", "stream"])
def test_what_is_refused_is_mended(path: str, how: Callable[[str], Any] | None) -> None:
    """Given a gateway that refuses a field, when it says so, then the client is answered, and the next is right."""
    policy = refuses("store", **({"how": how} if how else {}))
    with scripted_gateway(policy) as gateway, shim_before(gateway.base_url) as shim:
        answers = [ask(shim.base_url, path, stream=how is not None) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers[DROPPED] for answer in answers] == ["store", "store"]
    assert not any("Extra inputs" in answer.text for answer in answers)
    assert ["store" in body for body in gateway.seen] == [True, False, False]
    assert shim.said == ["m: store was refused; it is not sent"]


def test_nothing_is_mended_where_that_is_off() -> None:
    """Given `--repair off`, when a field is refused, then the refusal comes back as it came."""
    with scripted_gateway(refuses("store")) as gateway, shim_before(gateway.base_url, repair="off") as shim:
        through, bare = (ask(url, "/v1/chat/completions") for url in (shim.base_url, gateway.base_url))
    assert (through.status_code, through.content) == (bare.status_code, bare.content) == (400, through.content)
    assert DROPPED not in through.headers
    assert shim.said == []


def test_a_refusal_that_nobody_can_mend_comes_back_with_a_word() -> None:
    """Given a refusal of what makes the request, when it comes, then the client gets it, whole, with what to do."""
    with scripted_gateway(refuses("messages")) as gateway, shim_before(gateway.base_url) as shim:
        response = ask(shim.base_url, "/v1/chat/completions")
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("messages: Extra inputs are not permitted")


def test_a_value_of_a_header_is_left_out() -> None:
    """Given a value of `anthropic-beta` that the table refuses, when it is sent, then the others go on."""
    headers = {"anthropic-beta": "old-1,new-1", "x-api-key": KEY}
    with (
        scripted_gateway() as gateway,
        shim_before(gateway.base_url, table=TABLE) as shim,
        httpx.Client(base_url=shim.base_url, trust_env=False, headers=headers) as client,
    ):
        response = client.post("/v1/messages", params={"beta": "true"}, json={"model": "m", "messages": []})
        counted = client.post("/v1/messages/count_tokens", json={"model": "m", "store": True})
    assert response.headers[DROPPED] == "anthropic-beta:new-1"
    assert gateway.headers[0]["anthropic-beta"] == "old-1"
    assert gateway.headers[0]["x-api-key"] == KEY
    assert counted.json() == {"input_tokens": 1}
    assert gateway.seen[1] == {"model": "m", "store": True}


def test_the_terminal_is_told_once_and_no_secret() -> None:
    """Given many requests, when fields are left out, then each model's field is told once, without key or prompt."""
    with scripted_gateway(refuses("seed")) as gateway, shim_before(gateway.base_url, table=TABLE) as shim:
        for path in ("/v1/chat/completions", "/v1/responses"):
            for _ in range(3):
                ask(shim.base_url, path)
    assert shim.said == ["m: store is not sent", "m: seed was refused; it is not sent"]


def test_a_models_name_cannot_write_to_the_terminal() -> None:
    """Given a name with signs for a terminal, when its field is left out, then a line is one line, and shows them."""
    with scripted_gateway(refuses("store")) as gateway, shim_before(gateway.base_url) as shim:
        ask(shim.base_url, "/v1/chat/completions", model="a\x1b[31m\nb" + "x" * 500)
    [line] = shim.said
    assert line.isprintable()
    assert len(line) < 200


@pytest.mark.parametrize(
    ("theirs", "sent"),
    [({}, {"authorization": "Bearer sk-own"}), ({"x-api-key": "sk-theirs"}, {"x-api-key": "sk-theirs"})],
)
def test_the_shims_key_is_for_those_who_have_none(theirs: dict[str, str], sent: dict[str, str]) -> None:
    """Given `--use-my-key`, when clients with and without a key ask, then each key goes on that was sent, else ours."""
    with (
        scripted_gateway() as gateway,
        shim_before(gateway.base_url, key="sk-own", headers=("x-team: a",)) as shim,
        httpx.Client(base_url=shim.base_url, trust_env=False, headers=theirs) as client,
    ):
        client.post("/v1/messages", json=MESSAGE)
    [headers] = gateway.headers
    assert {name: value for name, value in headers.items() if name in ("authorization", "x-api-key")} == sent
    assert headers["x-team"] == "a"


def test_compression_does_not_hide_a_refusal() -> None:
    """Given a client that takes Brotli, when it asks a model, then the gateway is asked for what can be read."""
    with (
        scripted_gateway() as gateway,
        shim_before(gateway.base_url) as shim,
        httpx.Client(base_url=shim.base_url, trust_env=False, headers={"accept-encoding": "br, gzip"}) as client,
    ):
        client.post("/v1/responses", json=INPUT)
        client.post("/v1/messages/count_tokens", json=INPUT)
    assert [headers["accept-encoding"] for headers in gateway.headers] == ["gzip", "br, gzip"]
