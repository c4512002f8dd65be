"""Tests of `python -m conformance shim`, as a user runs it: its lines, its mistakes, and its end."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from pathlib import Path

import click
import pytest

from conformance.errors import ShimError
from conformance.shim import command
from conformance.tests.helpers.gateways import closed_port
from conformance.tests.helpers.running import Ended, run_command, signal_when
from conformance.tests.helpers.wires import recording_server

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
POST = (
    b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer sk-theirs\r\n"
    b'content-length: 27\r\n\r\n{"model":"m","stream":true}'
)


def ended(tmp_path: Path, gateway: str, port: int, number: signal.Signals, *, streams: int) -> Ended:
    """Run the shim until it gets a signal while so many streams run; each of them has to be cut."""
    begun, connections = threading.Semaphore(0), list[socket.socket]()

    def ask() -> None:
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), 20)
            except ConnectionRefusedError:
                continue
            break
        connections.append(connection)
        connection.sendall(POST)
        came = b""
        while b"data: 1" not in came:
            came += connection.recv(65536)
        begun.release()

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(streams)]
    for each in asking:
        each.start()
    run = [sys.executable, "-m", "conformance", "shim", f"--port={port}", f"--base-url={gateway}"]
    waiting = [streams]

    def ready() -> bool:
        while waiting[0] and begun.acquire(blocking=False):
            waiting[0] -= 1
        return waiting[0] == 0

    done = signal_when(run, ready, {"XDG_CACHE_HOME": str(tmp_path), "LITELLM_API_KEY": "sk-mine"}, number)
    for connection in connections:
        with connection, contextlib.suppress(ConnectionResetError):
            assert connection.recv(65536) == b""
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are Unix's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """Given streams that run, when a signal comes, then they are cut, and it ends with code 0 and no traceback."""
    hold = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        hold.wait(60)

    port = closed_port()
    with recording_server(answer) as (url, seen):
        done = ended(tmp_path, url, port, number, streams=3)
        hold.set()
    assert (done.code, done.out) == (
        0,
        f"export OPENAI_BASE_URL=http://127.0.0.1:{port}/v1\nexport ANTHROPIC_BASE_URL=http://127.0.0.1:{port}\n",
    )
    assert done.err == f"passing on to {url}; Ctrl-C stops it\n"
    assert all(b"Bearer sk-theirs" in request for request in seen.all)


@pytest.mark.parametrize(
    ("options", "environ", "words"),
    [
        ([], {}, "no gateway is named; give --base-url"),
        (["--base-url=proxy.example"], {}, "--base-url is not an HTTP address"),
        (["--base-url=https://x y"], {}, "--base-url names a host that cannot be; check it"),
        (["--base-url=http://h", "--table=/nonexistent.json"], {}, "/nonexistent.json"),
        (["--base-url=http://h", "--table=~no-such-user/t.json"], {}, "the home folder in ~no-such-user/t.json; write"),
        (["--base-url=http://h", "--ca-bundle=/nonexistent.pem"], {}, "--ca-bundle names /nonexistent.pem"),
        (["--base-url=http://h", "--header=nonsense"], {}, "--header: header 1 has no valid name"),
        (["--base-url=http://h", "--use-my-key"], {}, "--use-my-key finds no key"),
        (["--base-url=http://h"], {"ALL_PROXY": "ftp://x"}, "ALL_PROXY is no proxy's address"),
        ([], {"LITELLM_BASE_URL": "http://h", "LITELLM_REPAIR": "maybe"}, "LITELLM_REPAIR is 'maybe'"),
    ],
)
def test_a_mistake_is_one_line(options: list[str], environ: dict[str, str], words: str) -> None:
    """Given settings that cannot be, when it is started, then one line says so, and the code is 4."""
    done = run_command("shim", *options, env=environ)
    assert (done.code, done.out) == (4, "")
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line() -> None:
    """Given a port that somebody has, when it is asked for, then one line says so, and how to name another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command("shim", "--base-url=http://h", f"--port={port}")
    assert done.code == 4
    assert done.err == f"ERROR: port {port} cannot be used (Address already in use); give another one with --port\n"


def test_its_own_variables_do_not_lead_back_to_it() -> None:
    """Given the variables that it told to set, when it is started anew with no others, then one line says so."""
    port = closed_port()
    done = run_command("shim", f"--port={port}", env={"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"})
    assert (done.code, done.out) == (4, "")
    assert f"http://127.0.0.1:{port} is the shim's own address" in done.err


def test_it_listens_on_loopback_alone() -> None:
    """Given any port, when the shim listens, then on 127.0.0.1, and no option names another host."""
    with command.listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.proto == socket.IPPROTO_TCP, "asyncio sends small pieces at once over such a socket alone"
    with pytest.raises(click.NoSuchOption):
        command.shim.make_context("shim", ["--host", "10.0.0.1"])


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an installation without the extra, when the shim is started, then one line says how to install it."""
    monkeypatch.setattr(command, "_EXTRA", ("httpx", "no_such_package"))
    with pytest.raises(ShimError, match=r"needs no_such_package, .* pip install 'litellm-conformance\[shim\]'"):
        command.require_extra()
