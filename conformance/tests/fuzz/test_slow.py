"""What takes long: megabytes that make a reader go over them again and again. None of ours does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.answers import dialects
from conformance.answers.reading import read_answer
from conformance.exchange.sender import MAX_BODY
from conformance.provider.rate_limits import named_wait, parse_rate_limit_error
from conformance.provider.stream.chat import ChatReader
from conformance.provider.stream.draft import Draft
from conformance.secrets.scrubbing import Scrubber
from conformance.tests.fuzz.strategies import framed
from conformance.tests.helpers.building import CHAT, RESPONSES, STREAM, WHOLE
from conformance.tests.helpers.effort import effort
from conformance.types import Request, Response

pytestmark = pytest.mark.slow

#: What the inputs measure: as much as an answer may have where that takes a second, else less of it.
LARGE, MIDDLE, SMALL = MAX_BODY, MAX_BODY // 2, MAX_BODY // 8

#: Most that one of these may be, as `effort` measures. What was quadratic was thousands.
MOST = 100.0

FINISHED = framed([{"choices": [{"finish_reason": "stop"}]}])


def deltas(size: int, *each: Any) -> bytes:
    """A chat stream of these deltas again and again."""
    pieces = b"".join(framed([{"choices": [{"delta": delta}]}], last="") for delta in each)
    return pieces * (size // len(pieces)) + FINISHED


def calls(names: list[str]) -> dict[str, Any]:
    """A delta of many pieces of calls, each with another index."""
    return {"tool_calls": [{"index": number, "id": name} for number, name in enumerate(names)]}


def numbered(size: int, shape: str) -> bytes:
    """Events of one shape, each with another number in it."""
    return "".join(shape.replace("@", f"{number:06}") for number in range(size // (len(shape) + 5))).encode()


ANSWERS: dict[str, Callable[[], bytes]] = {
    "texts": lambda: deltas(LARGE, {"content": "x" * 40}),
    "lists": lambda: deltas(MIDDLE, {"content": [1] * 20}),
    "lists and texts": lambda: deltas(SMALL, {"content": ["a"]}, {"content": "a"}),
    "arguments": lambda: deltas(MIDDLE, {"tool_calls": [{"index": 0, "function": {"arguments": "x" * 40}}]}),
    "calls": lambda: deltas(MIDDLE, calls([str(number) for number in range(1000)])),
    "unlike calls": lambda: deltas(SMALL, calls(["a"] * (SMALL // 30))),
    "choices": lambda: framed([{"choices": [{"index": n, "finish_reason": "x"} for n in range(SMALL // 40)]}]),
    "line ends": lambda: b"\n" * SMALL,
    "data": lambda: b"data:\n" * (SMALL // 6),
    "brackets": lambda: b'{"choices":[' + b"[]," * (SMALL // 6) + b"[]]}",
    "open brackets": lambda: b"[{" * (LARGE // 2),
    "digits": lambda: b'{"choices":[' + b"9" * LARGE + b"]}",
    "decimals": lambda: b'{"choices":[1.' + b"9" * LARGE + b"]}",
    "error": lambda: b'{"error":"' + b"x" * LARGE + b'"}',
}


@pytest.mark.parametrize("content", ANSWERS.values(), ids=ANSWERS)
def test_answers(content: Callable[[], bytes]) -> None:
    """Given a large answer of the worst kind, when it is read in any way, then it is gone over a few times."""
    body = content()

    def read() -> None:
        for endpoint, mode in ((CHAT, STREAM), (RESPONSES, WHOLE)):
            answer = read_answer(Request("m", endpoint, mode, {}), Response(status=200, body=body))
            dialects.summary(answer.refusal or "")
        named_wait(body)
        parse_rate_limit_error(body, status=429)

    assert effort(read) < MOST


SECRETS: dict[str, Callable[[], bytes]] = {
    "in each event": lambda: numbered(SMALL, 'data: {"a":"sk-aaaaaaaa@ "}\n'),
    "in pieces": lambda: numbered(SMALL, 'data: {"a":"sk-aa"}\ndata: {"a":"aaaaaaaa@ "}\n'),
    "deep": lambda: b'data: {"a":' + b"[" * 900 + b'"x",' * 50_000 + b'"y"' + b"]" * 900 + b"}\ndata: {}\n",
    "braces": lambda: b"{" + b"}" * SMALL + b"x\n{}",
    "brace and spaces": lambda: (b"{}" + b" " * 5000 + b"x\n") * (SMALL // 5000),
    "line ends": lambda: b"\r\n" * (SMALL // 2),
}


@pytest.mark.parametrize("content", SECRETS.values(), ids=SECRETS)
def test_scrubbing(content: Callable[[], bytes]) -> None:
    """Given a large answer of the worst kind, when it is scrubbed, then it is gone over a few times."""
    body = content()
    assert effort(lambda: Scrubber(["sk-some-secret-key", "http://h"]).body(body)) < MOST


def test_a_deep_path_is_no_longer_than_any() -> None:
    """Given many texts in a deep place, when they are scrubbed, then memory grows with them, and not with the depth."""
    body = SECRETS["deep"]()
    tracemalloc.start()
    try:
        Scrubber(["sk-some-secret-key"]).body(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 100 * 2**20


def test_thinking_in_pieces() -> None:
    """Given thinking that comes in 100,000 pieces, when the provider reads it, then each is read once, and all kept."""
    draft = Draft()
    reader = ChatReader(draft)
    block = {"type": "thinking", "thinking": "x" * 40}
    delta = SimpleNamespace(model_extra={"thinking_blocks": [block]}, content=None, refusal=None, tool_calls=None)
    chunk = SimpleNamespace(usage=None, choices=[SimpleNamespace(delta=delta, finish_reason=None)])

    assert effort(lambda: [*chain.from_iterable(reader.feed(chunk) for _ in range(100_000))]) < MOST
    assert draft.message()["thinking_blocks"] == [{"type": "thinking", "thinking": "x" * 4_000_000}]
