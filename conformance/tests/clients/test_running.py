"""Clients are run alone: in a home of their own, with a time limit, and nothing that they start is left."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.clients import running
from conformance.clients.recipes import Recipe
from conformance.clients.running import Installed, Ran
from conformance.errors import ClientError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strays are looked for in /proc")

SHOW = "import json, os, sys; json.dump(dict(os.environ), open('seen.json', 'w')); print(sys.stdin.read(), 'the end')"
STRAY = """
import os, subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(600)"]
stray = subprocess.Popen(command, start_new_session=True)
open("stray", "w").write(str(stray.pid))
time.sleep(600)
"""


def run(root: Path, code: str, *, seconds: int = 60, environment: Mapping[str, str] | None = None) -> Ran:
    """Run a client that is a line of Python."""
    folder = Path(sys.executable).parent
    recipe = Recipe(
        name="c",
        title="C",
        installer="python",
        packages=("c==1.0",),
        command=(Path(sys.executable).name, "-c", code),
        environment=environment or {},
        files={str(root / "home" / "deep" / "file"): "text"},
        ways={"default": {}},
        seconds=seconds,
    )
    for name in ("home", "work"):
        (root / name).mkdir()
    return running.run(recipe, Installed(folder, (folder,)), root / "home", root / "work")


def test_a_client_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given keys and settings of the user, when a client runs, then it has its own, no input, and no way out."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    monkeypatch.setenv("NODE_OPTIONS", "--inspect")
    ran = run(tmp_path, SHOW, environment={"OPENAI_API_KEY": "sk-0"})
    seen = json.loads((tmp_path / "work" / "seen.json").read_text("utf-8"))

    assert ran == Ran(0, "the end")
    assert seen["HOME"] == str(tmp_path / "home")
    assert seen["OPENAI_API_KEY"] == "sk-0"
    assert seen["HTTPS_PROXY"].endswith(":9")
    assert "NODE_OPTIONS" not in seen
    assert all(str(tmp_path) in seen[name] for name in ("TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"))
    assert (tmp_path / "home" / "deep" / "file").read_text("utf-8") == "text"


def is_gone(pid: int) -> bool:
    """True when a process has ended, soon."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True  # dead, and waiting for whoever adopted it
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_nothing_is_left(tmp_path: Path) -> None:
    """Given a client that hangs, and a child in a session of its own, when its time is up, then both are gone."""
    ran = run(tmp_path, STRAY, seconds=3)
    stray = int((tmp_path / "work" / "stray").read_text("utf-8"))

    assert ran.code is None
    assert is_gone(stray)


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    """Given a package without the program that the recipe names, when it is run, then one line says so."""
    recipe = Recipe("c", "C", "npm", ("c@1.0",), ("no-such-program",), {}, {}, {"default": {}})
    with pytest.raises(ClientError, match="c has no program no-such-program"):
        running.run(recipe, Installed(tmp_path, (tmp_path,)), tmp_path, tmp_path)


def test_what_cannot_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an installer that fails, when a client is installed, then the error names it, and no folder is left."""

    def fails(command: object, log: Path) -> int:
        log.write_text("no such version\n", encoding="utf-8")
        return 1

    broken = running._Installer(lambda place, packages: [["false"]], fails, ())
    monkeypatch.setitem(running._INSTALLERS, "npm", broken)
    recipe = Recipe("c", "C", "npm", ("c@1.0",), ("c",), {}, {}, {"default": {}})
    said: list[str] = []
    with pytest.raises(ClientError, match="c could not be installed: no such version"):
        running.install(recipe, tmp_path / "root", said.append)
    assert said == ["c: installing c@1.0 …"]
    assert not [path for path in (tmp_path / "root").iterdir() if path.is_dir()]
