"""Leave out of a request exactly what its model rejects. Pure: the body given is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.provider.table import Question, SupportTable, split_parameter


@dataclass(frozen=True)
class Filtered:
    """A request body that is safe to send, and the parameters that were left out of it."""

    body: dict[str, Any]
    dropped: tuple[str, ...]


def filter_request(
    body: Mapping[str, Any],
    model: str,
    endpoint: str,
    *,
    table: SupportTable,
    route: str | None = None,
    gateway: str | None = None,
    gateway_version: str | None = None,
) -> Filtered:
    """Drop the parameters that the table says `model` rejects on `endpoint`.

    `endpoint` is `chat_completions` or `responses`; the mode is read from `body["stream"]`.
    A parameter that no rule knows is kept: unknown models and parameters fail open.
    """
    mode = "stream" if body.get("stream") is True else "whole"
    question = Question(model, endpoint, mode, route, gateway, gateway_version)
    paths = {split_parameter(name)[0]: None for rule in table.matching(question) for name in rule.statements}
    kept = dict(body)
    dropped = []
    for path in paths:
        found, value = _find(kept, path)  # in what is kept: a field may have gone with its parent
        if not found:
            continue
        statement = table.lookup(question, f"{path}:{spelled(value)}")
        if statement is not None and not statement.supported:
            kept = _without(kept, path.split("."))
            dropped.append(path)
    return Filtered(kept, tuple(dropped))


def spelled(value: Any) -> str:
    """A value as parameter ids spell it: `true`, `false`, `null`, a number, or the string itself."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find(body: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    holder: Any = body
    for name in path.split("."):
        if not isinstance(holder, Mapping) or name not in holder:
            return False, None
        holder = holder[name]
    return True, holder


def _without(body: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The body without one field; an object that this empties goes too, for it would say nothing."""
    name, *rest = path
    inner = _without(dict(body[name]), rest) if rest else {}
    others = {key: value for key, value in body.items() if key != name}
    return {**body, name: inner} if inner else others
