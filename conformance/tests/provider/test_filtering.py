"""Tests of `conformance.provider.filter`: what is left out of a request, and that nothing else is."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers.reading import Answer
from conformance.parameters import load_registry
from conformance.parameters.filling import filled
from conformance.provider.filter import filter_request
from conformance.provider.filter.places import spelled
from conformance.provider.table import Question, Rule, Statement, SupportTable, shipped_table_path, split_parameter
from conformance.provider.transport.request_filter import ENDPOINTS
from conformance.types import Endpoint, Parameter

YES, NO = Statement(True, "s"), Statement(False, "s")
REMEDIES = json.loads((shipped_table_path().parent / "filter" / "remedies.json").read_text(encoding="utf-8"))


def table(*rules: Rule, **said: bool) -> SupportTable:
    """A table of some rules, or of one that says this of model `m`; `a__b` stands for the path `a.b`."""
    statements = {name.replace("__", "."): Statement(value, "s") for name, value in said.items()}
    return SupportTable((*rules, Rule(("m",), statements)))


STORE_FALSE_ONLY = SupportTable((Rule(("m",), {"store:false": NO, "store:true": YES}),))


@pytest.mark.parametrize(
    ("known", "body", "kept", "dropped"),
    [
        (table(store=False), {"model": "m", "store": True}, {"model": "m"}, ("store",)),
        (table(store=True), {"store": True}, {"store": True}, ()),
        (table(user=False), {"store": True}, {"store": True}, ()),
        (table(), {"store": True}, {"store": True}, ()),
        (STORE_FALSE_ONLY, {"store": False}, {}, ("store",)),
        (STORE_FALSE_ONLY, {"store": True}, {"store": True}, ()),
        (STORE_FALSE_ONLY, {"store": 0}, {"store": 0}, ()),
        (STORE_FALSE_ONLY, {"store": 1}, {"store": 1}, ()),
        (STORE_FALSE_ONLY, {"store": None}, {"store": None}, ()),
        (STORE_FALSE_ONLY, {"store": {}}, {"store": {}}, ()),
        (table(store=False), {"store": None}, {}, ("store",)),
        (table(store=False), {"store": {"a": [1]}}, {}, ("store",)),
        (table(store=False), {"metadata": {"store": True}}, {"metadata": {"store": True}}, ()),
        (table(a__b=False), {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, ("a.b",)),
        (table(a__b=False), {"a": {"b": 1}, "d": 3}, {"d": 3}, ("a.b",)),
        (table(a__b__c=False), {"a": {"b": {"c": 1}}}, {}, ("a.b.c",)),
        (table(a__b=False, a__c=False), {"a": {"b": 1, "c": 2}}, {}, ("a.b", "a.c")),
        (table(a=False, a__b=False), {"a": {"b": 1}}, {}, ("a",)),
        (table(a__b=False, a=False), {"a": {"b": 1, "c": 2}}, {}, ("a",)),
        (table(a__b=False), {"a": None}, {"a": None}, ()),
        (table(a__b=False), {"a": "b"}, {"a": "b"}, ()),
        (table(a__b=False), {"a": ["b"]}, {"a": ["b"]}, ()),
        (table(a__b=False), {"a": {}}, {"a": {}}, ()),
        (table(a__b=False), {"a.b": 1}, {"a.b": 1}, ()),
    ],
)
def test_what_is_left_out(
    known: SupportTable, body: dict[str, Any], kept: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """Given a table and a body, when it is filtered, then what is rejected is gone and told, and all else stays."""
    filtered = filter_request(body, "m", "responses", table=known)

    assert filtered.body == kept
    assert [type(value) for value in filtered.body.values()] == [type(value) for value in kept.values()]
    assert filtered.dropped == dropped


@pytest.mark.parametrize(
    ("stated", "asked", "drops"),
    [
        (Rule(("m",), {"store": NO}, modes=("stream",)), {"body": {"stream": True}}, True),
        (Rule(("m",), {"store": NO}, modes=("stream",)), {"body": {"stream": False}}, False),
        (Rule(("m",), {"store": NO}, modes=("stream",)), {"body": {"stream": "yes"}}, False),
        (Rule(("m",), {"store": NO}, modes=("whole",)), {}, True),
        (Rule(("m",), {"store": NO}, endpoints=("chat_completions",)), {}, False),
        (Rule(("m",), {"store": NO}, routes=("azure",)), {"route": "azure"}, True),
        (Rule(("m",), {"store": NO}, gateways=("g",)), {"gateway": "g"}, True),
        (Rule(("m",), {"store": NO}, gateways=("g",)), {}, False),
        (Rule(("m",), {"store": NO}, gateway_versions=("<2",)), {"gateway_version": "1.80"}, True),
    ],
)
def test_what_the_caller_knows(stated: Rule, asked: dict[str, Any], drops: bool) -> None:
    """Given a rule with selectors, when a body is filtered, then the rule speaks only where all of them fit."""
    body = {"store": True, **asked.pop("body", {})}

    filtered = filter_request(body, "m", "responses", table=table(stated), **asked)

    assert filtered.dropped == (("store",) if drops else ())


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (1, "1"),
        (2.0, "2"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (0.0001, "0.0001"),
        (0.00001, "number"),
        (2**53, "number"),
        (10**400, "number"),
        (float("nan"), "number"),
        (float("inf"), "number"),
        ("Auto", "Auto"),
        ("True", "True"),
        ({"type": "json_schema"}, "json_schema"),
        ({"type": 5}, "object"),
        ({}, "object"),
        ([], "empty"),
        (["a"], "list"),
    ],
)
def test_spelling(value: Any, spelling: str) -> None:
    """Given a value, when it is spelled, then it reads as parameter ids write it."""
    assert spelled(value) == spelling


def test_values_are_not_kept() -> None:
    """Given many requests with a long value each, when they are filtered, then none of them is remembered."""
    known = table(prompt_cache_key=False)
    tracemalloc.start()
    for number in range(50):
        filter_request({"prompt_cache_key": f"{number}" + "x" * 200_000}, "m", "responses", table=known)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 2_000_000


_NAMES = st.sampled_from(["store", "a", "b", "a.b", "a.b.c", "user"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from(["true", "x:y", ""]),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=5,
)
_BODIES = st.dictionaries(st.sampled_from(["store", "a", "b", "user", "stream", "model"]), _VALUES, max_size=5)
_STATED = st.dictionaries(
    st.builds(lambda name, value: name + value, _NAMES, st.sampled_from(["", ":true", ":false", ":null", ":1"])),
    st.sampled_from([YES, NO]),
    max_size=4,
)
_RULES = st.builds(
    Rule,
    st.sampled_from([("m",), ("*",), ("n*",)]),
    _STATED,
    endpoints=st.sampled_from([(), ("responses",)]),
    modes=st.sampled_from([(), ("stream",), ("whole",)]),
)


def _leaves(body: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every path in a body with its value, objects as well as what they hold."""
    found = {}
    for name, value in body.items():
        found[prefix + name] = value
        if isinstance(value, dict):
            found |= _leaves(value, f"{prefix}{name}.")
    return found


@given(st.lists(_RULES, max_size=4), _BODIES)
def test_drops_exactly_what_is_false(rules: list[Rule], body: dict[str, Any]) -> None:
    """Given any table and body, when filtered, then only what lookup says false, or lies in such, is gone."""
    known, before = SupportTable(tuple(rules)), copy.deepcopy(body)
    question = Question("m", "responses", "stream" if body.get("stream") is True else "whole")

    filtered = filter_request(body, "m", "responses", table=known)

    assert body == before
    kept = _leaves(filtered.body)
    for path, value in _leaves(body).items():
        statement = known.lookup(question, f"{path}:{spelled(value)}")
        if path in filtered.dropped:
            assert statement is not None
            assert not statement.supported
            assert path not in kept
        elif not any(path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in filtered.dropped):
            assert kept[path] == value
            assert statement is None or statement.supported
    assert set(kept) <= set(_leaves(body))


@given(st.lists(_RULES, max_size=4), _BODIES)
def test_filtering_twice_changes_nothing_more(rules: list[Rule], body: dict[str, Any]) -> None:
    """Given a filtered body, when it is filtered again, then nothing more is dropped."""
    known = SupportTable(tuple(rules))
    once = filter_request(body, "m", "responses", table=known)

    assert filter_request(once.body, "m", "responses", table=known).body == once.body


@given(st.text(st.characters(), max_size=20), _BODIES)
def test_unknown_models_keep_everything(model: str, body: dict[str, Any]) -> None:
    """Given a model that no rule knows, when its request is filtered, then all of it is sent."""
    known = SupportTable((Rule(("some-model", "some-prefix*"), {"store": NO, "a": NO, "b": NO, "user": NO}),))

    filtered = filter_request(body, model, "responses", table=known)

    assert (filtered.body, filtered.dropped) == (body, ())
    assert filtered.body is not body


REGISTRY = load_registry()
BODIES = [(parameter, endpoint) for parameter in REGISTRY.parameters for endpoint in parameter.bodies]
# What is sent although it is refused, since the request would be another one without it.
KEPT = {
    "container",
    "conversation",
    "count_tokens",
    "inference_geo",
    "input.content.type",
    "input.type",
    "instructions",
    "messages.content.type:document",
    "messages.content.type:image",
    "messages.content.type:image_url",
    "messages.content.type:tool_use",
    "messages.tool_calls",
    "previous_response_id",
    "prompt",
    "system",
    "tools.external_web_access",
    "tools.format",
    "tools.type",
}
# What has no other value to be sent with.
LAST_VALUES = {"messages.role:system"}


def _request(parameter: Parameter, endpoint: Endpoint) -> dict[str, Any]:
    """The request that the suite would send to ask for a parameter."""
    context = REGISTRY.contexts[parameter.context][endpoint].body if parameter.context else {}
    body = filled(parameter.bodies[endpoint], ANSWERED)
    return copy.deepcopy({**REGISTRY.endpoints[endpoint].body, **context, **body})


THOUGHT = [{"type": "thinking", "thinking": "One word.", "signature": "s"}, {"type": "text", "text": "OK"}]
ANSWERED = Answer(ok=True, result={"id": "a", "output": [{"type": "reasoning", "summary": []}], "content": THOUGHT})


@pytest.mark.parametrize(("parameter", "endpoint"), BODIES, ids=lambda value: getattr(value, "id", value))
@pytest.mark.parametrize("named", ["value", "field"])
def test_every_parameter_of_the_registry_can_be_mended(parameter: Parameter, endpoint: Endpoint, named: str) -> None:
    """Given a table that refuses a parameter, when its probe is filtered, then it is mended, and no more changes."""
    name = parameter.id if named == "value" else split_parameter(parameter.id)[0]
    body = _request(parameter, endpoint)
    before = copy.deepcopy(body)

    filtered = filter_request(body, "m", endpoint, table=SupportTable((Rule(("m",), {name: NO}),)))

    assert body == before
    if not (KEPT | LAST_VALUES).isdisjoint((parameter.id, split_parameter(parameter.id)[0])):
        assert (filtered.body, filtered.dropped) == (body, ())
        return
    assert filtered.dropped
    assert filtered.body != body
    changed = {field for field in {*body, *filtered.body} if body.get(field) != filtered.body.get(field)}
    assert changed <= {*parameter.bodies[endpoint], *filtered.instead.values(), *_depending(filtered.dropped)}
    again = filter_request(filtered.body, "m", endpoint, table=SupportTable((Rule(("m",), {name: NO}),)))
    assert (again.body, again.dropped) == (filtered.body, ())


def _depending(dropped: tuple[str, ...]) -> set[str]:
    """The top-level fields of what went along."""
    return {split_parameter(name)[0].partition(".")[0] for name in dropped}


@pytest.mark.parametrize("name", sorted(KEPT))
def test_what_is_kept_says_why(name: str) -> None:
    """Given a parameter that is sent although it is refused, when the remedies are read, then they give the reason."""
    path, value = split_parameter(name)
    remedy = REMEDIES["remedies"][path]

    assert remedy["action"] == "keep" or value not in remedy["only"]
    assert remedy["reason"]


OPTIONAL = {"action", "at", "spelled", "reason", "kept", "without", "only", "vital"}


def test_remedies_are_well_formed() -> None:
    """Given the shipped remedies, when they are read, then each has what its action needs and no more."""
    needed = {"drop": set(), "take_out": {"at"}, "keep": {"reason"}, "rename": {"to", "reason"}}
    needed["replace"] = {"values", "otherwise", "reason"}
    for name, remedy in REMEDIES["remedies"].items():
        assert needed[remedy["action"]] <= set(remedy), name
        assert set(remedy) <= needed[remedy["action"]] | OPTIONAL, name
        assert set(remedy.get("at", {})) | set(remedy.get("kept", {})) <= set(ENDPOINTS.values()), name
        assert set(remedy.get("without", {})) <= set(remedy.get("values", {})), name
        assert remedy.get("otherwise", "keep") in ("keep", "drop"), name
    assert set(REMEDIES["needs"]) <= set(ENDPOINTS.values())


_WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "strict", "function", "type", "effort", "content", "format", "reasoning_content"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_FIELDS = sorted({field for p in REGISTRY.parameters for body in p.bodies.values() for field in body})
_NAMED = sorted({name for p in REGISTRY.parameters for name in (p.id, split_parameter(p.id)[0])})


@given(
    st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=3), _WILD, max_size=6),
    st.dictionaries(st.sampled_from(_NAMED), st.sampled_from([YES, NO]), max_size=10),
    st.sampled_from([*Endpoint, "embeddings", ""]),
)
def test_no_body_breaks_it(body: dict[str, Any], said: dict[str, Statement], endpoint: str) -> None:
    """Given any body and any refusals, when filtered, then it never raises, changes nothing given, and settles."""
    known, before = SupportTable((Rule(("m",), said),)), repr(body)

    filtered = filter_request(body, "m", endpoint, table=known)

    assert repr(body) == before
    assert set(filtered.instead) <= set(filtered.dropped)
    if not filtered.dropped:
        assert repr(filtered.body) == before
    again = filter_request(filtered.body, "m", endpoint, table=known)
    assert repr(again.body) == repr(filtered.body)


def test_depth_is_no_matter() -> None:
    """Given a body nested deeper than Python's stack, when it is filtered, then no part is read below the paths."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    known = table(tools__strict=False, metadata=False, include=False)

    filtered = filter_request({"tools": deep, "metadata": deep, "input": "x"}, "m", "responses", table=known)

    assert filtered.dropped == ("metadata",)
    assert filtered.body["tools"] is deep


@pytest.mark.parametrize("model", [None, 5, ["m"], {"m": 1}])
def test_a_model_that_is_no_text_is_unknown(model: Any) -> None:
    """Given a model id that is no text, when its request is filtered, then only rules for all models speak."""
    known = SupportTable((Rule(("m",), {"store": NO}), Rule(("*",), {"user": NO})))

    assert filter_request({"store": True, "user": "u"}, model, "responses", table=known).dropped == ("user",)


def test_plans_do_not_pile_up() -> None:
    """Given very many models, when their requests are filtered, then a table remembers but some of them."""
    known = table(store=False)
    for number in range(2000):
        filter_request({"store": True}, f"model-{number}", "responses", table=known)
        filter_request({"store": True}, f"model-{number}" * 100, "responses", table=known)

    assert len(known.memo) <= 512
    assert all(len(question.model) <= 256 for question in known.memo)


def test_equal_tables_stay_equal() -> None:
    """Given two equal tables, when one of them was asked, then they are equal still."""
    one, other = table(store=False), table(store=False)
    filter_request({"store": True}, "m", "responses", table=one)

    assert one == other
