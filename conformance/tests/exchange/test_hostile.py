"""Answers that no honest server gives, from real servers: bounded in time and memory, and harmless to the rest."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse

from conformance.answers.reading import read_answer
from conformance.cassettes.folder import Folder
from conformance.discover import listing as discovery
from conformance.discover.listing import discover
from conformance.errors import DiscoveryError
from conformance.exchange import receiving
from conformance.exchange import sender as exchange_module
from conformance.exchange.sender import Sender, Traffic
from conformance.judge.settling import settle
from conformance.measure.judging import hold_again
from conformance.measure.recorder import Progress, record
from conformance.parameters import load_registry
from conformance.plan.cells import make_plan
from conformance.provider.target import Target
from conformance.tests.helpers.building import CHAT, RESPONSES, STREAM, WHOLE
from conformance.tests.helpers.gateways import KEY, http, raw_server, scripted_gateway
from conformance.tests.helpers.running import Workplace, run_pytest
from conformance.types import Cause, Endpoint, Exchange, Mode, Model, Request, Verdict

REGISTRY = load_registry()
MIB = 2**20


def ask(base_url: str, mode: Mode = WHOLE) -> tuple[Exchange, Traffic, float]:
    """Send one request without waiting between attempts: what came, what it took, and peak memory in MiB."""
    traffic = Traffic()
    request = Request("m", CHAT, mode, {"model": "m", "stream": mode is STREAM})

    async def sleep(_: float) -> None:
        return

    async def run() -> Exchange:
        async with Sender(Target(base_url, KEY), REGISTRY.paths, 1, traffic, sleep).open() as sender:
            return await sender.exchange(request)

    tracemalloc.start()
    try:
        exchange = asyncio.run(run())
        return exchange, traffic, tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def packed(size: int, window: int) -> bytes:
    """So many bytes of nothing, compressed. The checksum at the end is of less: nobody reads so far."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    first, again = (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (size // MIB - 1) + packer.flush()


BOMBS = {
    "gzip": http(packed(300 * MIB, 31), content_encoding="gzip"),
    "zlib": http(packed(300 * MIB, 15), content_encoding="deflate"),
    "deflate": http(packed(300 * MIB, -15), content_encoding="deflate"),
}


@pytest.mark.parametrize("wire", BOMBS.values(), ids=BOMBS)
def test_compression_bombs(wire: bytes) -> None:
    """Given an answer that unpacks to 300 MB, when it is read, then it is cut at the bound, and asked for once."""
    with raw_server(wire) as base_url:
        exchange, traffic, peak = ask(base_url)

    assert exchange.response.error == "the answer is larger than 8 MiB"
    assert len(exchange.response.body) == 65_536
    assert traffic.requests == 1
    assert peak < 30


NESTED = gzip.compress(gzip.compress(packed(30 * MIB, 31)))


@pytest.mark.parametrize("encoding", ["gzip, gzip, gzip", "br", "zstd", "gzip,br", "x" * 5000])
def test_compressions_nobody_asked_for(encoding: str) -> None:
    """Given an answer packed in layers, or as nobody asked, when it is read, then it is not unpacked."""
    with raw_server(http(NESTED, content_encoding=encoding)) as base_url:
        exchange, traffic, peak = ask(base_url)

    assert (exchange.response.error or "").startswith("the answer's compression was not requested: ")
    assert len(exchange.response.error or "") < 150
    assert (exchange.response.body, traffic.requests) == (b"", 1)
    assert peak < 10


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("identity", bytes),
        ("", bytes),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"0123456789" * 100_000])
def test_honest_compression(encoding: str, pack: Callable[[bytes], bytes], body: bytes) -> None:
    """Given an answer that is packed as was asked for, when it is read, then it is what was packed."""
    with raw_server(http(pack(body), content_encoding=encoding)) as base_url:
        exchange, _, _ = ask(base_url)

    assert (exchange.response.error, exchange.response.body) == (None, body)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def forever(*first: bytes, then: bytes, pause: float = 0.0) -> Callable[[], Iterator[bytes]]:
    """These pieces, and then one more again and again."""

    def pieces() -> Iterator[bytes]:
        yield from first
        while True:
            yield then
            time.sleep(pause)

    return pieces


ENDLESS: dict[str, tuple[Callable[[], Iterable[bytes]], str]] = {
    "answer": (forever(HEAD, then=b"x" * 65_536), "the answer is larger than 8 MiB"),
    "comments": (forever(HEAD, then=b": still there\n\n" * 1000), "the answer is larger than 8 MiB"),
    "drip": (forever(HEAD, then=b".", pause=0.05), "no whole answer within 0.8 s"),
    "silence-between": (forever(HEAD, b"data: {}\n\n", then=b"", pause=0.05), "no whole answer within 0.8 s"),
    "status-drip": (forever(b"HTTP/1.1 ", then=b"2", pause=0.05), "no whole answer within 0.8 s"),
    "header-drip": (forever(b"HTTP/1.1 200 OK\r\nx: ", then=b"y", pause=0.05), "no whole answer within 0.8 s"),
    "informational": (forever(then=b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0.01), "no whole answer within 0.8 s"),
    "headers": (forever(b"HTTP/1.1 200 OK\r\n", then=b"x: y\r\n" * 1000), "the connection broke"),
    "one-header": (forever(b"HTTP/1.1 200 OK\r\nx: ", then=b"y" * 65_536), "the connection broke"),
    "pieces": (
        forever(HEAD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"), then=b"1\r\nx\r\n" * 100),
        "the answer came in more than 5000 pieces",
    ),
}


@pytest.mark.parametrize("pieces_and_error", ENDLESS.values(), ids=ENDLESS)
def test_endless_answers(
    pieces_and_error: tuple[Callable[[], Iterable[bytes]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an answer without an end, when it is read, then it is given up at a bound, and recorded as what it was."""
    endless, error = pieces_and_error
    monkeypatch.setattr(exchange_module, "TOTAL_TIMEOUT", 0.8 if "0.8 s" in error else 60.0)
    monkeypatch.setattr(receiving, "MAX_PIECES", 5000)
    started = time.monotonic()
    with raw_server(endless) as base_url:
        exchange, traffic, peak = ask(base_url, STREAM)

    assert (exchange.response.error or "").startswith(error)
    assert time.monotonic() - started < 100
    assert peak < 40
    assert traffic.requests == (3 if error == "the connection broke" else 1)
    assert not read_answer(exchange.request, exchange.response).ok


MALFORMED = {
    "no-json": http(b"hello", content_type="application/json"),
    "half-json": http(b'{"choices":[{"message', content_type="application/json"),
    "deep-json": http(b"[" * 100_000, content_type="application/json"),
    "deep-object": http(b'{"choices":' * 50_000, content_type="application/json"),
    "big-number": http(b'{"choices":[{"index":' + b"9" * 10_000 + b"}]}", content_type="application/json"),
    "nan": http(b'{"choices":[{"index":NaN}],"usage":Infinity}', content_type="application/json"),
    "not-utf8": http(b'{"choices":[{"message":{"content":"\xff\xfe"}}]}', content_type="application/json"),
    "surrogate": http(b'{"choices":[{"message":{"content":"\\ud800"}}],"id":"\\ud800"}'),
    "nul": http(b"\x00" * 1000),
    "html": http(b"<html><script>alert(1)</script>", content_type="text/html"),
    "image": http(b"\x89PNG\r\n\x1a\n", content_type="image/png"),
    "sse-mid-character": http(b'data: {"choices":[{"delta":{"content":"\xc3', content_type="text/event-stream"),
    "sse-no-end": http(b'data: {"choices":[{"delta":{}}]}\n\n', content_type="text/event-stream"),
    "sse-odd-lines": http(b"\r\r\ndata\ndata:\n: x\nevent: \x00\n\n", content_type="text/event-stream"),
    "odd-types": http(b'{"choices":{"0":7},"output":7,"usage":[],"error":false}', content_type="application/json"),
    "odd-choices": http(b'{"choices":[7,null,{"message":[]}],"output":[7,null]}', content_type="application/json"),
    "odd-header": http(b"{}", x_litellm_version="\x07\xff\u202e", retry_after="9" * 3000),
    "empty": http(b""),
    "204": http(b"", "204 No Content"),
    "999": http(b"{}", "999 What"),
    "ids": http(json.dumps({"id": "../../x?=\ud800\n" + "a" * 70_000, "output": [], "choices": [{}]}).encode()),
}


@pytest.mark.parametrize("wire", MALFORMED.values(), ids=MALFORMED)
def test_malformed_answers(wire: bytes, tmp_path: Path) -> None:
    """Given a gateway that says nothing but this, when it is measured, then it is recorded, judged, and no verdict."""
    plan = make_plan([Model(id="m")], REGISTRY, REGISTRY.select("store,temperature"), (CHAT, RESPONSES))
    traffic, folder = Traffic(), Folder(tmp_path)
    progress = Progress(len(plan.cells), traffic)

    async def sleep(_: float) -> None:
        return

    with raw_server(wire) as base_url:
        sender = Sender(Target(base_url, KEY), REGISTRY.paths, 8, traffic, sleep)
        asyncio.run(record(plan, sender, folder, progress, lambda: None))

    assert progress.cells_done == len(plan.cells)
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]
    recorded = folder.read_model("m")
    for group in plan.groups:
        found = hold_again(settle(group), recorded)
        assert all(outcome.recorded for outcome in found.values())
        assert not any(outcome.cause is Cause.SUITE_FAULT for outcome in found.values())
        assert {outcome.verdict for outcome in found.values()} <= {Verdict.INCONCLUSIVE, Verdict.ACCEPTED}


@pytest.mark.slow
def test_hostile_models_among_honest_ones(tmp_path: Path) -> None:
    """Given one honest model among hostile ones, when all are measured, then its verdicts are as if it were alone."""

    async def zeros() -> Any:
        while True:
            yield bytes(65_536)
            await asyncio.sleep(0)  # or the server does not see that nobody listens any more

    bomb = packed(100 * MIB, 31)
    answers: dict[str, Callable[[], Response]] = {
        "bomb": lambda: Response(bomb, headers={"content-encoding": "gzip"}),
        "endless": lambda: StreamingResponse(zeros()),
        "binary": lambda: Response(b"\xff" * 1000, media_type="application/json"),
        "deep": lambda: Response(b"[" * 100_000, media_type="application/json"),
    }
    place = Workplace(tmp_path)
    with scripted_gateway(lambda b: answers.get(b["model"], lambda: None)(), ("honest", *answers)) as gateway:
        ended = run_pytest("--live", "--parameters=store", "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    verdicts = {(cell["model"], cell["verdict"]) for cell in place.matrix["cells"]}
    assert verdicts == {("honest", "accepted"), *((name, "inconclusive") for name in answers)}
    assert place.matrix["run"]["complete"] is True
    assert "Traceback" not in ended.all


SLOW_LISTS = {
    "drip": forever(HEAD, then=b" ", pause=0.05),
    "headers": forever(b"HTTP/1.1 200 OK\r\nx: ", then=b"y", pause=0.05),
    "informational": forever(then=b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0.01),
}


@pytest.mark.parametrize("endless", SLOW_LISTS.values(), ids=SLOW_LISTS)
def test_discovery_has_an_end(endless: Callable[[], Iterable[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a model list that never ends, when a gateway is discovered, then that is given up, in one line."""
    monkeypatch.setattr(discovery, "TOTAL_TIMEOUT", 0.5)
    started = time.monotonic()
    with raw_server(endless) as base_url, pytest.raises(DiscoveryError, match="did not answer in time"):
        discover(Target(base_url, KEY))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (BOMBS["gzip"], "answers with more than 64 MiB; check the address"),
        (http(NESTED, content_encoding="gzip,gzip"), "answers in a compression that was not requested"),
    ],
    ids=["bomb", "nested"],
)
def test_discovery_of_bombs(wire: bytes, words: str) -> None:
    """Given a model list that unpacks to 300 MB, when a gateway is discovered, then it is given up in one line."""
    with raw_server(wire) as base_url, pytest.raises(DiscoveryError, match=words) as caught:
        discover(Target(base_url, KEY))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_ten_thousand_models(tmp_path: Path) -> None:
    """Given a gateway of 10,000 models with case and Unicode twins, when it is planned, then each has its own cells."""
    ids = [f"model-{n:05}" for n in range(9_994)] + ["A", "a", "é", "e\u0301", "\uff46", "f"]
    with scripted_gateway(models=[*ids, *ids]) as gateway:
        found = discover(Target(gateway.base_url, KEY))
    assert len(found.models) == 10_000
    plan = make_plan(found.models, REGISTRY, REGISTRY.select("core"), tuple(Endpoint))
    folder = Folder(tmp_path)
    assert len({str(folder.cassette_path(model.id)).lower() for model in plan.models}) == 10_000


def test_ids_that_are_too_long() -> None:
    """Given an id of a megabyte, when models are listed, then it is left out by its beginning, and others are not."""
    with scripted_gateway(models=["x" * MIB, "y" * 10_240, "z"]) as gateway:
        found = discover(Target(gateway.base_url, KEY))
    assert [len(model.id) for model in found.models] == [10_240, 1]
    assert found.left_out == (("x" * 60 + "…", "id too long"),)
