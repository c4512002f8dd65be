"""Tests of `conformance.provider.stream` on Responses: what comes twice, what is left out, and ends."""

from __future__ import annotations

from typing import Any

import pytest

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
from conformance.tests.helpers.streams import CALL, MESSAGE, REASONING, RESPONSES, SEALED, completed, done, item, told


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

    @pytest.mark.parametrize("late", [True, False])
    def test_what_comes_after_a_call_ended_is_not_added_to_it(self, late: bool) -> None:
        """Given a call that has ended, when more of its arguments come, then they are not told."""
        more = item("response.function_call_arguments.delta", 0, delta='{"x"')
        found = told(
            lambda _: events(
                item("response.output_item.added", 0, item={**CALL, "arguments": ""}),
                item("response.output_item.done", 0, item=CALL),
                *([more] if late else []),
                completed(CALL),
            ),
            RESPONSES,
        )

        assert [event for event in found if isinstance(event, ToolCallDelta)] == [ToolCallDelta(0, '{"x":1}')]
