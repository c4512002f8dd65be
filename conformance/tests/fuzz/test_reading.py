"""Fuzzing of answers: what is read out of them, and what they cost."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers import dialects
from conformance.answers.reading import Answer, read_answer
from conformance.exchange.budget import Budget, Price
from conformance.tests.fuzz.strategies import (
    DEPTHS,
    HEADERS,
    LINE_ENDS,
    STATUSES,
    answers,
    bodies,
    content_of,
    deep,
    framed,
)
from conformance.tests.helpers.building import CHAT, RESPONSES, STREAM, WHOLE
from conformance.text.nesting import MAX_LEVELS
from conformance.types import Endpoint, Mode, Request, Response

WAYS = [(endpoint, mode) for endpoint in Endpoint for mode in Mode]
PRICES = {"m": Price(0.000_001, 0.000_002)}


def read(endpoint: Endpoint, mode: Mode, body: bytes, status: int = 200) -> Answer:
    """Read a body as an answer."""
    return read_answer(Request("m", endpoint, mode, {}), Response(status=status, body=body))


def check(answer: Answer) -> None:
    """What holds for every answer that was read."""
    assert (answer.ok, answer.refusal is not None, answer.problem is not None).count(True) == 1
    assert (answer.result is not None) is answer.ok
    json.dumps(answer.result)
    refusal = answer.refusal or ""
    assert len(dialects.summary(refusal)) <= 301
    assert dialects.summary(refusal).isprintable()
    dialects.spoken_by(refusal, {})
    dialects.whole_fields(refusal)
    dialects.refuses_field(refusal)


@given(st.data(), st.sampled_from(WAYS), STATUSES, HEADERS)
def test_any_answer(data: st.DataObject, way: tuple[Endpoint, Mode], status: int, headers: dict[str, str]) -> None:
    """Given an honest answer with anything wrong with it, when it is read, then it is one thing, and has a cost."""
    endpoint, mode = way
    body = data.draw(answers(endpoint, mode))
    request, response = Request("m", endpoint, mode, {}), Response(status=status, headers=headers, body=body)

    answer = read_answer(request, response)
    check(answer)

    budget = Budget(usd=1.0, prices=PRICES)
    budget.begin(request)
    budget.end(request, response, answer)
    assert budget.spent >= 0
    assert not math.isnan(budget.spent)


@given(st.sampled_from([CHAT, RESPONSES]), st.data(), st.sampled_from(LINE_ENDS))
def test_framing_does_not_matter(endpoint: Endpoint, data: st.DataObject, end: str) -> None:
    """Given a recorded stream, when its lines end in another way, then it reads the same."""
    body = data.draw(st.sampled_from(bodies(endpoint, STREAM, ok=True)))
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]

    assert read(endpoint, STREAM, framed(events, end)) == read(endpoint, STREAM, body)


_VALUES = st.one_of(
    st.text(st.characters(codec=None), max_size=4),
    st.lists(st.integers(0, 3) | st.text(max_size=2), max_size=3),
    st.sampled_from([None, 7, True, {"a": 1}]),
)
_CALLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "index": st.sampled_from([0, 1, "0", None]),
            "id": st.sampled_from(["a", "b", "", None]),
            "function": st.fixed_dictionaries(
                {},
                optional={"name": st.sampled_from(["f", "", None]), "arguments": st.sampled_from(["{", "}", 7, None])},
            ),
        },
    ),
    max_size=3,
)
_DELTAS = st.fixed_dictionaries(
    {}, optional={"content": _VALUES, "reasoning_content": _VALUES, "role": st.just("assistant"), "tool_calls": _CALLS}
)


def grown(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """What deltas add up to, piece by piece: slowly, and so plainly that it can be read."""
    message: dict[str, Any] = {}
    for name, value in ((name, value) for delta in deltas for name, value in delta.items() if value is not None):
        before: Any = message.get(name)
        if name == "tool_calls":
            calls = message.setdefault(name, [])
            for piece in value:
                index, call_id = piece.get("index"), piece.get("id")
                fits = (c for c in reversed(calls) if c["index"] == index and call_id in (None, "", c["id"]))
                call = next(fits, None)
                if call is None:
                    call = {"index": index, "id": call_id, "function": {"name": "", "arguments": ""}}
                    calls.append(call)
                function = piece.get("function", {})
                call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
                arguments = function.get("arguments")
                call["function"]["arguments"] += arguments if isinstance(arguments, str) else ""
        elif name == "content" and {type(before), type(value)} == {str, list}:
            parts = [each if isinstance(each, list) else [{"type": "text", "text": each}] for each in (before, value)]
            message[name] = parts[0] + parts[1]
        elif type(before) is type(value) and isinstance(value, str | list) and name != "role":
            message[name] = before + value
        else:
            message[name] = value
    return message


@given(st.lists(_DELTAS, min_size=1, max_size=8))
def test_deltas_add_up(deltas: list[dict[str, Any]]) -> None:
    """Given any deltas, when their stream is read, then the message is what they add up to one by one."""
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    answer = read(CHAT, STREAM, framed([*chunks, {"choices": [{"index": 0, "finish_reason": "stop"}]}]))

    assert answer.result is not None
    assert answer.result["choices"][0]["message"] == grown(deltas)


@pytest.mark.parametrize("kind", "[{")
def test_deep_results(kind: str) -> None:
    """Given an answer that nests deep, when it is read, then no result comes of it that could not be written."""
    for depth in {*DEPTHS, *range(880, 1000)}:
        answer = read(RESPONSES, WHOLE, content_of({"output": [deep(depth, kind)]}))

        check(answer)
        assert answer.ok is (depth + 2 <= MAX_LEVELS)
        check(read(RESPONSES, WHOLE, content_of({"error": deep(depth, kind)})))
