"""The message that the events of a stream of Anthropic's Messages API add up to. Pure; hostile events add nothing.

The events: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

#: What a delta of each kind brings, and the field of its block that it belongs to.
_GROWS: Mapping[str, tuple[str, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}

#: The events that end a message: the last one, or the one that says why it stopped.
_STOP, _DELTA = "message_stop", "message_delta"


def is_finished(events: Iterable[Json]) -> bool:
    """True where the message came to its end, rather than its stream."""
    return any(event.get("type") == _STOP or _delta_of(event).get("stop_reason") for event in events)


def message_of(events: Iterable[Json]) -> Json:
    """The message of all events, its blocks in the order of their numbers."""
    whole: Json = {"type": "message", "role": "assistant"}
    blocks: dict[int, Json] = {}
    pieces: dict[tuple[int, str], list[str]] = {}
    usage: Json = {}
    for event in events:
        kind, index = event.get("type"), event.get("index")
        told = event.get("message")
        if kind == "message_start" and isinstance(told, dict):
            whole |= told
            usage |= _object(told.get("usage"))
        elif kind == "content_block_start" and isinstance(index, int):
            blocks[index] = _object(event.get("content_block"))
        elif kind == "content_block_delta" and isinstance(index, int):
            delta = _object(event.get("delta"))
            source, field = _GROWS.get(str(delta.get("type")), ("", ""))
            if isinstance(delta.get(source), str):
                pieces.setdefault((index, field), []).append(delta[source])
        elif kind == _DELTA:
            whole |= _delta_of(event)
            whole |= {name: value for name, value in event.items() if name not in ("type", "delta", "usage")}
            usage |= {name: value for name, value in _object(event.get("usage")).items() if value is not None}
    for (index, field), parts in pieces.items():
        block = blocks.setdefault(index, {"type": "tool_use" if field == "input" else field})
        block[field] = _arguments("".join(parts)) if field == "input" else _text(block.get(field)) + "".join(parts)
    return {**whole, "content": [block for _, block in sorted(blocks.items())], "usage": usage}


def _delta_of(event: Json) -> Json:
    return _object(event.get("delta")) if event.get("type") == _DELTA else {}


def _arguments(text: str) -> Any:
    """What a tool is called with; text that is no JSON stays text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _object(value: Any) -> Json:
    return dict(value) if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
