"""Tests of the provider's model list where the gateway is down, refuses the key, redirects, or never ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, StreamingResponse

from conformance.provider.errors import GatewayError, KeyRefusedError
from conformance.provider.gateway import StaleModelsWarning
from conformance.provider.models import fetching
from conformance.provider.models.cache import write_models
from conformance.provider.models.catalogue import Listed
from conformance.provider.target import Target
from conformance.tests.helpers.gateways import KEY, closed_port, http, raw_server
from conformance.tests.helpers.listings import each_way, listing, provider

DOWN: dict[str, tuple[bytes, str]] = {
    "an error": (http(b"oops", "500 Internal Server Error"), "answers 500"),
    "a web page": (http(b"<html>login</html>"), "answers with HTML"),
    "no JSON": (http(b"\xff\x00"), "answers with something that is not JSON"),
    "no list": (http(b'{"data": {}}'), "without a `data` list"),
    "nothing": (b"", "cannot be read"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", "cannot be read"),
    "too many requests": (http(b"", "429 Too Many Requests"), "limits the rate of requests"),
    "an endless list of nothing": (http(b'{"data": [' + b"1," * 10_000 + b"1]}"), "but no `id` is a string"),
    "no model that chats": (http(b'{"data": [{"id": "e", "mode": "embedding"}]}'), "no chat model"),
}


@each_way
@pytest.mark.parametrize("case", DOWN)
def test_down_with_a_list_and_without(tmp_path: Path, ask: Any, case: str, caplog: pytest.LogCaptureFixture) -> None:
    """Given a gateway that fails, when asked, then the last list with a warning, or one line where there is none."""
    answer, words = DOWN[case]
    with raw_server(answer) as url:
        with pytest.raises(GatewayError, match=words) as caught:
            ask(provider(url, tmp_path))
        assert "\n" not in str(caught.value)
        assert KEY not in str(caught.value)
        write_models(Target(url, KEY), [Listed("last-known")], tmp_path)
        with pytest.warns(StaleModelsWarning, match="using the 1 models that it listed just now"):
            models = ask(provider(url, tmp_path), max_age=0)

    assert [model.id for model in models] == ["last-known"]
    assert any("using the 1 models" in message for message in caplog.messages)


@each_way
def test_nobody_there(tmp_path: Path, ask: Any) -> None:
    """Given an address where nobody listens, when asked, then one line says so."""
    with pytest.raises(GatewayError, match="connection refused; is the gateway running"):
        ask(provider(f"http://127.0.0.1:{closed_port()}", tmp_path))


@each_way
@pytest.mark.parametrize(
    "answer",
    [
        http(b"", "401 Unauthorized"),
        http(b"", "403 Forbidden"),
        http(b'{"error": {"message": "No connected db."}}', "400 Bad Request"),
    ],
)
def test_a_refused_key_is_not_papered_over(tmp_path: Path, ask: Any, answer: bytes) -> None:
    """Given a last list and a key that is now refused, when asked, then that is said."""
    with raw_server(answer) as url:
        write_models(Target(url, KEY), [Listed("last-known")], tmp_path)
        with pytest.raises(KeyRefusedError):
            ask(provider(url, tmp_path), max_age=0)


@each_way
def test_redirects_do_not_take_the_key_along(tmp_path: Path, ask: Any) -> None:
    """Given a gateway that redirects to a stranger, when asked, then the stranger is not."""
    seen: list[Request] = []
    with (
        listing(seen=seen) as stranger,
        listing(RedirectResponse(f"{stranger}/v1/models")) as url,
        pytest.raises(GatewayError, match="redirects"),
    ):
        ask(provider(url, tmp_path))

    assert seen == []


@each_way
def test_answers_without_end(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer beyond all bounds, when it comes, then no more of it is read than the bound."""
    monkeypatch.setattr(fetching, "MAX_BODY", 12 * 2**20)
    read: list[int] = []

    class Counting(fetching.Reading):
        def add(self, chunk: bytes) -> None:
            read.append(len(chunk))
            super().add(chunk)

    monkeypatch.setattr(fetching, "Reading", Counting)

    async def flood() -> Any:
        for _ in range(100):
            yield b"x" * 2**20

    with listing(StreamingResponse(flood())) as url, pytest.raises(GatewayError, match="more than 12 MiB"):
        ask(provider(url, tmp_path))

    assert 12 * 2**20 < sum(read) < 14 * 2**20


@each_way
def test_answers_that_drip(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer that comes byte by byte, when it takes too long, then it is not waited for."""
    monkeypatch.setattr(fetching, "ANSWER_SECONDS", 0.3)

    async def drip() -> Any:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.05)

    with listing(StreamingResponse(drip())) as url, pytest.raises(GatewayError, match="takes longer than"):
        ask(provider(url, tmp_path))


@each_way
def test_answers_that_do_not_come(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a gateway that says nothing, when asked, then not for ever; what is only welcome is done without."""
    monkeypatch.setattr(fetching, "READ_SECONDS", 0.3)

    async def silence() -> Any:
        await asyncio.sleep(3)
        yield b""

    with listing(StreamingResponse(silence())) as url, pytest.raises(GatewayError, match="did not answer in time"):
        ask(provider(url, tmp_path))
    with listing([{"id": "m"}], StreamingResponse(silence()), StreamingResponse(silence())) as url:
        assert [model.id for model in ask(provider(url, tmp_path))] == ["m"]
