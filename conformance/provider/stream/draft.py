"""An answer while it comes in: what has been told of it, and what it amounts to."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.provider.stream.events import (
    DoneReason,
    Event,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
)


class Pieces(list[str]):
    """A text whose pieces are joined when it is asked for, for joining it with each takes ever longer."""


@dataclass
class _Call:
    index: int
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    ended: bool = False


class Draft:
    """Every piece goes through here, so that what was told and what is kept cannot differ."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.stop_reason: DoneReason | None = None
        self.usage: Usage | None = None
        self.cost: float | None = None
        #: What the model wants back with the next turn, by the name it has in a message.
        self.replay: dict[str, list[dict[str, Any]]] = {}
        self._calls: dict[Hashable, _Call] = {}

    def say(self, text: str) -> TextDelta:
        """A piece of text has come."""
        self.text.append(text)
        return TextDelta(text)

    def think(self, text: str) -> ThinkingDelta:
        """A piece of thinking has come."""
        self.thinking.append(text)
        return ThinkingDelta(text)

    def call(self, key: Hashable, call_id: str, name: str) -> ToolCallStart:
        """A call begins; `key` tells it from the others."""
        call = self._calls[key] = _Call(len(self._calls), call_id, name)
        return ToolCallStart(call.index, call_id, name)

    def knows(self, key: Hashable) -> bool:
        """Whether a call with this key has begun."""
        return key in self._calls

    def is_open(self, key: Hashable) -> bool:
        """Whether a call with this key has begun and has not ended."""
        return key in self._calls and not self._calls[key].ended

    def call_id(self, key: Hashable) -> str:
        """The id of a call that has begun."""
        return self._calls[key].id

    def arguments(self, key: Hashable, piece: str) -> ToolCallDelta:
        """A piece of a call's arguments has come."""
        call = self._calls[key]
        call.arguments.append(piece)
        return ToolCallDelta(call.index, piece)

    def end_call(self, key: Hashable, whole: str = "") -> Iterator[Event]:
        """A call ends, once; what `whole` has over the pieces that came is told first."""
        call = self._calls[key]
        if call.ended:
            return
        had = "".join(call.arguments)
        rest = whole[len(had) :] if whole.startswith(had) else ""
        if rest:
            yield self.arguments(key, rest)
        call.ended = True
        yield ToolCallEnd(call.index, call.id, call.name, had + rest)

    def end_calls(self) -> Iterator[Event]:
        """Every call that is still open ends."""
        for key in self._calls:
            yield from self.end_call(key)

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return len(self._calls)

    @property
    def empty(self) -> bool:
        """Whether nothing that a user would see has come."""
        return not self.text and not self._calls

    def message(self) -> dict[str, Any]:
        """The answer so far as a message of the assistant, with only those calls that are whole."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text) or None}
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.arguments)}}
            for call in self._calls.values()
            if call.ended
        ]
        if calls:
            message["tool_calls"] = calls
        if self.thinking:
            message["reasoning_content"] = "".join(self.thinking)
        return {**message, **{name: [*map(_whole, items)] for name, items in self.replay.items() if items}}


def _whole(item: dict[str, Any]) -> dict[str, Any]:
    return {key: "".join(value) if isinstance(value, Pieces) else value for key, value in item.items()}
