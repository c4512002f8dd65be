"""Tests of `conformance.provider.table.families`: what a name tells, and the rules that select by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.table.families import family_of, served_from


@pytest.mark.parametrize(
    ("name", "family", "version"),
    [
        ("databricks-claude-sonnet-4-5", "claude", (4, 5)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude", (4, 5)),
        ("claude-sonnet-4-20250514", "claude", (4,)),
        ("claude-3-5-haiku-20241022", "claude", (3, 5)),
        ("anthropic/claude-opus-4.6", "claude", (4, 6)),
        ("Claude Instant", "claude", ()),
        ("gpt-4o-2024-08-06", "gpt", (4,)),
        ("gpt-4-32k", "gpt", (4,)),
        ("databricks-gpt-5-1", "gpt", (5, 1)),
        ("gpt-6.1-sol", "gpt", (6, 1)),
        ("openai/gpt-oss-120b", "gpt-oss", ()),
        ("o3-mini", "o", (3,)),
        ("gemini-2.5-flash-lite", "gemini", (2, 5)),
        ("databricks-gemini-3-8-flash", "gemini", (3, 8)),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama", (3, 3)),
        ("us.meta.llama4-maverick-17b-instruct-v1:0", "llama", (4,)),
        ("ollama_chat/llama3.3", "llama", (3, 3)),
        ("ollama_chat/qwen3:32b", "qwen", (3,)),
        ("ollama/codellama", "llama", ()),
        ("command-a-plus-05-2026", "command", ()),
        ("us.amazon.nova-pro-v1:0", "nova", ()),
        ("us.amazon.nova-2-lite-v1:0", "nova", (2,)),
        ("magistral-medium-latest", "magistral", ()),
        ("grok-4.20-reasoning", "grok", (4, 20)),
    ],
)
def test_a_name_tells_its_family(name: str, family: str, version: tuple[int, ...]) -> None:
    """Given a model's name as a route has it, when its family is asked for, then it is this, in this version."""
    assert family_of(name) == (family, version)


@pytest.mark.parametrize("name", ["", "house-model", "solo3x", "text-embedding-3-small"])
def test_a_name_may_tell_nothing(name: str) -> None:
    """Given a name of no family, when its family is asked for, then there is none."""
    assert family_of(name) is None


@pytest.mark.parametrize(
    ("model", "served"),
    [
        ("azure/gpt-5.2", ("azure", "gpt-5.2")),
        ("azure/", ("azure", "")),
        ("bedrock/invoke/us.anthropic.claude-opus-4-8", ("bedrock/invoke", "us.anthropic.claude-opus-4-8")),
        ("bedrock/us.amazon.nova-pro-v1:0", ("bedrock", "us.amazon.nova-pro-v1:0")),
        ("together_ai/Qwen/Qwen3-32B", ("together_ai", "Qwen/Qwen3-32B")),
        ("gpt-5.2", None),
        ("/x", None),
    ],
)
def test_litellms_name_tells_the_route(model: str, served: tuple[str, str] | None) -> None:
    """Given a model as LiteLLM names it, when it is taken apart, then there are its route and its name there."""
    assert served_from(model) == served


@given(st.text())
def test_any_name_can_be_asked_about(name: str) -> None:
    """Given any name, when it is asked about, then nothing breaks."""
    family = family_of(name)
    assert family is None or family.name
    served = served_from(name)
    assert served is None or served.route
