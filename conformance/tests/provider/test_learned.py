"""Tests of what refusals have taught: the file, its bounds, several processes, and the command that shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conformance.__main__ import commands
from conformance.provider.repair import learned
from conformance.provider.repair.learned import FILE, Memory, RequestKind, address
from conformance.provider.table import Question, Rule, SupportTable, load_table, parse_table
from conformance.provider.table.layers import layered_table, with_learnt
from conformance.schemas import first_error

KIND = RequestKind("http://proxy.example:4000", "m", "chat_completions", "stream")


def taught(folder: Path, said: dict[str, bool], kind: RequestKind = KIND) -> Memory:
    """A memory that has learnt this."""
    memory = Memory(folder)
    memory.learn(kind, "1.0", said, "gateway")
    return memory


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://proxy.example:4000/v1/chat/completions", "http://proxy.example:4000"),
        ("https://user:secret@Proxy.example/team/v1/responses/?key=secret#x", "https://proxy.example/team"),
        ("http://[::1]:4000/responses", "http://[::1]:4000"),
        ("http://h/chat/completions", "http://h"),
    ],
)
def test_an_address_holds_no_credentials(url: str, kept: str) -> None:
    """Given a request's address, when it is filed, then the gateway is left of it, without credentials."""
    assert address(url) == kept


def test_what_is_learnt_is_read_again(tmp_path: Path) -> None:
    """Given what one memory has learnt, when another reads it, then it knows the same, and the file fits its schema."""
    taught(tmp_path, {"store": False, "temperature:1": True})

    memory = Memory(tmp_path)

    assert memory.known(KIND) == {"store": False, "temperature:1": True}
    assert memory.version(KIND) == "1.0"
    assert memory.known(KIND._replace(mode="whole")) == {}
    assert first_error("learned", json.loads((tmp_path / FILE).read_text())) is None
    if os.name == "posix":
        assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_another_version_begins_anew(tmp_path: Path) -> None:
    """Given what an older version taught, when a newer one teaches, then only that counts."""
    memory = taught(tmp_path, {"store": False})
    memory.learn(KIND, "2.0", {"seed": False}, "backend")

    assert memory.known(KIND) == {"seed": False}


def test_what_is_old_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given something learnt, when 30 days have gone, then it is not known any more; nor is what is yet to come."""
    taught(tmp_path, {"store": False})
    now = time.time()
    for days, known in ((29, {"store": False}), (31, {}), (-2, {})):
        monkeypatch.setattr("time.time", lambda days=days: now + days * 86_400)
        assert Memory(tmp_path).known(KIND) == known


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_gets_old_is_forgotten_while_a_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_disk: bool
) -> None:
    """Given a process that has learnt something, when it has run for 30 days, then it does not know it any more, and
    does not look at that again and again."""
    folder = tmp_path if on_disk else tmp_path / "file" / "folder"
    (tmp_path / "file").touch()
    memory = taught(folder, {"store": False})
    now, monotonic = time.time(), time.monotonic()
    assert memory.known(KIND) == {"store": False}
    monkeypatch.setattr("time.time", lambda: now + 31 * 86_400)
    monkeypatch.setattr("time.monotonic", lambda: monotonic + 31 * 86_400)

    assert memory.known(KIND) == {}
    generation = memory.generation
    monkeypatch.setattr("time.monotonic", lambda: monotonic + 32 * 86_400)
    assert memory.known(KIND) == {}
    assert memory.generation == generation


def test_an_answer_that_tells_no_version_is_no_other_one(tmp_path: Path) -> None:
    """Given what a version taught, when an answer without one teaches more, then all of it is known, as that
    version's."""
    memory = taught(tmp_path, {"store": False})
    told = memory.version(KIND)
    memory.learn(KIND, None, {"seed": False}, "backend")

    assert told is not None
    assert memory.version(KIND) == told
    assert memory.known(KIND) == {"store": False, "seed": False}


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """Given more than there is room for, when it is learnt, then the file stays small, and can be read."""
    memory = Memory(tmp_path)
    memory.learn(KIND, None, {f"field_{n}": False for n in range(500)}, "unknown")
    assert len(Memory(tmp_path).known(KIND)) == learned.MAX_PARAMETERS

    def many(entries: Any) -> None:
        for n in range(3_000):
            entry = learned.Entry(None, {"x" * 100: learned.Learnt(False, "unknown", int(time.time()))})
            entries[KIND._replace(model=f"{n}" + "m" * 200)] = entry

    memory._apply(many)

    assert (tmp_path / FILE).stat().st_size <= learned.MAX_FILE
    assert 0 < len(Memory(tmp_path).entries()) <= learned.MAX_ENTRIES
    assert first_error("learned", json.loads((tmp_path / FILE).read_text())) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (KIND, "a name with spaces"),
        (KIND, "x" * 500),
        (KIND, "user:sk-a secret"),
        (KIND._replace(model="m" * 300), "store"),
        (KIND._replace(model=""), "store"),
        (KIND._replace(gateway="http://" + "h" * 600), "store"),
    ],
)
def test_what_cannot_be_kept_is_not(tmp_path: Path, kind: RequestKind, name: str) -> None:
    """Given names that no request field has, when they are learnt, then nothing is written."""
    taught(tmp_path, {name: False}, kind)

    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"schema_version": 2, "entries": []}',
        b'{"schema_version": 1, "entries": 7}',
        b'{"schema_version": 1, "entries": [7, {}, {"gateway": 1}]}',
        b'{"schema_version": 1, "entries": [{"gateway": "g", "model": "m", "endpoint": "e", "mode": "m"}]}',
        b" " * (learned.MAX_FILE + 1),
    ],
)
def test_a_damaged_file_is_no_error(tmp_path: Path, content: bytes) -> None:
    """Given a file that was damaged, when it is read, then nothing is known, and the next thing learnt repairs it."""
    (tmp_path / FILE).write_bytes(content)
    memory = Memory(tmp_path)

    assert memory.known(KIND) == {}
    memory.learn(KIND, None, {"store": False}, "gateway")
    assert Memory(tmp_path).known(KIND) == {"store": False}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["schema_version", "entries", "gateway", "model", "parameters", "store"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=15,
    )
)
def test_no_document_is_too_odd(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    """Given any JSON as the file, when it is read, then nothing raises."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / FILE).write_text(json.dumps({"schema_version": 1, "entries": [document]}))

    assert Memory(folder).entries() == {}


def test_a_disk_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Given a folder that is none, when something is learnt, then this process knows it, and nothing raises."""
    (tmp_path / "file").write_text("")

    memory = taught(tmp_path / "file", {"store": False})
    memory.learn(KIND, "1.0", {"seed": False}, "gateway")

    assert memory.known(KIND) == {"store": False, "seed": False}
    assert memory.forget() == 2


def test_a_lock_that_was_left_behind_is_taken_away(tmp_path: Path) -> None:
    """Given the lock of a process that died, when something is learnt, then it is written; a fresh one holds."""
    lock = tmp_path / f"{FILE}.lock"
    lock.write_text("")
    memory = taught(tmp_path, {"store": False})
    assert not (tmp_path / FILE).exists()
    assert memory.known(KIND) == {"store": False}

    old = time.time() - 60
    os.utime(lock, (old, old))
    memory.learn(KIND, "1.0", {"seed": False}, "gateway")

    assert Memory(tmp_path).known(KIND) == {"store": False, "seed": False}
    assert not lock.exists()


WORKER = """
import sys, time
from pathlib import Path
from conformance.provider.repair.learned import RequestKind, Memory

memory = Memory(Path(sys.argv[1]))
kind = RequestKind("http://h", sys.argv[2], "responses", "whole")
for n in range(10):
    memory.learn(kind, None, {f"field_{n}": False}, "gateway")
    time.sleep(0.002)
deadline = time.monotonic() + 60
while memory._waiting and time.monotonic() < deadline:
    memory.learn(kind, None, {"last": False}, "gateway")
"""


def test_processes_do_not_lose_each_others_knowledge(tmp_path: Path) -> None:
    """Given several processes that learn at once, when they are done, then what each has learnt is there."""
    names = [f"m{number}" for number in range(4)]
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), name]) for name in names]
    codes = [worker.wait(120) for worker in workers]

    entries = Memory(tmp_path).entries()
    assert codes == [0] * 4
    for name in names:
        known = entries[RequestKind("http://h", name, "responses", "whole")].parameters
        assert {f"field_{n}" for n in range(10)} <= set(known)


def test_a_change_of_another_process_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a memory that was read, when another one learns, then the first knows it after the next look."""
    monkeypatch.setattr(learned, "LOOK_SECONDS", 0.0)
    first = taught(tmp_path, {"store": False})
    before = first.generation
    taught(tmp_path, {"seed": False})

    assert first.known(KIND) == {"store": False, "seed": False}
    assert first.generation > before


def test_where_it_stands_among_the_tables(tmp_path: Path) -> None:
    """Given a user's table, what was learnt and the shipped table, when asked, then they decide in this order."""
    says = {"supported": True, "source": "s"}
    own = tmp_path / "own.json"
    rows = [{"models": ["claude-haiku-4-5"], "statements": {"store": says}}, {"models": ["*"], "statements": {}}]
    own.write_text(json.dumps({"schema_version": 1, "sources": {"s": {}}, "rules": rows}))
    question = Question("claude-haiku-4-5", "chat_completions", "stream")
    said = {"store": False, "prompt_cache_key": True, "seed": False}

    def supported(table: SupportTable) -> list[bool | None]:
        found = (table.lookup(question, name) for name in said)
        return [each.supported if each else None for each in found]

    assert supported(with_learnt(layered_table(own), said)) == [True, True, False]
    assert supported(with_learnt(load_table(own), said)) == [True, True, False]
    assert supported(with_learnt(load_table(), said)) == [False, True, False]
    assert with_learnt(SupportTable((Rule(("*",), {}),)), said).own == 0


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache with two things learnt about two gateways."""
    monkeypatch.setattr(learned, "cache_folder", lambda: tmp_path)
    taught(tmp_path, {"store": False, "temperature:1": True})
    taught(tmp_path, {"seed": False}, RequestKind("http://other.example", "n*", "responses", "whole"))
    return tmp_path


def run(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(commands, ["learned", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


class TestCommand:
    """`python -m conformance learned`."""

    def test_list(self, remembered: Path) -> None:
        """Given what was learnt, when it is listed, then each is a line, and patterns choose among them."""
        assert len(run("list").splitlines()) == 3
        line = run("list", "--gateway", "proxy.example*", "--models", "m").splitlines()[0]
        assert line.startswith("http://proxy.example:4000  m  chat_completions (stream)  refuses store  (20")
        assert line.endswith(", by its gateway, version 1.0)")
        assert "nothing that was learnt matches" in run("list", "--models", "x")

    def test_forget(self, remembered: Path) -> None:
        """Given what was learnt, when a part is forgotten, then the rest stays."""
        assert run("forget", "--gateway", "http://other*").startswith("forgotten: 1 in ")
        assert len(run("list").splitlines()) == 2
        assert run("forget").startswith("forgotten: 2 in ")

    def test_export(self, remembered: Path) -> None:
        """Given what was learnt, when it is exported, then it is a table by the schema that says the same."""
        document = json.loads(run("export"))

        assert first_error("parameter_support", document) is None
        question = Question("m", "chat_completions", "stream", gateway="proxy.example-4000")
        found = parse_table(document).lookup(question, "store")
        assert found is not None
        assert (found.supported, found.rejected_by) == (False, ("gateway",))
        assert [rule["models"] for rule in document["rules"]] == [["m"], ["*"]], "a pattern is not exported"

    def test_report(self, remembered: Path) -> None:
        """Given what was learnt, when a report is wanted, then it names each refusal for the gateway's operator."""
        report = run("export", "--report")

        assert "## http://proxy.example:4000" in report
        assert "| m | chat_completions (stream) | store | gateway | 1.0 | 20" in report
        assert "temperature:1" not in report
