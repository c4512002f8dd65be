"""Tests of `conformance.provider.stream`: whatever a gateway sends, the events begin, follow and end as they must."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.stream import Done
from conformance.tests.helpers import streams
from conformance.tests.helpers.streams import CALL, CHAT, MESSAGE, REASONING, RESPONSES, SEALED, check, chunk, replayed

quiet = streams.quiet
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


class TestAnything:
    """Whatever comes."""

    @given(st.lists(_CHUNKS | _ANY, max_size=6))
    def test_any_chunks(self, sent: list[Any]) -> None:
        """Given any chunks, when streamed, then the events begin, follow and end as they must."""
        body = "".join(f"data: {json.dumps(each)}\n\n" for each in sent).encode()
        check(replayed(body, CHAT))

    @given(st.lists(_EVENTS | _ANY, max_size=6))
    def test_any_responses_events(self, sent: list[Any]) -> None:
        """Given any events of Responses, when streamed, then ours begin, follow and end as they must."""
        body = "".join(f"data: {json.dumps(each)}\n\n" for each in sent).encode()
        check(replayed(body, RESPONSES))

    @given(st.binary(max_size=80), st.booleans())
    def test_any_bytes(self, content: bytes, framed: bool) -> None:
        """Given any bytes, when streamed, then the events begin, follow and end as they must."""
        check(replayed(b"data: " + content + b"\n\n" if framed else content, CHAT))

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
