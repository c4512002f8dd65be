"""Tests of `conformance.provider.stream`: whatever a gateway sends, the events begin, follow and end as they must."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from conformance.provider.models import Cost, LiteLLMProvider, Model
from conformance.provider.table import load_table
from conformance.tests.gateways import KEY, closed_port, cut_stream, events, refusal, scripted_gateway

openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed")

from conformance.provider.stream import (  # noqa: E402  the SDK has to be there
    Done,
    Error,
    Event,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
)

HI: Any = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
PRICES = Cost(1.0, 10.0, 0.1, 2.0)


def model(wire: str, cost: Cost | None = None) -> Model:
    """A model that is asked on this wire."""
    return Model("m", "m", True, ("text",), cost, 128_000, 4096, {"wire": wire})


CHAT, RESPONSES = model("chat_completions"), model("responses")
both_wires = pytest.mark.parametrize("asked", [CHAT, RESPONSES], ids=["chat", "responses"])


def provider(url: str) -> LiteLLMProvider:
    """A provider of that gateway that knows the shipped table alone and keeps nothing."""
    return LiteLLMProvider(url, KEY, table=load_table(), cache_folder=Path("/nonexistent"))


def told(answer: Callable[[dict[str, Any]], Any], asked: Model, **options: Any) -> list[Event]:
    """All events of one answer that a gateway gives in this way."""

    async def run(url: str) -> list[Event]:
        async with provider(url) as ours:
            return [event async for event in ours.stream(asked, HI, **options)]

    with scripted_gateway(answer) as gateway:
        found = asyncio.run(run(gateway.base_url))
        assert len(gateway.seen) == 1, "a request is sent once"
    check(found)
    return found


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


class TestChat:
    """Chat Completions."""

    def test_text(self) -> None:
        """Given an answer in pieces, when streamed, then each piece, then the end with tokens and cost."""
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
            "cost": 0.25,
        }
        pieces = [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"})]
        found = told(lambda _: events(*pieces, chunk({}, "stop"), chunk(usage=usage), "[DONE]"), CHAT)

        assert found == [
            Start("m", "chat_completions"),
            TextDelta("Hel"),
            TextDelta("lo"),
            Done("stop", {"role": "assistant", "content": "Hello"}, Usage(10, 5, 4, 0, 3), 0.25),
        ]

    @pytest.mark.parametrize(
        ("usage", "headers", "prices", "cost"),
        [
            ({"cost": 0.0}, {}, PRICES, 0.0),
            ({}, {"x-litellm-response-cost": "0.5"}, PRICES, 0.5),
            ({}, {"x-litellm-response-cost": "0.0"}, PRICES, 0.000_056_4),
            ({"prompt_tokens_details": {"cache_creation_tokens": 6}}, {}, PRICES, 0.000_066),
            ({}, {"x-litellm-response-cost": "much"}, None, None),
            ({"cost": "much"}, {}, None, None),
        ],
    )
    def test_cost(
        self, usage: dict[str, Any], headers: dict[str, str], prices: Cost | None, cost: float | None
    ) -> None:
        """Given what the gateway tells and what is declared, when an answer ends, then its cost is the best known."""
        tokens = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}, **usage}

        def answer(_: Any) -> Response:
            response = events(chunk({"content": "x"}, "stop"), chunk(usage=tokens), "[DONE]")
            response.headers.update(headers)
            return response

        assert done(told(answer, model("chat_completions", prices))).cost == (pytest.approx(cost) if cost else cost)

    def test_thinking_with_signature(self) -> None:
        """Given thinking in pieces with a signature, when streamed, then it is told once and kept whole for replay."""

        def block(**more: Any) -> dict[str, Any]:
            return {"type": "thinking", "index": 0, **more}

        pieces = [
            {"reasoning_content": "Let", "thinking_blocks": [block(thinking="Let")], "content": ""},
            {"reasoning_content": " me", "thinking_blocks": [block(thinking=" me")]},
            {"reasoning_content": "", "thinking_blocks": [block(thinking="", signature="s")]},
            {"thinking_blocks": [{"type": "redacted_thinking", "data": "d", "index": 1}]},
            {"content": "Hi"},
        ]
        found = told(lambda _: events(*map(chunk, pieces), chunk({}, "stop"), "[DONE]"), CHAT)

        assert found[1:4] == [ThinkingDelta("Let"), ThinkingDelta(" me"), TextDelta("Hi")]
        assert done(found).message == {
            "role": "assistant",
            "content": "Hi",
            "reasoning_content": "Let me",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "Let me", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
            ],
        }

    @pytest.mark.parametrize("second", [0, 1], ids=["one index for all", "an index each"])
    def test_calls(self, second: int) -> None:
        """Given two calls, with an index each or one for all, when streamed, then they are two."""
        pieces = [
            {"tool_calls": [piece(0, "a", "look", "")]},
            {"tool_calls": [piece(0, arguments='{"x":')]},
            {"tool_calls": [piece(0, arguments="1}")]},
            {"tool_calls": [piece(second, "b", "look", "{}")]},
        ]
        found = told(lambda _: events(*map(chunk, pieces), chunk({}, "tool_calls"), "[DONE]"), CHAT)

        assert found[1:-1] == [
            ToolCallStart(0, "a", "look"),
            ToolCallDelta(0, '{"x":'),
            ToolCallDelta(0, "1}"),
            ToolCallStart(1, "b", "look"),
            ToolCallDelta(1, "{}"),
            ToolCallEnd(0, "a", "look", '{"x":1}'),
            ToolCallEnd(1, "b", "look", "{}"),
        ]
        assert done(found).stop_reason == "tool_calls"

    def test_calls_that_come_mixed(self) -> None:
        """Given two calls whose pieces alternate, when streamed, then each gets its own."""
        pieces = [piece(0, "a", "look", "1"), piece(1, "b", "look", "2"), piece(0, arguments="3")]
        found = told(
            lambda _: events(*(chunk({"tool_calls": [each]}) for each in pieces), chunk({}, "stop"), "[DONE]"), CHAT
        )

        assert [e.arguments for e in found if isinstance(e, ToolCallEnd)] == ["13", "2"]
        assert done(found).stop_reason == "tool_calls"

    @pytest.mark.parametrize(
        ("finish", "reason"), [("length", "length"), ("content_filter", "content_filter"), ("eos", "stop")]
    )
    def test_other_ends(self, finish: str, reason: str) -> None:
        """Given another reason to end, when streamed, then it is told."""
        assert done(told(lambda _: events(chunk({"content": "x"}, finish), "[DONE]"), CHAT)).stop_reason == reason

    def test_a_refusal_is_text(self) -> None:
        """Given a refusal, when streamed, then it can be read."""
        assert told(lambda _: events(chunk({"refusal": "No."}, "stop"), "[DONE]"), CHAT)[1] == TextDelta("No.")


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


class TestResponses:
    """Responses."""

    def test_all_of_it(self) -> None:
        """Given thinking, text and a call, when streamed, then each is told once, and the end with tokens."""
        usage = {
            "input_tokens": 10,
            "output_tokens": 5,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 3},
        }
        found = told(
            lambda _: events(
                {"type": "response.created", "response": {"id": "r", "output": []}},
                item("response.output_item.added", 0, item={"type": "reasoning", "id": "rs"}),
                item("response.reasoning_summary_text.delta", 0, delta="Hm.", summary_index=0),
                item("response.reasoning_summary_text.delta", 0, delta="So.", summary_index=1),
                item("response.output_item.done", 0, item=REASONING),
                item("response.output_item.added", 1, item={"type": "message", "id": "i1", "content": []}),
                item("response.output_text.delta", 1, delta="Hel"),
                item("response.output_text.delta", 1, delta="lo"),
                item("response.output_item.done", 1, item=MESSAGE),
                item("response.output_item.added", 2, item={**CALL, "arguments": ""}),
                item("response.function_call_arguments.delta", 2, delta='{"x"'),
                item("response.function_call_arguments.delta", 2, delta=":1}"),
                item("response.function_call_arguments.done", 2, arguments='{"x":1}'),
                item("response.output_item.done", 2, item=CALL),
                completed(SEALED, MESSAGE, CALL, usage=usage),
            ),
            RESPONSES,
        )

        assert found == [
            Start("m", "responses"),
            ThinkingDelta("Hm."),
            ThinkingDelta("\n\nSo."),
            TextDelta("Hel"),
            TextDelta("lo"),
            ToolCallStart(0, "a", "look"),
            ToolCallDelta(0, '{"x"'),
            ToolCallDelta(0, ":1}"),
            ToolCallEnd(0, "a", "look", '{"x":1}'),
            Done(
                "tool_calls",
                {
                    "role": "assistant",
                    "content": "Hello",
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x":1}'}}
                    ],
                    "reasoning_content": "Hm.\n\nSo.",
                    "reasoning_items": [SEALED],
                },
                Usage(10, 5, 4, 0, 3),
            ),
        ]

    @pytest.mark.parametrize(
        "sent",
        [
            [completed(REASONING, MESSAGE, CALL)],
            [
                item("response.output_item.done", 0, item=REASONING),
                item("response.output_item.done", 1, item=MESSAGE),
                item("response.output_item.done", 2, item=CALL),
                completed(),
            ],
            [
                item("response.output_item.done", 0, item=REASONING),
                item("response.output_text.delta", 1, delta="Hel"),
                item("response.output_item.done", 1, item=MESSAGE),
                item("response.output_item.added", 2, item={**CALL, "arguments": ""}),
                item("response.function_call_arguments.delta", 2, delta='{"x"'),
                item("response.output_item.done", 2, item=CALL),
                completed(REASONING, MESSAGE, CALL),
            ],
            [
                item("response.output_item.done", 0, item=REASONING),
                item("response.output_text.delta", 1, delta="Hello"),
                item("response.output_item.added", 2, item=CALL),
                item("response.function_call_arguments.delta", 2, delta='{"x":1}'),
                completed(),
            ],
        ],
        ids=["nothing but the end", "whole items", "pieces lost", "ends lost"],
    )
    def test_what_gateways_leave_out(self, sent: list[Any]) -> None:
        """Given an answer with events missing, when streamed, then nothing is lost and nothing told twice."""
        found = told(lambda _: events(*sent), RESPONSES)

        assert "".join(e.text for e in found if isinstance(e, ThinkingDelta)) == "Hm."
        assert done(found).message["content"] == "Hello"
        assert [e for e in found if isinstance(e, ToolCallEnd)] == [ToolCallEnd(0, "a", "look", '{"x":1}')]
        assert sum(isinstance(e, ToolCallStart) for e in found) == 1

    @pytest.mark.parametrize(
        ("why", "reason"), [("max_output_tokens", "length"), ("content_filter", "content_filter"), (None, "length")]
    )
    def test_incomplete(self, why: str | None, reason: str) -> None:
        """Given an answer cut by a limit, when streamed, then its end says so."""
        details = {"reason": why} if why else None
        sent = completed(MESSAGE, kind="response.incomplete", incomplete_details=details)

        assert done(told(lambda _: events(sent), RESPONSES)).stop_reason == reason


CONVERSATION: Any = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        "reasoning_content": "Hm.",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
        "reasoning_items": [SEALED],
    },
    {
        "role": "tool",
        "tool_call_id": "a",
        "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "cat"}],
    },
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Thanks."},
]


class TestRequests:
    """What is sent."""

    def sent(self, asked: Any, messages: Any = HI, **options: Any) -> dict[str, Any]:
        """The body that a gateway gets."""

        async def run(url: str) -> None:
            async with provider(url) as ours:
                async for _ in ours.stream(asked, messages, **options):
                    pass

        with scripted_gateway() as gateway:
            asyncio.run(run(gateway.base_url))
            assert gateway.headers[0]["authorization"] == f"Bearer {KEY}"
            return gateway.seen[0]

    def test_chat(self) -> None:
        """Given all options, when a chat model is asked, then each is in its field."""
        assert self.sent(
            CHAT, session_id="s", reasoning="low", max_tokens=9, tools=[TOOL], parameters={"temperature": 0.5}
        ) == {
            "model": "m",
            "messages": HI,
            "tools": [TOOL],
            "max_completion_tokens": 9,
            "reasoning_effort": "low",
            "stream_options": {"include_usage": True},
            "prompt_cache_key": "s",
            "temperature": 0.5,
            "stream": True,
        }

    def test_responses(self) -> None:
        """Given all options, when a Responses model is asked, then each is in its field."""
        assert self.sent(RESPONSES, session_id="s", reasoning="low", tools=[TOOL]) == {
            "model": "m",
            "input": [{"type": "message", **HI[0]}],
            "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
            "max_output_tokens": 4096,
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "s",
            "store": False,
            "stream": True,
        }

    def test_what_is_refused_is_left_out(self) -> None:
        """Given models of which one refuses it, when a session is named, then the key is sent to the other alone."""
        assert "prompt_cache_key" not in self.sent("claude-haiku-4-5", session_id="s")
        assert self.sent("gpt-5.2", session_id="s")["prompt_cache_key"] == "s"
        assert self.sent("nobody-knows-it", session_id="s")["prompt_cache_key"] == "s"

    def test_a_conversation_goes_back_on_chat(self) -> None:
        """Given an earlier answer with all it carries, when it goes back on chat, then with what is meant for chat."""
        sent = self.sent(CHAT, CONVERSATION)["messages"]

        expected = [dict(message) for message in CONVERSATION]
        del expected[2]["reasoning_items"]
        assert sent == expected

    def test_a_conversation_goes_back_on_responses(self) -> None:
        """Given an earlier answer with all it carries, when it goes back on Responses, then as its items."""
        assert self.sent(RESPONSES, CONVERSATION)["input"] == [
            {"type": "message", "role": "system", "content": "Be brief."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                ],
            },
            SEALED,
            {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "a cat"},
            {"type": "message", "role": "assistant", "content": "A cat."},
            {"type": "message", "role": "user", "content": "Thanks."},
        ]

    @pytest.mark.parametrize("messages", ["hi", b"bytes", ["hi"], [None]])
    def test_messages_that_are_none(self, messages: Any) -> None:
        """Given messages that are none, when a stream is made, then that is a `ValueError` at once."""
        with pytest.raises(ValueError, match="must be a list of objects"):
            provider("http://h").stream(CHAT, messages)

    def test_nothing_of_the_environment_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given settings for OpenAI itself, when the gateway is asked, then none of them goes to it."""
        for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, "http://elsewhere.example")

        async def run(url: str) -> None:
            async with provider(url) as ours:
                async for _ in ours.stream(CHAT, HI):
                    pass

        with scripted_gateway() as gateway:
            asyncio.run(run(gateway.base_url))
            assert not any("elsewhere" in value for value in gateway.headers[0].values())


BROKEN: dict[str, tuple[Model, Callable[[Any], Response], str, str]] = {
    "a word cut off": (CHAT, lambda _: cut_stream(chunk({"content": "Hel"})), "incomplete", "connection"),
    "a clean end midway": (CHAT, lambda _: events(chunk({"content": "Hel"})), "incomplete", "broke off before"),
    "midway in Responses": (
        RESPONSES,
        lambda _: events(item("response.output_text.delta", 0, delta="Hel")),
        "incomplete",
        "broke off before",
    ),
    "a call cut off": (
        CHAT,
        lambda _: events(chunk({"content": "Hel"}), chunk({"tool_calls": [piece(0, "a", "look", '{"x"')]})),
        "incomplete",
        "broke off before",
    ),
    "an error in the midst": (
        CHAT,
        lambda _: events(chunk({"content": "Hel"}), {"error": {"message": "boom"}}, "[DONE]"),
        "incomplete",
        "reports an error: boom",
    ),
    "a failed response": (
        RESPONSES,
        lambda _: events(
            item("response.output_text.delta", 0, delta="Hel"),
            completed(kind="response.failed", error={"code": "server_error", "message": "boom"}),
        ),
        "error",
        "reports an error: boom",
    ),
    "a failed response without a reason": (
        RESPONSES,
        lambda _: events(
            item("response.output_text.delta", 0, delta="Hel"), {"type": "response.failed", "response": {}}
        ),
        "error",
        "reports an error: no reason given",
    ),
    "an error event": (
        RESPONSES,
        lambda _: events(item("response.output_text.delta", 0, delta="Hel"), {"type": "error", "message": "boom"}),
        "error",
        "reports an error: boom",
    ),
    "no JSON": (CHAT, lambda _: events(chunk({"content": "Hel"}), "{oops"), "incomplete", "cannot be read"),
    "no object": (CHAT, lambda _: events(chunk({"content": "Hel"}), "7"), "incomplete", "cannot be read"),
    "a delta that is none": (CHAT, lambda _: events(chunk({"content": "Hel"}), chunk("x")), "incomplete", "cannot be"),
    "no UTF-8": (
        CHAT,
        lambda _: Response(
            b"data: " + json.dumps(chunk({"content": "Hel"})).encode() + b'\n\ndata: {"a": "\xff\xfe\n\n',
            media_type="text/event-stream",
        ),
        "incomplete",
        "cannot be read",
    ),
}


class TestFailures:
    """However it ends, it ends."""

    @pytest.mark.parametrize("case", BROKEN)
    def test_broken_off(self, case: str) -> None:
        """Given an answer that breaks, when streamed, then what came is kept, and one error tells why."""
        asked, answer, reason, words = BROKEN[case]
        found = told(answer, asked)

        error = failed(found)
        assert (error.stop_reason, error.message["content"]) == (reason, "Hel")
        assert words in error.text
        assert "tool_calls" not in error.message

    def test_broken_after_the_end(self) -> None:
        """Given an answer that was whole when its connection broke, when streamed, then it is whole."""
        found = told(lambda _: cut_stream(chunk({"tool_calls": [piece(0, "a", "look", "{}")]}, "tool_calls")), CHAT)

        assert done(found).message["tool_calls"][0]["id"] == "a"
        assert done(found).usage is None

    @both_wires
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (refusal("store: Extra inputs are not permitted"), "answers 400: store: Extra inputs are not permitted"),
            (refusal("x", 401), "answers 401: x"),
            (Response(b"<html>" + b"x" * 10_000_000, 502), "answers 502: "),
            (JSONResponse({"error": {"message": "x" * 10_000_000}}, 500), "answers 500: xxx"),
            (Response(b"\xff\xfe\x00", 500), "answers 500: "),
            (JSONResponse([{"error": {"code": 400, "message": "y"}}], 400), "answers 400: y"),
            (refusal(f"the key {KEY} is wrong", 401), "answers 401: the key [key] is wrong"),
            (refusal("the number 429 in a prompt"), "answers 400: the number 429 in a prompt"),
        ],
        ids=["refused", "no key", "10 MB of HTML", "10 MB of JSON", "no UTF-8", "a list", "the key in it", "429"],
    )
    def test_refused(self, asked: Model, answer: Response, words: str) -> None:
        """Given an error instead of an answer, when streamed, then one short line tells it, and never the key."""
        [error] = told(lambda _: answer, asked)

        assert isinstance(error, Error)
        assert (error.stop_reason, error.rate_limit) == ("error", None)
        assert error.text.startswith(f"the gateway {words}")
        assert len(error.text) < 2100
        assert "\n" not in error.text
        assert KEY not in repr(error)

    @both_wires
    def test_rate_limits(self, asked: Model) -> None:
        """Given a rate limit in a body, a header or a stream, when streamed, then it is explained."""
        limit = {
            "error": {
                "type": "rate_limit_exceeded",
                "code": 429,
                "limit_type": "input_tokens_per_minute",
                "limit": 200000,
                "current": 200150,
                "retry_after": 15,
            }
        }
        nested = {"error": {"message": f"litellm.RateLimitError: {json.dumps(limit)}", "code": "429"}}
        failed_event = completed(kind="response.failed", error={"code": "429", "message": json.dumps(limit)})
        in_stream = failed_event if asked is RESPONSES else nested
        for answer in (JSONResponse(limit, 429), JSONResponse(nested, 429), events(in_stream)):
            error = failed(told(partial(lambda answer, _: answer, answer), asked))
            assert (error.stop_reason, error.status) == ("rate_limit", 429)
            assert error.rate_limit is not None
            assert (error.rate_limit.limit, error.rate_limit.retry_after) == (200000, 15)
            assert "200,150" in error.text or "200150" in error.text

    @both_wires
    def test_nobody_there(self, asked: Model) -> None:
        """Given nobody who listens, when streamed, then one error tells that the connection failed."""

        async def run() -> list[Event]:
            async with provider(f"http://127.0.0.1:{closed_port()}") as ours:
                return [event async for event in ours.stream(asked, HI)]

        [error] = asyncio.run(run())
        assert isinstance(error, Error)
        assert error.text.startswith("the connection to the gateway failed: ")

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [(Response("<html>", media_type="text/html"), "text/html"), (JSONResponse({}), "application/json")],
    )
    def test_no_stream_at_all(self, answer: Response, kind: str) -> None:
        """Given a page, or an answer in one piece, where a stream was asked for, when read, then that is said."""
        error = failed(told(lambda _: answer, CHAT))

        assert (error.stop_reason, error.text) == (
            "error",
            f"the answer is {kind}, where a stream was asked for; check the address",
        )

    def test_redirects_do_not_take_the_key_along(self) -> None:
        """Given a gateway that redirects to a stranger, when streamed, then the stranger is not asked."""
        with scripted_gateway() as stranger:
            response = Response(status_code=307, headers={"location": f"{stranger.base_url}/v1/chat/completions"})
            error = failed(told(lambda _: response, CHAT))
            assert stranger.seen == []
        assert error.status == 307


@contextmanager
def endless(silent: bool) -> Iterator[tuple[str, dict[str, bool]]]:
    """A gateway that begins an answer (or is silent) and never ends it; and whether it was asked and left."""
    state = {"asked": False, "left": False}
    piece_of_it = f"data: {json.dumps(chunk({'content': 'Hel'}))}\n\n".encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                connection.settimeout(20)
                connection.recv(65536)
                state["asked"] = True
                if not silent:
                    connection.sendall(head + piece_of_it)
                while connection.recv(65536):
                    pass
                state["left"] = True

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", state
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


async def until(happened: Callable[[], bool]) -> None:
    """Wait for it, though not for ever."""
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.01)


class TestLeaving:
    """The consumer leaves first."""

    def leave(
        self,
        how: Callable[[AsyncGenerator[Event, None], asyncio.Event], Any],
        silent: bool = False,
        *,
        by_signal: bool = False,
    ) -> Any:
        """What comes of leaving in this way, with a signal given and without; the gateway must see that."""

        async def run(signal: asyncio.Event, given: asyncio.Event | None) -> Any:
            with endless(silent) as (url, state):
                async with provider(url) as ours:
                    result = await how(ours.stream(CHAT, HI, signal=given), signal)
                    await until(lambda: state["left"])
                return result

        if not by_signal:
            asyncio.run(run(asyncio.Event(), None))
        signal = asyncio.Event()
        return asyncio.run(run(signal, signal))

    def test_by_break(self) -> None:
        """Given a stream, when its consumer breaks out of the loop, then the connection closes."""

        async def how(stream: AsyncGenerator[Event, None], _: asyncio.Event) -> None:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
            del stream

        self.leave(how)

    def test_by_aclose(self) -> None:
        """Given a stream, when it is closed, then the connection is."""

        async def how(stream: AsyncGenerator[Event, None], _: asyncio.Event) -> None:
            async with contextlib.aclosing(stream) as events_of_it:
                assert isinstance(await anext(events_of_it), Start)

        self.leave(how)

    @pytest.mark.parametrize("silent", [False, True], ids=["in the answer", "before it"])
    def test_by_cancelling(self, silent: bool) -> None:
        """Given a task that consumes a stream, when it is cancelled, then it is, and the connection closes."""

        async def how(stream: AsyncGenerator[Event, None], _: asyncio.Event) -> None:
            async def consume() -> None:
                async for _ in stream:
                    pass

            task = asyncio.ensure_future(consume())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.leave(how, silent)

    @pytest.mark.parametrize("silent", [False, True], ids=["in the answer", "before it"])
    def test_by_signal(self, silent: bool) -> None:
        """Given a signal, when it is set, then the stream ends at once with an error that says so."""

        async def how(stream: AsyncGenerator[Event, None], signal: asyncio.Event) -> list[Event]:
            asyncio.get_running_loop().call_later(0.3, signal.set)
            return [event async for event in stream]

        found = self.leave(how, silent, by_signal=True)
        check(found)
        assert failed(found).stop_reason == "aborted"
        assert len(found) == (1 if silent else 3)

    def test_by_signal_set_before(self) -> None:
        """Given a signal that is set already, when streamed, then nothing is sent."""

        async def run() -> list[Event]:
            signal = asyncio.Event()
            signal.set()
            with endless(silent=True) as (url, state):
                async with provider(url) as ours:
                    found = [event async for event in ours.stream(CHAT, HI, signal=signal)]
                assert not state["asked"]
                return found

        [error] = asyncio.run(run())
        assert isinstance(error, Error)
        assert error.stop_reason == "aborted"

    def test_a_signal_that_is_never_set(self) -> None:
        """Given a signal, when an answer ends by itself, then nothing of it is left behind."""

        async def run() -> None:
            with scripted_gateway() as gateway:
                async with provider(gateway.base_url) as ours:
                    found = [event async for event in ours.stream(CHAT, HI, signal=asyncio.Event())]
            check(found)
            done(found)
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(run())

    def test_a_provider_in_two_event_loops(self) -> None:
        """Given one provider, when it streams in one event loop after another, then both work."""

        async def run(ours: LiteLLMProvider) -> None:
            async for event in ours.stream(CHAT, HI):
                last = event
            done([last])
            await ours.aclose()

        with scripted_gateway() as gateway:
            ours = provider(gateway.base_url)
            asyncio.run(run(ours))
            asyncio.run(run(ours))

    def test_many_at_once(self) -> None:
        """Given one provider, when 20 answers stream at once, then each consumer has its own."""

        async def one(ours: LiteLLMProvider, number: int) -> str:
            found = [event async for event in ours.stream(CHAT, [{"role": "user", "content": str(number)}])]
            return str(done(found).message["content"])

        async def run(url: str) -> list[str]:
            async with provider(url) as ours:
                return await asyncio.gather(*(one(ours, number) for number in range(20)))

        def answer(body: dict[str, Any]) -> Response:
            return events(chunk({"content": body["messages"][0]["content"]}, "stop"), "[DONE]")

        with scripted_gateway(answer) as gateway:
            assert asyncio.run(run(gateway.base_url)) == [str(number) for number in range(20)]


_LEAF = st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3) | st.sampled_from(["a", "look", "{}"])
_ANY = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_CALLS = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 1) | _ANY,
        "id": st.sampled_from(["a", "b"]) | _ANY,
        "function": st.fixed_dictionaries({}, optional={"name": _ANY, "arguments": st.text(max_size=3) | _ANY}) | _ANY,
    },
)
_DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.text(max_size=3) | _ANY,
        "reasoning_content": _ANY,
        "thinking_blocks": _ANY,
        "tool_calls": st.lists(_CALLS | _ANY, max_size=2) | _ANY,
    },
)
_CHUNKS = st.builds(
    lambda delta, finish, usage: chunk(delta, finish, usage=usage),
    _DELTAS | _ANY,
    st.sampled_from([None, None, "stop", "tool_calls"]) | _ANY,
    st.none() | st.fixed_dictionaries({}, optional={"prompt_tokens": _ANY, "prompt_tokens_details": _ANY}) | _ANY,
)
_KINDS = [
    "response.output_text.delta",
    "response.reasoning_summary_text.delta",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.output_item.done",
    "response.completed",
    "response.failed",
    "error",
    "keepalive",
]
_ITEMS = st.sampled_from([MESSAGE, CALL, REASONING, SEALED, {**CALL, "arguments": ""}]) | _ANY
_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(_KINDS)},
    optional={
        "output_index": st.integers(0, 2) | _ANY,
        "delta": st.text(max_size=3) | _ANY,
        "item": _ITEMS,
        "response": st.fixed_dictionaries({}, optional={"output": st.lists(_ITEMS, max_size=2) | _ANY, "error": _ANY})
        | _ANY,
    },
)


def replayed(content: bytes, asked: Model) -> list[Event]:
    """The events of an answer with this body, through the real SDK, without a server."""

    async def run() -> list[Event]:
        answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=content)
        transport = httpx2.MockTransport(lambda _request: answer)
        ours = provider("http://h")
        async with openai.AsyncOpenAI(
            api_key=KEY, base_url="http://h/v1", max_retries=0, http_client=httpx2.AsyncClient(transport=transport)
        ) as client:
            from conformance.provider.stream import stream

            return [event async for event in stream(client, asked, HI, table=ours.table)]

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The SDK's own log is none of ours."""
    logger = logging.getLogger("openai")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


class TestAnything:
    """Whatever comes."""

    @settings(max_examples=150)
    @given(st.lists(_CHUNKS | _ANY, max_size=6))
    def test_any_chunks(self, sent: list[Any]) -> None:
        """Given any chunks, when streamed, then the events begin, follow and end as they must."""
        body = "".join(f"data: {json.dumps(each)}\n\n" for each in sent).encode()
        check(replayed(body, CHAT))

    @settings(max_examples=150)
    @given(st.lists(_EVENTS | _ANY, max_size=6))
    def test_any_responses_events(self, sent: list[Any]) -> None:
        """Given any events of Responses, when streamed, then ours begin, follow and end as they must."""
        body = "".join(f"data: {json.dumps(each)}\n\n" for each in sent).encode()
        check(replayed(body, RESPONSES))

    @settings(max_examples=100)
    @given(st.binary(max_size=80), st.booleans())
    def test_any_bytes(self, content: bytes, framed: bool) -> None:
        """Given any bytes, when streamed, then the events begin, follow and end as they must."""
        check(replayed(b"data: " + content + b"\n\n" if framed else content, CHAT))

    @settings(max_examples=60)
    @given(st.data())
    def test_cut_anywhere(self, data: Any) -> None:
        """Given a good answer cut at any byte, when streamed, then it is whole with its end, and an error without."""
        sent = [chunk({"content": "Héllo"}), chunk({"content": " wörld"}), chunk({}, "stop"), chunk(usage={})]
        body = "".join(f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in sent).encode()
        end = body.index(b'"stop"') + body[body.index(b'"stop"') :].index(b"\n\n") + 2
        cut = data.draw(st.integers(0, len(body)))

        found = replayed(body[:cut], CHAT)

        check(found)
        assert isinstance(found[-1], Done) == (cut >= end)
