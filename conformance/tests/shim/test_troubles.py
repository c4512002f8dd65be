"""Tests of the shim's own errors: each says, in the endpoint's own form, what happened and what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from conformance.provider.tls import VARIABLES
from conformance.shim import server
from conformance.tests.helpers.gateways import closed_port, http, raw_server, scripted_gateway
from conformance.tests.helpers.shims import shim_before

CHAT = {"model": "m", "messages": []}


def told(base_url: str, path: str = "/v1/chat/completions", **options: Any) -> tuple[int, str]:
    """Status and message of what a client gets, which must be an error in the endpoint's form, told once."""
    with shim_before(base_url, **options) as shim, httpx.Client(base_url=shim.base_url, trust_env=False) as client:
        responses = [client.post(path, json=CHAT) for _ in range(2)]
        assert len(shim.said) == 1
        assert shim.said[0].startswith(f"{responses[0].status_code}: ")
    body = responses[0].json()
    assert (body.get("type") == "error") is path.endswith("/messages")
    assert responses[0].headers["content-type"] == "application/json"
    message: str = body["error"]["message"]
    assert "\n" not in message
    assert message.startswith("litellm-conformance shim: ")
    return responses[0].status_code, message


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/anything"])
def test_a_gateway_that_is_down(path: str) -> None:
    """Given nobody where the gateway should be, when a client asks, then it is told so, and with which address."""
    url = f"http://127.0.0.1:{closed_port()}"
    status, message = told(url, path)
    assert status == 502
    assert f"{url}: connection refused; is the gateway running" in message


def test_a_host_that_is_none() -> None:
    """Given a name that nobody has, when a client asks, then it is told to check the name."""
    status, message = told("http://no-such-host.invalid")
    assert status == 502
    assert "no-such-host.invalid" in message


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.9\r\n"])
def test_what_is_no_http(answer: bytes) -> None:
    """Given something that hangs up, or speaks something else, when a client asks, then it is told to look there."""
    with raw_server(answer) as url:
        status, message = told(url)
    assert status == 502
    assert "check the address" in message


def test_a_gateway_that_does_not_even_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a gateway that takes no connection, when the time to connect is over, then the status is 504."""
    monkeypatch.setattr(server, "CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fill = [socket.socket() for _ in range(4)]
        for each in fill:
            each.setblocking(False)
            each.connect_ex(address)
        status, message = told(f"http://127.0.0.1:{address[1]}")
        for each in fill:
            each.close()
    assert status == 504
    assert "did not answer in time" in message


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/models"])
def test_a_redirect_is_not_followed(path: str) -> None:
    """Given a gateway that sends clients elsewhere, when one asks, then it is told where, and its key stays here."""
    head = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: https://u:pw@login.example/x?token=secret\r\n"
    with raw_server(head + b"content-length: 0\r\nconnection: close\r\n\r\n") as url:
        status, message = told(url, path)
    assert status == 502
    assert "redirects (307) to https://login.example/x, and no key goes there" in message
    assert "secret" not in message


@pytest.mark.parametrize("location", ["http://[", "", "?only=query"])
def test_a_redirect_to_nowhere(location: str) -> None:
    """Given a redirect to what is no address, when it comes, then it is told as one."""
    answer = http(b"", "302 Found", location=location)
    with raw_server(answer) as url:
        status, message = told(url)
    assert (status, "redirects (302) to nowhere" in message) == (502, True)


def test_a_web_page_in_place_of_an_api() -> None:
    """Given an address of a web page, when a client asks a model, then it is told that, and no HTML."""
    with raw_server(http(b"<html>welcome</html>", content_type="text/html; charset=utf-8")) as url:
        status, message = told(url)
    assert status == 502
    assert "answers with HTML; is this the API's address" in message


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A gateway on loopback with a certificate of a private authority, and the authority's own."""
    place = tmp_path_factory.mktemp("authority")
    authority, certificate, bundle = trustme.CA(), place / "gateway.pem", place / "authority.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(bundle))
    with scripted_gateway(certificate=certificate) as gateway:
        yield gateway.base_url, bundle


def test_a_certificate_that_nobody_trusts(house: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a private authority, when nothing names it, then the client is told what to do; else answered."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    url, bundle = house
    status, message = told(url)
    assert status == 502
    assert "TLS failed" in message
    with shim_before(url, ca_bundle=str(bundle)) as shim:
        assert httpx.post(f"{shim.base_url}/v1/chat/completions", json=CHAT, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 403),
        (
            {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-key": "a", "sec-websocket-version": "13"},
            426,
        ),
    ],
)
def test_who_is_refused_does_not_reach_the_gateway(headers: dict[str, str], status: int) -> None:
    """Given a web page, or a WebSocket, when it asks, then it is refused, and the gateway hears nothing."""
    with (
        scripted_gateway() as gateway,
        shim_before(gateway.base_url) as shim,
        httpx.Client(base_url=shim.base_url, trust_env=False) as client,
    ):
        refused = client.post("/v1/messages", json=CHAT, headers=headers)
        assert gateway.seen == []
        assert client.post("/v1/messages", json=CHAT).status_code == 200
    assert refused.status_code == status
    assert refused.json()["type"] == "error"
    assert "access-control-allow-origin" not in refused.headers


def test_the_shims_fault_is_said_to_be_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a fault in the shim itself, when a request meets it, then the client is told whose it is."""
    monkeypatch.setattr("conformance.shim.app.towards_gateway", lambda *_: 1 / 0)
    status, message = told("http://127.0.0.1:9")
    assert status == 500
    assert "it failed (ZeroDivisionError); please report this" in message


def test_what_went_wrong_goes_away_again() -> None:
    """Given a gateway that comes up after all, when a client asks again, then it is answered."""
    port = closed_port()
    with (
        shim_before(f"http://127.0.0.1:{port}") as shim,
        httpx.Client(base_url=shim.base_url, trust_env=False) as client,
    ):
        assert client.post("/v1/chat/completions", json=CHAT).status_code == 502
        with socket.create_server(("127.0.0.1", port)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(http(b"{}"))

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            assert client.post("/v1/chat/completions", json=CHAT).status_code == 200
            thread.join(10)
