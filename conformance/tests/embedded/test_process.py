"""Child processes: they answer for their parent's life, and die with it, whatever ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest

import conformance
from conformance.embedded import gateway as gateway_module
from conformance.embedded import process
from conformance.embedded.environment import Environment
from conformance.embedded.gateway import embedded_gateway
from conformance.embedded.process import Child
from conformance.errors import EmbeddedGatewayError
from conformance.tests.helpers.gateways import http, raw_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks processes up in /proc")

ROOT = Path(conformance.__file__).parents[1]
# A target that starts a process of its own, so that the whole group has to go.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "GRANDCHILD"])
print("started", flush=True)
time.sleep(600)
"""
PARENT = """
import sys, time
from pathlib import Path
from conformance.embedded.process import Child
folder = Path(sys.argv[1])
Child(Path(sys.executable), "stubborn", [], log=folder / "log", folder=folder, import_from=[folder])
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the target in it."""
    (tmp_path / "stubborn.py").write_text(STUBBORN, encoding="utf-8")
    return tmp_path


def wait_until(true: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def members(parent: int) -> list[int]:
    """Processes in the groups of the children that `parent` launched, by what the launcher was told."""
    groups = set()
    for pid, command in _processes():
        if "launcher.py" in command and f"\0{parent}\0" in command:
            groups.add(_group(pid))
    return sorted(pid for pid, _command in _processes() if _group(pid) in groups)


def _processes() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_text(errors="replace")
            except OSError:
                continue


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def alive(pids: list[int]) -> list[int]:
    """Those that still run; a zombie does not."""
    return [pid for pid, command in _processes() if pid in pids and command]


def log_says(folder: Path, text: str) -> bool:
    """Whether the target has printed `text`."""
    log = folder / "log"
    return log.exists() and text in log.read_text(encoding="utf-8")


def test_stop_ends_the_child_and_what_it_started(folder: Path) -> None:
    """Given a child that ignores signals and has a child, stop returns when both are gone."""
    before = members(os.getpid())
    child = Child(Path(sys.executable), "stubborn", [], log=folder / "log", folder=folder, import_from=[folder])
    assert wait_until(lambda: log_says(folder, "started"))
    group = [pid for pid in members(os.getpid()) if pid not in before]
    child.stop()
    assert len(group) >= 2
    assert wait_until(lambda: not alive(group))
    assert child.status is not None


# A target that ends on its own, and leaves a process in its group.
LEAVES_ONE = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
"""


def test_a_child_that_ends_on_its_own_leaves_nothing(folder: Path) -> None:
    """Given a child that has ended and has left a process, when its end is seen, then that process is ended too."""
    (folder / "leaves.py").write_text(LEAVES_ONE, encoding="utf-8")
    child = Child(Path(sys.executable), "leaves", [], log=folder / "log", folder=folder, import_from=[folder])
    assert wait_until(lambda: child.status is not None)
    left = int((folder / "log").read_text(encoding="utf-8"))
    assert wait_until(lambda: not alive([left]))
    child.stop()
    assert child.status == 0


@pytest.mark.parametrize("reaped", [False, True], ids=["seen", "reaped by another"])
def test_stop_kills_nobody_who_got_the_number_of_a_child(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reaped: bool
) -> None:
    """Given a child whose end was seen long ago, when it is stopped, then no signal goes to its number."""
    (folder / "ends.py").write_text("", encoding="utf-8")
    child = Child(Path(sys.executable), "ends", [], log=folder / "log", folder=folder, import_from=[folder])
    if reaped:
        os.waitpid(child._process.pid, 0)
    else:
        assert wait_until(lambda: child.status is not None)
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, _signal: killed.append(group))
    child.stop()
    assert killed == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_children_die_with_a_parent_that_has_no_time_to_stop_them(folder: Path, end: signal.Signals) -> None:
    """Given a parent that is killed outright, nothing it started stays alive."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)
    assert wait_until(lambda: log_says(folder, "started"))
    group = members(parent.pid)
    parent.send_signal(end)
    parent.wait(10)
    assert len(group) >= 2
    assert wait_until(lambda: not alive(group), 5), alive(group)


def test_a_child_inherits_neither_keys_nor_proxies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is on the list reaches a child, and what it is given."""
    (folder / "shows.py").write_text("import os\nprint(sorted(os.environ))\n", encoding="utf-8")
    for name in ("OPENAI_API_KEY", "HTTPS_PROXY", "PYTHONPATH", "LITELLM_MASTER_KEY"):
        monkeypatch.setenv(name, "mine")
    child = Child(
        Path(sys.executable),
        "shows",
        [],
        log=folder / "log",
        folder=folder,
        import_from=[folder],
        environment={"GIVEN": "1"},
    )
    assert wait_until(lambda: child.status is not None)
    child.stop()
    shown = (folder / "log").read_text(encoding="utf-8")
    assert "GIVEN" in shown
    assert not any(name in shown for name in ("OPENAI_API_KEY", "HTTPS_PROXY", "PYTHONPATH", "LITELLM_MASTER_KEY"))


def test_a_gateway_that_ends_while_starting_keeps_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a LiteLLM that cannot start, the error has its last words and the log, and nothing runs on."""
    before = members(os.getpid())
    # The suite's own Python has no module `litellm`, which is as broken as an environment gets.
    broken = Environment("1.109.1", Path(sys.executable))
    monkeypatch.setattr(gateway_module, "ensure_environment", lambda _version, _say: broken)
    with (
        pytest.raises(EmbeddedGatewayError, match="No module named 'litellm'") as raised,
        embedded_gateway(log_dir=tmp_path),
    ):
        pass
    assert "\n" not in str(raised.value)
    assert str(tmp_path / "litellm.log") in str(raised.value)
    assert wait_until(lambda: members(os.getpid()) == before, 5)


def test_the_simulators_import_what_this_process_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given packages that its Python alone does not find, when a gateway starts, then its simulators start as well."""
    venv.create(tmp_path / "bare", symlinks=True)
    bare = process.python_of(tmp_path / "bare")
    monkeypatch.setattr(sys, "executable", str(bare))
    monkeypatch.setattr(gateway_module, "ensure_environment", lambda _version, _say: Environment("1.109.1", bare))
    with (
        pytest.raises(EmbeddedGatewayError, match=r"LiteLLM 1\.109\.1 ended while starting: .*named 'litellm'"),
        embedded_gateway(log_dir=tmp_path / "logs"),
    ):
        pass


def test_a_server_that_has_the_port_is_not_taken_for_litellm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server without keys that has got LiteLLM's port, when LiteLLM ends, then that is told."""
    broken = Environment("1.109.1", Path(sys.executable))
    monkeypatch.setattr(gateway_module, "ensure_environment", lambda _version, _say: broken)
    with raw_server(http(b"{}")) as url:
        monkeypatch.setattr(gateway_module, "reserved_port", lambda _port: nullcontext(int(url.rpartition(":")[2])))
        with (
            pytest.raises(EmbeddedGatewayError, match="No module named 'litellm'"),
            embedded_gateway(log_dir=tmp_path),
        ):
            pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems reserve no port")
def test_a_reserved_port_is_for_the_one_who_names_it() -> None:
    """Given a reserved port, when somebody asks for any port, then it is another; a server that names it has it."""
    with process.reserved_port() as port:
        with ExitStack() as others:
            given = [others.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(500)]
            assert port not in [each.getsockname()[1] for each in given]
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
            assert server.getsockname()[1] == port


def test_a_gateway_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a start that takes too long, the error says how long it was given."""
    monkeypatch.setattr(gateway_module, "ensure_environment", lambda _version, _say: Environment("1.0.0", tmp_path))
    before = members(os.getpid())
    monkeypatch.setattr(gateway_module, "START_SECONDS", 0.0)
    with (
        pytest.raises(EmbeddedGatewayError, match="did not answer within 0 seconds"),
        embedded_gateway(log_dir=tmp_path),
    ):
        pass
    assert wait_until(lambda: members(os.getpid()) == before, 5)


# Sets context variables while garbage is collected that sets context variables too. In a bare Python
# before 3.12 this is a segmentation fault within a second.
SETS_CONTEXT_VARIABLES = """
import contextvars, gc

VARIABLES = [contextvars.ContextVar(f"v{number}") for number in range(12)]

class Garbage:
    def __init__(self):
        self.itself = self

    def __del__(self):
        for variable in VARIABLES:
            variable.set([object()])

def run():
    gc.set_threshold(3)
    for number in range(100_000):
        if number % 5 == 0:
            Garbage()
        VARIABLES[number % 12].set((number,))
    print("done")

contextvars.copy_context().run(run)
"""


def test_collecting_garbage_kills_no_child(folder: Path) -> None:
    """Given finalizers that set context variables, a child lives through them on each Python."""
    (folder / "sets.py").write_text(SETS_CONTEXT_VARIABLES, encoding="utf-8")
    child = Child(Path(sys.executable), "sets", [], log=folder / "log", folder=folder, import_from=[folder])
    assert wait_until(lambda: child.status is not None, 30)
    child.stop()
    assert child.status == 0, child.end
    assert log_says(folder, "done")


# Makes garbage until some of it was collected, and says which thread did it.
TELLS_WHO_COLLECTS = """
import threading, time

seen = set()

class Garbage:
    def __init__(self):
        self.itself = self

    def __del__(self):
        seen.add(threading.current_thread() is threading.main_thread())

until = time.monotonic() + 20
while not seen and time.monotonic() < until:
    Garbage()
print("collected in the main thread:", seen)
"""


def test_garbage_is_collected_by_the_thread_that_runs_the_target(folder: Path) -> None:
    """Given objects that only the event loop's thread may free, a child's other threads free none."""
    (folder / "tells.py").write_text(TELLS_WHO_COLLECTS, encoding="utf-8")
    child = Child(Path(sys.executable), "tells", [], log=folder / "log", folder=folder, import_from=[folder])
    assert wait_until(lambda: child.status is not None, 30)
    child.stop()
    assert log_says(folder, "collected in the main thread: {True}"), (folder / "log").read_text(encoding="utf-8")


def test_a_process_that_just_began_runs_its_program(tmp_path: Path) -> None:
    """Given a process whose words Linux has not written down yet, when asked, then its program is run."""
    program = tmp_path / "python"
    program.symlink_to(sys.executable)
    for _ in range(20):
        with subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL):
            assert process.is_run(program)
    assert not process.is_run(program)


def test_a_signal_that_killed_a_child_is_named(folder: Path) -> None:
    """A log of a process that died of a fault ends in anything; the signal is what happened."""
    (folder / "dies.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", encoding="utf-8")
    child = Child(Path(sys.executable), "dies", [], log=folder / "log", folder=folder, import_from=[folder])
    assert wait_until(lambda: child.status is not None)
    child.stop()
    assert child.end == "SIGSEGV killed it."


def test_the_last_line_of_a_log_says_something(tmp_path: Path) -> None:
    """Frames and blank lines around an error are passed over."""
    log = tmp_path / "log"
    log.write_text("first\n  ╰── because of this\n╭──╮\n\n", encoding="utf-8")
    assert process.last_line(log) == "╰── because of this"
    assert process.last_line(tmp_path / "none") == "it printed nothing"
