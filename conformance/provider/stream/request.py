"""The body of a request, for the endpoint that works for the model. Pure.

Messages and tools are given in the form of Chat Completions, the one that everybody writes; what
an earlier answer's `Done.message` carries for the model's own use goes back in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: What a message carries for one endpoint only.
_CHAT_ONLY, _RESPONSES_ONLY = ("reasoning_content", "thinking_blocks"), ("reasoning_items",)

_PARTS = {"text": "input_text", "input_text": "input_text", "output_text": "output_text"}


def request_body(
    endpoint: str,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    max_tokens: int | None = None,
    reasoning: str | None = None,
    session_id: str | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A streamed request, before anything is left out of it. What is None is not sent; `parameters` win."""
    make = _responses_body if endpoint == "responses" else _chat_body
    body = {
        "model": model,
        **make(messages, tools or (), max_tokens, reasoning),
        "prompt_cache_key": session_id,
        **(parameters or {}),
        "stream": True,
    }
    return {name: value for name, value in body.items() if value is not None}


def _chat_body(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    max_tokens: int | None,
    reasoning: str | None,
) -> dict[str, Any]:
    return {
        "messages": [{key: value for key, value in each.items() if key not in _RESPONSES_ONLY} for each in messages],
        "tools": [tool if "function" in tool else _nested(tool) for tool in tools] or None,
        "max_completion_tokens": max_tokens,
        "reasoning_effort": reasoning,
        "stream_options": {"include_usage": True},
    }


def _responses_body(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    max_tokens: int | None,
    reasoning: str | None,
) -> dict[str, Any]:
    return {
        "input": [item for message in messages for item in _items(message)],
        "tools": [_flat(tool) for tool in tools] or None,
        "max_output_tokens": max_tokens,
        "reasoning": {"effort": reasoning, "summary": "auto"} if reasoning else None,
        "include": ["reasoning.encrypted_content"] if reasoning else None,
        "store": False,
    }


def _nested(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function in the form of Chat Completions; other kinds of tools as they are."""
    if tool.get("type") != "function":
        return dict(tool)
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function in the form of Responses."""
    function = tool.get("function")
    return {"type": "function", **function} if isinstance(function, Mapping) else dict(tool)


def _items(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The items that one message becomes."""
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        yield {"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": _text(content)}
        return
    yield from message.get("reasoning_items") or ()
    if content:
        parts = [_part(part, role) for part in content] if isinstance(content, list) else content
        yield {"type": "message", "role": role, "content": parts}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        arguments = {"name": function.get("name"), "arguments": function.get("arguments")}
        yield {"type": "function_call", "call_id": call.get("id"), **arguments}


def _part(part: Any, role: Any) -> Any:
    """A part of a message; what has no counterpart goes as it is, for the gateway to judge."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "image_url":
        image = part["image_url"]
        image = image if isinstance(image, Mapping) else {"url": image}
        detail = {"detail": image["detail"]} if "detail" in image else {}
        return {"type": "input_image", "image_url": image.get("url"), **detail}
    if kind in _PARTS:
        return {**part, "type": "output_text" if role == "assistant" else "input_text"}
    return part


def _text(content: Any) -> str:
    """A tool's result as one text."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""
