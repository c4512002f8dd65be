"""Settings are put into what a user has, and nothing of that is lost."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.export.formats import changed, document_in
from conformance.export.merging import Rules, merge

RULES = Rules(keys={"models": "id", "rows": "name"}, fixed=frozenset({"rows"}), unions=frozenset({"drop"}))
KEYS = st.sampled_from(["a", "b", "models", "drop", "x y"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4))


def _documents() -> st.SearchStrategy[dict[str, Any]]:
    rows = st.lists(
        st.fixed_dictionaries({"id": st.sampled_from("pqr")}, optional={"a": SCALARS}),
        max_size=3,
        unique_by=lambda row: row["id"],
    )
    values = st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS.filter(lambda k: k in "ab"), inner), max_leaves=5)
    kinds = {"a": values, "b": values, "models": rows, "drop": st.lists(st.sampled_from("xyz"), max_size=3)}
    return st.fixed_dictionaries({}, optional=kinds)


def merged(there: dict[str, Any], addition: dict[str, Any], *, keep: bool = False) -> dict[str, Any]:
    """A copy of a document with an addition in it."""
    made = copy.deepcopy(there)
    merge(made, addition, RULES, keep=keep)
    return made


@pytest.mark.parametrize(
    ("there", "addition", "expected"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"drop": ["x"]}, {"drop": ["y", "x"]}, {"drop": ["x", "y"]}),
        ({"input": ["text", "image"]}, {"input": ["text"]}, {"input": ["text"]}),
        ({"models": [{"id": "p"}]}, {"models": [{"id": "q", "a": 1}]}, {"models": [{"id": "p"}, {"id": "q", "a": 1}]}),
        (
            {"rows": [{"name": "p"}, {"name": "p", "k": 1}]},
            {"rows": [{"name": "p", "a": 1}, {"name": "q"}]},
            {"rows": [{"name": "p", "a": 1}, {"name": "p", "k": 1, "a": 1}]},
        ),
        ({"models": "odd"}, {"models": [{"id": "q"}]}, {"models": [{"id": "q"}]}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_what_is_merged(there: dict[str, Any], addition: dict[str, Any], expected: dict[str, Any]) -> None:
    """Given settings, when others are merged into them, then both are there, and what was measured goes first."""
    assert merged(there, addition) == expected


def test_defaults_change_nothing() -> None:
    """Given a user's settings, when defaults are merged into them, then only what is missing is added."""
    there = {"a": {"b": 1, "drop": ["x"]}, "models": [{"id": "p", "a": 0}]}
    addition = {"a": {"b": 2, "c": 3}, "models": [{"id": "p", "a": 1, "b": 1}, {"id": "q"}]}
    expected = {"a": {"b": 1, "drop": ["x"], "c": 3}, "models": [{"id": "p", "a": 0, "b": 1}, {"id": "q"}]}
    assert merged(there, addition, keep=True) == expected


@given(_documents(), _documents())
def test_twice_is_once(there: dict[str, Any], addition: dict[str, Any]) -> None:
    """Given any documents, when one is merged into the other twice, then the second time changes nothing."""
    once = merged(there, addition)
    assert merged(once, addition) == once


@given(_documents(), _documents(), st.sampled_from([None, 2, "\t"]))
def test_the_text_says_what_was_merged(there: dict[str, Any], addition: dict[str, Any], indent: Any) -> None:
    """Given any JSON text, when a document is merged into it, then the new text says the result, and stays so."""
    text = json.dumps(there, indent=indent)
    new = changed("jsonc", text, lambda document: merge(document, addition, RULES), "f")
    assert json.loads(new) == merged(there, addition)
    assert changed("jsonc", new, lambda document: merge(document, addition, RULES), "f") == new


USERS_JSON = """\
// mine
{
    "a": 1, // one
    /* a block */
    "models": [
        {"id": "p", "note": "kept"}, // first
    ],
    "b": {}
}
"""


def test_comments_of_json_stay() -> None:
    """Given JSON with comments, blanks and a comma at the end, when it is changed, then all else stays as it is."""
    new = changed(
        "jsonc", USERS_JSON, lambda d: merge(d, {"a": 2, "models": [{"id": "p", "c": 1}, {"id": "q"}]}, RULES), "f"
    )
    assert (
        new
        == """\
// mine
{
    "a": 2, // one
    /* a block */
    "models": [
        {"id": "p", "note": "kept", "c": 1}, // first
        {
            "id": "q"
        }
    ],
    "b": {}
}
"""
    )


def test_a_remark_stays_with_its_line() -> None:
    """Given a last part with a remark, when another is added, then the remark stays where it is."""
    new = changed("jsonc", '{\n\t"a": 1 // one\n}\n', lambda d: merge(d, {"b": 2}, RULES), "f")
    assert new == '{\n\t"a": 1, // one\n\t"b": 2\n}\n'


USERS_YAML = """\
# mine
model_list:
- model_name: a   # the first
  litellm_params: &shared
    model: "azure/x"
    api_key: os.environ/KEY
- model_name: b
  litellm_params: *shared
"""


def test_comments_and_shared_parts_of_yaml() -> None:
    """Given YAML with comments and an alias, when one of those who share it changes, then the other does not."""
    rules = Rules(keys={"model_list": "model_name"}, unions=frozenset({"drop"}))
    addition = {"model_list": [{"model_name": "b", "litellm_params": {"drop": ["seed"]}}]}
    new = changed("yaml", USERS_YAML, lambda d: merge(d, addition, rules), "f")
    rows = document_in("yaml", new, "f")["model_list"]
    assert dict(rows[0]["litellm_params"]) == {"model": "azure/x", "api_key": "os.environ/KEY"}
    assert dict(rows[1]["litellm_params"]) == {"model": "azure/x", "api_key": "os.environ/KEY", "drop": ["seed"]}
    assert new.startswith("# mine\nmodel_list:\n- model_name: a   # the first\n")
    assert changed("yaml", new, lambda d: merge(d, addition, rules), "f") == new


USERS_TOML = """\
# mine
model = "m"  # which

[other]
x = 1
"""


def test_comments_of_toml_stay() -> None:
    """Given TOML with comments, when a table is added, then all else stays as it is."""
    new = changed("toml", USERS_TOML, lambda d: merge(d, {"t": {"a": 1}, "other": {"y": 2}}, RULES), "f")
    assert new.startswith('# mine\nmodel = "m"  # which\n')
    assert document_in("toml", new, "f") == {"model": "m", "other": {"x": 1, "y": 2}, "t": {"a": 1}}
    assert changed("toml", new, lambda d: merge(d, {"t": {"a": 1}, "other": {"y": 2}}, RULES), "f") == new
