"""What a simulated model answers: one `Completion`, which every wire format renders in its own way.

The answer depends on nothing but the request (and, for cached tokens, on the requests before it), so
that recording twice records the same thing. It shows the effects a caller can look for: caps cut it
short, stop sequences end it, a forced tool is called, JSON is JSON, effort costs reasoning tokens.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

from conformance.embedded.simulators.schemas import fields

Json: TypeAlias = dict[str, Any]
Finish: TypeAlias = Literal["stop", "length", "tool_calls"]

# A fixed birthday: a clock would make every recording differ.
CREATED = 1_764_547_200

_REASONING_TOKENS = {"none": 0, "minimal": 8, "low": 32, "medium": 64, "high": 128, "xhigh": 256, "max": 512}
_PROSE = (
    "A gateway stands between a client and the models it calls. It takes one request in one format, "
    "turns it into what the upstream understands, and turns the answer back. Some fields survive the "
    "journey, some are renamed, and some are lost on the way without anybody noticing."
)


@dataclass(frozen=True)
class Tool:
    """A function the request offers."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Stretch:
    """A piece of a prompt; `ttl` is how long the prompt up to its end shall be cached, None: it need not be."""

    text: str
    ttl: str | None = None


@dataclass(frozen=True)
class Cached:
    """What a prompt cache did for one request: tokens read from it, and tokens written to it by time to live."""

    read: int = 0
    written: Mapping[str, int] = field(default_factory=dict)


NOTHING_CACHED = Cached()


@dataclass(frozen=True)
class Ask:
    """What a request asks for, whatever its wire format; `stretches` are None where a vendor caches unasked."""

    vendor: str
    model: str
    prompt: str
    instruction: str
    digest: str
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    effort: str | None = None
    call: tuple[Tool, ...] = ()
    wants_json: bool = False
    json_schema: Mapping[str, Any] | None = None
    cache_key: str = ""
    stretches: tuple[Stretch, ...] | None = None


@dataclass(frozen=True)
class ToolCall:
    """A function the answer calls; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Usage:
    """Tokens: `completion` includes `reasoning`, `prompt` includes `cached` and what was `written` to the cache."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0
    written: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True)
class Choice:
    """One of the answers; `pieces` are its tokens, which is also how it is streamed."""

    pieces: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    finish: Finish
    stopped_by: str | None = None

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Completion:
    """Everything a wire format needs to answer."""

    ask: Ask
    choices: tuple[Choice, ...]
    usage: Usage
    reasoning: str

    @property
    def digest(self) -> str:
        """Stable for one request; ids are made from it."""
        return self.ask.digest

    @property
    def first(self) -> Choice:
        """The first choice, for the formats that know only one."""
        return self.choices[0]


def answer(ask: Ask, cached: Cached = NOTHING_CACHED) -> Completion:
    """The simulated model's answer to `ask`, and what a cache did for its prompt."""
    budget = _REASONING_TOKENS.get(_effort(ask), 0)
    reasoning = budget if ask.max_tokens is None else min(budget, ask.max_tokens)
    left = None if ask.max_tokens is None else ask.max_tokens - reasoning
    choices = tuple(_choice(ask, index, left) for index in range(ask.choices))
    spent = sum(len(each.pieces) + sum(count_tokens(call.arguments) for call in each.calls) for each in choices)
    usage = Usage(count_tokens(ask.prompt), spent + reasoning, cached.read, reasoning, cached.written)
    return Completion(ask, choices, usage, "The request is short and clear, so the answer is too." if reasoning else "")


def _choice(ask: Ask, index: int, left: int | None) -> Choice:
    calls = tuple(_call(ask, tool, f"{index}.{place}") for place, tool in enumerate(ask.call))
    if calls:
        return Choice((), calls, "tool_calls")
    text, stopped_by = _until(_text(ask, index), ask.stop)
    pieces = tokens(text)
    if left is not None and len(pieces) > left:
        return Choice(pieces[:left], (), "length")
    return Choice(pieces, (), "stop", stopped_by)


def _call(ask: Ask, tool: Tool, place: str) -> ToolCall:
    made_up = example(tool.parameters)
    arguments = json.dumps(made_up if isinstance(made_up, dict) else {})
    return ToolCall(digest({"of": ask.digest, "at": place}), tool.name, arguments)


def _text(ask: Ask, index: int) -> str:
    if ask.json_schema is not None:
        return json.dumps(example(ask.json_schema))
    if ask.wants_json:
        return json.dumps({"answer": "OK", "choice": index})
    word = re.search(r"[Rr]eply with the word (\w+)", ask.instruction)
    if word:
        return word[1]
    count = re.search(r"[Cc]ount (?:from 1 )?to (\d{1,3})", ask.instruction)
    if count:
        return ", ".join(str(number) for number in range(1, int(count[1]) + 1))
    return _PROSE if index == 0 else f"Put another way ({index + 1}): {_PROSE}"


def _until(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    found = min(((text.find(stop), stop) for stop in stops if stop and stop in text), default=None)
    return (text, None) if found is None else (text[: found[0]], found[1])


def _effort(ask: Ask) -> str:
    if ask.effort is not None:
        return ask.effort
    rows = fields()["effort"]
    return next(
        (row["effort"] for row in rows if any(fnmatchcase(ask.model, pattern) for pattern in row["models"])),
        "none",
    )


def tokens(text: str) -> tuple[str, ...]:
    """The text cut into pieces of about four characters, which join to the text again."""
    return tuple(re.findall(r"\s*\S{1,4}|\s+$", text))


def count_tokens(text: str) -> int:
    """About one token for four characters, and never none."""
    return max(1, -(-len(text) // 4))


def digest(value: object) -> str:
    """A short, stable name for any JSON value."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:24]


def example(schema: object, depth: int = 8) -> Any:
    """A value that fits `schema`, as far as a small model of JSON Schema goes."""
    if not isinstance(schema, Mapping) or depth == 0:
        return {}
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list) and schema[union]:
            return example(schema[union][0], depth - 1)
    declared = schema.get("type")
    kind = declared[0] if isinstance(declared, list) and declared else declared
    if isinstance(kind, str) and kind.lower() in _SCALARS:
        return _SCALARS[kind.lower()]
    if isinstance(kind, str) and kind.lower() == "array":
        return [example(schema.get("items"), depth - 1)]
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {name: example(inner, depth - 1) for name, inner in properties.items()}


_SCALARS: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def called(
    tools: list[Tool], forced: bool, named: str | None, parallel: bool, instruction: str, *, forbidden: bool = False
) -> tuple[Tool, ...]:
    """The tools an answer calls: none unless forced or asked for by name; two where two things are asked."""
    if not forced:
        tools = [] if forbidden else [tool for tool in tools if tool.name and tool.name in instruction.lower()]
    if not tools:
        return ()
    if named is not None:
        return tuple(tool for tool in tools if tool.name == named)[:1] or tuple(tools[:1])
    return (tools[0], tools[0]) if parallel and " and " in instruction else (tools[0],)


def object_of(value: object) -> Json:
    """A JSON object as it is; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """All the text in a message, however its content is nested."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, (text_of(each) for each in value)))
    if isinstance(value, Mapping):
        return "\n".join(filter(None, (text_of(value.get(key)) for key in ("text", "content", "parts", "output"))))
    return ""


def whole_number(value: object) -> int | None:
    """A count as an int, whichever way JSON spelt it."""
    if isinstance(value, str) and value.isdecimal():
        return int(value[:9])
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
