"""The shipped recording says of real clients what happened when they were run."""

from __future__ import annotations

import pytest

from conformance.schemas.documents import ReadinessRow
from conformance.tests.helpers.shipped import shipped_matrix


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], ReadinessRow]:
    """Each client and model of the shipped recording."""
    return {(row["client"], row["model"]): row for row in shipped_matrix()["clients"]["readiness"]}


def test_codex_on_databricks(rows: dict[tuple[str, str], ReadinessRow]) -> None:
    """Given that LiteLLM refused Codex's requests to Databricks' Claude for two fields, when the shipped recording is
    held against them, then it says that, and who refused."""
    row = rows["codex", "claude-haiku-4-5"]
    assert row["readiness"] == "breaks"
    broken = {field["field"]: field["rejected_by"] for field in row["ways"][0]["fields"] if field["rejected_by"]}
    assert broken == {"parallel_tool_calls": "gateway", "prompt_cache_key": "gateway"}


@pytest.mark.parametrize("model", ["gpt-5.2", "gemini-2-5-pro"])
def test_opencode_works(rows: dict[tuple[str, str], ReadinessRow], model: str) -> None:
    """Given that opencode worked with GPT and Gemini, when the shipped recording is read, then it says so."""
    assert rows["opencode", model]["readiness"] == "works"


def test_pi_needs_no_store(rows: dict[tuple[str, str], ReadinessRow]) -> None:
    """Given that Pi failed on chat where LiteLLM refuses `store`, when the recording is read, then it names that."""
    row = rows["pi", "gemini-2-5-flash"]
    chat = next(way for way in row["ways"] if way["way"] == "chat")
    assert chat["reason"] == "breaks on store:false (refused by the gateway)"
