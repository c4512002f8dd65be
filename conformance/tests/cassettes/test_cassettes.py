"""Tests of `conformance.cassettes.folder`: what is written comes back, whole, safe, and without the key."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conformance.cassettes.format
from conformance.cassettes.folder import RECORDED_BASE, Folder
from conformance.cassettes.format import GATEWAY_FILE
from conformance.errors import CassetteError
from conformance.files import write_atomically
from conformance.secrets.scrubbing import REPLACEMENT, Scrubber
from conformance.tests.helpers.building import CHAT, RESPONSES, STREAM
from conformance.tests.helpers.recordings import PATHS, an_exchange, read, written
from conformance.types import Cause, Endpoint, Exchange, Mode, Request, Response

KEY = "sk-the-key-of-this-run-0123456789"


HOSTILE_BODIES = {
    "empty": b"",
    "compact": b'{"a":[1,null,true,"x"]}',
    "spaced": b'{"a": 1, "b":2}',
    "floats": b'{"a":1.0,"b":1e5,"c":10000000000000000000000000,"d":-0.0,"e":1e999}',
    "duplicate-keys": b'{"a":1,"a":2}',
    "escapes": b'{"a":"\\u00e9\\/\\ud800 \\ud83d\\ude00"}',
    "unicode": '{"a":"é\u2028\U0001f600"}'.encode(),
    "control": b'{"a":"\\u0000"}\r\n\0\x1b',
    "array": b"[1,2]",
    "text": b"Internal Server Error",
    "html": b"<html>\r\n</html>",
    "broken": b'{"a":',
    "deep": b"[" * 20_000,
    "deep-closed": b"[" * 900 + b"]" * 900,
    "long-number": b'{"a":' + b"9" * 5_000 + b"}",
    "invalid-utf8": b"\xff\xfe{}",
    "half-a-character": '{"a":"é'.encode()[:-1],
    "surrogate-bytes": b'{"a":"\xed\xa0\x80"}',
    "bom": b"\xef\xbb\xbf{}",
    "looks-stored": b'{"base64":"AAAA"}',
    "looks-stored-text": b'{"json":{"text":"x"}}',
    "sse": b'data: {"a":1}\r\n\r\ndata: [DONE]\n\n',
}


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES)
def test_bodies_come_back(tmp_path: Path, body: bytes) -> None:
    """Given any body, when its exchange is written and read, then every byte is there."""
    exchange = an_exchange(body, headers={"content-type": "application/json"}, elapsed_ms=7)
    written(tmp_path, exchange)

    assert read(tmp_path) == [exchange]


@pytest.mark.parametrize(
    "exchange",
    [
        an_exchange(b"data: \xc3", mode=STREAM, chunks=((1, 3), (9, 4)), error="the connection broke off"),
        an_exchange(status=None, error="no answer within 300 s", cause=Cause.TIMED_OUT),
        an_exchange(status=None, error="no connection"),
        an_exchange(status=429, headers={"retry-after": "5", "llm_provider-retry-after": "1.5"}),
        an_exchange(endpoint=RESPONSES, mode=STREAM, repeat=8, elapsed_ms=300_000),
        an_exchange(model="gpt/\ud800\n~\0é"),
        an_exchange(model=""),
        an_exchange(model="x" * 10_000),
        an_exchange(model='"}],"x":['),
    ],
    ids=["cut", "never", "broken", "limited", "repeat", "odd-id", "no-id", "long-id", "json-id"],
)
def test_exchanges_come_back(tmp_path: Path, exchange: Exchange) -> None:
    """Given any exchange, when it is written and read, then it is the same, by the digest of its request."""
    written(tmp_path, exchange)

    assert Folder(tmp_path).read_model(exchange.request.model) == {exchange.request.digest: exchange}


_EXCHANGES = st.builds(
    an_exchange,
    st.binary(max_size=60) | st.sampled_from(list(HOSTILE_BODIES.values())),
    endpoint=st.sampled_from(Endpoint),
    mode=st.sampled_from(Mode),
    repeat=st.integers(0, 9),
    status=st.none() | st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "retry-after", "server", "x-litellm-model-name"]), st.text(max_size=9)
    ),
    elapsed_ms=st.integers(0, 10**6),
    chunks=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=3).map(tuple),
    error=st.none() | st.text(min_size=1, max_size=9),
    cause=st.none() | st.sampled_from(Cause),
)


def test_a_cause_of_a_later_suite_is_none(tmp_path: Path) -> None:
    """Given an exchange with a cause that nobody knows yet, when it is read, then the rest of it comes back."""
    exchange = an_exchange(status=None, error="no answer within 300 s", cause=Cause.TIMED_OUT)
    path = written(tmp_path, exchange)
    text = path.read_text("utf-8").replace('"timed_out"', '"eaten_by_a_dog"')
    path.write_text(re.sub(r', ?"digest": ?"[0-9a-f]{16}"(?=})', "", text, count=1), "utf-8")

    assert read(tmp_path) == [replace(exchange, response=replace(exchange.response, cause=None))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_EXCHANGES, min_size=1, max_size=4, unique_by=lambda e: e.request.digest))
def test_any_exchanges_come_back(tmp_path: Path, exchanges: list[Exchange]) -> None:
    """Given any exchanges, when they are written twice, then the file is the same, and they come back."""
    path = written(tmp_path, *exchanges)
    first = path.read_bytes()

    assert Folder(tmp_path).read_model("m") == {e.request.digest: e for e in exchanges}
    assert written(tmp_path, *reversed(exchanges)).read_bytes() == first
    json.loads(first)


def test_one_line_an_interaction(tmp_path: Path) -> None:
    """Given some exchanges, when they are written, then each is one line, with readable bodies, in a fixed order."""
    path = written(tmp_path, *(an_exchange(b'{"a":"\xc3\xa9"}', repeat=n) for n in range(3)))

    lines = path.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith('{"request"')] == lines[1:-1]
    assert len(lines) == 5
    assert all('"body":{"json":{"a":"é"}}' in line for line in lines[1:-1])


def test_old_cassette_is_replaced(tmp_path: Path) -> None:
    """Given a model that has a cassette, when it is recorded anew, then only the new exchanges are there."""
    written(tmp_path, an_exchange(repeat=0), an_exchange(repeat=1))
    written(tmp_path, an_exchange(repeat=2))

    assert [exchange.request.repeat for exchange in read(tmp_path)] == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


ECHOES = {
    "body": an_exchange(f'{{"error":"wrong key {KEY}"}}'.encode(), status=401),
    "json-in-json": an_exchange(json.dumps({"error": json.dumps({"message": KEY})}).encode()),
    "base64": an_exchange(b"x " + base64.b64encode(KEY.encode())),
    "basic": an_exchange(b"x " + base64.b64encode(b"user:" + KEY.encode() + b"!")),
    "not-utf8": an_exchange(b"\xff" + KEY.encode() + b"\xff"),
    "header": an_exchange(headers={"server": KEY, "set-cookie": KEY, "authorization": f"Bearer {KEY}"}),
    "error": an_exchange(status=None, error=f"cannot reach http://{KEY}"),
}


@pytest.mark.parametrize("exchange", ECHOES.values(), ids=ECHOES)
def test_the_key_is_not_written(tmp_path: Path, exchange: Exchange) -> None:
    """Given a gateway that echoes the key, when its exchange is written, then no spelling of it is on disk."""
    text = written(tmp_path, exchange, secrets=(KEY,)).read_text("utf-8")

    decoded = b"".join(base64.b64decode(found) for found in re.findall(r'"base64":"([^"]*)"', text))
    for spelling in (KEY, base64.b64encode(KEY.encode()).decode()[:40], "VzZXI6c2st"):
        assert spelling not in text
        assert spelling.encode() not in decoded
    assert REPLACEMENT in text or REPLACEMENT.encode() in decoded
    assert read(tmp_path)[0].request == exchange.request


def test_a_key_in_the_request_stops_the_writing(tmp_path: Path) -> None:
    """Given a model that is called like the key, when it is written, then nothing is, and the error is without it."""
    with pytest.raises(CassetteError, match="the API key would have been written") as caught:
        written(tmp_path, an_exchange(model=KEY), secrets=(KEY,))

    assert KEY not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_placeholder_key_stops_nothing(tmp_path: Path) -> None:
    """Given a local server whose key is a formality, when it is recorded, then the recording is as it was."""
    exchange = an_exchange(b'{"text":"x"}')
    written(tmp_path, exchange, secrets=("x",))

    assert read(tmp_path) == [exchange]


@pytest.mark.parametrize("failing", ["os.fdopen", "pathlib.Path.replace", "pathlib.Path.chmod"])
def test_writing_is_all_or_nothing(tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk that fails, when a cassette is written, then the old one is whole and no other file is left."""
    written(tmp_path, an_exchange(b"old"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, full)
    with pytest.raises(CassetteError, match=r"cannot write .*m\.json \(No space left on device\)"):
        written(tmp_path, an_exchange(b"new"))
    monkeypatch.undo()

    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]
    assert read(tmp_path)[0].response.body == b"old"


def test_interruption_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given Ctrl-C in the middle of writing, when it comes, then it goes on, and no half file is left."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x.json", "text")

    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Given a file where the folder should be, when it is prepared, then one line says so, and the way out."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(CassetteError, match=r"cannot write recordings to .*; name another folder with --cassettes"):
        Folder(tmp_path / "taken").prepare()


def test_prepare_leaves_nothing(tmp_path: Path) -> None:
    """Given a folder that does not exist, when it is prepared, then it does, and is empty."""
    Folder(tmp_path / "a" / "b").prepare()

    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_no_cassette_is_no_exchanges(tmp_path: Path) -> None:
    """Given a model without a cassette, when it is read, then it has no exchanges."""
    assert Folder(tmp_path).read_model("m") == {}


@pytest.mark.parametrize("answer", ["\ud800", "../../v1/models", "a\x00\n", "é?#%2e", "x" * 100_000])
def test_odd_ids_of_stored_answers(tmp_path: Path, answer: str) -> None:
    """Given a gateway that gives its answers odd ids, when one is fetched, then its exchange comes back as it was."""
    request = Request("m", Endpoint.RESPONSES, Mode.WHOLE, {}, 0, answer)
    written(tmp_path, Exchange(request, Response(status=404, body=b"{}"), "2026-11-22T12:00:00Z"))

    assert [exchange.request for exchange in read(tmp_path)] == [request]


DOCUMENT: dict[str, Any] = {
    "schema_version": 1,
    "gateway": {"name": "g", "url": "http://g", "software": None, "version": None, "simulated": False},
    "run": {
        "started_at": "s",
        "finished_at": "f",
        "complete": True,
        "requests": 1,
        "parameters": ["store:true"],
        "endpoints": ["responses"],
        "exhaustive": False,
        "selection": None,
    },
    "models": [
        {
            "id": "a\ud800é\n",
            "mode": None,
            "route": None,
            "served_by": [],
            "deployments": 1,
            "deployment_ids": [],
            "declared": ["store"],
        },
    ],
    "left_out": [{"id": "e", "mode": "embedding"}],
}


def test_gateway_document_comes_back(tmp_path: Path) -> None:
    """Given what a recording was planned from, when it is written and read, then it is the same, without the key."""
    folder = Folder(tmp_path, Scrubber([KEY]))
    document: Any = {**DOCUMENT, "note": f"found with {KEY}"}
    folder.write_gateway(document)

    assert folder.read_gateway() == {**DOCUMENT, "note": f"found with {REPLACEMENT}"}
    assert KEY not in (tmp_path / GATEWAY_FILE).read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"no recording in .*; record one with --live, or name another with --gateway"),
        (b"", "cannot read"),
        (b"\xff", "cannot read"),
        (b"[" * 100_000, "cannot read"),
        (b"{}", "required"),
        (json.dumps({**DOCUMENT, "schema_version": 3}).encode(), "schema_version"),
        (json.dumps({**DOCUMENT, "models": [{"id": 1}]}).encode(), r"models\[0\]"),
    ],
    ids=["missing", "empty", "not-utf8", "deep", "object", "newer", "models"],
)
def test_gateway_documents_that_are_none(tmp_path: Path, content: bytes | None, words: str) -> None:
    """Given a folder without a readable model list, when it is read, then one line says what to do."""
    if content is not None:
        (tmp_path / GATEWAY_FILE).write_bytes(content)

    with pytest.raises(CassetteError, match=words) as caught:
        Folder(tmp_path).read_gateway()

    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_plays_back_in_plain_vcrpy(tmp_path: Path) -> None:
    """Given a cassette of ours, when plain vcrpy plays it back to httpx, then it gives the same bytes."""
    bodies = {name: body for name, body in HOSTILE_BODIES.items() if name != "empty"}
    exchanges = [
        an_exchange(body, repeat=number, status=200 + number, headers={"content-type": "x", "server": "s"})
        for number, body in enumerate(bodies.values())
    ]
    path = written(tmp_path, *exchanges)
    player = vcr.VCR(record_mode="none", match_on=["method", "uri", "body"])
    player.register_serializer("conformance", conformance.cassettes.format)

    with player.use_cassette(str(path), serializer="conformance") as cassette, httpx.Client() as client:
        played = [
            client.post(
                RECORDED_BASE + PATHS[CHAT],
                content=exchange.request.content,
                headers={"content-type": "application/json"},
            )
            for exchange in exchanges
        ]
        assert cassette.all_played

    assert sorted((r.status_code, r.content) for r in played) == [
        (e.response.status, e.response.body) for e in exchanges
    ]
    assert all(response.headers["server"] == "s" for response in played)
