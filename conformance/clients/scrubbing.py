"""Takes a captured request down to its structure: no key, no path, no words, no id of this machine. Pure.

What stays is what a gateway can refuse: the fields, their types, and values that are one plain word. An
id keeps its prefix, since backends demand that, and the same id becomes the same placeholder.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance.secrets.scrubbing import REPLACEMENT, Scrubber

TEXT, PATH, OPAQUE, KEY, MOMENT, MODEL = "text", "path", "opaque", "key", 1, "model"

#: Fields whose value is what somebody said, however short.
_PROSE = frozenset(
    (
        *("content", "description", "input", "instructions", "message", "output", "prompt", "query"),
        *("reasoning_content", "system", "text", "thinking", "title"),
    )
)
#: Fields whose value only its maker can read.
_OPAQUE = frozenset({"data", "encrypted_content", "signature", "thought_signature"})
#: Fields that hold JSON as text, which has to stay JSON.
_JSON_TEXT = frozenset({"arguments"})
#: Lists that hold tools, or other things of which one of each kind says all.
_TOOLS = "tools"
#: Fields that hold an id.
_ID = re.compile(r"(?:.*[_-])?(?:id|uuid|key|user)|[a-z]+(?:Id|Key)", re.ASCII)

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PREFIXED = re.compile(r"(?P<prefix>[A-Za-z]{1,12}(?:[_:-][A-Za-z]{1,12})?[_:-])[A-Za-z0-9_:.-]{1,200}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9$][A-Za-z0-9_.:+$-]{0,63}", re.ASCII)
#: Values with a slash that mean something to a backend.
_KNOWN = re.compile(
    r"https?://json-schema\.org/[a-z0-9/#.-]{1,60}|#/[A-Za-z0-9_$/-]{1,80}|(?:image|text|application|audio)/[a-z0-9.+-]{1,40}",
    re.ASCII,
)
#: A part of a word that nobody thought of: ten letters and digits mixed.
_RANDOM = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{10,}|[0-9]{9,}", re.ASCII)
_PATH = re.compile(r"(?:file:|~?[/\\]|[A-Za-z]:[/\\])")
_MOMENTS = ((10**9, 10**10), (10**12, 10**13))  # seconds and milliseconds since 1970


class Stripper:
    """Strips the requests of one run of a client. Placeholders agree within the run."""

    def __init__(self, *, model: str, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        """Strip these secrets, and these names: of the machine, its user and its folders."""
        self._scrubber = Scrubber(secrets)
        self._model = model
        self._names = tuple(name.casefold() for name in names if len(name) > 1)
        self._ids: dict[str, str] = {}
        self._counts = Counter[str]()

    def body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request's body without its model, and without what belongs to this machine or to nobody else."""
        called = frozenset(_called(body))
        without = {name: value for name, value in body.items() if name != "model"}
        stripped = self._value("", _with_few_tools(without, called))
        return dict(stripped)

    def headers(self, headers: Mapping[str, str], kept: Iterable[str]) -> dict[str, str]:
        """Those headers that are kept, without secrets."""
        return {name: self._scrubber.text(headers[name]) for name in sorted(kept) if name in headers}

    def said(self, text: str) -> str:
        """What a client printed, without secrets."""
        return self._scrubber.text(text)

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return dict(self._items(value))
        if isinstance(value, list):
            return [self._value(key, each) for each in value]
        if isinstance(value, str):
            return self._text(key, value)
        if isinstance(value, int | float) and any(low <= value < high for low, high in _MOMENTS):
            return MOMENT
        return value

    def _items(self, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """The fields by name: some clients send them in another order each time."""
        renamed = Counter[str]()
        for name, each in sorted(value.items()):
            kept = name if self._is_plain(name) else KEY
            renamed[kept] += kept is KEY
            yield (f"{KEY}_{renamed[KEY]}" if kept is KEY else kept), self._value(name, each)

    def _text(self, key: str, text: str) -> str:
        """What stands in the place of a text, by the field that it is in."""
        if not text:
            return text
        if key in _JSON_TEXT or (key not in _PROSE and text[0] in "{["):
            return self._json(text, "{}" if key in _JSON_TEXT else TEXT)
        if key in _PROSE:
            return TEXT
        if key in _OPAQUE:
            return OPAQUE
        if _ID.fullmatch(key):
            return self._id(text)
        if text.startswith("data:"):
            return TEXT
        return text if self._is_plain(text) else MODEL if text == self._model else PATH if _PATH.match(text) else TEXT

    def _json(self, text: str, otherwise: str) -> str:
        try:
            value = json.loads(text)
            return json.dumps(self._value("", value)) if isinstance(value, dict | list) else otherwise
        except (ValueError, RecursionError):
            return otherwise

    def _is_plain(self, text: str) -> bool:
        """True for a word that could stand in any user's request."""
        if _KNOWN.fullmatch(text):
            return True
        lowered = text.casefold()
        return (
            _WORD.fullmatch(text) is not None
            and text != self._model
            and not any(name == lowered or (len(name) > 5 and name in lowered) for name in self._names)
            and not _RANDOM.search(text)
            and not _UUID.search(text)
            and self._scrubber.text(text) == text
        )

    def _id(self, text: str) -> str:
        """The placeholder of an id: its prefix, or the form of a UUID, and a number."""
        if text not in self._ids:
            ours = self._scrubber.text(text) != text or any(name in text.casefold() for name in self._names)
            self._ids[text] = self._numbered("id_") if ours else self._placeholder(text)
        return self._ids[text]

    def _placeholder(self, text: str) -> str:
        if _UUID.fullmatch(text):
            self._counts["uuid"] += 1
            return f"00000000-0000-4000-8000-{self._counts['uuid']:012}"
        found = _PREFIXED.fullmatch(text)
        return self._numbered(found["prefix"] if found and self._is_plain(found["prefix"]) else "id_")

    def _numbered(self, prefix: str) -> str:
        self._counts[prefix] += 1
        return f"{prefix}{self._counts[prefix]}"


def _with_few_tools(value: Any, called: frozenset[str]) -> Any:
    """The same with one tool of each kind in every list of tools: the one that was called, or the first."""
    if isinstance(value, list):
        return [_with_few_tools(each, called) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _with_few_tools(_one_of_each(each, called) if name == _TOOLS else each, called)
        for name, each in value.items()
    }


def _one_of_each(tools: Any, called: frozenset[str]) -> Any:
    if not isinstance(tools, list):
        return tools
    kinds: dict[str, Any] = {}
    for tool in tools:
        kind = _kind(tool)
        if kind not in kinds or _name(tool) in called:
            kinds[kind] = tool
    return list(kinds.values())


def _kind(tool: Any) -> str:
    """What tells a tool from tools of another kind: its type, and which fields it has."""
    function = tool.get("function") if isinstance(tool, dict) else None
    inner = sorted(function) if isinstance(function, dict) else ()
    return repr((tool.get("type"), sorted(tool), inner) if isinstance(tool, dict) else type(tool))


def _name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    named = function if isinstance(function, dict) else tool
    return str(named.get("name")) if isinstance(named, dict) else ""


def _called(value: Any) -> Iterator[str]:
    """The names of the tools that a request says were called, or have to be."""
    if isinstance(value, list):
        for each in value:
            yield from _called(each)
    elif isinstance(value, dict):
        if value.get("type") in ("tool_use", "function_call", "custom_tool_call"):
            yield str(value.get("name"))
        calls = value.get("tool_calls")
        yield from map(_name, calls if isinstance(calls, list) else ())
        for name in ("messages", "input", "content"):
            yield from _called(value.get(name))


__all__ = ["KEY", "MODEL", "MOMENT", "OPAQUE", "PATH", "REPLACEMENT", "TEXT", "Stripper"]
