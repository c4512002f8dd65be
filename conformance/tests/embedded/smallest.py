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
DATABRICKS_MESSAGES = "/databricks/serving-endpoints/anthropic/v1/messages"
BEDROCK_MESSAGES = "/bedrock/model/us.anthropic.claude-sonnet-4-6/invoke"
BEDROCK_STREAM = f"{BEDROCK_MESSAGES}-with-response-stream"
BEDROCK_COUNT = "/bedrock/model/us.anthropic.claude-sonnet-4-6/count-tokens"
VERTEX = "/v1/projects/simulated/locations/us-east5/publishers/anthropic/models"
VERTEX_MESSAGES = f"{VERTEX}/claude-sonnet-4-5@20250929:rawPredict"
VERTEX_STREAM = f"{VERTEX}/claude-sonnet-4-5@20250929:streamRawPredict"
VERTEX_COUNT = f"{VERTEX}/count-tokens:rawPredict"
GEMINI = "/gemini/models/gemini-2.5-flash:generateContent"
GEMINI_STREAM = "/gemini/models/gemini-2.5-flash:streamGenerateContent"
NOVA = "/bedrock/model/us.amazon.nova-pro-v1%3A0/converse"
COMPATIBLE = "/compatible/v1/chat/completions"
COHERE = "/cohere/v2/chat"
OLLAMA = "/ollama/api/chat"

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BASES: dict[str, dict[str, Any]] = {
    OPENAI_CHAT: {"model": "gpt-4.1", "messages": MESSAGES},
    OPENAI_RESPONSES: {"model": "gpt-4.1", "input": HELLO},
    f"{OPENAI_RESPONSES}/input_tokens": {"model": "gpt-4.1", "input": HELLO},
    DATABRICKS: {"model": "databricks-claude-haiku-4-5", "messages": MESSAGES},
    DATABRICKS_RESPONSES: {"model": "databricks-gpt-5-1", "input": HELLO},
    AZURE_CHAT: {"messages": MESSAGES},
    AZURE_RESPONSES: {"model": "gpt-5.2", "input": HELLO},
    ANTHROPIC: {"model": "claude-opus-4-6", "max_tokens": 100, "messages": MESSAGES},
    f"{ANTHROPIC}/count_tokens": {"model": "claude-opus-4-6", "messages": MESSAGES},
    DATABRICKS_MESSAGES: {"model": "databricks-claude-haiku-4-5", "max_tokens": 100, "messages": MESSAGES},
    BEDROCK_MESSAGES: {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": MESSAGES},
    BEDROCK_STREAM: {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": MESSAGES},
    BEDROCK_COUNT: {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": HELLO}]}]}}},
    VERTEX_MESSAGES: {"anthropic_version": "vertex-2023-10-16", "max_tokens": 100, "messages": MESSAGES},
    VERTEX_STREAM: {"anthropic_version": "vertex-2023-10-16", "max_tokens": 100, "messages": MESSAGES},
    VERTEX_COUNT: {"model": "claude-sonnet-4-5", "messages": MESSAGES},
    GEMINI: {"contents": [{"parts": [{"text": HELLO}]}]},
    GEMINI_STREAM: {"contents": [{"parts": [{"text": HELLO}]}]},
    NOVA: {"messages": [{"role": "user", "content": [{"text": HELLO}]}]},
    f"{NOVA}-stream": {"messages": [{"role": "user", "content": [{"text": HELLO}]}]},
    COMPATIBLE: {"model": "house-model", "messages": MESSAGES},
    "/compatible/v1/responses": {"model": "house-model", "input": HELLO},
    "/perplexity/chat/completions": {"model": "sonar-pro", "messages": MESSAGES},
    "/perplexity/v1/responses": {"model": "sonar-pro", "input": HELLO},
    COHERE: {"model": "command-a-03-2025", "messages": MESSAGES},
    OLLAMA: {"model": "llama3.3", "messages": MESSAGES},
}


def base(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """The smallest request for a path, with more fields."""
    return path, {**BASES[path], **more}
