"""Tests of `conformance.answers`: success, refusal, or no answer to speak of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers import Answer, read_answer
from conformance.tests.building import CHAT, RESPONSES, STREAM, WHOLE, said, sse
from conformance.types import Endpoint, Mode, Request, Response

FINISHED = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
PIECE = {"choices": [{"index": 0, "delta": {"content": "O"}, "finish_reason": None}]}
USAGE = {"choices": [], "usage": {"total_tokens": 3}, "service_tier": "default"}
COMPLETED = {"type": "response.completed", "response": {"output": [], "store": None}}


def read(endpoint: Endpoint, mode: Mode, response: Response) -> Answer:
    """Read a response to an otherwise empty request."""
    return read_answer(Request("m", endpoint, mode, {}), response)


@pytest.mark.parametrize(
    ("endpoint", "mode", "body", "result"),
    [
        (CHAT, WHOLE, {"choices": []}, {"choices": []}),
        (CHAT, WHOLE, {"choices": [], "error": None}, {"choices": [], "error": None}),
        (RESPONSES, WHOLE, {"output": [], "error": None}, {"output": [], "error": None}),
        (CHAT, STREAM, sse(PIECE, FINISHED, "[DONE]"), FINISHED),
        (CHAT, STREAM, sse(PIECE, FINISHED), FINISHED),
        (CHAT, STREAM, sse(PIECE, FINISHED, USAGE, "[DONE]"), USAGE),
        (CHAT, STREAM, sse(PIECE, FINISHED, end="\r\n\r\n"), FINISHED),
        (CHAT, STREAM, sse(PIECE, FINISHED, end="\r\r"), FINISHED),
        (CHAT, STREAM, b": ping\n\nevent: x\n" + sse(FINISHED), FINISHED),
        (CHAT, STREAM, sse(FINISHED).rstrip(b"\n"), FINISHED),
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


@pytest.mark.parametrize(
    ("endpoint", "mode", "response", "status", "words"),
    [
        (CHAT, WHOLE, said({"error": {"message": "no"}}, 400), 400, '{"error": {"message": "no"}}'),
        (CHAT, WHOLE, said(b"no", 502), 502, "no"),
        (CHAT, WHOLE, said(b"", 204), None, None),
        (CHAT, WHOLE, said(b"", 302), 302, ""),
        (CHAT, STREAM, said(sse(FINISHED), 400), 400, sse(FINISHED).decode()),
        (CHAT, WHOLE, said({"error": {"message": "no", "code": 404}}), 404, '{"message": "no", "code": 404}'),
        (CHAT, WHOLE, said({"error": "no", "choices": []}), 200, '"no"'),
        (CHAT, STREAM, said({"error": {"code": "429"}}), 429, '{"code": "429"}'),
        (CHAT, STREAM, said(sse(PIECE, {"error": {"code": "400"}}, "[DONE]")), 400, '{"code": "400"}'),
        (CHAT, STREAM, said(sse(FINISHED, {"error": {"code": "x"}})), 200, '{"code": "x"}'),
        (CHAT, STREAM, said(sse({"error": {"code": True}})), 200, '{"code": true}'),
        (CHAT, STREAM, said(sse({"error": {"code": 12345}})), 200, '{"code": 12345}'),
        (RESPONSES, WHOLE, said({"error": {"code": "server_error"}}), 200, '{"code": "server_error"}'),
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
    ("endpoint", "mode", "response", "problem"),
    [
        (CHAT, WHOLE, Response(status=None, error="broken"), "broken"),
        (CHAT, WHOLE, Response(status=200, body=b'{"choices":[]}', error="cut"), "cut"),
        (CHAT, WHOLE, said(b"<html>"), "not a JSON object"),
        (CHAT, WHOLE, said([1]), "not a JSON object"),
        (CHAT, WHOLE, said(b""), "not a JSON object"),
        (CHAT, WHOLE, said({"output": []}), "no `choices`"),
        (CHAT, WHOLE, said({"choices": None}), "no `choices`"),
        (RESPONSES, WHOLE, said({"choices": []}), "no `output`"),
        (CHAT, STREAM, said(b""), "ended before"),
        (CHAT, STREAM, said(sse("[DONE]")), "ended before"),
        (CHAT, STREAM, said(sse(PIECE, "[DONE]")), "ended before"),
        (CHAT, STREAM, said(sse(PIECE) + b'data: {"choi'), "not a JSON object"),
        (CHAT, STREAM, said(sse({"choices": "x"}, {"choices": [1]})), "ended before"),
        (RESPONSES, STREAM, said(sse({"type": "response.created"})), "ended before"),
        (RESPONSES, STREAM, said(sse("[DONE]")), "ended before"),
        (RESPONSES, STREAM, said(sse("nonsense")), "not a JSON object"),
        (RESPONSES, STREAM, said(sse({"type": "response.completed", "response": None})), "ended before"),
    ],
)
def test_no_answer(endpoint: Endpoint, mode: Mode, response: Response, problem: str) -> None:
    """Given an answer that is cut, broken or of another shape, when it is read, then the problem is told."""
    answer = read(endpoint, mode, response)

    assert (answer.ok, answer.refusal, answer.result) == (False, None, None)
    assert problem in (answer.problem or "")


def _one_is_set(answer: Answer) -> bool:
    return (answer.ok, answer.refusal is not None, answer.problem is not None).count(True) == 1


_PIECES = st.sampled_from(
    [
        b"data: ",
        b"\n\n",
        b"\r",
        b"[DONE]",
        b'{"choices":[{"finish_reason":"stop"}]}',
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
