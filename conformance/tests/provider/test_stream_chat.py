"""Tests of `conformance.provider.stream` on Chat Completions: text, thinking, calls, cost and ends."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from conformance.provider.models import Cost
from conformance.provider.stream import (
    Done,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
)
from conformance.tests.helpers.gateways import events
from conformance.tests.helpers.streams import CHAT, chunk, done, model, piece, told

PRICES = Cost(1.0, 10.0, 0.1, 2.0)


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
