"""What a client has to know of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Prices in dollars for a million tokens; 0 where a price is declared as nothing or not at all."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0


@dataclass(frozen=True)
class Model:
    """What a client has to know of a model.

    `input` names what it reads (`text`, `image`); `context_window` and `max_tokens` are tokens,
    the latter conservative, for backends reserve what a request asks for; `cost` is None where the
    gateway declares no prices; `compat` says which wire and which fields work; `route` is the
    provider path that serves it, where that is known.
    """

    id: str
    name: str
    reasoning: bool
    input: tuple[str, ...]
    cost: Cost | None
    context_window: int
    max_tokens: int
    compat: Mapping[str, Any] = field(default_factory=dict)
    route: str | None = None
