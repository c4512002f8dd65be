"""The key gets into nothing: what servers echo, what pytest shows and logs, and the check of the files afterwards."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from conformance.cassettes.folder import Folder
from conformance.errors import LeakError
from conformance.provider.table import shipped_table_path
from conformance.secrets import leaks
from conformance.secrets.leaks import Watch, holds, leaking
from conformance.secrets.scrubbing import Scrubber
from conformance.secrets.spellings import spellings
from conformance.tests.helpers.building import CHAT, STREAM
from conformance.tests.helpers.gateways import KEY, events, refusal, scripted_gateway, success
from conformance.tests.helpers.measured import FEW
from conformance.tests.helpers.running import Workplace, interrupt_when, run_pytest
from conformance.types import Exchange, Request
from conformance.types import Response as Answer

ECHOES = {
    "plain": KEY,
    "json": json.dumps(json.dumps(f"key {KEY}")),
    "every character escaped": "".join(f"\\u{ord(char):04x}" for char in KEY),
    "bytes escaped": "".join(f"\\x{byte:02x}" for byte in KEY.encode()),
    "percent": "".join(f"%{byte:02x}" for byte in KEY.encode()),
    "percent twice": quote("".join(f"%{byte:02X}" for byte in KEY.encode()), safe=""),
    "hexadecimal": KEY.encode().hex(),
    "HEXADECIMAL": KEY.encode().hex().upper(),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of more": base64.b64encode(f'{{"k":"{KEY}"}}'.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(f"??>{KEY}".encode()).decode(),
}


def written_during_the_run(path: Path) -> None:
    """Give a file the time of a run that is about to begin."""
    os.utime(path, (time.time() + 30, time.time() + 30))


def in_pieces(text: str, size: int) -> list[dict[str, Any]]:
    """A chat stream's events that say a text a few characters at a time."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [{"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]


def echoes(body: dict[str, Any]) -> Response | None:
    """A gateway that says the key in every way, in bodies, headers, and pieces of streams."""
    said = " ".join(ECHOES.values())
    if "store" in body:
        headers = {"x-request-id": ECHOES["base64"], "server": KEY, "set-cookie": f"k={KEY}"}
        return refusal(f"store is not known: {said}", headers=headers)
    if body.get("stream") and "messages" in body:
        return events(*in_pieces(f"so {KEY} it is, in hex {KEY.encode().hex()}", 3), "[DONE]")
    return success(body, note=said)


@pytest.mark.slow
def test_key_reaches_no_file_log_or_terminal(place: Workplace) -> None:
    """Given a gateway that echoes the key in every way, when all of pytest's telling is on, then nothing tells it."""
    shutil.copyfile(shipped_table_path(), place.table)
    log, debug = place.root / "log.txt", place.root / "debug.txt"
    telling = ["-vv", "-l", "--full-trace", "--setup-show", "-rA", f"--debug={debug}", f"--log-file={log}"]
    with scripted_gateway(echoes, ("model-a", "model-b")) as gateway:
        ended = run_pytest(
            "--live",
            FEW,
            *telling,
            *("--log-level=DEBUG", "--log-cli-level=DEBUG", "--log-file-level=DEBUG"),
            *place.options,
            env=gateway.environment,
        )
    assert ended.code == 1, ended.all  # the table does not know these models' refusals
    assert debug.stat().st_size > 0
    assert log.exists()
    assert list(leaking((path for path in place.root.rglob("*") if path.is_file()), [KEY])) == []
    assert not holds(ended.all.encode(), [KEY])


@pytest.mark.parametrize("size", [1, 2, 5, 9, 20])
@given(key=st.from_regex(r"[A-Za-z0-9_/+.=-]{8,60}", fullmatch=True))
def test_key_in_pieces_of_a_stream(size: int, key: str) -> None:
    """Given any key in a stream's pieces, when it is scrubbed, then the pieces joined hold the rest alone."""
    body = events(*in_pieces(f"before ({key}) after", size), "[DONE]").body

    scrubbed = Scrubber([key]).body(bytes(body))

    told = [json.loads(line[6:]) for line in scrubbed.decode().splitlines() if line.startswith("data: {")]
    joined = "".join(event["choices"][0]["delta"]["content"] for event in told)
    assert joined == "before ([scrubbed]) after"
    assert scrubbed.endswith(b"data: [DONE]\n\n")
    assert Scrubber([key]).body(scrubbed) == scrubbed


def test_interleaved_pieces_are_told_apart() -> None:
    """Given two tool calls whose arguments come in turns, when scrubbed, then the key in one of them is gone."""
    parts = [KEY[at : at + 4] for at in range(0, len(KEY), 4)]
    stream = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, "function": {"arguments": text}}]}}]}
        for part in parts
        for index, text in ((0, part), (1, "{}"))
    ]

    scrubbed = Scrubber([KEY]).body(bytes(events(*stream).body)).decode()

    told = [json.loads(line[6:])["choices"][0]["delta"]["tool_calls"][0] for line in scrubbed.split("\n\n") if line]
    assert "".join(call["function"]["arguments"] for call in told if call["index"] == 0) == "[scrubbed]"
    assert "".join(call["function"]["arguments"] for call in told if call["index"] == 1) == "{}" * len(parts)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_streams_without_the_key_are_untouched(noise: bytes, more: bytes) -> None:
    """Given a stream of anything at all, when it holds no secret, then scrubbing leaves every byte."""
    body = b'data: {"a":"x"}\n\ndata: ' + noise + b'\n\ndata: {"a": "y"}\n\n' + more

    assert Scrubber(["a-key-that-is-nowhere"]).body(body) == body


@pytest.mark.parametrize("spelling", sorted(spellings(KEY)))
def test_every_spelling_is_found_afterwards(tmp_path: Path, spelling: str) -> None:
    """Given a file that holds one spelling of the key, when the folder is checked, then the file is named and gone."""
    folder, watch = tmp_path / "reports", Watch()
    watch.over(KEY)
    (folder / "deep").mkdir(parents=True)
    leaking_file, other = folder / "deep" / "leaky.json", folder / "other.json"
    leaking_file.write_text(f'{{"x":"{spelling}"}}', encoding="utf-8")
    other.write_text('{"x":"sk-another-key-of-somebody"}', encoding="utf-8")

    with pytest.raises(LeakError, match=r"stood in 'leaky\.json' in .*reports, now removed") as caught:
        watch.check(folder)

    assert not holds(str(caught.value).encode(), [KEY])
    assert not leaking_file.exists()
    assert other.exists()
    watch.check(folder)


def test_pieces_in_a_cassette_are_found_afterwards(tmp_path: Path) -> None:
    """Given a cassette that nobody scrubbed, of a stream that says the key in pieces, when checked, then it goes."""
    key = "house-key-that-looks-like-none"
    body = bytes(events(*in_pieces(f'say "{key}"', 4)).body)
    answer = Answer(status=200, headers={"content-type": "text/event-stream"}, body=body)
    request = Request("m", CHAT, STREAM, {"model": "m"})
    path = Folder(tmp_path).write_model("m", [Exchange(request, answer, "2026-01-01T00:00:00Z")], {CHAT: "/chat"})
    assert key not in path.read_text("utf-8")
    watch = Watch()
    watch.over(key)

    with pytest.raises(LeakError, match=r"m\.json"):
        watch.check(tmp_path, all_files=True)

    assert not path.exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    """Given a file that was there before the run, when the reports are checked, then it is nobody's to remove."""
    mine = tmp_path / "my-keys.env"
    mine.write_text(KEY, encoding="utf-8")
    os.utime(mine, (time.time() - 60, time.time() - 60))
    link = tmp_path / "link.json"
    link.symlink_to(mine)
    watch = Watch()
    watch.over(KEY)

    watch.check(tmp_path)

    assert mine.exists()
    with pytest.raises(LeakError, match=r"stands in 'my-keys\.env' in .*; remove that"):
        watch.check(tmp_path, all_files=True)
    assert mine.exists()


def test_key_in_a_file_name_is_not_told(tmp_path: Path) -> None:
    """Given a file whose very name is the key, when it is found, then the error does not repeat it."""
    (tmp_path / f"{KEY}.json").write_text("{}", encoding="utf-8")
    watch = Watch()
    watch.over(KEY)

    with pytest.raises(LeakError) as caught:
        watch.check(tmp_path)

    assert KEY not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_leak_into_the_recordings_fails_the_run(place: Workplace) -> None:
    """Given a file with the key among the recordings, when a gateway is measured, then it is removed and told."""
    leaky = place.root / "cassettes" / "g" / "leaky.json"
    leaky.parent.mkdir(parents=True)
    leaky.write_text(json.dumps({"text": ECHOES["base64 of more"]}), encoding="utf-8")
    written_during_the_run(leaky)
    with scripted_gateway() as gateway:
        ended = run_pytest("--live", "--update-table", FEW, "--gateway=g", *place.options, env=gateway.environment)
    assert ended.code == 4, ended.all
    assert "the API key stood in 'leaky.json'" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not leaky.exists()
    assert (leaky.parent / "gateway.json").exists()
    assert not holds(ended.all.encode(), [KEY])


def test_leak_into_the_reports_fails_the_run(place: Workplace) -> None:
    """Given a plugin that writes the key into a report, when the run ends, then the file is gone and the run failed."""
    (place.root / "leaky.py").write_text(
        "import os, pathlib\n\n"
        "def pytest_sessionfinish(session):\n"
        f"    path = pathlib.Path({str(place.root)!r}, 'reports', 'leaky.html')\n"
        "    path.write_text('<p>' + os.environ['LITELLM_API_KEY'])\n",
        encoding="utf-8",
    )
    with scripted_gateway() as gateway:
        env = {**gateway.environment, "PYTHONPATH": str(place.root)}
        ended = run_pytest("--live", FEW, "--update-table", "-p", "leaky", *place.options, env=env)
    assert ended.code == 4, ended.all
    assert "ERROR: the API key stood in 'leaky.html'" in ended.out
    assert not (place.root / "reports" / "leaky.html").exists()
    assert (place.root / "reports" / "matrix.json").exists()


def test_leak_is_found_after_an_interruption(place: Workplace) -> None:
    """Given a run that is interrupted, when a recording holds the key, then that is told, and it goes."""
    import asyncio

    async def slow(body: dict[str, Any]) -> Response | None:
        await asyncio.sleep(0.0 if body["model"] == "a-fast-model" else 5.0)
        return None

    leaky = place.root / "cassettes" / "slow" / "leaky.json"
    leaky.parent.mkdir(parents=True)
    leaky.write_text(KEY, encoding="utf-8")
    written_during_the_run(leaky)
    command = [sys.executable, "-m", "pytest", "conformance/suite", "--live", "--gateway=slow", "--full-trace", "-l"]
    command += ["--parameters=store"]
    with scripted_gateway(slow, ("a-fast-model", "b-slow-model")) as gateway:
        finished = leaky.with_name("a-fast-model.json")
        ended = interrupt_when([*command, "--update-table", *place.options], finished.exists, gateway.environment)
    assert ended.code == 4, ended.all
    assert "the API key stood in 'leaky.json'" in ended.err
    assert not leaky.exists()
    assert finished.exists()
    assert not holds(ended.all.encode(), [KEY])


def test_large_files_are_searched_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given files larger than what is read at once, when they are searched, then a key far behind is found."""
    monkeypatch.setattr(leaks, "_READ", 1000)
    far, clean = tmp_path / "far.json", tmp_path / "clean.json"
    line = "x" * 300 + "\n"
    far.write_text(line * 100 + f'{{"key": "{KEY}"}}\n' + line * 100, encoding="utf-8")
    clean.write_text(line * 200, encoding="utf-8")
    assert list(leaking([far, clean], [KEY])) == [far]


def test_error_nobody_foresaw_shows_no_variables(place: Workplace) -> None:
    """Given a fault in the suite itself, when pytest shows variables, then the key is in nothing shown."""
    (place.root / "faulty.py").write_text(
        "import os\nfrom conformance.measure import live\n\n"
        "def discover(target, *args, **kwargs):\n"
        "    key = target.api_key\n"
        "    raise RuntimeError(f'no idea what to do with {key}')\n\n"
        "live.discover = discover\n",
        encoding="utf-8",
    )
    with scripted_gateway() as gateway:
        env = {**gateway.environment, "PYTHONPATH": str(place.root)}
        ended = run_pytest(
            "--live", "--update-table", FEW, "-vv", "-l", "--full-trace", "-p", "faulty", *place.options, env=env
        )
    assert ended.code == 3, ended.all
    assert "RuntimeError: no idea what to do with [scrubbed]" in ended.err
    assert "please report" in ended.all
    assert not holds(ended.all.encode(), [KEY])


def test_compromised_gateway_is_warned_of(place: Workplace) -> None:
    """Given a gateway that reports a compromised release, when it is measured, then a line warns."""

    def listing(_: HttpRequest) -> Response:
        return JSONResponse({"data": [{"id": "claude-x"}]}, headers={"x-litellm-version": "1.82.7"})

    with scripted_gateway(listing=listing) as gateway:
        ended = run_pytest("--live", FEW, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert "WARNING: LiteLLM 1.82.7 is a release with malicious code in it" in ended.out
