"""`python -m conformance serve`, with a LiteLLM that is made up: it notices when a part of the gateway ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from conformance.embedded import gateway
from conformance.embedded.environment import Environment
from conformance.embedded.gateway import EmbeddedGateway
from conformance.embedded.process import Child, reserved_port
from conformance.embedded.serve import serve
from conformance.errors import EmbeddedGatewayError

# Answers what a start asks (one request with the right key, one with a wrong one), and dies, or goes on.
MADE_UP = """
import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        right = self.headers["Authorization"] == "Bearer " + os.environ["LITELLM_MASTER_KEY"]
        self.send_response(200 if right else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

def run_server():
    with http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler) as server:
        for _ in range(2):
            server.handle_request()
        AFTERWARDS
"""


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Has gateways start a LiteLLM that is made up; the file that has to be it."""

    def child(*told: Any, **more: Any) -> Child:
        return Child(*told, **{"import_from": [tmp_path], **more})

    environment = Environment("1.0.0", Path(sys.executable))
    monkeypatch.setattr(gateway, "ensure_environment", lambda _version, _say: environment)
    monkeypatch.setattr(gateway, "Child", child)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "litellm.py"


@pytest.fixture
def dying(made_up: Path) -> None:
    """A LiteLLM that dies as soon as the gateway has started."""
    made_up.write_text(MADE_UP.replace("AFTERWARDS", "os.kill(os.getpid(), signal.SIGKILL)"), encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="ends a process by a signal")
@pytest.mark.usefixtures("dying")
def test_serve_ends_when_litellm_does(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a LiteLLM that dies, when it is served, then serve ends and says once what ended, how, and the log."""
    assert serve(version=None) == EmbeddedGatewayError.exit_code
    out, err = capsys.readouterr()
    assert out.count("export ") == 2
    [line] = [line for line in err.splitlines() if "ended" in line]
    told = r"litellm, a part of the embedded gateway, ended on its own: SIGKILL killed it\. The log is (.*)\."
    [log] = re.findall(told, line)
    assert Path(log).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="ends a process by a signal")
def test_sigterm_ends_it(made_up: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a served gateway, when SIGTERM comes, then it ends with 0, says nothing, and leaves neither process nor
    file."""
    made_up.write_text(MADE_UP.replace("AFTERWARDS", "server.serve_forever()"), encoding="utf-8")
    started: list[EmbeddedGateway] = []

    def ended(running: EmbeddedGateway) -> list[str]:
        if not started:
            os.kill(os.getpid(), signal.SIGTERM)
        started.append(running)
        return [str(each.status) for each in running.children if each.status is not None]

    monkeypatch.setattr(EmbeddedGateway, "ended", property(ended))
    assert serve(version=None) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "serving; Ctrl-C stops it"
    assert [each.status for each in started[0].children] == [-signal.SIGKILL] * 2
    assert not list(made_up.parent.glob("litellm-*"))


@pytest.mark.usefixtures("dying")
def test_a_port_of_the_users_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a port, when a gateway is served, then it is there; where another server has it, one line says so."""
    with reserved_port() as free:
        pass
    serve(version=None, port=free)
    assert f"export LITELLM_BASE_URL=http://127.0.0.1:{free}\n" in capsys.readouterr().out
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(EmbeddedGatewayError, match=r"port \d+ cannot be used .*; give another one with --port"),
    ):
        serve(version=None, port=taken.getsockname()[1])


def test_a_gateway_prints_without_its_processes() -> None:
    """Given a gateway, when it is printed or compared, then only what a client needs counts."""
    made = EmbeddedGateway("http://127.0.0.1:1", "sk-1", "1.0.0", 2)
    assert "children" not in repr(made)
    assert made.ended == []
