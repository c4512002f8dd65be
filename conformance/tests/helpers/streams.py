"""Streamed answers for the tests: their pieces as gateways send them, and what comes of them as events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models import Cost, Model
from conformance.provider.stream import Done, Error, Event, Start, TextDelta, ToolCallDelta, ToolCallEnd, stream
from conformance.provider.table import load_table
from conformance.tests.helpers.gateways import KEY, scripted_gateway

openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed")

HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The SDK's own log is none of ours."""
    logger = logging.getLogger("openai")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def model(wire: str, cost: Cost | None = None) -> Model:
    """A model that is asked on this wire."""
    return Model("m", "m", True, ("text",), cost, 128_000, 4096, {"wire": wire})


CHAT, RESPONSES = model("chat_completions"), model("responses")
both_wires = pytest.mark.parametrize("asked", [CHAT, RESPONSES], ids=["chat", "responses"])


def provider(url: str) -> LiteLLMProvider:
    """A provider of that gateway that knows the shipped table alone and keeps nothing."""
    return LiteLLMProvider(url, KEY, table=load_table(), cache_folder=Path("/nonexistent"))


def told(answer: Callable[[dict[str, Any]], Any], asked: Model, *, requests: int = 1, **options: Any) -> list[Event]:
    """All events of one answer that a gateway gives in this way, to so many requests."""

    async def run(url: str) -> list[Event]:
        async with provider(url) as ours:
            return [event async for event in ours.stream(asked, HI, **options)]

    with scripted_gateway(answer) as gateway:
        found = asyncio.run(run(gateway.base_url))
        assert len(gateway.seen) == requests, "a request is sent once, unless it is mended"
    check(found)
    return found


def replayed(content: bytes, asked: Model) -> list[Event]:
    """The events of an answer with this body, through the real SDK, without a server."""

    async def run() -> list[Event]:
        answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=content)
        transport = httpx2.MockTransport(lambda _request: answer)
        ours = provider("http://h")
        async with openai.AsyncOpenAI(
            api_key=KEY, base_url="http://h/v1", max_retries=0, http_client=httpx2.AsyncClient(transport=transport)
        ) as client:
            return [event async for event in stream(client, asked, HI, table=ours.table)]

    return asyncio.run(run())


def check(found: list[Event]) -> None:
    """What holds for the events of every answer."""
    *before, last = found
    assert isinstance(last, Done | Error)
    assert not any(isinstance(event, Done | Error) for event in before)
    assert [index for index, event in enumerate(found) if isinstance(event, Start)] in ([], [0])
    text = "".join(event.text for event in before if isinstance(event, TextDelta))
    assert (last.message.get("content") or "") == text
    ends = [event for event in before if isinstance(event, ToolCallEnd)]
    for end in ends:
        pieces = [e.arguments for e in before if isinstance(e, ToolCallDelta) and e.index == end.index]
        assert "".join(pieces) == end.arguments
    calls = [(call["id"], call["function"]["arguments"]) for call in last.message.get("tool_calls", ())]
    assert calls == [(end.id, end.arguments) for end in ends]


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a chat answer."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


def piece(index: int, call_id: str | None = None, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    """A piece of a call in a chat chunk."""
    named = {"id": call_id, "type": "function"} if call_id else {}
    return {"index": index, **named, "function": {**({"name": name} if name else {}), "arguments": arguments}}


def done(found: list[Event]) -> Done:
    """The last event, which must be a success."""
    assert isinstance(found[-1], Done), found[-1]
    return found[-1]


def failed(found: list[Event]) -> Error:
    """The last event, which must be an error."""
    assert isinstance(found[-1], Error), found[-1]
    return found[-1]


def item(kind: str, index: int, **more: Any) -> dict[str, Any]:
    """An event about an item of a Responses answer."""
    return {"type": kind, "output_index": index, "item_id": f"i{index}", **more}


def completed(*output: Any, kind: str = "response.completed", **more: Any) -> dict[str, Any]:
    """The last event of a Responses answer."""
    return {"type": kind, "response": {"id": "r", "status": kind[9:], "output": list(output), **more}}


MESSAGE = {"type": "message", "id": "i0", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
CALL = {"type": "function_call", "id": "i1", "call_id": "a", "name": "look", "arguments": '{"x":1}'}
REASONING = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]}
SEALED = {**REASONING, "encrypted_content": "sealed"}
