"""Tests of `conformance.answers.messages`: what the events of a message add up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers.reading import Answer, read_answer
from conformance.tests.helpers.building import MESSAGES, STREAM, WHOLE, said, sse
from conformance.types import Cause, Mode, Request

START = {
    "type": "message_start",
    "message": {"type": "message", "id": "msg_1", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
}
ENDING = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}}
STOP = {"type": "message_stop"}


def read(body: Any, mode: Mode = STREAM, *, door: str = "") -> Answer:
    """Read a body that answers an otherwise empty request."""
    return read_answer(Request("m", MESSAGES, mode, {}, door=door), said(body))


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def test_blocks_are_put_together() -> None:
    """Given a stream of three blocks, when it is read, then the message holds each whole, and the last counts."""
    events = [
        START,
        {"type": "ping"},
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "One, "},
            {"type": "thinking_delta", "thinking": "two."},
            {"type": "signature_delta", "signature": "s1"},
        ),
        *block(
            1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "O"}, {"type": "text_delta", "text": "K"}
        ),
        *block(
            2,
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"city": '},
            {"type": "input_json_delta", "partial_json": '"Paris"}'},
        ),
        {**ENDING, "context_management": {"applied_edits": []}},
        STOP,
    ]

    result = read(sse(*events)).result

    assert result is not None
    assert result["content"] == [
        {"type": "thinking", "thinking": "One, two.", "signature": "s1"},
        {"type": "text", "text": "OK"},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
    ]
    assert result["usage"] == {"input_tokens": 9, "output_tokens": 7}
    assert (result["stop_reason"], result["context_management"]) == ("tool_use", {"applied_edits": []})


@pytest.mark.parametrize(
    ("body", "ok", "cause"),
    [
        (sse(START, ENDING), True, None),
        (sse(START, STOP, "[DONE]"), True, None),
        (sse(START), False, Cause.CUT_OFF),
        (b"data: {\n\n", False, Cause.UNREADABLE),
        (sse(START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), False, None),
    ],
)
def test_how_a_stream_ends(body: bytes, ok: bool, cause: Cause | None) -> None:
    """Given a stream that ends in one way or another, when it is read, then only a whole one is a success."""
    answer = read(body)

    assert (answer.ok, answer.cause) == (ok, cause)
    assert (answer.status == 529) is (not ok and cause is None)


def test_whole_answers() -> None:
    """Given whole answers, when they are read, then a message needs content, and a count of tokens a number."""
    assert read({"type": "message", "content": []}, WHOLE).ok
    assert read({"type": "message"}, WHOLE).problem == "the answer has no `content`"
    assert read({"type": "error", "error": {"type": "invalid_request_error"}}, WHOLE).refusal is not None
    assert read({"input_tokens": 9}, WHOLE, door="/count_tokens").ok
    assert not read({"content": []}, WHOLE, door="/count_tokens").ok


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "input"]), inner),
    max_leaves=8,
)
_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*(event["type"] for event in block(0, {}, {})), "message_start", "message_delta", "x"])},
    optional=dict.fromkeys(("index", "delta", "content_block", "message", "usage", "error"), _JSON),
)


@given(st.lists(_EVENTS, max_size=8))
def test_any_events(events: list[dict[str, Any]]) -> None:
    """Given any events, when a stream of them is read, then nothing raises, and one thing is said of it."""
    answer = read(sse(*events, STOP))

    assert [answer.ok, answer.refusal is not None, answer.problem is not None].count(True) == 1
