"""Runs pytest, the command line and `llm` in forks of a process that has imported them: it takes a third of the time.

The process is started by the first run. It ends with its parent, which holds the other end of its socket.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from conformance.tests.helpers import trust

#: Plugins that the process has imported already are not rewritten by pytest, which warns of that.
_WITHOUT_A_WARNING = "-W ignore::pytest.PytestAssertRewriteWarning"
#: What a module imports only when it needs it; read when the module runs for the first time.
_LATE = {"llm": ("llm.cli", "openai.resources", "conformance.provider.integrations.llm_models")}
_PYTEST = (
    "conformance.measure.merging",
    "conformance.report.page",
    "conformance.report.shapes",
    "filelock",
    "httpcore",
    "rich._emoji_codes",
    "unittest.mock",
    "vcr",
    "vcr.serialize",
    "xdist.newhooks",
    *(f"_pytest.{name}" for name in ("faulthandler", "helpconfig", "junitxml", "pastebin", "setuponly", "setupplan")),
    *(f"_pytest.{name}" for name in ("skipping", "threadexception", "tracemalloc", "unittest", "unraisableexception")),
    "_pytest.warnings",
)
_ONE_AT_A_TIME = threading.Lock()


def fit(environment: Mapping[str, str]) -> bool:
    """True where a fork behaves as a new interpreter would: nothing that only a new one reads differs from here."""
    return hasattr(os, "fork") and _read_at_the_start(environment) == _read_at_the_start(os.environ)


def run(
    module: str, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Run a module as `python -m` does to its end; returns how it ended, and its two outputs."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, ours:
        with theirs, _ONE_AT_A_TIME:
            socket.send_fds(_server(), [module.encode()], [theirs.fileno(), out.fileno(), err.fileno()])
        ours.sendall(json.dumps([module, *arguments]).encode() + b"\n")
        ours.sendall(json.dumps([str(cwd), dict(environment)]).encode() + b"\n")
        ours.settimeout(timeout)
        with ours.makefile("r") as said:
            process = int(said.readline())
            try:
                code = int(said.readline())
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired([module, *arguments], timeout) from None
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(), err.read().decode()


def _read_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LANG", "LC_"))}


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> str:
    """Fork for each request until the parent is gone; returns in the forks, with the module that each is to run."""
    gc.freeze()
    while True:
        message, received, _, _ = socket.recv_fds(control, 64, 3)
        with contextlib.suppress(ChildProcessError):  # so that whoever measures this process sees its forks in it
            while os.waitpid(-1, os.WNOHANG if message else 0)[0]:
                pass
        if not message:
            os._exit(0)
        for name in _LATE.get(message.decode(), ()):
            importlib.import_module(name)
        if os.fork() == 0:
            control.close()
            return _fork_again(*received)
        for number in received:
            os.close(number)


def _fork_again(conversation: int, out: int, err: int) -> str:
    """Take a request, wait for the fork that runs it, and say how it ended; returns in that fork."""
    with socket.socket(fileno=conversation) as connection, connection.makefile("rw") as said:
        (module, *arguments), (cwd, environment) = json.loads(said.readline()), json.loads(said.readline())
        process = os.fork()
        if process:
            said.write(f"{process}\n")
            said.flush()
            _, status = os.waitpid(process, 0)
            with contextlib.suppress(BrokenPipeError):
                said.write(f"{os.waitstatus_to_exitcode(status)}\n")
                said.flush()
            os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    os.environ["PYTEST_ADDOPTS"] = f"{environment.get('PYTEST_ADDOPTS', '')} {_WITHOUT_A_WARNING}"
    sys.path[0], sys.argv[1:] = cwd, arguments
    return str(module)


def _main() -> None:
    trust.read_once()
    for plugin in entry_points(group="pytest11"):
        if "hypothesis" not in plugin.name:
            plugin.load()
    for name in _PYTEST:
        importlib.import_module(name)
    importlib.import_module("conformance.report.page").template()
    module = _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
