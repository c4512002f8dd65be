"""Tests of `conformance.atlas.list_changes`: whom a newer list of models concerns."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.atlas.list_changes import described_differently, told
from conformance.tests.atlas.building import TAKEN, atlas_of_one

OLD: dict[str, Any] = {"supports_reasoning": False, "input_cost_per_token": 1e-6, "max_output_tokens": 4096}
NEW: dict[str, Any] = {**OLD, "supports_reasoning": True}
ALIKE: dict[str, Any] = {**OLD, "input_cost_per_token": 2e-6, "max_output_tokens": 8192, "source": "a page"}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-5.5", "gpt-5.5"),
        ("groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("groq/openai/gpt-oss-120b", "GROQ/OpenAI/gpt-oss-120b"),
        ("bedrock/us.anthropic.claude-opus-4-8-v1:0", "anthropic.claude-opus-4-8-v1:0"),
        ("bedrock/invoke/us.anthropic.claude-opus-4-8-v1:0", "bedrock/anthropic.claude-opus-4-8-v1:0"),
        ("vertex_ai/claude-opus-4-5@20251101", "vertex_ai/claude-opus-4-5"),
        ("gemini/gemini-2.5-flash-001", "gemini/gemini-2.5-flash"),
    ],
)
def test_a_model_is_found_under_each_of_its_names(model: str, name: str) -> None:
    """Given a model as a fleet names it, when a row changes under a name that LiteLLM looks up for it, then it is a
    model of which the lists say other things; also where a list has no such row."""
    assert described_differently([model], {name: OLD}, {name: NEW}) == [model]
    assert described_differently([model], {}, {name: OLD}) == [model]


@pytest.mark.parametrize(
    "now",
    [{"gpt-5.5": ALIKE}, {"gpt-5.5": OLD, "gpt-5.5-pro": NEW}, {"gpt-5.5": OLD, "azure/gpt-5.5": NEW}],
)
def test_what_decides_about_no_parameter_is_no_difference(now: dict[str, Any]) -> None:
    """Given a row whose price, length or source changes, or a row of another model or route, when lists are compared,
    then they say the same of the model."""
    assert described_differently(["openai/gpt-5.5"], {"gpt-5.5": OLD}, now) == []


GENERAL: dict[str, Any] = {
    "rules": [
        {"name": "ids", "pattern": "^claude-", "model_info": {"litellm_provider": "anthropic"}},
        {"name": "claude", "pattern": "claude-[a-z]+-\\d", "model_info": {"supports_reasoning": True}},
        {
            "name": "new",
            "pattern": "claude-opus-[6-9]",
            "model_info": {"supports_speed": True},
            "fill_missing_for_providers": ["anthropic"],
        },
    ]
}


@pytest.mark.parametrize(
    ("model", "row", "differs"),
    [
        ("openrouter/claude-opus-5", None, False),
        ("openrouter/claude-opus-7", None, True),
        ("anthropic/claude-opus-7", {"litellm_provider": "anthropic"}, True),
        ("anthropic/claude-opus-7", {"litellm_provider": "anthropic", "supports_speed": False}, False),
        ("bedrock/claude-opus-7", {"litellm_provider": "bedrock"}, False),
    ],
)
def test_general_rules_stand_in_for_what_a_row_lacks(model: str, row: dict[str, Any] | None, differs: bool) -> None:
    """Given a newer list with a general rule more, when lists are compared, then it concerns a name that fits and
    has no row, or a row of a provider that it fills in; not where the row says something itself."""
    before = {**GENERAL, "rules": GENERAL["rules"][:2]}
    rows = {model.partition("/")[2]: row} if row else {}
    listed = [{**rows, "fallback_generalizations": each} for each in (before, GENERAL)]
    assert described_differently([model], *listed) == ([model] if differs else [])


def test_a_release_that_knows_no_general_rules_is_not_concerned_by_them() -> None:
    """Given an old list without general rules, when a newer one has some, then they change nothing for that release."""
    assert described_differently(["openrouter/claude-opus-7"], {}, {"fallback_generalizations": GENERAL}) == []


def test_the_lists_that_releases_went_by_are_told() -> None:
    """Given releases that went by one list of models, when it is told, then by its release; given several, as such."""
    atlas = atlas_of_one(["1.80.17", "1.90.7"], {"x/gpt-5": {"1.80.17": TAKEN}})
    assert "with the list of models of LiteLLM 1.90.7." in told(atlas)
    atlas["releases"]["1.80.17"]["model_list"] = "1.80.17"
    assert "2 different lists of models" in told(atlas)
