"""Tests of `conformance.answers.reading`: success, refusal, or no answer to speak of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers.reading import Answer, read_answer
from conformance.tests.helpers.building import CHAT, RESPONSES, STREAM, WHOLE, said, sse
from conformance.types import Cause, Endpoint, Mode, Request, Response

FINISHED = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
PIECE = {"choices": [{"index": 0, "delta": {"content": "O"}, "finish_reason": None}]}
USAGE = {"choices": [], "usage": {"total_tokens": 3}, "service_tier": "default"}
WHOLE_OK = {"choices": [{"index": 0, "message": {"content": "O"}, "finish_reason": "stop"}]}
WHOLE_EMPTY = {"choices": [{"index": 0, "message": {}, "finish_reason": "stop"}]}
COMPLETED = {"type": "response.completed", "response": {"output": [], "store": None}}


def read(endpoint: Endpoint, mode: Mode, response: Response) -> Answer:
    """Read a response to an otherwise empty request."""
    return read_answer(Request("m", endpoint, mode, {}), response)


@pytest.mark.parametrize(
    ("endpoint", "mode", "body", "result"),
    [
        (CHAT, WHOLE, FINISHED, FINISHED),
        (CHAT, WHOLE, {**FINISHED, "error": None}, {**FINISHED, "error": None}),
        (RESPONSES, WHOLE, {"output": [], "error": None}, {"output": [], "error": None}),
        (CHAT, STREAM, sse(PIECE, FINISHED, "[DONE]"), WHOLE_OK),
        (CHAT, STREAM, sse(PIECE, FINISHED), WHOLE_OK),
        (CHAT, STREAM, sse(PIECE, FINISHED, USAGE, "[DONE]"), {**USAGE, **WHOLE_OK}),
        (CHAT, STREAM, sse(PIECE, FINISHED, end="\r\n\r\n"), WHOLE_OK),
        (CHAT, STREAM, sse(PIECE, FINISHED, end="\r\r"), WHOLE_OK),
        (CHAT, STREAM, b": ping\n\nevent: x\n" + sse(FINISHED), WHOLE_EMPTY),
        (CHAT, STREAM, sse(FINISHED).rstrip(b"\n"), WHOLE_EMPTY),
        (CHAT, STREAM, b'data: {"choices":\ndata: [{"finish_reason":"stop"}]}\n\n', None),
        (CHAT, STREAM, 'data: {"choices":[{"finish_reason":"stop"}],"x":"\u2028"}\n\n'.encode(), None),
        (CHAT, STREAM, FINISHED, FINISHED),
        (RESPONSES, STREAM, sse({"type": "response.created"}, COMPLETED), COMPLETED["response"]),
        (RESPONSES, STREAM, sse(COMPLETED, "[DONE]"), COMPLETED["response"]),
        (RESPONSES, STREAM, sse({"type": "response.incomplete", "response": {"output": []}}), {"output": []}),
    ],
)
def test_success(endpoint: Endpoint, mode: Mode, body: Any, result: Any) -> None:
    """Given a whole answer in any form of its endpoint, when it is read, then it is a success."""
    answer = read(endpoint, mode, said(body))

    assert (answer.ok, answer.status, answer.refusal, answer.problem) == (True, 200, None, None)
    assert answer.result is not None
    assert result is None or answer.result == result


def _delta(index: int | None = 0, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta} if index is None else {"index": index, "delta": delta}]}


def _call(index: int, name: str | None = None, arguments: str = "", **more: Any) -> dict[str, Any]:
    return {"index": index, "function": {"name": name, "arguments": arguments}, **more}


_LOGPROB = {"token": "O", "logprob": -0.1}


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([_delta(role="assistant", content=""), _delta(role="assistant", content="O"), _delta(content="K")], "OK"),
        ([_delta(content=None), _delta(None, content="O"), _delta(content="K")], "OK"),
        (
            [_delta(content=[{"type": "reasoning"}]), _delta(content="O"), _delta(content=[{"type": "text"}])],
            [{"type": "reasoning"}, {"type": "text", "text": "O"}, {"type": "text"}],
        ),
        ([_delta(content="O"), {"choices": [{"index": 0, "delta": None}]}, {"choices": None}, {"choices": [7]}], "O"),
        ([_delta(content="O"), _delta(content=7)], 7),
    ],
)
def test_text_of_a_chat_stream(chunks: list[Any], message: Any) -> None:
    """Given chunks of one choice, when the stream is read, then its message is what they add up to."""
    result = read(CHAT, STREAM, said(sse(*chunks, FINISHED))).result

    assert result is not None
    assert result["choices"][0]["message"]["content"] == message
    assert result["choices"][0]["message"].get("role") in (None, "assistant")


def test_choices_of_a_chat_stream() -> None:
    """Given chunks of several choices in any order, when the stream is read, then each choice has its own."""
    chunks = [
        _delta(1, content="B"),
        _delta(0, content="A", reasoning_content="We"),
        _delta(0, reasoning_content="ll"),
        {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [_LOGPROB]}}]},
        {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [_LOGPROB]}, "finish_reason": "length"}]},
        {"choices": [{"index": 1, "delta": {}, "logprobs": None, "finish_reason": "stop"}], "usage": None},
        {"choices": [], "usage": {"total_tokens": 3}, "id": "x"},
        {"choices": [], "usage": None},
    ]

    assert read(CHAT, STREAM, said(sse(*chunks))).result == {
        "id": "x",
        "usage": {"total_tokens": 3},
        "choices": [
            {
                "index": 0,
                "message": {"content": "A", "reasoning_content": "Well"},
                "logprobs": {"content": [_LOGPROB, _LOGPROB]},
                "finish_reason": "length",
            },
            {"index": 1, "message": {"content": "B"}, "finish_reason": "stop"},
        ],
    }


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([_call(0, "f", id="a"), _call(0, None, "{"), _call(0, None, "}")], [("a", "f", "{}")]),
        ([_call(0, "f", "{}", id="a"), _call(1, "g", "{", id="b"), _call(1, None, "}")], ["f", "g"]),
        ([_call(0, "f", "{", id="a"), _call(0, "f", "}", id="a")], [("a", "f", "{}")]),
        ([_call(0, "f", "{}", id="a"), _call(0, "f", "{}", id="b")], ["f", "f"]),
        ([{"index": 0, "id": "a", "function": 7}, {"index": 0, "function": {"arguments": 7}}], [("a", "", "")]),
    ],
)
def test_tool_calls_of_a_chat_stream(pieces: list[Any], calls: list[Any]) -> None:
    """Given pieces of tool calls, when the stream is read, then each call is whole, and there are as many as made."""
    result = read(CHAT, STREAM, said(sse(*(_delta(tool_calls=[piece]) for piece in pieces), FINISHED))).result

    assert result is not None
    found = result["choices"][0]["message"]["tool_calls"]
    names = [each if isinstance(each, str) else each[1] for each in calls]
    assert [call["function"]["name"] for call in found] == names
    for call, wanted in zip(found, calls, strict=True):
        whole = (call["id"], call["function"]["name"], call["function"]["arguments"])
        assert isinstance(wanted, str) or whole == wanted


@pytest.mark.parametrize(
    ("endpoint", "mode", "response", "status", "words"),
    [
        (CHAT, WHOLE, said({"error": {"message": "no"}}, 400), 400, '{"error": {"message": "no"}}'),
        (CHAT, WHOLE, said(b"no", 502), 502, "no"),
        (CHAT, WHOLE, said(b"", 204), None, None),
        (CHAT, WHOLE, said(b"", 302), None, None),
        (CHAT, STREAM, said(sse(FINISHED), 400), 400, sse(FINISHED).decode()),
        (CHAT, WHOLE, said({"error": {"message": "no", "code": 404}}), 404, '{"message": "no", "code": 404}'),
        (CHAT, WHOLE, said({"error": "no", "choices": []}), 200, '"no"'),
        (CHAT, STREAM, said({"error": {"code": "429"}}), 429, '{"code": "429"}'),
        (CHAT, STREAM, said(sse(PIECE, {"error": {"code": "400"}}, "[DONE]")), 400, '{"code": "400"}'),
        (CHAT, STREAM, said(sse(FINISHED, {"error": {"code": "x"}})), 200, '{"code": "x"}'),
        (CHAT, STREAM, said(sse({"error": {"code": True}})), 200, '{"code": true}'),
        (CHAT, STREAM, said(sse({"error": {"code": 12345}})), 200, '{"code": 12345}'),
        (RESPONSES, WHOLE, said({"error": {"code": "server_error"}}), 500, '{"code": "server_error"}'),
        (
            RESPONSES,
            STREAM,
            said(sse({"type": "response.failed", "response": {"error": {"code": "400"}}})),
            400,
            '{"code": "400"}',
        ),
        (RESPONSES, STREAM, said(sse({"type": "response.failed"})), 200, '{"type": "response.failed"}'),
        (RESPONSES, STREAM, said(sse({"type": "error", "code": "400"})), 400, '{"type": "error", "code": "400"}'),
        (RESPONSES, STREAM, said(sse({"error": {"code": 500}})), 500, '{"code": 500}'),
    ],
)
def test_refusal(endpoint: Endpoint, mode: Mode, response: Response, status: int | None, words: str | None) -> None:
    """Given an error, also one inside a clean 200, when it is read, then its words and status are told."""
    answer = read(endpoint, mode, response)

    assert not answer.ok
    if words is None:
        assert answer.problem is not None
    else:
        assert (answer.status, answer.refusal, answer.problem) == (status, words, None)


@pytest.mark.parametrize(
    ("endpoint", "mode", "response", "problem", "cause"),
    [
        (CHAT, WHOLE, Response(status=None, error="broken"), "broken", Cause.NO_ANSWER),
        (CHAT, WHOLE, Response(status=None, error="late", cause=Cause.TIMED_OUT), "late", Cause.TIMED_OUT),
        (CHAT, WHOLE, Response(status=200, body=b'{"choices":[]}', error="cut"), "cut", Cause.CUT_OFF),
        (CHAT, WHOLE, said(b"<html>"), "not a JSON object", Cause.UNREADABLE),
        (CHAT, WHOLE, said([1]), "not a JSON object", Cause.UNREADABLE),
        (CHAT, WHOLE, said(b""), "not a JSON object", Cause.UNREADABLE),
        (CHAT, WHOLE, said({"output": []}), "no `choices`", Cause.UNREADABLE),
        (CHAT, WHOLE, said({"choices": None}), "no `choices`", Cause.UNREADABLE),
        (RESPONSES, WHOLE, said({"choices": []}), "no `output`", Cause.UNREADABLE),
        (CHAT, STREAM, said(b""), "ended before", Cause.CUT_OFF),
        (CHAT, STREAM, said(sse("[DONE]")), "ended before", Cause.CUT_OFF),
        (CHAT, STREAM, said(sse(PIECE, "[DONE]")), "ended before", Cause.CUT_OFF),
        (CHAT, STREAM, said(sse(PIECE) + b'data: {"choi'), "not a JSON object", Cause.UNREADABLE),
        (CHAT, STREAM, said(sse({"choices": "x"}, {"choices": [1]})), "ended before", Cause.CUT_OFF),
        (RESPONSES, STREAM, said(sse({"type": "response.created"})), "ended before", Cause.CUT_OFF),
        (RESPONSES, STREAM, said(sse("[DONE]")), "ended before", Cause.CUT_OFF),
        (RESPONSES, STREAM, said(sse("nonsense")), "not a JSON object", Cause.UNREADABLE),
        (RESPONSES, STREAM, said(sse({"type": "response.completed", "response": None})), "ended before", Cause.CUT_OFF),
    ],
)
def test_no_answer(endpoint: Endpoint, mode: Mode, response: Response, problem: str, cause: Cause) -> None:
    """Given an answer that is cut, broken or of another shape, when it is read, then problem and kind are told."""
    answer = read(endpoint, mode, response)

    assert (answer.ok, answer.refusal, answer.result) == (False, None, None)
    assert problem in (answer.problem or "")
    assert answer.cause is cause


def _one_is_set(answer: Answer) -> bool:
    return (answer.ok, answer.refusal is not None, answer.problem is not None).count(True) == 1


_PIECES = st.sampled_from(
    [
        b"data: ",
        b"\n\n",
        b"\r",
        b"[DONE]",
        b'{"choices":[{"finish_reason":"stop"}]}',
        b'{"choices":[{"index":1e9,"delta":{"content":[1],"tool_calls":[{"index":[]},{"id":{}},2]}}]}',
        b'{"choices":[{"index":true,"delta":{"content":"x","tool_calls":{}},"logprobs":{"content":[1]}},[]]}',
        b'{"error":{"code":"\\ud800"}}',
        b'{"error":{"code":[]}}',
        b'{"type":"response.failed","response":[]}',
        b'{"type":[],"response":{}}',
        b"{",
        b"\xff",
        b"\xef\xbb\xbf",
        b"1e999",
    ]
)


@given(
    st.sampled_from(Endpoint),
    st.sampled_from(Mode),
    st.none() | st.integers(100, 599),
    st.binary(max_size=100) | st.lists(_PIECES, max_size=12).map(b"".join),
)
def test_any_answer_is_one_thing(endpoint: Endpoint, mode: Mode, status: int | None, body: bytes) -> None:
    """Given any bytes, when they are read, then they are exactly one of success, refusal and problem."""
    assert _one_is_set(read(endpoint, mode, Response(status=status, body=body)))


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("mode", Mode)
def test_deep_errors(endpoint: Endpoint, mode: Mode) -> None:
    """Given errors nested around Python's limit, when they are read, then nothing raises."""
    for depth in (*range(850, 1010), 100_000):
        body = b'{"error":' + b"[" * depth + b"]" * depth + b"}"
        assert _one_is_set(read(endpoint, mode, said(body)))
        assert _one_is_set(read(endpoint, mode, said(b"data: " + body)))
