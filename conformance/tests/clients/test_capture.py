"""A quick client is captured for real."""

from __future__ import annotations

import errno
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.clients import profiles
from conformance.clients.answering import answering
from conformance.clients.capture import capture, captured
from conformance.clients.profiles import load_profiles, write_profiles
from conformance.clients.recipes import Recipe, load_recipes
from conformance.clients.running import install
from conformance.errors import ClientError
from conformance.files import installations
from conformance.schemas.documents import ClientProfile
from conformance.tests.clients.test_running import is_gone
from conformance.tests.helpers.running import CHECKOUT, run_command, signal_when

#: What the line says is to be done, by what is wrong.
ADVICE = {
    "below a file": "name another file with --out",
    "a folder": "name another file with --out",
    "damaged": "restore the file, or delete it",
    "no cache folder": "name another cache folder in XDG_CACHE_HOME",
}
#: A client that starts fast, and families of models that it is asked for here.
QUICK, FAMILIES = "openai", ("claude", "gpt-5", "unknown")


@pytest.mark.slow
def test_a_client_is_captured() -> None:
    """Given a client, when it is captured with some families of models, then it sends what it is shipped with."""
    recipes = load_recipes()
    some = replace(recipes, families={name: recipes.families[name] for name in FAMILIES})
    with answering([family["model"] for family in some.families.values()]) as gateway:
        installed = install(recipes.clients[QUICK], installations("clients"), print)
        profile = captured(recipes.clients[QUICK], some, installed, gateway, print)

    [shipped] = [each for each in load_profiles()["profiles"] if each["client"] == QUICK]
    expected = [
        {**each, "families": [name for name in each["families"] if name in FAMILIES]} for each in shipped["requests"]
    ]
    assert profile["requests"] == expected


def test_what_is_not_captured_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given one client to capture into another file, when the file is new, then the others are in it as shipped; when
    it is there, then they stay as they are in it."""
    file, shipped = tmp_path / "profiles.json", load_profiles()
    day = iter(("2031-01-01", "2032-02-02"))

    def fake(recipe: Recipe, *_: object) -> ClientProfile:
        (profile,) = [each for each in shipped["profiles"] if each["client"] == recipe.name]
        return {**profile, "captured_at": next(day)}

    monkeypatch.setattr("conformance.clients.capture.installations", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr("conformance.clients.capture.install", lambda *_: None)
    monkeypatch.setattr("conformance.clients.capture.captured", fake)
    expected = {each["client"]: each["captured_at"] for each in shipped["profiles"]}
    for name, now in (("llm", "2031-01-01"), ("openai", "2032-02-02")):
        assert capture(file, [name], lambda _: None) == []
        expected[name] = now
        assert {each["client"]: each["captured_at"] for each in load_profiles(file)["profiles"]} == expected


def test_an_unknown_client(tmp_path: Path) -> None:
    """Given a name that no client has, when it is to be captured, then one line says so, and nothing is written."""
    done = run_command("clients", "capture", "--only", "openia", "--out", str(tmp_path / "profiles.json"))
    assert done.code == 4
    assert done.err.strip() == "ERROR: no client is called 'openia'; did you mean 'openai'?"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spoilt", ADVICE)
def test_what_cannot_be_written_is_noticed_first(tmp_path: Path, spoilt: str) -> None:
    """Given a target or a cache folder that cannot be used, when a client is captured, then one line says what to do,
    before anything is installed."""
    file, wall = tmp_path / "profiles.json", tmp_path / "wall"
    wall.write_text("{", "utf-8")
    target = {"below a file": wall / "x.json", "a folder": tmp_path, "damaged": wall}.get(spoilt, file)
    cache = wall / "cache" if spoilt == "no cache folder" else tmp_path / "cache"
    done = run_command("clients", "capture", "--only", "llm", "--out", str(target), env={"XDG_CACHE_HOME": str(cache)})
    assert done.code == 4, done.all
    (line,) = done.err.splitlines()
    assert line.startswith("ERROR: cannot ")
    assert str(cache if spoilt == "no cache folder" else target) in line
    assert re.search(ADVICE[spoilt], line)
    assert done.out == ""
    assert not list((tmp_path / "cache").glob("*/clients/llm-*"))
    assert wall.read_text("utf-8") == "{"


#: Captures two clients that need no installation: one asks once, the other hangs, with a child in its own session.
TWO_CLIENTS = """
import sys
from pathlib import Path
from conformance.__main__ import main
from conformance.clients import capture
from conformance.clients.recipes import Recipe, Recipes
from conformance.clients.running import Installed

ASKING = '''
import json, urllib.request
body = {"model": "${model}", "messages": [{"role": "user", "content": "Hi"}]}
asked = urllib.request.Request("${base_url}/v1/chat/completions", json.dumps(body).encode())
urllib.request.urlopen(asked).read()
'''
HANGING = '''
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open("PIDS.tmp", "w").write(f"{os.getpid()} {child.pid}")
os.rename("PIDS.tmp", "PIDS")
time.sleep(600)
'''


def recipe(name, code):
    command = (Path(sys.executable).name, "-c", code)
    return Recipe(name, name, "python", (f"{name}==1.0",), command, {}, {}, {"default": {}})


both = {"asking": recipe("asking", ASKING), "hanging": recipe("hanging", HANGING)}
capture.load_recipes = lambda: Recipes("Hi", {"gpt": {"model": "gpt-5.2"}}, {}, both)
folder = Path(sys.executable).parent
capture.install = lambda *_: Installed(folder, (folder,))
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="strays are looked for in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("only", [[], ["--only", "hanging"]], ids=["one is kept", "none is kept"])
def test_a_capture_that_is_ended(tmp_path: Path, number: signal.Signals, only: list[str]) -> None:
    """Given a client that hangs, when a signal ends its capture, then it is gone with all that it started, one line
    says what is kept and how to go on, and the profiles captured before are there."""
    file, pids, temporary = tmp_path / "profiles.json", tmp_path / "pids", tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-c", TWO_CLIENTS.replace("PIDS", str(pids))]
    command += ["clients", "capture", "--out", str(file), *only]
    env = {"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(CHECKOUT)}
    ended = signal_when(command, pids.exists, env, number, number)
    assert ended.code == 2, ended.all
    (line,) = ended.err.splitlines()
    assert line.startswith("ERROR: interrupted: ")
    assert line.endswith("; capture the rest with --only hanging")
    assert ("asking captured, and kept in" in line) != bool(only)
    kept = [] if only else [each["client"] for each in load_profiles(file)["profiles"]]
    assert kept == ([] if only else ["asking"])
    assert file.exists() != bool(only)
    assert all(is_gone(int(pid)) for pid in pids.read_text("utf-8").split())
    assert not list(temporary.iterdir())


def test_a_capture_that_cannot_be_kept_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk that is full, when profiles are written, then the error says so, and the old ones stay."""
    file = tmp_path / "profiles.json"
    document = load_profiles()
    write_profiles(file, document)

    def refuse(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(profiles, "write_atomically", refuse)
    with pytest.raises(ClientError, match=r"cannot write the profiles to .*profiles.json \(No space left on device\);"):
        write_profiles(file, document)
    assert load_profiles(file) == document
