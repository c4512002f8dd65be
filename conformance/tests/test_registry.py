"""Tests of `conformance.parameters`: the registry that is shipped, and what is refused of others."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from typing import Any

import pytest

from conformance.errors import RegistryError
from conformance.parameters import Registry, load_registry, parse_registry
from conformance.provider.filtering import spelled
from conformance.provider.table import split_parameter
from conformance.types import Endpoint, Mode, Parameter

TEXT = (resources.files("conformance.parameters") / "registry.toml").read_text(encoding="utf-8")
PARAMETERS = load_registry().parameters


def test_shipped_core() -> None:
    """Given the shipped registry, when the core set is chosen, then it holds what issue 2 names."""
    registry = load_registry()

    assert [p.id for p in registry.select("core")] == ["store:true", "store:false", "prompt_cache_key"]
    assert set(registry.paths) == set(registry.baselines) == set(Endpoint)
    assert registry.paths == {"chat_completions": "/chat/completions", "responses": "/responses"}


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.id)
def test_shipped_id_is_its_body(parameter: Parameter) -> None:
    """Given a shipped parameter, when its id is read, then its path and value are those of its body."""
    path, value = split_parameter(parameter.id)
    found: Any = parameter.body
    for step in path.split("."):
        found = found[step]

    assert parameter.path == path
    assert parameter.fields == (path.split(".")[0],)
    assert value is None or spelled(found) == value
    assert parameter.modes == tuple(Mode)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.id)
def test_shipped_wrong_value_is_wrong(parameter: Parameter) -> None:
    """Given a shipped parameter, when its wrong value is compared with its own, then the types differ."""
    for field, value in parameter.wrong.items():
        assert type(value) is not type(parameter.body[field])


def test_control_is_no_parameter() -> None:
    """Given the shipped control, when its fields are looked up, then no parameter has them."""
    registry = load_registry()

    assert not {field for p in registry.parameters for field in p.fields} & set(registry.control)


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        ("all", [p.id for p in PARAMETERS]),
        ("core,all", [p.id for p in PARAMETERS]),
        ("store:false", ["store:false"]),
        ("store", ["store:true", "store:false"]),
        (" prompt_cache_key , store:true,", ["store:true", "prompt_cache_key"]),
    ],
)
def test_select(choice: str, ids: list[str]) -> None:
    """Given sets, paths or ids, when parameters are chosen, then they come in the registry's order."""
    assert [p.id for p in load_registry().select(choice)] == ids


@pytest.mark.parametrize("choice", ["", " , ", "stor", "store:maybe", "core,stor", "all,stor"])
def test_select_unknown(choice: str) -> None:
    """Given a name that fits nothing, when parameters are chosen, then the error offers those there are."""
    with pytest.raises(RegistryError, match=r"^--parameters: .+ is not in the registry; choose core, all, or"):
        load_registry().select(choice)


@pytest.mark.parametrize(
    ("path", "ids"), [("store", ("store:true", "store:false")), ("prompt_cache_key",) * 2, ("x", ())]
)
def test_values_of(path: str, ids: str | tuple[str, ...]) -> None:
    """Given a request field, when its values are asked for, then the ids that stand for them are told."""
    assert load_registry().values_of(path) == ((ids,) if isinstance(ids, str) else ids)


def _changed(**changes: Any) -> str:
    """The registry with one more parameter, as TOML."""
    row = {
        "id": "extra",
        "sets": ["all"],
        "endpoints": ["responses"],
        "modes": ["whole"],
        "body": {"extra": 1},
        "standard": "https://example.com",
        "why": "a test",
        **changes,
    }
    lines = (f"{name} = {_toml(value)}" for name, value in row.items() if value is not None)
    return f"{TEXT}\n[[parameters]]\n" + "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


def parse(text: str) -> Registry:
    """Parse a registry that calls itself `other.toml`."""
    return parse_registry(text, "other.toml")


def test_one_more_row() -> None:
    """Given a registry with one more row, when it is parsed, then the row is a parameter as it stands."""
    parameter = parse(_changed(effects={"responses": "echo"})).parameters[-1]

    assert parameter == Parameter(
        id="extra",
        body={"extra": 1},
        endpoints=(Endpoint.RESPONSES,),
        modes=(Mode.WHOLE,),
        sets=("all",),
        standard="https://example.com",
        why="a test",
        effects={Endpoint.RESPONSES: "echo"},
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "store:true"}, "'store:true' is there twice"),
        ({"effects": {"responses": "telepathy"}}, "unknown effect 'telepathy'"),
        ({"effects": {"responses": "echo"}, "body": {"extra": 1, "more": 2}}, "one field"),
        ({"wrong": {"other": 1}}, "`wrong` of 'extra' must have the fields of its `body`"),
        ({"endpoints": ["messages"]}, r"parameters\[3\]"),
        ({"modes": []}, r"parameters\[3\]"),
        ({"body": {}}, r"parameters\[3\]"),
        ({"id": "Extra Key"}, r"parameters\[3\]"),
        ({"why": None}, "why"),
        ({"surprise": 1}, "surprise"),
        ({"standard": "http://example.com"}, r"parameters\[3\]"),
    ],
)
def test_malformed_rows(changes: dict[str, Any], words: str) -> None:
    """Given a malformed row, when the registry is parsed, then the error is one line with file and place."""
    with pytest.raises(RegistryError, match=rf"^other\.toml: .*{words}") as caught:
        parse(_changed(**changes))

    assert "\n" not in str(caught.value)


def test_no_toml() -> None:
    """Given a text that is no TOML, when it is parsed, then the error names the file."""
    with pytest.raises(RegistryError, match=r"^other\.toml is not TOML"):
        parse("a = = b")


def test_names_are_tomls_own() -> None:
    """Given the shipped file, when it is read as plain TOML, then every row has become a parameter."""
    assert [row["id"] for row in tomllib.loads(TEXT)["parameters"]] == [p.id for p in PARAMETERS]
