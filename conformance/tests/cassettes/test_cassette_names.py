"""Tests of how cassettes are named: each model's is its own, and safe on every file system."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance.cassettes.format import GATEWAY_FILE
from conformance.text.names import cassette_name

_IDS = st.text(st.characters(), max_size=40) | st.lists(
    st.sampled_from(
        ["a", "A", ".", "-", "~", "/", "\\", "CON", "nul", "com1", "gateway", ".json", " ", "\0", "é", "\n"]
    ),
    max_size=6,
).map("".join)

#: What no file system, shell or URL minds.
_SAFE = re.compile(r"[a-z0-9_][a-z0-9._~-]*\.json")
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(10))}


@given(_IDS)
@example("")
@example(".")
@example("..")
@example("../../etc/passwd")
@example("C:\\x")
@example("NUL.txt")
@example("nul.gguf")
@example("Con")
@example("gateway")
@example("Gateway")
@example("gateway.json")
@example("a" * 10_000)
@example("A" * 10_000)
@example("-rf")
@example("a.")
@example("a\n")
@example("\ud800")
def test_names_are_safe(model: str) -> None:
    """Given any model id, when its cassette is named, then the name is safe on every file system."""
    name = cassette_name(model)

    assert _SAFE.fullmatch(name)
    assert name != GATEWAY_FILE
    assert len(name) <= 100
    assert name.split(".")[0] not in _WINDOWS_DEVICES


@given(_IDS, _IDS)
@example("Gpt", "gpt")
@example("a/b", "a-b")
@example("a b", "a  b")
@example("a\ud800", "a\udbff")
@example("é", "e\u0301")
@example("x" * 9_999, "x" * 10_000)
def test_names_are_not_shared(one: str, other: str) -> None:
    """Given two model ids, when their cassettes are named, then the names are one only if the ids are."""
    assert (cassette_name(one).casefold() == cassette_name(other).casefold()) is (one == other)


def test_a_name_does_not_pass_for_a_digest() -> None:
    """Given a model called like another's cassette, when it is named, then the two names differ."""
    taken = cassette_name("A/B").removesuffix(".json")

    assert cassette_name(taken) != cassette_name("A/B")


@pytest.mark.parametrize("model", ["gpt-5.2", "claude-haiku-4-5", "o3", "a", "databricks-meta-llama-3-3-70b-instruct"])
def test_plain_names_stay(model: str) -> None:
    """Given an ordinary id, when its cassette is named, then it keeps its name."""
    assert cassette_name(model) == f"{model}.json"
