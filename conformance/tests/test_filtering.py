"""Tests of `conformance.provider.filtering`: what is left out of a request, and that nothing else is."""

from __future__ import annotations

import copy
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.filtering import filter_request, spelled
from conformance.provider.table import Question, Rule, Statement, SupportTable

YES, NO = Statement(True, "s"), Statement(False, "s")


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
        (table(a__b=False, a=False), {"a": {"b": 1, "c": 2}}, {}, ("a.b", "a")),
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
    [(True, "true"), (False, "false"), (None, "null"), (1, "1"), (0.5, "0.5"), ("Auto", "Auto"), ("True", "True")],
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
