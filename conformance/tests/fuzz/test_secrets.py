"""Fuzzing of the scrubber: whatever a key is told in, and however that is cut, none of it is left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conformance.secrets.scrubbing import REPLACEMENT, Scrubber
from conformance.tests.fuzz.strategies import LINE_ENDS, answers, framed, mutated
from conformance.types import Endpoint, Mode

KEY = "sk-a/Key+that=must-not-show"
WAYS = [(endpoint, mode) for endpoint in Endpoint for mode in Mode]

#: Shapes of events that a piece of text comes in, `@` where it stands.
SHAPES: list[Any] = [
    {"choices": [{"index": 0, "delta": {"content": "@"}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "@"}}]}}]},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "@"},
    {"a": [[[[{"b": "@"}]]]]},
]


def pieces_of(shape: Any, texts: list[str]) -> list[Any]:
    """The events that tell these texts in one shape."""
    return [json.loads(json.dumps(shape).replace('"@"', json.dumps(text))) for text in texts]


def read(line: str) -> Any:
    """An event; None for one that nests too deep for anybody to read it."""
    try:
        return json.loads(line)
    except RecursionError:
        return None


def texts_in(scrubbed: str, shape: Any) -> str:
    """What the events of one shape tell together."""
    before, after = json.dumps(shape, separators=(",", ":")).split('"@"')
    told = [line[6:] for line in scrubbed.replace("\r", "\n").split("\n") if line.startswith("data: {")]
    whole = [json.dumps(event, separators=(",", ":")) for event in map(read, told)]
    return "".join(
        json.loads(line[len(before) : len(line) - len(after)])
        for line in whole
        if line.startswith(before) and line.endswith(after)
    )


@given(st.data(), st.sampled_from(SHAPES), st.sampled_from(LINE_ENDS), st.text('abc \n"é', max_size=12))
def test_a_key_in_any_pieces(data: st.DataObject, shape: Any, end: str, around: str) -> None:
    """Given a key told in any pieces, among other events, when scrubbed, then the pieces hold the rest alone."""
    text = f"{around}({KEY}){around}({KEY})"
    places = sorted(data.draw(st.lists(st.integers(1, len(text)), max_size=8)))
    texts = [text[start:stop] for start, stop in zip([0, *places], [*places, len(text)], strict=True)]
    events = pieces_of(shape, texts)
    for _ in range(data.draw(st.integers(0, 3))):
        events.insert(
            data.draw(st.integers(0, len(events))), data.draw(mutated([{"usage": {"total": 1}}, ["x"], {}], 1))
        )
    scrubber = Scrubber([KEY])

    scrubbed = scrubber.body(framed(events, end)).decode("utf-8", "surrogateescape")

    assert KEY not in texts_in(scrubbed, shape)
    assert not scrubber.holds_secret(scrubbed)
    assert scrubber.body(scrubbed.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape") == scrubbed


@given(st.data(), st.sampled_from(WAYS), st.integers(0, 10_000))
def test_a_key_in_any_answer(data: st.DataObject, way: tuple[Endpoint, Mode], place: int) -> None:
    """Given any answer with the key somewhere in it, when it is scrubbed, then it is gone, and the rest settles."""
    body = data.draw(answers(*way))
    place = place % (len(body) + 1)
    scrubber = Scrubber([KEY], ["http://gateway.example"])
    scrubbed = scrubber.body(body[:place] + KEY.encode() + body[place:])

    assert KEY.encode() not in scrubbed
    assert REPLACEMENT.encode() in scrubbed
    assert scrubber.body(scrubbed) == scrubbed


@given(st.data(), st.sampled_from(WAYS))
def test_an_answer_without_a_key(data: st.DataObject, way: tuple[Endpoint, Mode]) -> None:
    """Given any answer that no secret is in, when it is scrubbed, then it is as it was."""
    body = data.draw(answers(*way))
    assume(Scrubber().text(body.decode("utf-8", "surrogateescape")) == body.decode("utf-8", "surrogateescape"))

    assert Scrubber(["a-key-that-is-nowhere"]).body(body) == body


@pytest.mark.parametrize("end", LINE_ENDS)
def test_pieces_whatever_ends_their_lines(end: str) -> None:
    """Given a stream whose lines end with either character or both, when scrubbed, then a key in pieces is gone."""
    texts = [KEY[at : at + 3] for at in range(0, len(KEY), 3)]

    scrubbed = Scrubber([KEY]).body(framed(pieces_of(SHAPES[0], texts), end)).decode()

    assert texts_in(scrubbed, SHAPES[0]) == REPLACEMENT
