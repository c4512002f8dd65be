"""Tests of `conformance.shim.guarding` and `conformance.shim.faults`: who is refused, and in whose words."""

from __future__ import annotations

import json

import pytest

from conformance.shim.faults import Fault, body_of, speaks_messages
from conformance.shim.guarding import refused

HERE = {"host": "127.0.0.1:4100"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:4100", "127.1.2.3:1", "localhost:4100", "LOCALHOST", "localhost.:80", "[::1]:4100"]
)
def test_loopback_by_any_name(host: str) -> None:
    """Given a request for this machine, by each of its names, when it comes, then it is passed on."""
    assert refused("/v1/models", {"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:4100",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "xlocalhost",
            "10.0.0.1",
        ),
        *(
            "",
            "127.0.0.1@evil.example",
            "[::2]",
            "0.0.0.0:4100",
            "127.0.0.1:4100 ",
            "127.0.0.1:x",
            "host.docker.internal",
        ),
    ],
)
def test_another_host_is_refused(host: str) -> None:
    """Given a name that somebody made lead here, when a request for it comes, then it is refused."""
    fault = refused("/v1/models", {"host": host})
    assert fault is not None
    assert (fault.status, fault.code) == (403, "host_refused")


@pytest.mark.parametrize(
    "page",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:4100"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_a_web_page_is_refused(page: dict[str, str]) -> None:
    """Given a request that a page has made a browser send, when it comes, then it is refused, wherever the page is."""
    fault = refused("/v1/chat/completions", HERE | page)
    assert fault is not None
    assert (fault.status, fault.code) == (403, "origin_refused")


@pytest.mark.parametrize("program", [{"sec-fetch-mode": "cors"}, {"sec-fetch-site": "none"}, {"referer": "x"}])
def test_a_program_is_none(program: dict[str, str]) -> None:
    """Given what Node's fetch sends, or a browser whose user typed the address, when it comes, then it is passed on."""
    assert refused("/v1/chat/completions", HERE | program) is None


@pytest.mark.parametrize("target", ["http://other.example/v1", "other.example:443", "*"])
def test_it_is_no_forward_proxy(target: str) -> None:
    """Given a client that takes the shim for an HTTP proxy, when it asks, then it is told what the shim is."""
    for headers in (HERE, {"host": "other.example"}):
        fault = refused(target, headers)
        assert fault is not None
        assert fault.code == "no_forward_proxy"


@pytest.mark.parametrize("target", ["/../other", "/v1/..", "/v1/%2E%2e/x", "/v1/./models?a=1"])
def test_nobody_climbs_out_of_the_gateways_path(target: str) -> None:
    """Given a path with steps upwards, when it is asked for, then it is refused."""
    fault = refused(target, HERE)
    assert fault is not None
    assert fault.code == "path_refused"


@pytest.mark.parametrize("target", ["/v1/models?a=/../", "/v1/..x/...", "//v1"])
def test_other_dots_are_names(target: str) -> None:
    """Given dots that are no steps, when such a path is asked for, then it is passed on."""
    assert refused(target, HERE) is None


def test_a_websocket_is_sent_to_http() -> None:
    """Given a client that begins with a WebSocket, when it asks, then its status makes Codex use HTTP."""
    fault = refused("/v1/responses", HERE | {"upgrade": "WebSocket", "connection": "Upgrade"})
    assert fault is not None
    assert fault.status == 426
    assert refused("/v1/responses", HERE | {"upgrade": "h2c"}) is None


@pytest.mark.parametrize("status", [400, 403, 426, 500, 502, 504])
def test_an_error_is_in_the_words_of_the_endpoint(status: int) -> None:
    """Given a fault, when it is told on each API, then as that API tells its errors, and it says who speaks."""
    fault = Fault(status, "a_code", "it is so; do that")

    openais, anthropics = (json.loads(body_of(fault, messages=messages)) for messages in (False, True))

    said = "litellm-conformance shim: it is so; do that"
    assert openais["error"] == {"message": said, "type": openais["error"]["type"], "param": None, "code": "a_code"}
    assert anthropics == {"type": "error", "error": {"type": anthropics["error"]["type"], "message": said}}


@pytest.mark.parametrize(
    ("path", "headers", "speaks"),
    [
        ("/v1/messages", {}, True),
        ("/v1/messages/count_tokens", {}, True),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, True),
        ("/v1/chat/completions", {}, False),
        ("/v1/models", {}, False),
    ],
)
def test_which_api_is_spoken(path: str, headers: dict[str, str], speaks: bool) -> None:
    """Given a path and headers, when it matters which API they are of, then that is known."""
    assert speaks_messages(path, headers) is speaks
