"""Tests of cassettes that are foreign, cut or edited: one line says what it is, and what to do."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.answers.reading import read_answer
from conformance.cassettes.folder import Folder
from conformance.errors import CassetteError
from conformance.tests.helpers.recordings import an_exchange, read, written


def _rewritten(path: Path, *changes: tuple[str, str]) -> bytes:
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


DAMAGES = {
    "empty": b"",
    "text": b"interactions:\n- request",
    "not-utf8": b"\xff\xfe",
    "list": b"[]",
    "old-vcr": b'[{"request":{},"response":{}}]',
    "object": b"{}",
    "null": b"null",
    "number": b"1",
    "deep": b"[" * 100_000,
    "foreign": b'{"version":1,"interactions":[]}',
    "foreign-rows": b'{"version":1,"metadata":{"model":"m"},"interactions":[{"request":{},"response":{}}]}',
    "metadata": b'{"version":1,"metadata":{},"interactions":[]}',
    "no-list": b'{"version":1,"metadata":{"model":"m"},"interactions":{"a":1}}',
    "newline": b'{"version":"\\n","metadata":"\\n","interactions":["\\n"]}',
}


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    """Given a file that is no cassette of ours, when it is read, then one line names it and says what to do."""
    (tmp_path / "m.json").write_bytes(content)

    _assert_one_line(tmp_path)


def _assert_one_line(folder: Path) -> None:
    with pytest.raises(CassetteError) as caught:
        Folder(folder).read_model("m")
    assert "\n" not in str(caught.value)
    assert str(folder / "m.json") in str(caught.value)
    assert "record it again with --live" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_truncated_files(tmp_path: Path) -> None:
    """Given a cassette cut at any place, when it is read, then one line says that it is damaged."""
    path = written(tmp_path, an_exchange(b'{"a":1}'), an_exchange(b"\xff", repeat=1))
    content = path.read_bytes()

    for length in itertools.chain(range(0, len(content) - 2, 7), (len(content) - 3,)):
        path.write_bytes(content[:length])
        _assert_one_line(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"messages":[]', '"messages":[1]'),
        ('"repeat":0', '"repeat":1'),
        ('"endpoint":"chat_completions"', '"endpoint":"responses"'),
        ('"endpoint":"chat_completions"', '"endpoint":"messages"'),
        ('"mode":"whole"', '"mode":"half"'),
        ('{"model": "m"}', '{"model": "other"}'),
        ('"code":200', '"code":"200"'),
        ('"code":200', '"code":[]'),
        ('"elapsed_ms":0', '"elapsed_ms":"0"'),
        ('"error":null', '"error":7'),
        ('"chunks":[]', '"chunks":[1]'),
        ('"chunks":[]', '"chunks":[["a","b"]]'),
        ('"server":["s"]', '"server":"s"'),
        ('"server":["s"]', '"server":[]'),
        ('"server":["s"]', '"server":[7]'),
        ('"body":{"json":{"a":1}}', '"body":{"text":7}'),
        ('"body":{"json":{"a":1}}', '"body":{}'),
        ('"body":{"json":{"a":1}}', '"body":{"base64":"~"}'),
        ('"recorded_at":"2', '"recorded_on":"2'),
    ],
)
def test_edited_files(tmp_path: Path, old: str, new: str) -> None:
    """Given a cassette that somebody edited into another shape, when it is read, then one line says so."""
    path = written(tmp_path, an_exchange(b'{"a":1}', headers={"server": "s"}))
    without_digest(path)
    path.write_bytes(_rewritten(path, (old, new)))

    _assert_one_line(tmp_path)


def without_digest(path: Path) -> None:
    """Take out of a cassette what tells of edits, as those have none that were recorded before there was one."""
    path.write_text(re.sub(r', "digest": "[0-9a-f]{16}"', "", path.read_text("utf-8"), count=1), "utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"code":200', '"code":400'), ('{"a":1}', '{"a":2}'), ("2026-11-22", "2026-11-23"), ('"server":["s"]', "")],
)
def test_edited_answers(tmp_path: Path, old: str, new: str) -> None:
    """Given a cassette whose answers somebody edited in their shape, when it is read, then one line says so."""
    path = written(tmp_path, an_exchange(b'{"a":1}', headers={"server": "s"}))
    path.write_bytes(_rewritten(path, (old, new)))

    with pytest.raises(CassetteError, match="edited after it was recorded"):
        Folder(tmp_path).read_model("m")
    _assert_one_line(tmp_path)
    path.write_text(path.read_text("utf-8").replace(new, old) if new else "", "utf-8")
    if new:
        assert read(tmp_path)


def test_carriage_returns_are_no_edit(tmp_path: Path) -> None:
    """Given a checkout with other line ends, when a cassette is read, then it is as it was."""
    path = written(tmp_path, an_exchange(b'{"a":1}'), an_exchange(repeat=1))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert len(read(tmp_path)) == 2


def test_newer_format(tmp_path: Path) -> None:
    """Given a cassette of a later format, when it is read, then one line says to update the suite."""
    path = written(tmp_path, an_exchange())
    path.write_bytes(_rewritten(path, ('"version":1', '"version":2')))

    with pytest.raises(CassetteError, match=r"m\.json: it has format 2, .*; update the suite"):
        Folder(tmp_path).read_model("m")


_SCALARS: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, -1, 1.5, "", "x", [], {}, [[]], {"json": 1}])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage(tmp_path: Path, data: st.DataObject) -> None:
    """Given a cassette with any value in any place, when it is read, then it is judged, or one line says why not."""
    path = written(tmp_path, an_exchange(b'{"choices":[]}', headers={"server": "s"}, chunks=((1, 2),)))
    without_digest(path)
    document = json.loads(path.read_text("utf-8"))
    holder: Any = document
    while True:
        step = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[step], dict | list) or not holder[step] or data.draw(st.booleans()):
            break
        holder = holder[step]
    holder[step] = data.draw(_SCALARS)
    path.write_text(json.dumps(document), "utf-8")

    try:
        exchanges = Folder(tmp_path).read_model("m")
    except CassetteError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
        return
    for digest, exchange in exchanges.items():
        assert exchange.request.digest == digest
        read_answer(exchange.request, exchange.response)
