"""The only module that starts processes: uv, the LiteLLM proxy and the simulators.

Each long-lived child runs under `launcher`, in a session of its own, so that Ctrl-C in a terminal
reaches the parent alone, and dies with its parent however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_STARTING_SECONDS = 1.0
# What a child may inherit. Anything else could change what is measured: vendor keys, proxies,
# LiteLLM or OpenAI settings, a PYTHONPATH.
_INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "WINDIR",
    "COMSPEC",
)


class Child:
    """A child process that cannot outlive this one; `log` gets all it prints."""

    def __init__(
        self,
        python: Path,
        target: str,
        arguments: Sequence[str],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        import_from: Sequence[Path] = (),
    ) -> None:
        """Start `target` (`module` or `module:function`) in `folder` with only `environment` added.

        What its Python does not have is imported from the folders of `import_from`.
        """
        self.log = log
        # Isolated (-I): neither PYTHONPATH nor this package's folder may shadow what the target imports.
        command = [str(python), "-I", "-u", "-X", "utf8", "-X", "faulthandler", str(_LAUNCHER), str(os.getpid())]
        command += [json.dumps([str(each) for each in import_from]), target, *arguments]
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own launcher, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**inherited, **(environment or {})},
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """Exit status, or None while it runs. What it started ends with it."""
        if self._process.returncode is None:
            with contextlib.suppress(ChildProcessError):  # somebody else has reaped it: its number is not ours
                if not self._has_ended():
                    return None
                self._kill()
        return self._process.wait()

    @property
    def end(self) -> str:
        """How it ended, for an error message: the signal that killed it, or its status and its last line."""
        status = self.status
        if status is not None and status < 0:
            return f"{_signal_name(-status)} killed it."
        return f"{last_line(self.log)} (status {status})."

    def stop(self) -> None:
        """End the child and everything it started; returns when it is gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # the launcher takes this for the parent's end
        deadline = time.monotonic() + _STOP_SECONDS
        try:
            while self.status is None and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        finally:
            if self._process.returncode is None:
                self._kill()
            self._process.wait()

    def _has_ended(self) -> bool:
        """Whether it has ended. It is not reaped for that, so its group's number cannot be another's before `_kill`."""
        if not hasattr(os, "waitid"):  # Windows has no groups, and macOS has had this since Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _kill(self) -> None:
        """End its group, at once; only for a child that is not reaped, for then its number is free for others."""
        if os.name != "posix":
            self._process.kill()
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def run(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> int:
    """Run a command to its end, and return its status; its output is added to `log`.

    It has this environment (None: this process's) and this current folder (None: this process's).
    """
    with log.open("ab") as output:
        return subprocess.run(  # noqa: S603 - uv, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            check=False,
        ).returncode


def python_of(environment: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def is_run(program: Path) -> bool:
    """Whether a process runs this program. Only Linux tells; elsewhere the answer is no."""
    begins = os.fsencode(program) + b"\0"
    return any(_command_line(entry).startswith(begins) for entry in Path("/proc").glob("[0-9]*"))


def _command_line(entry: Path) -> bytes:
    """The words a process was started with, each ended by a zero byte; empty where it has none or is gone.

    Linux names the program a moment before it writes the words down, so a process that just began is asked again.
    What has no program, as a thread of the kernel or a process that has ended, will have no words.
    """
    until = time.monotonic() + _STARTING_SECONDS
    with contextlib.suppress(OSError):
        while not (words := (entry / "cmdline").read_bytes()) and time.monotonic() < until:
            (entry / "exe").readlink()  # an error where there is no program
            time.sleep(0.001)
        return words
    return b""


@contextlib.contextmanager
def reserved_port(wanted: int = 0) -> Iterator[int]:
    """A loopback port for a child to listen on, which nobody else gets while the block runs: `wanted`, or any free one.

    A socket that is bound and does not listen keeps it. On Linux a server that names the port can have it all the
    same, and whoever asks for any port gets another one. Elsewhere the port is only free when the block begins.
    Raises `OSError` where another server has the one that is wanted.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", wanted))
        port: int = keeper.getsockname()[1]
        if not sys.platform.startswith("linux"):
            keeper.close()
        yield port


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_line(log: Path) -> str:
    """The last line of a log that says something, for an error message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    spoken = [line.strip() for line in lines if any(map(str.isalnum, line)) and not line.startswith("hint:")]
    return spoken[-1][:300] if spoken else "it printed nothing"
