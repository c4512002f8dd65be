"""Runs pytest and the command line as a user does: in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.tests.helpers import forks

CHECKOUT = Path(__file__).resolve().parents[3]

#: Variables of the surrounding run that would change what a child does.
_LEFT_OUT = ("LITELLM_", "OPENAI_", "PYTEST_", "COV_", "GITHUB_", "CI")


@dataclass(frozen=True)
class Workplace:
    """Folders of one test, and the options that point a run at them."""

    root: Path

    @property
    def options(self) -> list[str]:
        """The options that keep a run inside this workplace."""
        return [
            f"--cassettes={self.root / 'cassettes'}",
            f"--reports={self.root / 'reports'}",
            f"--table={self.table}",
        ]

    @property
    def table(self) -> Path:
        """The support table of this workplace."""
        return self.root / "table.json"

    @property
    def matrix(self) -> dict[str, Any]:
        """The matrix that the last run wrote."""
        matrix: dict[str, Any] = json.loads((self.root / "reports" / "matrix.json").read_text(encoding="utf-8"))
        return matrix

    def texts(self) -> str:
        """Everything that runs left here, as one text."""
        return "\n".join(path.read_text("utf-8", "replace") for path in self.root.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Both outputs."""
        return self.out + self.err


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what belongs to the surrounding run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    # Who measures a gateway has no hypothesis, and its plugin imports all of it in each run.
    return {**kept, "COLUMNS": "160", "PYTEST_ADDOPTS": "-p no:hypothesispytest", **(extra or {})}


def run_pytest(*options: str, env: Mapping[str, str] | None = None, cwd: Path = CHECKOUT, suite: bool = True) -> Ended:
    """Run the conformance suite (or just what `options` name) to its end."""
    places = ["conformance/suite"] if suite else []
    return _run("pytest", [*places, "-p", "no:cacheprovider", *options], env, cwd)


def run_command(*words: str, env: Mapping[str, str] | None = None, cwd: Path = CHECKOUT) -> Ended:
    """Run `python -m conformance` to its end."""
    return _run("conformance", words, env, cwd)


def run_llm(*words: str, home: Path, env: Mapping[str, str]) -> Ended:
    """Run `llm` to its end in an environment of its own, with nothing of this one's settings."""
    own = {name: str(home) for name in ("LLM_USER_PATH", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")}
    return _run("llm", words, {**own, **env}, CHECKOUT)


def _run(module: str, arguments: Sequence[str], env: Mapping[str, str] | None, cwd: Path) -> Ended:
    environment = clean_environment(env)
    if forks.fit(environment):
        return Ended(*forks.run(module, arguments, cwd, environment, 300))
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def interrupt_when(command: Sequence[str], ready: Callable[[], bool], env: Mapping[str, str]) -> Ended:
    """Start a process, send it Ctrl-C as soon as `ready()` holds, and see how it ends."""
    return signal_when(command, ready, env, signal.SIGINT)


def signal_when(
    command: Sequence[str], ready: Callable[[], bool], env: Mapping[str, str], *signals: signal.Signals
) -> Ended:
    """Start a process, send it these signals in a row as soon as `ready()` holds, and see how it ends."""
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=clean_environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not ready() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.05)
        out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)
