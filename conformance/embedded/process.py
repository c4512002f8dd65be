"""The only module that starts processes: uv, the LiteLLM proxy and the simulators.

Each long-lived child runs under `launcher`, in a session of its own, so that Ctrl-C in a terminal
reaches the parent alone, and dies with its parent however that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")
_STOP_SECONDS = 5.0
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
        import_from: Path | None = None,
    ) -> None:
        """Start `target` (`module` or `module:function`) in `folder` with only `environment` added."""
        self.log = log
        # Isolated (-I): neither PYTHONPATH nor this package's folder may shadow what the target imports.
        command = [str(python), "-I", "-u", "-X", "utf8", "-X", "faulthandler", str(_LAUNCHER), str(os.getpid())]
        command += [str(import_from) if import_from else "-", target, *arguments]
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
        """Exit status, or None while it runs."""
        return self._process.poll()

    @property
    def end(self) -> str:
        """How it ended, for an error message: the signal that killed it, or its status and its last line."""
        status = self._process.poll()
        if status is not None and status < 0:
            return f"{_signal_name(-status)} killed it."
        return f"{last_line(self.log)} (status {status})."

    def stop(self) -> None:
        """End the child and everything it started; returns when it is gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # the launcher takes this for the parent's end
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._kill()
            self._process.wait()

    def _kill(self) -> None:
        if os.name != "posix":
            self._process.kill()
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def run(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> int:
    """Run a command to its end, with `environment` added to this process's; its output is added to `log`."""
    with log.open("ab") as output:
        return subprocess.run(  # noqa: S603 - uv, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            check=False,
        ).returncode


def python_of(environment: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


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
