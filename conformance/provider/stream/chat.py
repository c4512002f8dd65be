"""Chat Completions, from the SDK's chunks to events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from conformance.provider.stream.draft import Draft, Pieces
from conformance.provider.stream.events import DoneReason, Event
from conformance.provider.stream.usage import cost_told, usage_of

_STOP_REASONS: dict[str, DoneReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class ChatReader:
    """Reads one answer; `feed` gets every chunk in turn, and `end` what is left to tell after the last."""

    def __init__(self, draft: Draft) -> None:
        """Write into this draft."""
        self._draft = draft
        self._call_at: dict[int, object] = {}

    def feed(self, chunk: Any) -> Iterable[Event]:
        """The events of one chunk."""
        choices = chunk.choices
        if choices and chunk.usage is None:
            choice = choices[0]
            delta = choice.delta
            if choice.finish_reason is None and delta and not delta.model_extra and not delta.tool_calls:
                text = delta.content
                if text and isinstance(text, str):  # which is nearly all of nearly every answer
                    return (self._draft.say(text),)
        return self._read(chunk)

    def _read(self, chunk: Any) -> Iterator[Event]:
        draft = self._draft
        usage = chunk.usage
        if usage is not None:
            draft.usage, draft.cost = usage_of(usage), cost_told(usage)
        if not chunk.choices:
            return
        choice = chunk.choices[0]
        delta = choice.delta
        if delta is not None:
            extra = delta.model_extra
            if extra:
                thought = extra.get("reasoning_content") or extra.get("reasoning")
                if thought and isinstance(thought, str):
                    yield draft.think(thought)
                if extra.get("thinking_blocks"):
                    self._keep_blocks(extra["thinking_blocks"])
            text = delta.content or delta.refusal
            if text and isinstance(text, str):
                yield draft.say(text)
            if delta.tool_calls:
                for call in delta.tool_calls:
                    yield from self._call(call)
        reason = choice.finish_reason
        if reason is not None:
            draft.stop_reason = _STOP_REASONS.get(reason, "stop")

    def end(self) -> Iterator[Event]:
        """The calls end with the answer: until then more of any of them can come."""
        draft = self._draft
        if draft.stop_reason is None:
            return
        yield from draft.end_calls()
        if draft.stop_reason == "stop" and draft.calls:  # as some servers say it
            draft.stop_reason = "tool_calls"

    def _call(self, call: Any) -> Iterator[Event]:
        """A piece of a call. Some servers give every call index 0: then a new id is a new call."""
        draft, function = self._draft, call.function
        index, call_id = call.index or 0, call.id or ""
        key = self._call_at.get(index)
        if key is None or (call_id and call_id != draft.call_id(key)):
            key = self._call_at[index] = (index, call_id)
            yield draft.call(key, call_id, (function and function.name) or "")
        if function and function.arguments and isinstance(function.arguments, str):
            yield draft.arguments(key, function.arguments)

    def _keep_blocks(self, blocks: Any) -> None:
        """Anthropic's thinking with its signature, which comes in pieces and must go back whole."""
        kept = self._draft.replay.setdefault("thinking_blocks", [])
        for block in blocks if isinstance(blocks, list) else []:
            if not isinstance(block, dict):
                continue
            piece = {key: value for key, value in block.items() if key != "index" and value is not None}
            if piece.get("type") != "thinking":
                kept.append(piece)
                continue
            thought = str(piece.pop("thinking", ""))
            if not kept or kept[-1].get("type") != "thinking" or "signature" in kept[-1]:
                kept.append({"thinking": Pieces()})
            kept[-1] |= piece
            kept[-1]["thinking"].append(thought)
