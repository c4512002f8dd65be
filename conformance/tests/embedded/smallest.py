"""The smallest request that each simulated vendor documents."""

from __future__ import annotations

from typing import Any

HELLO = "Reply with the word OK."
MESSAGES = [{"role": "user", "content": HELLO}]

OPENAI_CHAT = "/openai/v1/chat/completions"
OPENAI_RESPONSES = "/openai/v1/responses"
DATABRICKS = "/databricks/serving-endpoints/chat/completions"
DATABRICKS_RESPONSES = "/databricks/serving-endpoints/responses"
AZURE_CHAT = "/azure/openai/deployments/gpt-5.2/chat/completions"
AZURE_RESPONSES = "/azure/openai/responses"
ANTHROPIC = "/anthropic/v1/messages"
GEMINI = "/gemini/models/gemini-2.5-flash:generateContent"
GEMINI_STREAM = "/gemini/models/gemini-2.5-flash:streamGenerateContent"
NOVA = "/bedrock/model/us.amazon.nova-pro-v1%3A0/converse"
COMPATIBLE = "/compatible/v1/chat/completions"

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BASES: dict[str, dict[str, Any]] = {
    OPENAI_CHAT: {"model": "gpt-4.1", "messages": MESSAGES},
    OPENAI_RESPONSES: {"model": "gpt-4.1", "input": HELLO},
    DATABRICKS: {"model": "databricks-claude-haiku-4-5", "messages": MESSAGES},
    DATABRICKS_RESPONSES: {"model": "databricks-gpt-5-1", "input": HELLO},
    AZURE_CHAT: {"messages": MESSAGES},
    AZURE_RESPONSES: {"model": "gpt-5.2", "input": HELLO},
    ANTHROPIC: {"model": "claude-opus-4-6", "max_tokens": 100, "messages": MESSAGES},
    GEMINI: {"contents": [{"parts": [{"text": HELLO}]}]},
    GEMINI_STREAM: {"contents": [{"parts": [{"text": HELLO}]}]},
    NOVA: {"messages": [{"role": "user", "content": [{"text": HELLO}]}]},
    f"{NOVA}-stream": {"messages": [{"role": "user", "content": [{"text": HELLO}]}]},
    COMPATIBLE: {"model": "house-model", "messages": MESSAGES},
    "/compatible/v1/responses": {"model": "house-model", "input": HELLO},
}


def base(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """The smallest request for a path, with more fields."""
    return path, {**BASES[path], **more}
