"""Tests of the shim as a pass-through: bytes, streams, headers, and what happens when somebody goes away."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from conformance.tests.helpers.gateways import http
from conformance.tests.helpers.shims import shim_before
from conformance.tests.helpers.wires import recording_server

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PATIENCE = 20.0


def chunk(data: bytes) -> bytes:
    """A piece of a chunked answer."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def over(url: str, request: bytes) -> socket.socket:
    """A connection on which this was sent."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), PATIENCE)
    connection.sendall(request)
    return connection


def until(connection: socket.socket, words: bytes) -> bytes:
    """What comes over a connection up to these words."""
    came = b""
    while words not in came:
        more = connection.recv(65536)
        assert more, f"only {came!r} came"
        came += more
    return came


@contextlib.contextmanager
def client_of(url: str) -> Iterator[httpx.Client]:
    """A client that adds nothing."""
    with httpx.Client(
        base_url=url, trust_env=False, timeout=PATIENCE, headers={"accept-encoding": "identity"}
    ) as client:
        yield client


REQUESTS: dict[str, bytes] = {
    "a list": b"GET /v1/models?limit=1&x=%20y HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n",
    "another method": b"DELETE /v1/files/a%2Fb HTTP/1.1\r\nhost: 127.0.0.1\r\nx: 1\r\n\r\n",
    "an upload": b"POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4\r\n\r\n\x00\xff\r\n",
    "nothing to post": b"POST /v1/x/cancel HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n",
    "JSON for a model": (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer sk-theirs\r\ncontent-length: 31\r\n\r\n" + b'{ "model":"m",  "messages":[] }'
    ),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_requests_go_on_as_they_came(case: str) -> None:
    """Given any request, when it goes through the shim, then the gateway gets the same, but for the host."""
    asked = REQUESTS[case]
    with (
        recording_server(http(b"{}")) as (url, seen),
        shim_before(url) as shim,
        over(shim.base_url, asked) as connection,
    ):
        until(connection, b"{}")

    def parts(raw: bytes) -> tuple[bytes, set[bytes], bytes]:
        head, _, body = raw.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        return line, {each.lower() for each in fields}, body

    line, fields, body = parts(REQUESTS[case])
    host = f"host: {urlsplit(url).netloc}".encode()
    assert parts(seen.raw) == (line, fields - {b"host: 127.0.0.1"} | {host}, body)


def test_a_chunked_upload_stays_one() -> None:
    """Given a body without a length, when it is for no model, then it streams up, and for a model it is sent whole."""
    rest = b"host: 127.0.0.1\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n"
    body = chunk(b'{"model":') + chunk(b'"m"}') + b"0\r\n\r\n"
    with recording_server(http(b"{}")) as (url, seen), shim_before(url) as shim:
        for path in (b"/v1/files", b"/v1/responses"):
            with over(shim.base_url, b"POST " + path + b" HTTP/1.1\r\n" + rest + body) as connection:
                until(connection, b"{}")
    streamed, whole = seen.all
    assert b"transfer-encoding: chunked" in streamed.lower()
    assert b'{"model":"m"}' in streamed
    assert b"transfer-encoding" not in whole.lower()
    assert b"content-length: 13" in whole.lower()
    assert whole.endswith(b'\r\n\r\n{"model":"m"}')


def test_an_upload_is_not_kept_back() -> None:
    """Given an upload that is not whole yet, when its first piece is there, then the gateway has it already."""
    first = threading.Event()

    def gateway(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            until(connection, b"piece one")
            first.set()
            until(connection, b"0\r\n\r\n")
            connection.sendall(http(b"done"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=gateway, args=(listener,), daemon=True).start()
        head = b"POST /v1/files HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        with (
            shim_before(f"http://127.0.0.1:{listener.getsockname()[1]}") as shim,
            over(shim.base_url, head + chunk(b"piece one")) as connection,
        ):
            assert first.wait(PATIENCE)
            connection.sendall(b"0\r\n\r\n")
            until(connection, b"done")


ANSWERS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "JSON": ("200 OK", b'{ "a":1 }', {"content-type": "application/json", "x-odd": "kept"}),
    "packed": ("200 OK", gzip.compress(b"{}" * 99, mtime=0), {"content-encoding": "gzip", "content-type": "a/b"}),
    "packed as nobody reads it": (
        "200 OK",
        b"\x00\x01",
        {"content-encoding": "br", "content-type": "application/json"},
    ),
    "an error": ("429 Too Many Requests", b'{"error":{}}', {"retry-after": "7", "content-type": "application/json"}),
    "a status of its own": ("529 Overloaded", b"", {"x": "1"}),
    "HTML that nobody asked a model for": ("404 Not Found", b"<html>", {"content-type": "text/html"}),
}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions"])
@pytest.mark.parametrize("case", ANSWERS)
def test_answers_come_back_as_they_came(case: str, path: str) -> None:
    """Given any answer, when it comes back through the shim, then with its status, its headers and its raw bytes."""
    status, body, headers = ANSWERS[case]
    body_sent = http(body, status, **{name.replace("-", "_"): value for name, value in headers.items()})
    with (
        recording_server(body_sent) as (url, _),
        shim_before(url) as shim,
        client_of(shim.base_url) as client,
        client.stream("POST", path, json={"model": "m", "messages": []}) as response,
    ):
        raw = b"".join(response.iter_raw())
    assert raw == body
    assert response.status_code == int(status[:3])
    assert {name: response.headers[name] for name in headers} == headers
    assert response.headers["content-length"] == str(len(body))
    assert "date" not in response.headers
    assert "server" not in response.headers
    assert "connection" not in response.headers


def test_cookies_are_their_clients_alone() -> None:
    """Given an answer that sets cookies, when another request follows, then each came through, and none is kept."""
    head = b"HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/\r\nset-cookie: b=2; Path=/\r\nconnection: close\r\n"
    answer = head + b"content-length: 2\r\n\r\n{}"
    with recording_server(answer) as (url, seen), shim_before(url) as shim, client_of(shim.base_url) as client:
        cookies = client.get("/v1/models").headers.get_list("set-cookie")
        client.cookies.clear()
        client.get("/v1/models")
    assert cookies == ["a=1; Path=/", "b=2; Path=/"]
    assert "cookie:" not in seen.head


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_answer_without_a_body(method: str) -> None:
    """Given HEAD, or status 204, when it is answered, then the client does not wait for a body."""
    head = b"200 OK\r\ncontent-length: 5" if method == "HEAD" else b"204 No Content"
    answer = b"HTTP/1.1 " + head + b"\r\nconnection: close\r\n\r\n"
    with recording_server(answer) as (url, _), shim_before(url) as shim, client_of(shim.base_url) as client:
        for _ in range(2):
            response = client.request(method, "/v1/models")
            assert response.content == b""
    assert response.headers.get("content-length") == ("5" if method == "HEAD" else None)
    assert "transfer-encoding" not in response.headers


def test_events_come_one_by_one() -> None:
    """Given a stream, when an event is there, then the client has it, as it is, before the next one is made."""
    events = [b"data: 1\n\n", b": a comment\n\n", b'event: x\ndata: {"a": "\xc3\xa9"}\r\n\r\n', b"data: [DONE]\n\n"]
    go_on = threading.Semaphore(0)

    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        for event in events:
            go_on.acquire(timeout=PATIENCE)
            connection.sendall(chunk(event))
        connection.sendall(b"0\r\n\r\n")

    with (
        recording_server(answer) as (url, _),
        shim_before(url, repair="off") as shim,
        client_of(shim.base_url) as client,
        client.stream("POST", "/v1/responses", json={"model": "m", "stream": True}) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"  # before any event
        pieces = response.iter_raw()
        for event in events:
            go_on.release()
            assert next(pieces) == event
        assert list(pieces) == []


def holding(first: bytes, left: threading.Event) -> Callable[[socket.socket], None]:
    """Answer with these bytes, and then wait until the other side hangs up."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""
        left.set()

    return answer


POST = (
    b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b'content-length: 27\r\n\r\n{"model":"m","stream":true}'
)


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + chunk(b"data: 1\n\n")], ids=["waiting", "begun", "streaming"])
def test_a_client_that_goes_away_ends_its_request(first: bytes) -> None:
    """Given a request that is answered slowly, when its client hangs up, then the gateway is hung up on, too."""
    left = threading.Event()
    with recording_server(holding(first, left)) as (url, seen), shim_before(url) as shim:
        with over(shim.base_url, POST) as connection:
            if b"data" in first:
                until(connection, b"data: 1")
            while not seen.all:
                left.wait(0.01)
        assert left.wait(PATIENCE)
        assert shim.said == []


def test_an_upload_that_is_given_up_ends() -> None:
    """Given a client that hangs up in the middle of its upload, when that shows, then the gateway is hung up on."""
    came, left = bytearray(), threading.Event()

    def gateway(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            while more := connection.recv(65536):
                came.extend(more)
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=gateway, args=(listener,), daemon=True).start()
        with shim_before(f"http://127.0.0.1:{listener.getsockname()[1]}") as shim:
            head = b"POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n"
            over(shim.base_url, head + b"half").close()
            assert left.wait(PATIENCE)
            assert shim.said == []
    assert len(came.partition(b"\r\n\r\n")[2]) < 99


def test_many_goings_away_leave_nothing_behind() -> None:
    """Given many clients that hang up at once, when the next one asks, then it is answered."""
    left, first = threading.Event(), [HEAD]

    def answer(connection: socket.socket) -> None:
        if first:
            holding(HEAD, left)(connection)
        else:
            connection.sendall(http(b"{}"))

    with recording_server(answer) as (url, _), shim_before(url) as shim:
        for connection in [over(shim.base_url, POST) for _ in range(50)]:
            connection.close()
        first.clear()
        with client_of(shim.base_url) as client:
            assert client.get("/v1/models").content == b"{}"


def test_an_answer_that_breaks_off_breaks_off() -> None:
    """Given a stream that the gateway cuts, when that shows, then the client sees a cut, not an end, and it is told."""
    for broken in (HEAD + chunk(b"data: 1\n\n"), b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"):
        with recording_server(broken) as (url, _), shim_before(url) as shim, client_of(shim.base_url) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                client.post("/v1/responses", json={"model": "m", "stream": True})
            assert shim.said == [f"{url} broke off an answer (RemoteProtocolError); the client was told the same"]


def test_who_does_not_read_holds_the_gateway_back_and_nobody_else() -> None:
    """Given a client that does not read, when its answer has no end, then no more is fetched, and others are served."""
    piece, most = chunk(b"x" * 65_536), 2048
    sent, stuck = [0], threading.Event()

    def answer(connection: socket.socket) -> None:
        if stuck.is_set():
            connection.sendall(http(b"{}"))
            return
        connection.settimeout(0.5)
        connection.sendall(HEAD)
        with contextlib.suppress(TimeoutError):
            while sent[0] < most:
                connection.sendall(piece)
                sent[0] += 1
        stuck.set()

    with recording_server(answer) as (url, _), shim_before(url) as shim, over(shim.base_url, POST) as connection:
        until(connection, b"\r\n\r\n")
        assert stuck.wait(PATIENCE)
        assert sent[0] < most
        with client_of(shim.base_url) as client:
            assert client.get("/v1/models").content == b"{}"


def test_many_streams_run_at_once() -> None:
    """Given 64 streams that end only when all have begun, when they are asked for, then all end."""
    together = threading.Barrier(64, timeout=PATIENCE)

    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + chunk(b"data: 1\n\n"))
        together.wait()
        connection.sendall(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    with recording_server(answer) as (url, _), shim_before(url) as shim:
        connections = [over(shim.base_url, POST) for _ in range(64)]
        for connection in connections:
            with connection:
                assert b"data: 1" in until(connection, b"0\r\n\r\n")
        assert not together.broken


def test_connections_are_kept() -> None:
    """Given two requests on one connection, when they are answered, then the gateway gets both on one, too."""
    talks: list[int] = []

    def answer(connection: socket.socket) -> None:
        talks.append(connection.fileno())
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    asked = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with recording_server(answer) as (url, seen), shim_before(url) as shim, over(shim.base_url, asked) as connection:
        until(connection, b"{}")
        connection.sendall(asked)
        until(connection, b"{}")
    assert len(seen.all) == 2
    assert len(set(talks)) == 1


def test_a_client_that_waits_before_its_upload_is_told_to_go_on() -> None:
    """Given `Expect: 100-continue`, when an upload is announced, then the shim says go on."""
    head = b"POST /v1/files HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    with (
        recording_server(http(b"done")) as (url, seen),
        shim_before(url) as shim,
        over(shim.base_url, head) as connection,
    ):
        until(connection, b"HTTP/1.1 100 Continue")
        connection.sendall(b"{}")
        until(connection, b"done")
    assert seen.body == b"{}"
    assert "expect" not in seen.head


def test_an_offer_of_another_protocol_is_passed_over() -> None:
    """Given a client that offers HTTP/2, as Java's does, when it posts, then it is answered over HTTP/1.1."""
    offer = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n"
    asked = POST.replace(b"host: localhost\r\n", b"host: localhost\r\n" + offer)
    with (
        recording_server(http(b"{}")) as (url, seen),
        shim_before(url) as shim,
        over(shim.base_url, asked) as connection,
    ):
        assert b"HTTP/1.1 200" in until(connection, b"{}")
    assert seen.body == b'{"model":"m","stream":true}'
    assert "h2c" not in seen.head
    assert "http2-settings" not in seen.head
