"""Requests to Claude at each vendor that serves it."""

from __future__ import annotations

from typing import Any

from conformance.tests.embedded.smallest import BEDROCK_MESSAGES, HELLO, TOOL, VERTEX, VERTEX_MESSAGES, base

OPUS = {"model": "claude-opus-4-8"}
SONNET = {"model": "claude-sonnet-4-5"}
VERTEX_OPUS = f"{VERTEX}/claude-opus-4-8:rawPredict"
BEDROCK_OPUS = "/bedrock/model/us.anthropic.claude-opus-4-8/invoke"
CONVERSE = "/bedrock/model/us.anthropic.claude-opus-4-8/converse"
ASKED = [{"role": "user", "content": "Call weather for Rome and Oslo."}]
WEATHER = {"name": "weather", "input_schema": TOOL}
EDITS = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def invoke(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A request to Claude on Bedrock."""
    _path, body = base(BEDROCK_MESSAGES, **more)
    return path, body


def vertex(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A request to Claude on Vertex."""
    _path, body = base(VERTEX_MESSAGES, **more)
    return path, body


def converse(**more: Any) -> tuple[str, dict[str, Any]]:
    """A Converse request to Claude."""
    return CONVERSE, {"messages": [{"role": "user", "content": [{"text": HELLO}]}], **more}


def beta(*names: str) -> dict[str, str]:
    """The header that asks for beta features."""
    return {"anthropic-beta": ",".join(names)}


MANUAL = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive"}
