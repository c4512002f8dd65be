"""What an export is before it is written: a document, or a program, under a comment that says where it comes from.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance import __version__
from conformance.export.choosing import Choice
from conformance.export.clients import Client
from conformance.export.facts import Facts, Said
from conformance.export.merging import Rules

#: What the comment of an export stands between, so that the next export finds it.
BEGIN, END = ">>> litellm-conformance export", "<<< litellm-conformance export"

_MOST_MODELS = 8


@dataclass
class Output:
    """One file of an export.

    `defaults` are settings that a user's own go before; `settings` are what was measured, which go before a user's.
    A program has a `program` and no settings. `head` are the lines of its comment.
    """

    name: str
    form: str
    head: list[str] = field(default_factory=list)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    program: str | None = None
    absent: tuple[str, ...] = ()


def plain(text: object) -> str:
    """A text of somebody else's, for one line of a comment."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def origin(client: Client, facts: Facts) -> list[str]:
    """Who made an export, of what."""
    version = f", version {facts.version}" if facts.version else ""
    when = f", measured {facts.measured_at}" if facts.measured_at else ""
    lines = [
        f"Made by litellm-conformance {__version__} for {client.title} {client.version}, from {facts.source}.",
        f"Gateway: {facts.gateway}{version}{when}.",
    ]
    if facts.simulated:
        lines.append("The vendors were simulators: only a measurement of your own gateway tells what yours refuse.")
    return [plain(line) for line in lines]


def told_of(client: Client, found: Sequence[Choice]) -> Iterator[str]:
    """What no setting of a client changes, and what it sends for nothing."""
    left: dict[tuple[str, str], list[str]] = defaultdict(list)
    for choice in found:
        for said in choice.left:
            left[said.parameter, said.endpoint].append(choice.model.id)
    if left:
        yield f"{client.title} still sends what these models refuse, and no setting changes that. {client.instead}"
        for (parameter, endpoint), models in left.items():
            yield f"  {parameter} ({endpoint}): {models_of(models)}"
    unknown = [choice.model.id for choice in found if choice.unknown]
    if unknown:
        yield f"Nobody measured all that {client.title} sends to these models: {models_of(unknown)}"
    yield from told_ignored(ignored_by((choice.model.id, choice.ignored) for choice in found))


def told_ignored(ignored: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[str]:
    """What models take and do nothing with."""
    if ignored:
        yield "The models take these fields and ignore them:"
        for (parameter, endpoint), models in ignored.items():
            yield f"  {parameter} ({endpoint}): {models_of(models)}"


def ignored_by(models: Iterable[tuple[str, Iterable[Said]]]) -> dict[tuple[str, str], list[str]]:
    """For each parameter and endpoint the models that take it and do nothing with it."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for model, each in models:
        for said in each:
            if said.ignored:
                found[said.parameter, said.endpoint].append(model)
    return found


def models_of(models: Sequence[str]) -> str:
    """Models for a line: the first of them, and how many more there are."""
    more = f" and {len(models) - _MOST_MODELS} more" if len(models) > _MOST_MODELS else ""
    return plain(", ".join(models[:_MOST_MODELS]) + more)
