"""What a wire format is: how to read a request, and how to render a completion whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conformance.embedded.simulators.completion import Ask, Completion, Json


@dataclass(frozen=True)
class Wire:
    """One request format; the functions take the decoded request body as their last argument."""

    read: Callable[[str, str, Json], Ask]
    whole: Callable[[Completion, Json], Json]
    stream: Callable[[Completion, Json], Iterator[bytes]]
    media_type: str = "text/event-stream"


def line(value: Json) -> bytes:
    """One line of newline-delimited JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def sse(data: Json | str, event: str | None = None) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()
