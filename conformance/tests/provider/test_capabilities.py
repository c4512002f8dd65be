"""Tests of `conformance.provider.models.capabilities`: what names tell, and what a gateway's word changes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.models.capabilities import Capabilities, capabilities_of
from conformance.provider.table import shipped_table_path

RULES = json.loads((shipped_table_path().parent / "models" / "capabilities.json").read_text(encoding="utf-8"))
SIZED = [rule["pattern"] for key in ("context_window", "max_tokens") for rule in RULES[key]["rules"]]
PATTERNS = sorted({*RULES["reasoning"], *RULES["image"], *SIZED})


@pytest.mark.parametrize("name", ["opus", "with-reasoning", "gpt-5", "o1", "o3"])
@pytest.mark.parametrize("dressed", ["{}", "databricks/databricks-{}", "x-{}-y", "{}:latest"])
def test_what_reasons(name: str, dressed: str) -> None:
    """Given a name that stands for reasoning, wherever it stands in an id, then the model reasons."""
    assert capabilities_of(dressed.format(name)).reasoning
    assert capabilities_of(dressed.format(name).upper()).reasoning


@pytest.mark.parametrize("name", ["claude", "gpt-4", "gpt-5", "gemini", "sonnet", "opus", "haiku", "nova"])
@pytest.mark.parametrize("dressed", ["{}", "databricks/databricks-{}", "x-{}-1", "us.amazon.{}-pro-v1:0"])
def test_what_sees(name: str, dressed: str) -> None:
    """Given a name that stands for sight, wherever it stands in an id, then the model takes images."""
    assert capabilities_of(dressed.format(name)).input == ("text", "image")


@pytest.mark.parametrize("model", ["foo1", "corpus-embed", "innovation-7b", "o30", "o1x", "proto1", "magnum-opusculum"])
def test_words_that_hold_a_name_by_chance(model: str) -> None:
    """Given a word that merely holds such a name, then it tells nothing."""
    assert capabilities_of(model) == Capabilities(False, ("text",), 128_000, 4096)


@pytest.mark.parametrize(
    ("model", "context", "most"),
    [
        ("claude-opus-4-6", 200_000, 8192),
        ("claude-opus-4.6", 200_000, 8192),
        ("claude-opus-4-5", 200_000, 4096),
        ("gpt-5.2", 200_000, 8192),
        ("gemini-2.5-flash", 1_000_000, 4096),
        ("gemini-2-5-flash", 1_000_000, 4096),
        ("claude-haiku-4-5", 128_000, 4096),
        ("claude-sonnet-4-5", 128_000, 4096),
        ("anything", 128_000, 4096),
    ],
)
def test_sizes(model: str, context: int, most: int) -> None:
    """Given a model's name, when its sizes are asked for, then the longest answer is a conservative figure."""
    found = capabilities_of(model)

    assert (found.context_window, found.max_tokens) == (context, most)


@pytest.mark.parametrize("larger", [8193, 64_000, 128_000.0, "128000"])
def test_a_larger_answer_is_not_believed(larger: Any) -> None:
    """Given a gateway that declares longer answers, then the conservative figure stays; a smaller one is taken."""
    assert capabilities_of("gpt-5", {"max_output_tokens": larger}).max_tokens == 8192
    assert capabilities_of("gpt-5", {"max_output_tokens": 100}).max_tokens == 100


def test_false_of_a_group_row_is_no_word() -> None:
    """Given a row of `/model_group/info`, whose default is false, then only its true is a declaration."""
    row = {"model_group": "claude-opus-4-6", "supports_vision": False, "supports_reasoning": False}

    assert capabilities_of("claude-opus-4-6", row) == capabilities_of("claude-opus-4-6")
    assert capabilities_of("x", {**row, "supports_vision": True, "supports_reasoning": True}).reasoning
    del row["model_group"]
    assert capabilities_of("claude-opus-4-6", row) == Capabilities(False, ("text",), 200_000, 8192)


_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3)


@given(
    st.text() | _ANY,
    st.none() | st.dictionaries(st.sampled_from([*RULES["declared"].values(), "mode"]), _ANY) | _ANY,
)
def test_nothing_breaks_it(model: Any, declared: Any) -> None:
    """Given any id and any declaration, when asked, then the answer is well-formed."""
    found = capabilities_of(model, declared)

    assert type(found.reasoning) is bool
    assert found.input in (("text",), ("text", "image"))
    assert 1 <= found.max_tokens <= min(found.context_window, 8192)
    assert type(found.context_window) is type(found.max_tokens) is int


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_written_for_both_languages(pattern: str) -> None:
    """Given a pattern, when its letters are looked at, then it has nothing that only Python reads, or upper case."""
    re.compile(pattern)

    assert not re.search(r"\(\?P|\(\?[aiLmsux]|\\[AZdwsbDWSBpP]|[A-Z]|[^\x20-\x7e]|\.(?![-\]])", pattern)
