"""Tests of `conformance.provider.transport`: four kinds of clients, one filter, and real servers."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.errors import TargetError
from conformance.provider.filter import filter_request
from conformance.provider.table import Rule, Statement, SupportTable
from conformance.provider.transport import (
    AsyncFilteringTransport,
    FilteringTransport,
    RequestFilter,
    async_http_client,
    http_client,
)
from conformance.tests.helpers.gateways import closed_port, cut_stream, http, raw_server, scripted_gateway
from conformance.tests.helpers.mending import Send
from conformance.tests.helpers.wires import Recorder, recording_server

httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed")

NO = Statement(False, "s")
TABLE = SupportTable(
    (
        Rule(("m",), {"store": NO, "prompt_cache_key": NO, "stream_options.include_usage": NO}),
        Rule(("mine",), {"seed": NO}, gateways=("127.0.0.1-1",)),
        Rule(("*",), {}),
    )
)
BODY = {"model": "m", "store": True, "prompt_cache_key": "k", "messages": []}


def senders(library: ModuleType) -> dict[str, Send]:
    """Each way there is to put a filter into a client of this library."""

    def blocking(make: Callable[[RequestFilter], Any]) -> Send:
        def send(rules: RequestFilter, method: str, url: str, **content: Any) -> tuple[int, Any, bytes]:
            with make(rules) as client:
                response = client.request(method, url, **content)
                return response.status_code, response.headers, response.content

        return send

    def awaiting(make: Callable[[RequestFilter], Any]) -> Send:
        async def exchange(rules: RequestFilter, method: str, url: str, **content: Any) -> tuple[int, Any, bytes]:
            async with make(rules) as client:
                response = await client.request(method, url, **content)
                return response.status_code, response.headers, response.content

        return lambda rules, *request, **content: asyncio.run(exchange(rules, *request, **content))

    sync, later = library.HTTPTransport, library.AsyncHTTPTransport
    return {
        "client": blocking(lambda rules: http_client(rules, library=library, trust_env=False)),
        "transport": blocking(lambda rules: library.Client(transport=FilteringTransport(sync(), rules))),
        "async-client": awaiting(lambda rules: async_http_client(rules, library=library, trust_env=False)),
        "async-transport": awaiting(
            lambda rules: library.AsyncClient(transport=AsyncFilteringTransport(later(), rules))
        ),
    }


WAYS = [pytest.param(s, id=f"{each.__name__}-{way}") for each in (httpx, httpx2) for way, s in senders(each).items()]
every_way = pytest.mark.parametrize("send", WAYS)


@pytest.fixture
def wire() -> Iterator[tuple[str, Recorder]]:
    """A server that shows what really went over the wire."""
    with recording_server(http(b'{"ok": true}', content_type="application/json", x_odd="kept")) as (url, seen):
        yield url, seen


@every_way
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/team/v1/responses/", "/responses?a=1"])
def test_what_is_refused_is_left_out(wire: tuple[str, Recorder], send: Send, path: str) -> None:
    """Given a table, when a JSON body is posted to a known endpoint, then only what is refused is missing."""
    url, seen = wire
    text = b'{ "model":"m", "temperature":1.0,"store": true , "messages":[ "\\u00e9" ],"prompt_cache_key":"k" }'
    headers = {"content-type": "application/json", "authorization": "Bearer k", "X-Own": "a"}

    status, answered, body = send(RequestFilter(table=TABLE), "POST", url + path, content=text, headers=headers)

    assert (status, body, answered["x-odd"]) == (200, b'{"ok": true}', "kept")
    assert seen.body == b'{ "model":"m", "temperature":1.0 , "messages":[ "\\u00e9" ] }'
    assert f"content-length: {len(seen.body)}" in seen.head
    assert seen.head.count("content-length") == 1
    assert "x-own: a" in seen.head
    assert "authorization: bearer k" in seen.head
    assert seen.head.startswith(f"post {path} http/1.1")


def _chunks() -> Iterator[bytes]:
    yield json.dumps(BODY).encode()


UNTOUCHED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "another endpoint": ("POST", "/v1/embeddings", {"json": BODY}),
    "a path that only contains one": ("POST", "/v1/responses/resp_1/cancel", {"json": BODY}),
    "another method": ("PUT", "/v1/responses", {"json": BODY}),
    "no JSON": ("POST", "/v1/responses", {"content": b"\x80abc", "headers": {"content-type": "application/json"}}),
    "not said to be JSON": ("POST", "/v1/responses", {"content": json.dumps(BODY).encode()}),
    "no object": ("POST", "/v1/responses", {"json": [BODY]}),
    "no model": ("POST", "/v1/responses", {"json": {"store": True}}),
    "a model that is no text": ("POST", "/v1/responses", {"json": {**BODY, "model": ["m"]}}),
    "an unknown model": ("POST", "/v1/responses", {"json": {**BODY, "model": "unknown"}}),
    "nothing refused": ("POST", "/v1/responses", {"json": {"model": "m", "input": "hi"}}),
    "too deep to read": (
        "POST",
        "/v1/responses",
        {"content": b'{"model":"m","store":' + b"[" * 100_000, "headers": {"content-type": "application/json"}},
    ),
    "compressed": (
        "POST",
        "/v1/responses",
        {
            "content": gzip.compress(json.dumps(BODY).encode(), mtime=0),
            "headers": {"content-type": "application/json", "content-encoding": "gzip"},
        },
    ),
}


@pytest.mark.parametrize("send", [WAYS[0], WAYS[-1]])
@pytest.mark.parametrize("case", UNTOUCHED)
def test_what_is_not_touched(wire: tuple[str, Recorder], send: Send, case: str) -> None:
    """Given a request that cannot be read, or has nothing to leave out, when it is sent, then byte for byte."""
    url, seen = wire
    method, path, content = UNTOUCHED[case]
    plain = httpx.Request(method, url + path, **content)

    send(RequestFilter(table=TABLE), method, url + path, **content)

    assert seen.body == plain.content


def test_a_streaming_body_is_not_touched(wire: tuple[str, Recorder]) -> None:
    """Given a body that is made while it is sent, when it is sent, then it is not read before."""
    url, seen = wire

    senders(httpx2)["client"](
        RequestFilter(table=TABLE),
        "POST",
        f"{url}/responses",
        content=_chunks(),
        headers={"content-type": "application/json"},
    )

    assert b'"store"' in seen.body
    assert "transfer-encoding: chunked" in seen.head


def test_other_hosts_are_not_touched(wire: tuple[str, Recorder]) -> None:
    """Given a base address, when a request goes elsewhere or beside its path, then it is not touched."""
    url, seen = wire
    send = senders(httpx)["client"]
    for base, filtered in ((url, True), (f"{url}/v1", True), (f"{url}/team", False), ("http://127.0.0.1:1", False)):
        send(RequestFilter(table=TABLE, base_url=base), "POST", f"{url}/v1/responses", json=BODY)
        assert (b"store" not in seen.body) is filtered, base
    send(RequestFilter(table=TABLE, base_url=f"{url}/te"), "POST", f"{url}/team/responses", json=BODY)
    assert b"store" in seen.body


def test_rules_of_one_gateway_hold_there_only(wire: tuple[str, Recorder]) -> None:
    """Given a rule for one gateway, when a request goes to it or elsewhere, then its address decides."""
    url, seen = wire
    send, body = senders(httpx)["client"], {"model": "mine", "seed": 1}
    send(RequestFilter(table=TABLE), "POST", f"{url}/responses", json=body)
    assert b"seed" in seen.body
    send(RequestFilter(table=TABLE, gateway="127.0.0.1-1"), "POST", f"{url}/responses", json=body)
    assert b"seed" not in seen.body


@every_way
def test_streams_come_through_as_they_are(send: Send) -> None:
    """Given an answer in pieces that breaks off, when it comes, then the client's own exception tells so."""
    with scripted_gateway(lambda body: cut_stream({"choices": []})) as gateway:
        with pytest.raises((httpx.RemoteProtocolError, httpx2.RemoteProtocolError)):
            send(RequestFilter(table=TABLE), "POST", f"{gateway.base_url}/v1/chat/completions", json=BODY)
        assert [sorted(body) for body in gateway.seen] == [["messages", "model"]]


def test_pieces_come_as_they_are_sent() -> None:
    """Given a stream, when its first piece is there, then a client has it before the second is sent."""
    go_on = threading.Event()

    async def policy(body: dict[str, Any]) -> Any:
        from starlette.responses import StreamingResponse

        async def pieces() -> Any:
            yield b"data: 1\n\n"
            await asyncio.to_thread(go_on.wait, 10)
            yield b"data: 2\n\n"

        return StreamingResponse(pieces(), media_type="text/event-stream")

    with (
        scripted_gateway(policy) as gateway,
        http_client(RequestFilter(table=TABLE), trust_env=False) as client,
        client.stream("POST", f"{gateway.base_url}/v1/responses", json=BODY) as response,
    ):
        pieces = response.iter_bytes()
        assert next(pieces) == b"data: 1\n\n"
        go_on.set()
        assert b"".join(pieces) == b"data: 2\n\n"


def test_reported_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """Given many requests, when fields are left out, then each model's field is told once, to log and callback."""
    caplog.set_level(logging.INFO, "conformance.provider")
    told: list[tuple[str, str, str]] = []
    rules = RequestFilter(table=TABLE, on_drop=lambda *what: told.append(what))
    with raw_server(http(b"{}")) as url:
        for _ in range(3):
            senders(httpx)["client"](rules, "POST", f"{url}/chat/completions", json=BODY)
    assert sorted(told) == [("m", "chat_completions", "prompt_cache_key"), ("m", "chat_completions", "store")]
    assert caplog.messages.count("m does not take store on chat_completions: left out") == 1


def test_a_callback_that_fails_breaks_no_request(wire: tuple[str, Recorder], caplog: pytest.LogCaptureFixture) -> None:
    """Given a callback with a fault, when it is called, then the request goes on, filtered, and the log tells."""
    url, seen = wire

    def fail(*_what: str) -> None:
        raise RuntimeError("a fault")

    status, _, _ = senders(httpx)["client"](
        RequestFilter(table=TABLE, on_drop=fail), "POST", f"{url}/responses", json=BODY
    )

    assert status == 200
    assert b"store" not in seen.body
    assert "on_drop failed" in caplog.messages


def test_connection_errors_are_the_librarys_own() -> None:
    """Given nobody who listens, when a request is sent, then the client's own exception tells so."""
    for library in (httpx, httpx2):
        for send in senders(library).values():
            with pytest.raises(library.ConnectError):
                send(RequestFilter(table=TABLE), "POST", f"http://127.0.0.1:{closed_port()}/responses", json=BODY)


def test_the_environments_proxy_holds(wire: tuple[str, Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a proxy in the environment, when our client sends, then through it, and filtered."""
    url, seen = wire
    monkeypatch.setenv("HTTP_PROXY", url)
    for make in (http_client(RequestFilter(table=TABLE)), http_client(RequestFilter(table=TABLE), library=httpx)):
        with make as client:
            client.post("http://gateway.example/v1/responses", json=BODY)
        assert seen.head.startswith("post http://gateway.example/v1/responses")
        assert b"store" not in seen.body


def test_a_base_address_that_cannot_be_used() -> None:
    """Given an address with a query, when a filter is made for it, then one line says so."""
    with pytest.raises(TargetError, match="holds a query or fragment"):
        RequestFilter(base_url="http://h/?a=1")


_NAMES = st.sampled_from(["store", "prompt_cache_key", "stream_options", "model", "messages", "user", "stream"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["m", "k"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | st.just("include_usage"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=7), st.sampled_from(["chat_completions", "responses"]))
def test_bytes_say_what_the_filter_says(body: dict[str, Any], endpoint: str) -> None:
    """Given any body, when its bytes are filtered, then they say exactly what `filter_request` gives."""
    rules = RequestFilter(table=TABLE)
    content = json.dumps({**body, "model": "m"}).encode()
    expected = filter_request(json.loads(content), "m", endpoint, table=TABLE)

    sent = rules.filtered(content, endpoint, "http://h/v1/responses")

    assert (None if sent is None else json.loads(sent)) == (expected.body if expected.dropped else None)


@given(st.binary(max_size=60))
def test_any_bytes(content: bytes) -> None:
    """Given any bytes, when they are posted as JSON, then the request is the same or a smaller one, never an error."""
    request = httpx.Request("POST", "http://h/responses", content=content, headers={"content-type": "application/json"})

    assert RequestFilter(table=TABLE).replaced(request) is request
