"""What Pi's extension learnt and what the Python provider learnt: one file, written by both at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from conformance.provider.repair.learned import FILE, Memory, RequestKind
from conformance.tests.embedded.pi_runs import EXTENSION, jiti_modules, program

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "learned.schema.json").read_text(encoding="utf-8"))
GATEWAY = "http://127.0.0.1:4000"
WRITER = (
    "import sys; from pathlib import Path; from conformance.provider.repair.learned import RequestKind, Memory\n"
    "folder, model, *names = sys.argv[1:]\n"
    "memory, kind = Memory(Path(folder)), RequestKind('http://127.0.0.1:4000', model, 'responses', 'stream')\n"
    "for name in names: memory.learn(kind, '1.2.3', {name: False}, 'gateway')\n"
    "tries = 100\n"
    "while tries and not set(names) <= set(Memory(Path(folder)).known(kind)):\n"
    "    tries -= 1; memory.learn(kind, '1.2.3', {names[-1]: False}, 'gateway')\n"
)


@pytest.fixture(scope="module")
def remember() -> list[str]:
    """The command that learns in Node."""
    register = jiti_modules() / "jiti" / "lib" / "jiti-register.mjs"
    return [program("node"), "--import", str(register), str(EXTENSION / "tests" / "remember.ts")]


def run(command: list[str], *arguments: str) -> Any:
    """What a command prints, as JSON."""
    env = {"PATH": os.environ["PATH"], "HOME": arguments[0], "PYTHONPATH": str(EXTENSION.parents[2])}
    done = subprocess.run([*command, *arguments], env=env, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    return json.loads(done.stdout or b"null")


def kind(model: str) -> RequestKind:
    """The requests that the writers learn about."""
    return RequestKind(GATEWAY, model, "responses", "stream")


def test_each_reads_what_the_other_wrote(remember: list[str], tmp_path: Path) -> None:
    """Given a memory of both languages, when each reads it, then it knows what both learnt, and the schema fits."""
    Memory(tmp_path).learn(kind("m"), "1.2.3", {"store": False, "reasoning.effort:low": True}, "backend")

    known, version = run(remember, str(tmp_path), "m", "top_p")

    assert known == {"store": False, "reasoning.effort:low": True, "top_p": False}
    assert version == "1.2.3"
    entry = Memory(tmp_path).entries()[kind("m")]
    assert {name: (each.supported, each.by) for name, each in entry.parameters.items()} == {
        "store": (False, "backend"),
        "reasoning.effort:low": (True, "backend"),
        "top_p": (False, "gateway"),
    }
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    jsonschema_rs.validator_for(SCHEMA).validate(json.loads(text))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    if os.name == "posix":
        assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_writers_of_both_languages_lose_nothing(remember: list[str], tmp_path: Path) -> None:
    """Given processes of both languages that write at once, when all have ended, then all that they learnt is there.

    Who does not get the lock in time writes with the next change: so each goes on until all of its own is there.
    """
    names = [f"field_{number}" for number in range(20)]
    python = [sys.executable, "-c", WRITER]
    with ThreadPoolExecutor(4) as together:
        commands = [(remember, "node-a"), (python, "python-a"), (remember, "node-b"), (python, "python-b")]
        list(together.map(lambda each: run(each[0], str(tmp_path), each[1], *names), commands))

    known = Memory(tmp_path).entries()

    assert {each.model: set(entry.parameters) for each, entry in known.items()} == {
        model: set(names) for _, model in commands
    }


def test_another_version_of_the_gateway_teaches_anew(remember: list[str], tmp_path: Path) -> None:
    """Given what another version taught, when something is learnt of this one, then that alone is known."""
    Memory(tmp_path).learn(kind("m"), "1.2.2", {"store": False}, "backend")

    assert run(remember, str(tmp_path), "m", "top_p") == [{"top_p": False}, "1.2.3"]


NOW = int(time.time())
ROW = {"gateway": GATEWAY, "model": "m", "endpoint": "responses", "mode": "stream", "version": None}
FILES: dict[str, tuple[bytes, dict[str, bool]]] = {
    "no JSON": (b"{", {}),
    "no UTF-8": (b"\xff\xfe", {}),
    "of another version": (json.dumps({"schema_version": 2, "entries": []}).encode(), {}),
    "too large": (b" " * 2_000_000 + b"{}", {}),
    "rows that are none": (
        json.dumps({"schema_version": 1, "entries": [1, None, {}, {**ROW, "mode": 3}]}).encode(),
        {},
    ),
    "too old, too new, and names that are none": (
        json.dumps(
            {
                "schema_version": 1,
                "entries": [
                    {
                        **ROW,
                        "parameters": {
                            "old": {"supported": False, "by": "gateway", "learned_at": NOW - 31 * 86_400},
                            "new": {"supported": False, "by": "gateway", "learned_at": NOW + 3 * 86_400},
                            "two words": {"supported": False, "by": "gateway", "learned_at": NOW},
                            "stranger": {"supported": False, "by": "me", "learned_at": NOW},
                            "store": {"supported": False, "by": "gateway", "learned_at": NOW - 29 * 86_400},
                        },
                    }
                ],
            }
        ).encode(),
        {"store": False},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_both_read_a_damaged_file_alike(remember: list[str], tmp_path: Path, name: str) -> None:
    """Given a file that is not what it should be, when both read it, then they know the same, and go on."""
    content, expected = FILES[name]
    (tmp_path / FILE).write_bytes(content)

    assert run(remember, str(tmp_path), "m") == [expected, None]
    assert Memory(tmp_path).known(kind("m")) == expected
