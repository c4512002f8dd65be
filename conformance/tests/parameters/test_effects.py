"""Tests of `conformance.parameters.effects`: what an answer shows of a parameter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers.reading import Answer, read_answer
from conformance.parameters import load_registry
from conformance.parameters.effects import OBSERVERS, Echoed, Observation
from conformance.tests.helpers.building import CHAT, STREAM, said, sse
from conformance.types import Request

NOTHING: dict[str, Any] = {}


def observe(effect: str, sent: Any, shown: Any, unasked: Any) -> Observation:
    """What an observer makes of the object that the probe got, and the one that its baseline got."""
    return OBSERVERS[effect](sent, Answer(ok=True, result=shown), Answer(ok=True, result=unasked))


def chat(content: Any = "", *, finish: str = "stop", spent: int | None = None, **message: Any) -> dict[str, Any]:
    """A chat completion of one choice."""
    usage = {} if spent is None else {"usage": {"completion_tokens": spent}}
    choice = {"index": 0, "message": {"content": content, **message}, "finish_reason": finish}
    return {"choices": [choice], **usage}


def reasoned(tokens: int | None, **message: Any) -> dict[str, Any]:
    """A chat completion that says how many tokens went into reasoning."""
    return {**chat("OK", **message), "usage": {"completion_tokens_details": {"reasoning_tokens": tokens}}}


def responded(*items: dict[str, Any], text: str | None = None, **shown: Any) -> dict[str, Any]:
    """A Responses object with these output items, and a message where there is a text."""
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return {"status": "completed", "output": [*items, *([] if text is None else [message])], **shown}


def calling(*names: str) -> dict[str, Any]:
    """A chat completion that calls these functions."""
    calls = [{"type": "function", "function": {"name": name, "arguments": "{}"}} for name in names]
    return chat(None, finish="tool_calls", tool_calls=calls)


def message(*blocks: dict[str, Any], stop: str = "end_turn", **shown: Any) -> dict[str, Any]:
    """A message of these blocks."""
    return {"type": "message", "content": [*blocks], "stop_reason": stop, **shown}


def scored(*alternatives: int) -> dict[str, Any]:
    """A chat completion with a log probability for each token, and so many alternatives to it."""
    answer = chat("OK")
    content = [{"token": "O", "top_logprobs": [{"token": "x"}] * count} for count in alternatives]
    answer["choices"][0]["logprobs"] = {"content": content}
    return answer


THOUGHT, UNSAID = {"type": "thinking", "thinking": "One."}, {"type": "thinking", "thinking": ""}
USED = {"type": "tool_use", "name": "get_weather", "input": {}}
REASONING = {"type": "reasoning", "summary": []}
CALL = {"type": "function_call", "name": "get_weather"}


@pytest.mark.parametrize(
    ("sent", "shown", "unasked", "seen", "words"),
    [
        (False, {"x": False}, {"x": True}, True, "`x: false`"),
        (False, {"x": False}, NOTHING, True, "`x: false`"),
        (False, {"x": False}, None, True, "`x: false`"),
        (False, {"x": False}, {"x": False}, None, "as it does unasked"),
        (False, {"x": True}, {"x": True}, False, "`x: true`"),
        (False, {"x": None}, {"x": None}, None, "`x: null`, as it does unasked"),
        (False, {"x": None}, {"x": True}, False, "`x: null`"),
        (False, NOTHING, NOTHING, None, "does not show `x`"),
        (False, None, NOTHING, None, "no object"),
        (False, {"x": 0}, {"x": True}, False, "`x: 0`"),
        (True, {"x": 1}, {"x": False}, False, "`x: 1`"),
        (True, {"x": True}, {"x": 1}, True, "`x: true`"),
        (1, {"x": 1.0}, NOTHING, True, "`x: 1.0`"),
        ("é", {"x": "é"}, NOTHING, True, '`x: "\\u00e9"`'),
        ("a", {"x": "\ud800"}, NOTHING, False, '`x: "\\ud800"`'),
        ("a", {"x": "b" * 90}, NOTHING, False, "…"),
        ({"y": "a"}, {"x": {"y": "a", "z": 1}}, {"x": {"y": "b"}}, True, '`x.y: "a"`'),
        ({"y": "a"}, {"x": {"y": "a"}}, {"x": {"y": "a"}}, None, "as it does unasked"),
        ({"y": "a"}, {"x": {"y": "b"}}, NOTHING, False, '`x.y: "b"`'),
        ({"y": "a"}, {"x": {"z": 1}}, NOTHING, None, "does not show `x.y`"),
        ({"y": "a"}, {"x": "a"}, NOTHING, None, "does not show `x.y`"),
        ({"y": "a"}, {"x": None}, NOTHING, None, "`x.y: null`"),
        ({"y": "a"}, {"x": {}}, NOTHING, False, "`x.y: {}`"),
        ({"y": 1, "z": 2}, {"x": {"y": 1, "z": 2}}, {"x": {"y": 1, "z": 3}}, True, "`x.y: 1` and `x.z: 2`"),
        ({"y": 1, "z": 2}, {"x": {"y": 1, "z": 3}}, NOTHING, False, "`x.z: 3`"),
        ({"y": 1, "z": 2}, {"x": {"y": 1}}, NOTHING, None, "does not show `x.z`"),
        ([], {"x": []}, {"x": None}, True, "`x: []`"),
    ],
)
def test_echo(sent: Any, shown: Any, unasked: Any, seen: bool | None, words: str) -> None:
    """Given what probe and baseline show, when they are compared, then an echo counts if it is the probe's own."""
    observation = observe("echo", {"x": sent}, shown, unasked)

    assert isinstance(observation, Echoed)
    assert observation.seen is seen
    assert words in observation.what
    assert observation.what.encode()


def _strict(value: Any) -> dict[str, Any]:
    return {"tools": [{"name": "f", "strict": value}]}


_COUNT = "1 2 3 4 5 6 7 8"
_OMITTED, _SUMMARIZED = {"thinking": {"display": "omitted"}}, {"thinking": {"display": "summarized"}}
_SCHEMA = {"type": "object", "required": ["last"], "properties": {"last": {"type": "integer"}}}
_TYPED = {"response_format": {"json_schema": {"schema": _SCHEMA}}}
_TYPED_TEXT = {"text": {"format": {"schema": _SCHEMA}}}
_NAMED = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
_ANY = {"tool_choice": "required"}
_LOW, _NONE = {"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "none"}}
_MEDIUM = {"effort": "medium", "summary": None}


@pytest.mark.parametrize(
    ("effect", "sent", "shown", "unasked", "seen"),
    [
        ("strict", _strict(True), _strict(True), _strict(False), True),
        ("strict", _strict(False), _strict(False), NOTHING, True),
        ("strict", _strict(True), _strict(True), _strict(True), None),
        ("strict", _strict(True), _strict(False), _strict(False), False),
        ("strict", _strict(True), _strict(None), NOTHING, None),
        ("strict", _strict(True), {"tools": []}, NOTHING, None),
        ("display", _OMITTED, message(UNSAID), message(THOUGHT), True),
        ("display", _OMITTED, message(UNSAID), message(UNSAID), None),
        ("display", _OMITTED, message(THOUGHT), message(THOUGHT), False),
        ("display", _OMITTED, message(), message(THOUGHT), None),
        ("display", _SUMMARIZED, message(THOUGHT), message(UNSAID), True),
        ("display", _SUMMARIZED, message(UNSAID), message(UNSAID), False),
        ("edits", NOTHING, message(context_management={"applied_edits": []}), message(), True),
        ("edits", NOTHING, message(context_management={}), message(context_management={}), None),
        ("edits", NOTHING, message(context_management=None), message(), None),
        ("counted", NOTHING, {"input_tokens": 0}, NOTHING, True),
        ("counted", NOTHING, {"input_tokens": "9"}, NOTHING, False),
        ("reasoning_on", NOTHING, message(THOUGHT), message(), True),
        ("call", {"tool_choice": {"type": "any"}}, message(USED), message(), True),
        ("call", {"tool_choice": {"type": "tool", "name": "other"}}, message(USED), message(), False),
        ("call_unasked", NOTHING, message(USED), message(), True),
        ("one_call", NOTHING, message(USED), message(USED, USED), True),
        ("cap", {"max_tokens": 2}, message({"type": "text", "text": "1 2"}, stop="max_tokens"), message(), True),
        (
            "stop",
            {"stop_sequences": ["7"]},
            message({"type": "text", "text": "5 6 "}),
            message({"type": "text", "text": "5 6 7 8"}),
            True,
        ),
        (
            "json",
            {"output_config": {"format": {"schema": _SCHEMA}}},
            message({"type": "text", "text": '{"last": 20}'}),
            message({"type": "text", "text": "20"}),
            True,
        ),
        ("tier", {"service_tier": "priority"}, {"service_tier": "priority"}, {"service_tier": "default"}, True),
        ("tier", {"service_tier": "priority"}, {"service_tier": "priority"}, {"service_tier": "priority"}, None),
        ("tier", {"service_tier": "priority"}, {"service_tier": "default"}, NOTHING, False),
        ("tier", {"service_tier": "priority"}, {"service_tier": None}, NOTHING, None),
        ("tier", {"service_tier": "priority"}, NOTHING, NOTHING, None),
        ("usage", NOTHING, chat(spent=1), chat(), True),
        ("usage", NOTHING, chat(spent=1), chat(spent=1), None),
        ("usage", NOTHING, {**chat(), "usage": None}, chat(), False),
        ("cap", {"max_tokens": 5}, chat("1 2 3", finish="length"), chat(_COUNT), True),
        ("cap", {"max_tokens": 5}, chat(_COUNT), chat(_COUNT), False),
        ("cap", {"max_tokens": 5}, chat(_COUNT, finish="length"), chat(_COUNT), False),
        ("cap", {"max_tokens": 5}, chat("1 2"), chat(_COUNT), None),
        ("cap", {"max_tokens": 5}, chat(finish="length", spent=5), chat(finish="length", spent=64), True),
        ("cap", {"max_tokens": 5}, chat(finish="length", spent=64), chat(finish="length", spent=64), None),
        ("cap", {"max_tokens": 5}, chat(finish="length"), chat(finish="length"), None),
        ("cap", {"max_tokens": "5"}, chat(finish="length"), chat(_COUNT), None),
        ("cap", {"max_output_tokens": 5}, responded(text="1 2", status="incomplete"), responded(text=_COUNT), True),
        ("cap", {"max_output_tokens": 5}, responded(text=_COUNT), responded(text=_COUNT), False),
        ("choices", {"n": 2}, {"choices": [{}, {}]}, chat("a"), True),
        ("choices", {"n": 2}, {"choices": [{}, {}]}, {"choices": [{}, {}]}, None),
        ("choices", {"n": 2}, chat("a"), chat("a"), False),
        ("choices", {"n": 2}, calling("f"), chat("a"), False),
        ("choices", {"n": 2}, chat(finish="length"), chat(finish="length"), None),
        ("logprobs", NOTHING, scored(0), chat("OK"), True),
        ("logprobs", NOTHING, scored(0), scored(0), None),
        ("logprobs", NOTHING, chat("OK"), chat("OK"), False),
        ("logprobs", NOTHING, chat(None, finish="length"), chat("OK"), None),
        ("top_logprobs", {"top_logprobs": 2}, scored(1, 2), scored(0), True),
        ("top_logprobs", {"top_logprobs": 2}, scored(3), scored(1), True),
        ("top_logprobs", {"top_logprobs": 2}, scored(2), scored(2), None),
        ("top_logprobs", {"top_logprobs": 2}, scored(1), scored(0), None),
        ("top_logprobs", {"top_logprobs": 2}, scored(0), scored(0), False),
        ("top_logprobs", {"top_logprobs": 2}, chat("OK"), scored(0), None),
        ("stop", {"stop": ["7"]}, chat("1 2 3 4 5 6 "), chat(_COUNT), True),
        ("stop", {"stop": "7"}, chat("1 2 3 4 5 6 7"), chat(_COUNT), True),
        ("stop", {"stop": ["7"]}, chat(_COUNT), chat(_COUNT), False),
        ("stop", {"stop": ["7"]}, chat("1 2 3", finish="length"), chat(_COUNT), None),
        ("stop", {"stop": ["7"]}, chat(""), chat("", finish="length"), None),
        ("stop", {"stop": ["7"]}, chat("1 2"), chat("1 2"), None),
        ("json", NOTHING, chat('{"a": 1}'), chat(_COUNT), True),
        ("json", NOTHING, chat('{"a": 1}'), chat("{}"), None),
        ("json", NOTHING, chat("8"), chat(_COUNT), False),
        ("json", NOTHING, chat("```json\n{}\n```"), chat(_COUNT), False),
        ("json", NOTHING, chat('{"a"', finish="length"), chat(_COUNT), None),
        ("json", NOTHING, chat(None), chat(_COUNT), None),
        ("json", NOTHING, chat("[" * 100_000), chat(_COUNT), False),
        ("json", _TYPED, chat('{"last": 8}'), chat(_COUNT), True),
        ("json", _TYPED, chat('{"first": 8}'), chat(_COUNT), False),
        ("json", _TYPED_TEXT, responded(text='{"last": 8}'), responded(text=_COUNT), True),
        ("json", _TYPED_TEXT, responded(text='{"last": "8"}'), responded(text=_COUNT), False),
        ("call", _ANY, calling("get_time"), chat("OK"), True),
        ("call", _ANY, calling("get_time"), calling("get_time"), None),
        ("call", _ANY, chat("OK"), chat("OK"), False),
        ("call", _ANY, chat("", finish="length"), chat("OK"), None),
        ("call", _NAMED, calling("get_weather"), calling("get_time"), True),
        ("call", _NAMED, calling("get_time"), chat("OK"), False),
        ("call", {"tool_choice": {"type": "function", "name": "get_weather"}}, responded(CALL), responded(), True),
        ("call", _ANY, responded(text="OK"), responded(), False),
        ("call_unasked", NOTHING, calling("reply"), chat("OK"), True),
        ("call_unasked", NOTHING, chat("OK"), chat("OK"), None),
        ("one_call", NOTHING, calling("f"), calling("f", "f"), True),
        ("one_call", NOTHING, calling("f", "f"), calling("f", "f"), False),
        ("one_call", NOTHING, calling("f"), calling("f"), None),
        ("one_call", NOTHING, chat("OK"), calling("f", "f"), None),
        ("one_call", NOTHING, responded(CALL), responded(CALL, CALL), True),
        ("reasoning_on", NOTHING, reasoned(9), reasoned(0), True),
        ("reasoning_on", NOTHING, reasoned(9), reasoned(4), None),
        ("reasoning_on", NOTHING, reasoned(9), chat("OK"), None),
        ("reasoning_on", NOTHING, reasoned(0), reasoned(0), None),
        ("reasoning_on", NOTHING, chat("OK", reasoning_content="Well"), chat("OK"), True),
        ("reasoning_on", NOTHING, chat([{"type": "reasoning"}, {"type": "text", "text": "OK"}]), chat("OK"), True),
        ("reasoning_on", NOTHING, chat("OK", reasoning="Well"), reasoned(9), None),
        ("reasoning_on", NOTHING, responded(REASONING), responded(), True),
        ("reasoning_off", NOTHING, reasoned(0), reasoned(9), True),
        ("reasoning_off", NOTHING, reasoned(9), reasoned(9), False),
        ("reasoning_off", NOTHING, chat("OK"), chat("OK", reasoning_content="Well"), True),
        ("reasoning_off", NOTHING, chat("OK"), reasoned(9), None),
        ("reasoning_off", NOTHING, reasoned(0), reasoned(0), None),
        ("effort", _LOW, responded(reasoning={"effort": "low"}), responded(reasoning=_MEDIUM), True),
        ("effort", _LOW, responded(reasoning={"effort": "low"}), responded(reasoning={"effort": "low"}), None),
        ("effort", _LOW, responded(reasoning=_MEDIUM), responded(reasoning=_MEDIUM), False),
        ("effort", _LOW, responded(reasoning=None), responded(reasoning=None), None),
        ("effort", _LOW, responded(REASONING, reasoning=None), responded(reasoning=None), True),
        ("effort", _NONE, responded(REASONING, reasoning={"effort": "none"}), responded(), False),
        ("effort", _NONE, responded(), responded(REASONING), True),
        ("summary", NOTHING, responded({**REASONING, "summary": [{}]}), responded(REASONING), True),
        ("summary", NOTHING, responded({**REASONING, "summary": [{}]}), responded({**REASONING, "summary": [1]}), None),
        ("summary", NOTHING, responded(REASONING, reasoning={"summary": "detailed"}), responded(), True),
        ("summary", NOTHING, responded(REASONING, reasoning=_MEDIUM), responded(reasoning=_MEDIUM), False),
        ("summary", NOTHING, responded(REASONING, reasoning=None), responded(), None),
        ("encrypted_reasoning", NOTHING, responded({**REASONING, "encrypted_content": "x"}), responded(), True),
        ("encrypted_reasoning", NOTHING, responded(REASONING), responded(REASONING), False),
        ("encrypted_reasoning", NOTHING, responded(), responded(), None),
        (
            "encrypted_reasoning",
            NOTHING,
            responded({**REASONING, "encrypted_content": "x"}),
            responded({**REASONING, "encrypted_content": "y"}),
            None,
        ),
    ],
)
def test_effects(effect: str, sent: Any, shown: Any, unasked: Any, seen: bool | None) -> None:
    """Given what probe and baseline show, when they are compared, then an effect counts if it is the probe's own."""
    observation = observe(effect, sent, shown, unasked)

    assert observation.seen is seen
    assert observation.what
    assert not observation.what.endswith(".")


@pytest.mark.parametrize(
    ("effect", "sent", "shown", "unasked", "echoed"),
    [
        ("effort", _LOW, responded(reasoning={"effort": "low"}), responded(), True),
        ("effort", _LOW, responded(REASONING, reasoning={"effort": "low"}), responded(), False),
        ("summary", NOTHING, responded(reasoning={"summary": "auto"}), responded(), True),
        ("summary", NOTHING, responded({**REASONING, "summary": [{}]}), responded(), False),
        ("strict", _strict(True), _strict(True), NOTHING, True),
        ("tier", {"service_tier": "flex"}, {"service_tier": "flex"}, NOTHING, False),
    ],
)
def test_what_a_gateway_can_write_by_itself(effect: str, sent: Any, shown: Any, unasked: Any, echoed: bool) -> None:
    """Given an effect that was seen, when it was no more than the request repeated, then the observation says so."""
    observation = observe(effect, sent, shown, unasked)

    assert observation.seen is True
    assert isinstance(observation, Echoed) is echoed


def test_effects_of_a_stream() -> None:
    """Given chunks of a chat stream, when its effects are looked for, then they are found as in a whole answer."""
    pieces = [{"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": ""}}]
    more = [{"index": 0, "function": {"arguments": "{}"}}]
    stream = sse(
        {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": pieces}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": more}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"completion_tokens": 5}},
        "[DONE]",
    )
    answer = read_answer(Request("m", CHAT, STREAM, {}), said(stream))

    assert OBSERVERS["call"](_NAMED, answer, Answer(ok=True)).seen is True
    assert OBSERVERS["one_call"]({}, answer, Answer(ok=True, result=calling("f", "f"))).seen is True
    assert OBSERVERS["usage"]({}, answer, Answer(ok=True)).seen is True


def test_every_observer_is_used() -> None:
    """Given the shipped registry, when its effects are collected, then they are all the observers there are."""
    assert {effect for p in load_registry().parameters for effect in p.effects.values()} == set(OBSERVERS)


@pytest.mark.parametrize("effect", OBSERVERS)
def test_no_answer_at_all(effect: str) -> None:
    """Given answers without an object, when an effect is looked for, then none is seen."""
    assert observe(effect, {}, None, None).seen is not True


_NAMES = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "text",
        "type",
        "output",
        "usage",
        "finish_reason",
        "index",
        "status",
        "reasoning",
        "summary",
        "effort",
        "logprobs",
        "top_logprobs",
        "tool_calls",
        "function",
        "name",
        "tools",
        "strict",
        "service_tier",
        "response_format",
        "json_schema",
        "schema",
        "format",
        "reasoning_content",
        "thinking_blocks",
        "completion_tokens",
        "output_tokens",
        "completion_tokens_details",
        "reasoning_tokens",
        "encrypted_content",
        "tool_choice",
        "n",
        "stop",
        "max_tokens",
        "delta",
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["message", "reasoning", "function_call", "length", "incomplete", "none", '{"a": 1}', "\ud800"])
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5), max_leaves=30
)
_OBJECTS = st.dictionaries(_NAMES, _JSON, max_size=6)
_BODIES = st.sampled_from([body for p in load_registry().parameters for body in p.bodies.values()])


@given(st.sampled_from(sorted(OBSERVERS)), _BODIES, st.none() | _OBJECTS, st.none() | _OBJECTS)
def test_no_answer_raises(effect: str, sent: Any, shown: Any, unasked: Any) -> None:
    """Given any JSON objects, when any effect is looked for in them, then there is an observation to write down."""
    observation = observe(effect, sent, shown, unasked)

    assert observation.seen in (True, False, None)
    assert observation.what.encode()


@given(st.sampled_from(sorted(OBSERVERS)), _BODIES, _OBJECTS)
def test_what_does_not_change_proves_nothing(effect: str, sent: Any, shown: Any) -> None:
    """Given a probe that answers just as its baseline does, when an effect is looked for, then none is seen."""
    assert observe(effect, sent, shown, shown).seen is not True


@pytest.mark.parametrize("effect", OBSERVERS)
@pytest.mark.parametrize("depth", [*range(850, 1010, 10), 50_000])
def test_deep_answers(effect: str, depth: int) -> None:
    """Given values nested around Python's limit, when an effect is looked for, then nothing raises."""
    deep: Any = "x"
    for _ in range(depth):
        deep = [deep]
    for parameter in load_registry().parameters:
        for endpoint, named in parameter.effects.items():
            if named == effect:
                shown = {
                    **dict.fromkeys(("choices", "output", "usage"), deep),
                    **dict.fromkeys(parameter.bodies[endpoint], deep),
                }
                assert observe(effect, parameter.bodies[endpoint], shown, shown).seen is not True


def test_shipped_prompts_show_the_effects() -> None:
    """Given the shipped caps, when the counting prompt is obeyed, then it shows every effect asked of it."""
    counting = load_registry().endpoints[CHAT].body["messages"][0]["content"]
    obeyed = " ".join(str(number) for number in range(1, 21))

    assert "from 1 to 20, separated by spaces" in counting
    assert "JSON" in counting  # OpenAI wants the word where it is asked for JSON
    for parameter in load_registry().parameters:
        effect = parameter.effects.get(CHAT)
        if effect in ("cap", "stop", "json"):
            ignored = observe(effect, parameter.bodies[CHAT], chat(obeyed), chat(obeyed))
            assert ignored.seen is False, json.dumps(parameter.id)
