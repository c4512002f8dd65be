"""Fuzzing of repairs: whatever a gateway says, and how often, they end soon and leave the request what it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.provider.refusals.dialects import read_refusal
from conformance.provider.repair import Repair, RepairMode
from conformance.provider.repair.learned import FILE
from conformance.provider.repair.tracing import trace, values_at
from conformance.provider.table import Question, shipped_table_path
from conformance.provider.transport import FilteringTransport
from conformance.provider.transport.request_filter import RequestFilter
from conformance.schemas import first_error
from conformance.tests.helpers.effort import effort
from conformance.tests.helpers.mending import NOTHING

VECTORS = json.loads((shipped_table_path().parent / "repair" / "repair_vectors.json").read_text(encoding="utf-8"))
REQUESTS: dict[str, dict[str, Any]] = VECTORS["requests"]

#: What no refusal may take away.
ESSENTIAL = ("model", "messages", "input", "stream", "tools")

NAMES = [
    *sorted({*REQUESTS["chat_completions"], *REQUESTS["responses"]}),
    "tools.0.function.name", "tools[0].type", "messages.0.content", "messages[0].role", "input[0].id", "input", "",
    "tools.0.custom.strict", "body", "body.body.body", "[0]", "....", "metadata.a", "a" * 5_000, "messages." * 500,
    "promptCacheKey", "role", "content", "name", "type", "parameters", "\ud800", "store:true", "a+b", "*", "__proto__",
]  # fmt: skip
FORMS = (
    "{}: Extra inputs are not permitted", "Unknown parameter: '{}'.", "Unsupported value: '{}' does not support x.",
    "does not support parameters: ['{}']", "property '{}' is unsupported", 'json: unknown field "{}"',
    "Unsupported value: '{}'. Supported values are: '1', 'low', and 'system'.",
    "`{}` and `model` cannot both be specified",
    "got an unexpected keyword argument '{}'", "extraneous key [{}] is not permitted", "{}",
)  # fmt: skip
SAID = (
    st.builds(str.format, st.sampled_from(FORMS), st.sampled_from(NAMES))
    | st.sampled_from([row["refusal"]["text"] for row in VECTORS["refusals"]])
    | st.text(max_size=50)
)
#: Requests with anything inside, by names that refusals have, too.
ODD = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        max_leaves=10,
    ),
    max_size=5,
)
STATUSES = st.sampled_from([400, 404, 422, 500, 503, 401, 429])


@given(
    st.sampled_from(sorted(REQUESTS)),
    st.lists(st.tuples(STATUSES, SAID), min_size=1, max_size=12),
    st.sampled_from(["named", "search"]),
)
def test_every_repair_ends(endpoint: str, said: Sequence[tuple[int, str]], mode: RepairMode) -> None:
    """Given one refusal after another, when each is mended, then bodies differ, are few, and stay the same request."""
    body = REQUESTS[endpoint]
    before = json.dumps(body)
    repair = Repair(body, body, Question("m", endpoint, "stream"), NOTHING, mode)
    sent = [before]
    for status, text in said:
        made = repair.next_body(status, text)
        if made is None:
            break
        sent.append(json.dumps(made))
        for name in ESSENTIAL:
            assert (name in made) == (name in body)
        turns = "input" if endpoint == "responses" else "messages"
        assert [_unmarked(item.get("content")) for item in made[turns]] == [
            _unmarked(item["content"]) for item in body[turns]
        ]

    assert len(sent) <= (6 if mode == "search" else 5)
    assert len(set(sent)) == len(sent)
    assert json.dumps(body) == before
    assert repair.explanation is None or repair.explanation.isprintable()


def _unmarked(content: Any) -> Any:
    """A content without what a repair may take out of it: marks of a cache, and thoughts; what a tool got stays."""
    if not isinstance(content, list):
        return content
    return [
        {key: _unmarked(value) for key, value in part.items() if key != "cache_control"}
        if isinstance(part, dict)
        else part
        for part in content
        if not (isinstance(part, dict) and part.get("type") == "thinking")
    ]


@given(st.recursive(st.sampled_from(NAMES) | st.integers(), lambda inner: st.lists(inner, max_size=4)), ODD)
def test_no_name_is_too_odd(name: object, body: dict[str, Any]) -> None:
    """Given any name and any body, when the one is traced in the other, then nothing raises, and places are there."""
    for each in (str(name), json.dumps(name)):
        for place in trace(each, body):
            assert values_at(body, place)
        repair = Repair(body, body, Question("m", "chat_completions", "whole"), NOTHING)
        repair.next_body(400, f"{each}: Extra inputs are not permitted")


HUGE = {
    "8 MB of names": "does not support parameters: [" + ", ".join(f"'field_{n}'" for n in range(500_000)) + "]",
    "8 MB of one name": "store: Extra inputs are not permitted " * 200_000,
    "8 MB of objects": json.dumps([{"code": "unknown_parameter", "param": f"f{n}"} for n in range(150_000)]),
    "one long name": "a" * 8_000_000 + ": Extra inputs are not permitted",
    "a long path": "a." * 4_000_000 + ": Extra inputs are not permitted",
    "ticks": "`" * 8_000_000,
    "quotes": "'type': 'extra_forbidden', 'loc': (" * 200_000,
    "values": "Supported values are: " + "'a', " * 1_500_000,
    "nearly elsewhere": "exceeds the maximum " * 400_000,
    "spaces": "x" + " " * 8_000_000 + "Extra inputs are not permitted",
}


@pytest.mark.parametrize("words", HUGE)
def test_no_refusal_is_too_long(words: str) -> None:
    """Given a refusal of 8 MB, when it is read and mended, then only so much of it is."""
    body = REQUESTS["chat_completions"]
    repair = Repair(body, body, Question("m", "chat_completions", "stream"), NOTHING)

    assert effort(lambda: (read_refusal(HUGE[words]), repair.next_body(400, HUGE[words]))) < 20


@pytest.mark.slow
def test_a_long_conversation_costs_little() -> None:
    """Given a conversation of many turns, when fields are traced that it has not, then the search ends."""
    turn = {"role": "user", "content": [{"type": "text", "text": "x"}] * 5}
    body = {"model": "m", "messages": [turn] * 50_000}
    text = " ".join(f"field_{n}: Extra inputs are not permitted" for n in range(100))
    repair = Repair(body, body, Question("m", "chat_completions", "whole"), NOTHING)

    assert effort(lambda: repair.next_body(400, text)) < 200


@settings(max_examples=50)
@given(st.lists(st.tuples(STATUSES, SAID), min_size=1, max_size=8), st.booleans())
def test_a_hostile_gateway_poisons_nothing(
    tmp_path_factory: pytest.TempPathFactory, said: Sequence[tuple[int, str]], answers: bool
) -> None:
    """Given a gateway that says anything, when clients ask, then they get an end, and nothing bad is kept."""
    folder = tmp_path_factory.mktemp("learnt")
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        number = len(asked) - 1
        if number < len(said) or not answers:
            status, text = said[number % len(said)]
            return httpx.Response(status, text=text.encode("utf-8", "replace").decode())
        return httpx.Response(200, json={"choices": [{}]})

    rules = RequestFilter(table=NOTHING, cache_folder=folder)
    transport = FilteringTransport(httpx.MockTransport(answer), rules)
    with httpx.Client(transport=transport) as client:
        client.post("http://h/v1/chat/completions", json=REQUESTS["chat_completions"])

    assert len(asked) <= 5
    assert len(set(asked)) == len(asked)
    file: Path = folder / FILE
    if file.exists():
        assert answers
        document = json.loads(file.read_text())
        assert first_error("learned", document) is None
        for entry in document["entries"]:
            assert not {*ESSENTIAL} & set(entry["parameters"])
