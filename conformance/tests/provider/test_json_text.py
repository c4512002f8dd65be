"""Tests of `conformance.provider.json_text`: what changes in a JSON text, and that nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.json_text import edited

ODD = '{ "a" : 1.0 ,\n "b":[1e2 , "\\u00e9é"],"c":{"d" :null , "e":-0.0}, "f":12345678901234567890 }'


def without(body: Any, *path: Any) -> Any:
    """A copy without what lies at the path, in which all that stays is the same object."""
    name, *rest = path
    if isinstance(body, list):
        return [item for index, item in enumerate(body) if index != name]
    inner = {name: without(body[name], *rest)} if rest else {}
    return {key: inner.get(key, value) for key, value in body.items() if rest or key != name}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (("a",), '{ "b":[1e2 , "\\u00e9é"],"c":{"d" :null , "e":-0.0}, "f":12345678901234567890 }'),
        (("b",), '{ "a" : 1.0,"c":{"d" :null , "e":-0.0}, "f":12345678901234567890 }'),
        (("f",), '{ "a" : 1.0 ,\n "b":[1e2 , "\\u00e9é"],"c":{"d" :null , "e":-0.0} }'),
        (("c", "d"), '{ "a" : 1.0 ,\n "b":[1e2 , "\\u00e9é"],"c":{"e":-0.0}, "f":12345678901234567890 }'),
        (("c", "e"), '{ "a" : 1.0 ,\n "b":[1e2 , "\\u00e9é"],"c":{"d" :null}, "f":12345678901234567890 }'),
    ],
)
def test_members_go_and_bytes_stay(path: tuple[str, ...], left: str) -> None:
    """Given an oddly written object, when a member goes, then all others keep their very spelling."""
    body = json.loads(ODD)

    assert edited(ODD, body, without(body, *path)) == left


@pytest.mark.parametrize(
    ("text", "before", "after", "left"),
    [
        ('{"a":1}', {"a": 1}, {}, "{}"),
        (' {"a":1} \n', {"a": 1}, {}, " {} \n"),
        ('{"a":1,"a":2,"b":3}', {"a": 2, "b": 3}, {"b": 3}, '{"b":3}'),
        ('{"a": "x", "b":1.50}', {"a": "x", "b": 1.5}, {"a": "y", "b": 1.5}, '{"a": "y", "b":1.50}'),
        ('{"a":1, "b":2.0}', {"a": 1, "b": 2.0}, {"b": 2.0, "c": 1}, '{"b":2.0,"c":1}'),
        ('{"a":1}', {"a": 1}, {"c": "é"}, '{"c":"\\u00e9"}'),
        ('{"a":[ 1, 2 ]}', {"a": [1, 2]}, {"a": [3]}, '{"a":[3]}'),
    ],
)
def test_what_is_written_anew(text: str, before: Any, after: Any, left: str) -> None:
    """Given a text, when something in it changes, then only that is written anew."""
    assert edited(text, before, after) == left


def test_items_go_and_bytes_stay() -> None:
    """Given a list of which items go, when it is edited, then the others keep their very spelling."""
    text = '{"m":[ {"a": 1.0} , {"b":2} ,{"c" :3e0} ]}'
    body = json.loads(text)

    assert edited(text, body, {"m": body["m"][1:]}) == '{"m":[ {"b":2} ,{"c" :3e0} ]}'
    assert edited(text, body, {"m": [body["m"][0], body["m"][2]]}) == '{"m":[ {"a": 1.0} ,{"c" :3e0} ]}'


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(st.text(max_size=3), _JSON, max_size=6)


def pruned(value: Any, draw: Any) -> Any:
    """The value with some of it gone, at any depth."""
    if isinstance(value, dict):
        return {key: pruned(inner, draw) for key, inner in value.items() if draw(st.booleans())}
    if isinstance(value, list) and draw(st.booleans()):
        return [item for item in value if draw(st.booleans())]
    return value


@given(_OBJECTS, st.sampled_from([None, 1, 4]), st.booleans(), st.data())
def test_any_body(body: dict[str, Any], indent: int | None, ascii_only: bool, data: Any) -> None:
    """Given any body in any layout, when parts go at any depth, then the text says what is left."""
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_only)
    before = json.loads(text)
    after = pruned(before, data.draw)

    assert json.loads(edited(text, before, after)) == after
    assert edited(text, before, before) == text
