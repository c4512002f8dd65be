"""What a stream is made of: the events, in the shape agents know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from conformance.provider.rate_limits import RateLimit

#: Why an answer ended by itself.
DoneReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]

#: Why it did not: the caller's signal, a rate limit, a stream that broke off, or anything else.
ErrorReason: TypeAlias = Literal["aborted", "rate_limit", "incomplete", "error"]


@dataclass(frozen=True, slots=True)
class Start:
    """The gateway has begun to answer.

    `endpoint` is `chat_completions` or `responses`, `dropped` what was left out of the request
    because the model refuses it.
    """

    model: str
    endpoint: str
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of what the model thinks, where it shows that."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """The model begins to call a tool; `index` counts the calls of one answer from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call's arguments, which are JSON text."""

    index: int
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    """A call is whole; `arguments` is all of its JSON text."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. `input` includes those read from and written to a cache, `output` those of reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole; nothing follows.

    `message` can be appended to the messages of the next turn. `usage` is None where the gateway
    tells none, `cost` is in dollars and None where neither the gateway tells it nor prices are declared.
    """

    stop_reason: DoneReason
    message: dict[str, Any]
    usage: Usage | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The answer has failed; nothing follows.

    `text` is for a user to read, `status` the HTTP status where there was one, `rate_limit` what is
    known of a limit that was hit, and `message` as much of the answer as had come.
    """

    stop_reason: ErrorReason
    text: str
    status: int | None = None
    rate_limit: RateLimit | None = None
    message: dict[str, Any] = field(default_factory=dict)


Event: TypeAlias = Start | TextDelta | ThinkingDelta | ToolCallStart | ToolCallDelta | ToolCallEnd | Done | Error
