"""What hostile servers and strangers' files hold: honest answers, recorded once, with anything wrong with them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from conformance.cassettes import format as cassette_format
from conformance.cassettes.format import GATEWAY_FILE
from conformance.types import Endpoint, Exchange, Mode

#: The recordings that come with the project.
SHIPPED = Path(__file__).parents[3] / "cassettes" / "embedded"

#: The recorded models that seeds are taken from: one for each way to a vendor.
_MODELS = ("claude-haiku-4-5", "gemini-2-5-flash", "gpt-5.2", "databricks-gpt-5-1")

#: How many seeds there are of one kind, and the longest of them, in bytes.
_SEEDS, _LONGEST = 12, 6000

#: Levels of nesting: few, more than is taken, around what Python reads, far past it.
DEPTHS = (3, 150, 199, 201, 400, 900, 940, 960, 970, 980, 990, 50_000)

_DEEP = re.compile(r'"@deep ([\[{])(\d+)"')


def deep(depth: int, kind: str) -> str:
    """Stands in JSON for a value of so many levels, which `text_of` writes."""
    return f"@deep {kind}{depth}"


def text_of(value: Any) -> str:
    """A value as JSON text; `NaN` and lone surrogates included."""
    return _DEEP.sub(_nested, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _nested(match: re.Match[str]) -> str:
    depth = int(match[2])
    return "[" * depth + "]" * depth if match[1] == "[" else '{"a":' * depth + "1" + "}" * depth


def content_of(value: Any) -> bytes:
    """A value as the bytes of its JSON; what no UTF-8 can say is escaped, as servers do."""
    return text_of(value).encode("utf-8", "backslashreplace")


#: Words that readers look for, as keys and as values.
WORDS = (
    *("choices", "delta", "message", "content", "tool_calls", "function", "index", "id", "arguments", "name", "usage"),
    *(
        "output",
        "type",
        "response",
        "error",
        "code",
        "param",
        "loc",
        "status",
        "data",
        "model",
        "finish_reason",
        "text",
    ),
    *("response.completed", "response.failed", "response.output_item.done", "reasoning", "function_call", "stop"),
    *("unknown_parameter", "extra_forbidden", "rate_limit_error", "server_error", "encrypted_content", "logprobs"),
    *("429", "500", "store: Extra inputs are not permitted", "Unknown parameter: 'store'.", "UnsupportedParamsError"),
)

_NUMBERS = st.sampled_from([0, -1, 1, 200, 2**31, 2**63, 2**64, 10**30, 10**400, -0.0, 0.5, 1e308, 1e-320])
_ODD_NUMBERS = st.sampled_from([float("nan"), float("inf"), float("-inf")])
_TEXTS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(["", " ", "\x00", "\ud800", "\udfff\ud800", "\u2028", "\u202e", "\x1b[2J", "x" * 3000, "\\" * 50]),
    st.text(st.characters(codec=None), max_size=8),
)
_DEEP_VALUES = st.builds(deep, st.sampled_from(DEPTHS), st.sampled_from("[{"))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 600), _NUMBERS, _ODD_NUMBERS, _TEXTS, _DEEP_VALUES)
KEYS = st.one_of(st.sampled_from(WORDS), _TEXTS)

#: Any JSON value.
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


class _Seeds(tuple[str, ...]):
    """Documents as JSON, which no failure's report need repeat."""

    def __repr__(self) -> str:
        """How many there are."""
        return f"<{len(self)} seeds>"


def mutated(seeds: Iterable[Any], most: int = 4) -> st.SearchStrategy[Any]:
    """One of the seeds, changed in up to so many places at any depth: types, keys, items."""
    return _mutated(_Seeds(map(json.dumps, seeds)), most)


@st.composite
def _mutated(draw: st.DrawFn, seeds: _Seeds, most: int) -> Any:
    value = json.loads(seeds[draw(st.integers(0, len(seeds) - 1))])
    for _ in range(draw(st.integers(0, most))):
        root = [value]
        _change(draw, root)
        value = root[0]
    return value


#: Changes that keep the types of a document come most often: they get past whoever looks at those.
_CHANGES = ("alike", "alike", "alike", "replace", "drop", "repeat", "wrap", "add")


def _change(draw: st.DrawFn, root: list[Any]) -> None:
    """Change one place in a document, however deep it lies."""
    places: list[tuple[Any, Any]] = [(root, 0)]
    for holder, step in places:  # which grows
        inner = holder[step]
        if isinstance(inner, dict | list):
            places += [(inner, each) for each in (inner if isinstance(inner, dict) else range(len(inner)))]
    holder, step = places[draw(st.integers(0, len(places) - 1))]
    change = draw(st.sampled_from(_CHANGES))
    if change == "alike":
        holder[step] = _alike(draw, holder[step])
    elif change == "drop" and holder is not root:
        del holder[step]
    elif change == "repeat" and isinstance(holder, list) and holder is not root:
        holder += [holder[step]] * draw(st.sampled_from([1, 2, 30]))
    elif change == "wrap":
        holder[step] = [holder[step]] if draw(st.booleans()) else {draw(KEYS): holder[step]}
    elif change == "add" and isinstance(holder[step], dict):
        holder[step][draw(KEYS)] = draw(ANY)
    else:
        holder[step] = draw(ANY)


def _alike(draw: st.DrawFn, value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return draw(st.sampled_from([value[: len(value) // 2], value * 2, f"{value}\n", value.upper()]) | _TEXTS)
    if isinstance(value, int | float):
        return draw(st.sampled_from([value + 1, -value, value / 2 if abs(value) < 2**64 else 0.5]) | _NUMBERS)
    if isinstance(value, list):
        return draw(st.sampled_from([value[::-1], value[1:], value * 2, []]))
    return {draw(KEYS): value, **value} if isinstance(value, dict) else draw(SCALARS)


@st.composite
def damaged(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that were cut, doubled, or have others among them, in up to two places; or that are whole."""
    content = draw(contents)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at, to = sorted((draw(st.integers(0, len(content))), draw(st.integers(0, len(content)))))
        put = draw(st.sampled_from([b"", b"\xff", b"\xc3", b"\r", b"\n\n", b"\x00", b"\xef\xbb\xbf", b'"', b"data: "]))
        content = draw(
            st.sampled_from(
                [content[:at], content[:at] + put + content[at:], content[:to] + content[at:], content[to:]]
            )
        )
    return content


@st.composite
def cut(draw: st.DrawFn, content: bytes) -> list[bytes]:
    """The pieces in which content may arrive: cut anywhere, also after each of its first bytes."""
    places = draw(st.lists(st.integers(0, len(content)) | st.integers(0, min(len(content), 4)), max_size=6))
    edges = sorted({0, len(content), *places})
    return [content[start:end] for start, end in pairwise(edges)]


@functools.cache
def recorded() -> tuple[Exchange, ...]:
    """Exchanges of the shipped recordings, of bearable size."""
    found: list[Exchange] = []
    for model in _MODELS:
        document = cassette_format.parse((SHIPPED / f"{model}.json").read_text("utf-8"))
        exchanges = (cassette_format.exchange_from(model, row) for row in document["interactions"])
        found += [each for each in exchanges if len(each.response.body) < _LONGEST]
    return tuple(found)


@functools.cache
def bodies(endpoint: Endpoint, mode: Mode, *, ok: bool) -> tuple[bytes, ...]:
    """Bodies that were recorded on an endpoint, unlike each other: successes, or refusals."""
    found = dict.fromkeys(
        each.response.body
        for each in recorded()
        if each.request.endpoint is endpoint and each.request.mode is mode and not each.request.fetch
        if (each.response.status == 200) is ok
    )
    step = max(1, len(found) // _SEEDS)
    return tuple(list(found)[::step][:_SEEDS])


@functools.cache
def _documents(endpoint: Endpoint, mode: Mode, ok: bool) -> list[Any]:
    """The same, decoded: a stream as the list of its events."""
    found: list[Any] = []
    for body in bodies(endpoint, mode, ok=ok):
        lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: {")]
        found.append([json.loads(line) for line in lines] if lines else json.loads(body))
    return found


LINE_ENDS = ("\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\n: ping\n\n", "\nid: 1\nevent: x\n\n")


def framed(events: Sequence[Any], end: str = "\n\n", last: str = "data: [DONE]\n\n") -> bytes:
    """Server-sent events of these documents."""
    return "".join(f"data: {text_of(each)}{end}" for each in events).encode("utf-8", "backslashreplace") + last.encode()


def answers(endpoint: Endpoint, mode: Mode) -> st.SearchStrategy[bytes]:
    """The body of an answer: one that was recorded, with anything wrong with it."""
    whole = mutated([*_documents(endpoint, Mode.WHOLE, True), *_documents(endpoint, Mode.WHOLE, False)])
    if mode is Mode.WHOLE:
        return damaged(whole.map(content_of))
    events = mutated(_documents(endpoint, mode, True)).map(lambda each: each if isinstance(each, list) else [each])
    lasts = st.sampled_from(["data: [DONE]\n\n", "", "data: {", "data: \n\n", 'data: {"error":{"code":"429"}}\n\n'])
    return damaged(st.builds(framed, events, st.sampled_from(LINE_ENDS), lasts) | whole.map(content_of))


def gateway_document() -> Any:
    """What lies beside the shipped recordings."""
    return json.loads((SHIPPED / GATEWAY_FILE).read_text("utf-8"))


STATUSES = st.sampled_from([200, 200, 200, 200, 400, 400, 422, 401, 404, 429, 500, 503, 204, 302, 999, 100])
_HEADER_NAMES = (
    *("retry-after", "llm_provider-retry-after", "date", "content-type", "x-litellm-model-id", "x-litellm-version"),
    *("llm_provider-x-request-id", "x-litellm-response-cost", "x-ratelimit-remaining-tokens", "server"),
)
HEADERS = st.dictionaries(
    st.sampled_from(_HEADER_NAMES),
    st.sampled_from(["0", "5", "-1", "1e999", "9" * 200, "nan", "", "Sun, 06 Nov 1994 08:49:37 GMT", "\udcff"])
    | st.from_regex(r"[A-Za-z]{3}, \d\d [A-Za-z]{3} \d{4} \d\d:\d\d:\d\d GMT", fullmatch=True)
    | st.text(max_size=6),
    max_size=3,
)
