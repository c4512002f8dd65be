"""Responses, from the SDK's events to ours.

LiteLLM makes these events itself for the models that it reaches by chat, and leaves out some:
so what an item holds when it is done counts, and of that whatever was not yet told is told.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from conformance.provider.stream.draft import Draft
from conformance.provider.stream.events import Event
from conformance.provider.stream.usage import cost_told, usage_of


class FailedError(Exception):
    """The gateway says, in the midst of a stream, that the answer has failed; `body` is what it says."""

    def __init__(self, body: Any) -> None:
        """Keep what was said."""
        super().__init__(str(body))
        self.body = body


class ResponsesReader:
    """Reads one answer; `feed` gets every event in turn, and `end` what is left to tell after the last."""

    def __init__(self, draft: Draft) -> None:
        """Write into this draft."""
        self._draft = draft
        self._told: dict[Hashable, int] = {}
        self._part: dict[Hashable, object] = {}
        self._kinds: dict[str, Callable[[Any], Iterable[Event]]] = {
            "response.output_text.delta": self._text,
            "response.refusal.delta": self._text,
            "response.reasoning_summary_text.delta": self._thinking,
            "response.reasoning_text.delta": self._thinking,
            "response.output_item.added": self._added,
            "response.function_call_arguments.delta": self._arguments,
            "response.output_item.done": self._item_done,
            "response.completed": self._completed,
            "response.incomplete": self._completed,
            "response.failed": self._failed,
            "error": self._failed,
        }

    def feed(self, event: Any) -> Iterable[Event]:
        """The events of one event; none where it tells nothing new. Raises `FailedError`."""
        kind = self._kinds.get(event.type)
        return kind(event) if kind is not None else ()

    def end(self) -> Iterable[Event]:
        """Nothing: the last event has told all."""
        return ()

    def _text(self, event: Any) -> Iterator[Event]:
        text = event.delta
        if text and isinstance(text, str):
            index = _place(event)
            self._told[index] = self._told.get(index, 0) + len(text)
            yield self._draft.say(text)

    def _thinking(self, event: Any) -> Iterator[Event]:
        text = event.delta
        if text and isinstance(text, str):
            index, part = _place(event), getattr(event, "summary_index", None)
            if self._part.setdefault(index, part) != part:  # each part of a summary is a paragraph
                self._part[index] = part
                text = f"\n\n{text}"
            self._told[index] = self._told.get(index, 0) + len(text)
            yield self._draft.think(text)

    def _added(self, event: Any) -> Iterator[Event]:
        item, index = event.item, _place(event)
        if item.type == "function_call" and not self._draft.knows(index):
            yield self._begun(index, item)

    def _begun(self, index: Hashable, item: Any) -> Event:
        return self._draft.call(index, _text_of(item, "call_id") or _text_of(item, "id"), _text_of(item, "name"))

    def _arguments(self, event: Any) -> Iterator[Event]:
        key, text = _place(event), event.delta
        # Before the call begins, the item tells them when it is done. After its end, nothing can be added to it.
        if text and isinstance(text, str) and self._draft.is_open(key):
            yield self._draft.arguments(key, text)

    def _item_done(self, event: Any) -> Iterator[Event]:
        return self._whole(_place(event), event.item)

    def _whole(self, index: Hashable, item: Any) -> Iterator[Event]:
        """What was not yet told of an item that is whole."""
        kind, draft, had = getattr(item, "type", None), self._draft, self._told.get(index, 0)
        if kind == "function_call":
            if not draft.knows(index):
                yield self._begun(index, item)
            yield from draft.end_call(index, _text_of(item, "arguments"))
        elif kind == "message":
            whole = "".join(_text_of(part, "text") or _text_of(part, "refusal") for part in _list_of(item, "content"))
            self._told[index] = max(had, len(whole))
            if len(whole) > had:
                yield draft.say(whole[had:])
        elif kind == "reasoning" and not had:
            parts = [*_list_of(item, "summary"), *_list_of(item, "content")]
            whole = "\n\n".join(filter(None, (_text_of(part, "text") for part in parts)))
            self._told[index] = len(whole)
            if whole:
                yield draft.think(whole)

    def _completed(self, event: Any) -> Iterator[Event]:
        response, draft = event.response, self._draft
        output = _list_of(response, "output")
        if draft.empty:  # a gateway that streams nothing but the end
            for index, item in enumerate(output):
                yield from self._whole(index, item)
        yield from draft.end_calls()
        draft.replay["reasoning_items"] = [_replayed(item) for item in output if _text_of(item, "encrypted_content")]
        usage = getattr(response, "usage", None)
        if usage is not None:
            draft.usage, draft.cost = usage_of(usage), cost_told(usage)
        why = getattr(getattr(response, "incomplete_details", None), "reason", None)
        if event.type == "response.incomplete" or getattr(response, "status", None) == "incomplete":
            draft.stop_reason = "content_filter" if why == "content_filter" else "length"
        else:
            draft.stop_reason = "tool_calls" if draft.calls else "stop"

    def _failed(self, event: Any) -> Iterator[Event]:
        response = getattr(event, "response", None)
        said: Any = getattr(response, "error", None) if response is not None else event
        raise FailedError((said.to_dict() if hasattr(said, "to_dict") else said) or "no reason given")


def _place(event: Any) -> Hashable:
    """What an event is about: its item's place in the output, which every server tells, else the item's id."""
    index = getattr(event, "output_index", None)
    place = index if index is not None else getattr(event, "item_id", None)
    return place if isinstance(place, Hashable) else None


def _replayed(item: Any) -> dict[str, Any]:
    """A reasoning item as it goes back: no server has kept it, so it must carry its own content."""
    parts = [_text_of(part, "text") for part in _list_of(item, "summary")]
    return {
        "type": "reasoning",
        "id": _text_of(item, "id"),
        "summary": [{"type": "summary_text", "text": text} for text in parts],
        "encrypted_content": item.encrypted_content,
    }


def _text_of(holder: Any, name: str) -> str:
    value = getattr(holder, name, None)
    return value if isinstance(value, str) else ""


def _list_of(holder: Any, name: str) -> list[Any]:
    value = getattr(holder, name, None)
    return value if isinstance(value, list) else []
