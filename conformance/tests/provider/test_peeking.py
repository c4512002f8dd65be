"""Tests of `conformance.provider.refusals.peeking`: a refusal is told by the first event, however its lines end."""

from __future__ import annotations

import json

import pytest

from conformance.provider.refusals.peeking import Peek

HEADERS = {"content-type": "text/event-stream"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("odd", ["", "\u2028", "\u2029", "\x85", "\xa0"], ids=ascii)
def test_only_line_ends_end_lines(end: str, odd: str) -> None:
    """Given words that hold what Unicode calls a line's end, when a refusal is streamed, then it is seen whole."""
    error = json.dumps({"error": {"message": f"store:{odd} Extra inputs are not permitted"}}, ensure_ascii=False)
    peek = Peek(200, HEADERS)

    assert peek.feed(f": hello{end}{end}event: error{end}data: {error}{end}{end}".encode())
    assert peek.refusal == error
