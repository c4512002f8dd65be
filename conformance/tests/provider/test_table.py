"""Tests of `conformance.provider.table`: which rule speaks, and which tables are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.errors import TableError
from conformance.provider.models.compat import compat_of
from conformance.provider.table import (
    Question,
    Rule,
    Statement,
    SupportTable,
    load_table,
    model_matches,
    names_of,
    parse_table,
    shipped_table_path,
    split_parameter,
)
from conformance.provider.table.declaration import declaration

YES, NO = Statement(True, "s"), Statement(False, "s")
DEFAULT = {"models": ["*"], "statements": {"store": {"supported": True, "source": "default"}}}


def rule(models: str = "*", **selectors: tuple[str, ...]) -> Rule:
    """A rule that says no to `store`."""
    return Rule((models,), {"store": NO}, **selectors)


@pytest.mark.parametrize(
    ("pattern", "model", "fits"),
    [
        ("claude*", "claude-haiku", True),
        ("claude*", "claude", True),
        ("claude*", "my-claude", False),
        ("*claude*", "my-claude-2", True),
        ("*", "", True),
        ("gpt-5.2", "gpt-5x2", False),
        ("gpt-5.*", "gpt-5x2", False),
        ("a?[b]", "a?[b]", True),
        ("a?[b]*", "axb", False),
        ("a*c", "a\nb\nc", True),
        ("Claude*", "claude-haiku", False),
        ("x*", "x\ud800", True),
    ],
)
def test_patterns(pattern: str, model: str, fits: bool) -> None:
    """Given a pattern, when a model id is matched, then only `*` stands for something else."""
    assert model_matches(pattern, model) is fits


@pytest.mark.parametrize(
    ("stated", "question", "fits"),
    [
        (rule(), Question("m", "responses"), True),
        (rule("n"), Question("m", "responses"), False),
        (rule(endpoints=("responses",)), Question("m", "responses"), True),
        (rule(endpoints=("responses",)), Question("m", "chat_completions"), False),
        (rule(modes=("stream",)), Question("m", "responses", "stream"), True),
        (rule(modes=("stream",)), Question("m", "responses", "whole"), False),
        (rule(modes=("stream",)), Question("m", "responses"), False),
        (rule(routes=("azure", "openai")), Question("m", "responses", route="openai"), True),
        (rule(routes=("azure",)), Question("m", "responses"), False),
        (rule(gateways=("g",)), Question("m", "responses", gateway="g"), True),
        (rule(gateways=("g",)), Question("m", "responses", gateway="h"), False),
        (rule(gateways=("g",)), Question("m", "responses"), False),
        (rule(gateways=("g",), routes=("r",)), Question("m", "responses", gateway="g"), False),
        (rule(declared=("no",)), Question("m", "responses", declared=("tools",)), True),
        (rule(declared=("no",)), Question("m", "responses", declared=("store",)), False),
        (rule(declared=("no",)), Question("m", "responses"), False),
        (rule(declared=("no", "unknown")), Question("m", "responses"), True),
        (rule(declared=("yes",)), Question("m", "responses", declared=("store",)), True),
    ],
)
def test_selectors(stated: Rule, question: Question, fits: bool) -> None:
    """Given a rule's selectors, when a question is put, then each must fit what the caller knows."""
    assert any(SupportTable((stated,)).matching(question)) is fits


@pytest.mark.parametrize(
    ("bounds", "version", "fits"),
    [
        ((">=1.80", "<1.100"), "1.80.0", True),
        ((">=1.80", "<1.100"), "1.99.9", True),
        ((">=1.80", "<1.100"), "1.100.0", False),
        ((">=1.80",), "1.79.9", False),
        (("<1.100",), "1.100.0rc1", False),
        (("==1.80",), "1.80.0", True),
        (("==1.80",), "1.80.1", False),
        ((">= 1.80",), "1.80.0-stable.patch.1", True),
        (("<2",), "nonsense", True),
        ((">=1",), "nonsense", False),
        ((">=1",), "v1.80", False),
        ((">=1",), None, False),
        (("<2",), "9" * 5000, True),
        ((">=2",), "9" * 5000, False),
    ],
)
def test_versions(bounds: tuple[str, ...], version: str | None, fits: bool) -> None:
    """Given version bounds, when a gateway's version is held against them, then releases compare as numbers."""
    table = SupportTable((rule(gateway_versions=bounds),))
    assert any(table.matching(Question("m", "responses", gateway_version=version))) is fits


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("store", NO),
        ("store:true", YES),
        ("store:false", NO),
        ("store:null", NO),
        ("user", YES),
        ("metadata", None),
        ("metadata:store", None),
        ("stor", None),
    ],
)
def test_lookup(parameter: str, said: Statement | None) -> None:
    """Given rules in order, when a parameter is looked up, then the first that names it or its path decides."""
    table = SupportTable(
        (
            Rule(("m",), {"store:true": YES}, endpoints=("responses",)),
            Rule(("m*",), {"store": NO}),
            Rule(("*",), {"store": YES, "store:true": NO, "user": YES}),
        )
    )

    assert table.lookup(Question("m", "responses"), parameter) is said


def test_a_rule_says_of_each_parameter_what_holds_where_it_is_declared() -> None:
    """Given a rule for what is not declared, when some of its parameters are declared, then it speaks of the others,
    and what stands below it of those."""
    table = SupportTable((Rule(("*",), {"store": NO, "user": NO}, declared=("no",)), Rule(("*",), {"store": YES})))
    asked = Question("m", "chat_completions", declared=("store",))

    assert table.lookup(asked, "user") is NO
    assert table.lookup(asked, "store:true") is YES
    assert {name: support.others for name, support in table.parameters(asked).items()} == {"user": False, "store": True}


@pytest.mark.parametrize(
    ("declared", "endpoint", "parameter", "state"),
    [
        (None, "chat_completions", "tools", "unknown"),
        (("tools",), "chat_completions", "tools.strict:true", "yes"),
        ((), "chat_completions", "tools", "unknown"),
        (("seed",), "chat_completions", "tools", "no"),
        (("temperature",), "chat_completions", "temperature+top_p", "no"),
        (("temperature", "top_p"), "chat_completions", "temperature+top_p", "yes"),
        (("reasoning_effort",), "responses", "reasoning.effort:high", "yes"),
        (("reasoning",), "responses", "reasoning.effort:high", "no"),
        (("reasoning_effort",), "messages", "thinking:enabled", "yes"),
        (("reasoning_effort",), "elsewhere", "reasoning", "no"),
        (("response_format",), "responses", "text.format:json_schema", "yes"),
        (("verbosity",), "responses", "text.verbosity:low", "yes"),
        (("response_format",), "responses", "text.verbosity", "no"),
    ],
)
def test_declarations(declared: tuple[str, ...] | None, endpoint: str, parameter: str, state: str) -> None:
    """Given what a gateway declares, when a parameter of an endpoint is looked up, then by its name among the chat
    parameters."""
    assert declaration(declared, endpoint, parameter) == state


def test_value_before_field_in_one_rule() -> None:
    """Given a rule for a field and one of its values, when looked up, then the value's own statement wins."""
    table = SupportTable((Rule(("*",), {"store": NO, "store:true": YES}),))

    assert table.lookup(Question("m", "responses"), "store:true") is YES
    assert table.lookup(Question("m", "responses"), "store:false") is NO


@pytest.mark.parametrize(
    ("parameter", "path", "value"),
    [
        ("store", "store", None),
        ("store:true", "store", "true"),
        ("a.b:c:d", "a.b", "c:d"),
        ("store:", "store", ""),
    ],
)
def test_split(parameter: str, path: str, value: str | None) -> None:
    """Given a parameter's name, when it is split, then the first colon parts path and value."""
    assert split_parameter(parameter) == (path, value)
    assert tuple(names_of(parameter)) == ((parameter,) if value is None else (parameter, path))


def test_shipped_table_loads_if_there() -> None:
    """Given the table that is shipped, when it is loaded, then an unknown model may be sent anything."""
    if not shipped_table_path().exists():
        pytest.skip("not written yet; write it with --update-table")
    for parameter in ("store:true", "store:false", "prompt_cache_key", "unheard_of"):
        statement = load_table().lookup(Question("never-heard-of-this-model", "responses"), parameter)
        assert statement is None or statement.supported


def _document(*rules: Any, **parts: Any) -> dict[str, Any]:
    return {"schema_version": 1, "sources": {}, "rules": [*rules, DEFAULT], **parts}


def test_parse() -> None:
    """Given a document with every key, when it is parsed, then every key is in the rule."""
    said = {"supported": False, "source": "s", "rejected_by": ["backend"], "note": "n"}
    row = {
        "models": ["a*"],
        "endpoints": ["responses"],
        "modes": ["whole"],
        "routes": ["azure"],
        "gateways": ["g"],
        "gateway_versions": [">=1.80"],
        "statements": {"store": said},
        "cassettes": ["a.json"],
    }

    table = parse_table(_document(row, sources={"s": {"kind": "measured"}}))

    assert table.sources == {"s": {"kind": "measured"}}
    assert table.rules[0] == Rule(
        models=("a*",),
        statements={"store": Statement(False, "s", ("backend",), "n")},
        endpoints=("responses",),
        modes=("whole",),
        routes=("azure",),
        gateways=("g",),
        gateway_versions=(">=1.80",),
        cassettes=("a.json",),
    )


SAID = {"store": {"supported": True, "source": "s"}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "must be a JSON object"),
        ({}, "no valid schema_version"),
        (_document(schema_version=2), "newer than 1; update"),
        (_document(schema_version="1"), "no valid schema_version"),
        (_document(sources=[]), "sources must be a JSON object, not list"),
        (_document(sources={"s": "mine"}), r"sources\['s'\] must be a JSON object, not str"),
        (_document(rules={}), "rules must be a JSON array"),
        (_document(rules=[]), "the last rule must be the default"),
        (_document(rules=[{**DEFAULT, "models": ["a"]}]), "the last rule must be the default"),
        (_document(rules=[{**DEFAULT, "endpoints": ["responses"]}]), "the last rule must be the default"),
        (_document("x"), r"rules\[0\] must be a JSON object"),
        (_document({"models": [], "statements": SAID}), r"rules\[0\] names no models"),
        (_document({"models": "a", "statements": SAID}), r"rules\[0\]\.models must be a JSON array"),
        (_document({"models": [1], "statements": SAID}), r"rules\[0\]\.models must be a JSON string"),
        (_document({"models": ["a"]}), r"rules\[0\]\.statements must be a JSON object"),
        (_document({"models": ["a"], "statements": SAID, "model": 1}), r"rules\[0\] has an unknown key 'model'"),
        (_document({"models": ["a"], "statements": {"store": True}}), r"statements\['store'\] must be"),
        (_document({"models": ["a"], "statements": {"store": {"supported": 1, "source": "s"}}}), "needs 'supported'"),
        (_document({"models": ["a"], "statements": {"store": {"supported": True}}}), "needs 'supported'"),
        (_document({"models": ["a"], "statements": SAID, "gateway_versions": ["~1"]}), "'~1' is not a version bound"),
        (_document({"models": ["a"], "statements": {"x": {**SAID["store"], "note": 1}}}), "note must be"),
        (
            _document({"models": ["a"], "statements": SAID, "declared": ["never"]}),
            "'never' is none of yes, no, unknown",
        ),
    ],
)
def test_malformed(document: Any, words: str) -> None:
    """Given a document of another shape, when it is parsed, then the error is one line with its place."""
    with pytest.raises(TableError, match=f"^t.json.*{words}") as caught:
        parse_table(document, "t.json")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the support table"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"{}", "no valid schema_version"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes | None, words: str) -> None:
    """Given a file that is missing or broken, when it is loaded, then the error names it in one line."""
    file = tmp_path / "table.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(TableError, match=words) as caught:
        load_table(file)

    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_load_by_name(tmp_path: Path) -> None:
    """Given a table's path as text, when it is loaded, then it is the table in that file."""
    file = tmp_path / "table.json"
    file.write_text(json.dumps(_document()))

    assert load_table(str(file)).rules == parse_table(_document()).rules


def test_a_file_is_read_once_for_each_state_of_it(tmp_path: Path) -> None:
    """Given a table in a file, when it is loaded twice, then it is one; when it has changed, it is the new one."""
    file = tmp_path / "table.json"
    file.write_text(json.dumps(_document()))
    first = load_table(file)
    assert load_table(file).rules is first.rules

    file.write_text(json.dumps(_document({"models": ["m"], "statements": {}})))
    assert [rule.models for rule in load_table(file).rules] == [("m",), ("*",)]
    file.unlink()
    for gone in (file, "a\0b"):
        with pytest.raises(TableError, match="cannot read"):
            load_table(gone)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)


@given(_JSON, st.sampled_from(["schema_version", "sources", "rules", "models", "statements", "cassettes", "store"]))
def test_any_json(value: Any, place: str) -> None:
    """Given any JSON value in any place, when it is parsed, then it is a table or a `TableError`."""
    statements = {"store": value if place == "store" else SAID["store"]}
    row = {"models": ["a"], "statements": statements}
    document = _document({**row, place: value} if place in ("models", "statements", "cassettes") else row)
    if place in document:
        document[place] = value
    try:
        table = parse_table(document)
    except TableError:
        return
    assert table.rules[-1].models == ("*",)
    compat_of("a", table=table)
    table.lookup(Question("a", "responses"), "store:true")


_patterns = st.sampled_from(["a", "b", "a-b", "a*", "*b", "*"])


@given(
    st.lists(st.tuples(st.lists(_patterns, min_size=1, max_size=3), st.sampled_from([(), ("responses",)])), max_size=6),
    st.sampled_from(["a", "b", "a-b", "c"]),
    st.sampled_from(["responses", "chat_completions"]),
)
def test_matching_rules_come_in_order(rows: list[tuple[list[str], tuple[str, ...]]], model: str, endpoint: str) -> None:
    """Given rules for models and patterns, when a request is asked for, then those that fit come, once, in order."""
    rules = tuple(Rule(tuple(models), {"store": NO}, endpoints) for models, endpoints in rows)
    fitting = [
        each
        for each in rules
        if any(model_matches(pattern, model) for pattern in each.models) and endpoint in (each.endpoints or [endpoint])
    ]
    assert list(SupportTable(rules).matching(Question(model, endpoint))) == fitting
