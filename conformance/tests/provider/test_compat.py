"""Tests of `conformance.provider.models.compat`: what clients are told of a model before they ask it anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.parameters import load_registry
from conformance.provider.filter import filter_request
from conformance.provider.models.compat import compat_of
from conformance.provider.table import (
    Rule,
    Statement,
    SupportTable,
    load_table,
    shipped_table_path,
    split_parameter,
)

YES, NO = Statement(True, "s"), Statement(False, "s")
RULES = json.loads((shipped_table_path().parent / "models" / "compat.json").read_text(encoding="utf-8"))
LEVELS = ["off", "minimal", "low", "medium", "high", "xhigh"]
EFFORTS = ["minimal", "low", "medium", "high", "xhigh"]


def refusing(*names: str, kind: str = "default") -> SupportTable:
    """A table that refuses these parameters of model `m`, from a source of this kind."""
    return SupportTable((Rule(("m",), dict.fromkeys(names, NO)),), {"s": {"kind": kind}})


@pytest.mark.parametrize(
    ("refused", "flag", "value"),
    [
        ("store", "supportsStore", False),
        ("store:false", "supportsStore", False),
        ("store:true", "supportsStore", True),
        ("messages.role:developer", "supportsDeveloperRole", False),
        ("messages.role", "supportsDeveloperRole", False),
        ("input.role:developer", "supportsDeveloperRole", True),
        ("reasoning_effort", "supportsReasoningEffort", False),
        ("reasoning_effort:high", "supportsReasoningEffort", True),
        ("stream_options.include_usage", "supportsUsageInStreaming", False),
        ("tools.strict:false", "supportsStrictMode", False),
        ("prompt_cache_retention", "supportsLongCacheRetention", False),
        ("max_completion_tokens", "maxTokensField", "max_tokens"),
        ("max_tokens", "maxTokensField", "max_completion_tokens"),
        ("messages.tool_calls", "wire", "responses"),
        ("input.type:function_call", "wire", "chat_completions"),
    ],
)
def test_flags(refused: str, flag: str, value: object) -> None:
    """Given a table that refuses one parameter, when the flags are drawn from it, then the one for it says so."""
    assert compat_of("m", table=refusing(refused))[flag] == value


def test_what_nobody_knows_is_supported() -> None:
    """Given an empty table, when the flags are drawn from it, then all is supported, and the common levels."""
    compat = compat_of("m", table=SupportTable(()))

    assert all(compat[name] is True for name in RULES["flags"])
    assert compat["maxTokensField"] == "max_completion_tokens"
    assert compat["thinking_levels"] == {level: level for level in LEVELS[1:5]}
    assert compat["wire"] == "chat_completions"


def test_levels_of_a_measured_model() -> None:
    """Given a model that was measured, when its levels are told, then each is there, and the refused are hidden."""
    table = refusing("reasoning_effort:xhigh", "reasoning_effort:none", kind="measured")

    levels = compat_of("m", table=table)["thinking_levels"]

    assert levels == {
        "off": None,
        "minimal": "minimal",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": None,
    }


def test_levels_are_those_of_the_wire() -> None:
    """Given a model that is best spoken to by Responses, when its levels are told, then they are that endpoint's."""
    table = refusing("messages.tool_calls", "reasoning.effort:high", "reasoning_effort:low")

    assert compat_of("m", table=table)["thinking_levels"]["high"] is None
    assert compat_of("m", table=table)["thinking_levels"]["low"] == "low"


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        ("gpt-5.2", "responses"),
        ("o3", "responses"),
        ("databricks-gpt-5-1", "responses"),
        ("claude-haiku-4-5", "chat_completions"),
        ("claude-opus-4-6", "chat_completions"),
        ("gemini-2-5-pro", "chat_completions"),
        ("nova-pro", "chat_completions"),
        ("team-default", "chat_completions"),
        ("unheard-of", "chat_completions"),
        ("foo1", "chat_completions"),
    ],
)
def test_wires_by_the_shipped_table(model: str, wire: str) -> None:
    """Given the shipped table, when a model's wire is asked for, then it is one that takes an agent's tool turns."""
    assert compat_of(model, table=load_table())["wire"] == wire


def test_rules_name_what_the_registry_has() -> None:
    """Given the shipped rules, when the parameters they ask for are looked up, then the registry measures them all."""
    registry = load_registry()
    known = {name for p in registry.parameters for name in (p.id, split_parameter(p.id)[0])} | {"messages", "input"}
    asked = [name for row in RULES["flags"].values() for key in ("all_of", "any_of") for name in row.get(key, ())]
    asked += [name for row in RULES["choices"].values() for name in row["first_of"]]
    asked += [name for names in RULES["wires"]["essential"].values() for name in names]
    asked += [
        f"{parameter}:{row['effort']}"
        for parameter in RULES["thinking_levels"]["parameter"].values()
        for row in RULES["thinking_levels"]["levels"]
    ]

    assert set(asked) <= known
    assert [row["level"] for row in RULES["thinking_levels"]["levels"]] == LEVELS


@given(st.sets(st.sampled_from([f"reasoning_effort:{effort}" for effort in EFFORTS])), st.sampled_from(EFFORTS))
def test_levels_agree_with_the_filter(refused: set[str], effort: str) -> None:
    """Given any refused levels, when one is asked for, then the filter changes it exactly where it is hidden."""
    table = refusing(*refused)
    levels = compat_of("m", table=table)["thinking_levels"]

    filtered = filter_request({"reasoning_effort": effort}, "m", "chat_completions", table=table)

    hidden = levels.get(effort, effort) is None
    assert hidden is (f"reasoning_effort:{effort}" in refused)
    assert (filtered.body.get("reasoning_effort") != effort) is hidden


@pytest.mark.parametrize("model", ["", "\x00", "m" * 100_000, "\ud800", None, 5])
def test_odd_ids(model: object) -> None:
    """Given an id that no model has, when its flags are asked for, then they are those of an unknown model."""
    table = load_table()

    assert compat_of(model, table=table) == compat_of("unheard-of", table=table)  # type: ignore[arg-type]
