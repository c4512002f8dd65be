"""Tests of `conformance.provider.stream`: what is sent to the gateway, on both endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from conformance.tests.helpers.gateways import KEY, scripted_gateway
from conformance.tests.helpers.streams import CHAT, HI, RESPONSES, SEALED, provider

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

CONVERSATION: Any = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        "reasoning_content": "Hm.",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
        "reasoning_items": [SEALED],
    },
    {
        "role": "tool",
        "tool_call_id": "a",
        "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "cat"}],
    },
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Thanks."},
]


class TestRequests:
    """What is sent."""

    def sent(
        self, asked: Any, messages: Any = HI, told: Mapping[str, str] | None = None, **options: Any
    ) -> dict[str, Any]:
        """The body that a gateway gets; `told` is what its answers have told about the model before."""

        async def run(url: str) -> None:
            async with provider(url) as ours:
                ours.request_filter.whereabouts.told(url, str(asked), told or {})
                async for _ in ours.stream(asked, messages, **options):
                    pass

        with scripted_gateway() as gateway:
            asyncio.run(run(gateway.base_url))
            assert gateway.headers[0]["authorization"] == f"Bearer {KEY}"
            return gateway.seen[0]

    def test_chat(self) -> None:
        """Given all options, when a chat model is asked, then each is in its field."""
        assert self.sent(
            CHAT, session_id="s", reasoning="low", max_tokens=9, tools=[TOOL], parameters={"temperature": 0.5}
        ) == {
            "model": "m",
            "messages": HI,
            "tools": [TOOL],
            "max_completion_tokens": 9,
            "reasoning_effort": "low",
            "stream_options": {"include_usage": True},
            "prompt_cache_key": "s",
            "temperature": 0.5,
            "stream": True,
        }

    def test_responses(self) -> None:
        """Given all options, when a Responses model is asked, then each is in its field."""
        assert self.sent(RESPONSES, session_id="s", reasoning="low", tools=[TOOL]) == {
            "model": "m",
            "input": [{"type": "message", **HI[0]}],
            "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
            "max_output_tokens": 4096,
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "s",
            "store": False,
            "stream": True,
        }

    def test_what_is_refused_is_left_out(self) -> None:
        """Given models of which one refuses it, when a session is named, then the key is sent to the other alone."""
        told = {"x-litellm-model-name": "databricks/databricks-claude-haiku-4-5", "x-litellm-version": "1.109.1"}
        assert "prompt_cache_key" not in self.sent("claude-haiku-4-5", session_id="s", told=told)
        assert self.sent("gpt-5.2", session_id="s")["prompt_cache_key"] == "s"
        assert self.sent("nobody-knows-it", session_id="s")["prompt_cache_key"] == "s"

    def test_a_conversation_goes_back_on_chat(self) -> None:
        """Given an earlier answer with all it carries, when it goes back on chat, then with what is meant for chat."""
        sent = self.sent(CHAT, CONVERSATION)["messages"]

        expected = [dict(message) for message in CONVERSATION]
        del expected[2]["reasoning_items"]
        assert sent == expected

    def test_a_conversation_goes_back_on_responses(self) -> None:
        """Given an earlier answer with all it carries, when it goes back on Responses, then as its items."""
        assert self.sent(RESPONSES, CONVERSATION)["input"] == [
            {"type": "message", "role": "system", "content": "Be brief."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                ],
            },
            SEALED,
            {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "a cat"},
            {"type": "message", "role": "assistant", "content": "A cat."},
            {"type": "message", "role": "user", "content": "Thanks."},
        ]

    @pytest.mark.parametrize("messages", ["hi", b"bytes", ["hi"], [None]])
    def test_messages_that_are_none(self, messages: Any) -> None:
        """Given messages that are none, when a stream is made, then that is a `ValueError` at once."""
        with pytest.raises(ValueError, match="must be a list of objects"):
            provider("http://h").stream(CHAT, messages)

    def test_nothing_of_the_environment_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given settings for OpenAI itself, when the gateway is asked, then none of them goes to it."""
        for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, "http://elsewhere.example")

        async def run(url: str) -> None:
            async with provider(url) as ours:
                async for _ in ours.stream(CHAT, HI):
                    pass

        with scripted_gateway() as gateway:
            asyncio.run(run(gateway.base_url))
            assert not any("elsewhere" in value for value in gateway.headers[0].values())
