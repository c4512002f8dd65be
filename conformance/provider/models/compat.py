"""What clients want to know of a model before they build a request, drawn from the support table. Pure.

The flags bear Pi's names and are data, in `compat.json`: which statements each is drawn from.
Everything is asked for streamed requests, the form that agents send.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from conformance.provider.models.capabilities import MAX_ID
from conformance.provider.table import Question, SupportTable, split_parameter


def compat_of(
    model: str,
    *,
    table: SupportTable,
    route: str | None = None,
    gateway: str | None = None,
    gateway_version: str | None = None,
    served_by: Sequence[str] = (),
    declared: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The compat flags of a model: `supportsStore`, `maxTokensField` … and two of our own.

    `wire` is the endpoint that works best, `chat_completions` or `responses`. `thinking_levels`
    holds for each level that the table tells of the effort to send, or None for one to hide;
    where nobody measured whether a model takes `off` or `xhigh`, the level is not in it.
    """
    rules, model = _rules(), model if isinstance(model, str) else ""
    told = None if declared is None else tuple(sorted(declared))
    asked = {
        end: Question(model, end, "stream", route, gateway, gateway_version, tuple(served_by), declared=told)
        for end in rules["wires"]["essential"]
    }
    supports = {end: table.parameters(question) for end, question in asked.items()}

    def takes(endpoint: str, parameter: str) -> bool:
        path, value = split_parameter(parameter)
        support = supports[endpoint].get(path)
        return support is None or not support.refuses(value)

    wire = _wire(model, rules["wires"], takes)
    compat: dict[str, Any] = {}
    for name, row in rules["flags"].items():
        endpoint = wire if row["endpoint"] == "wire" else row["endpoint"]
        compat[name] = all(takes(endpoint, each) for each in row.get("all_of", ())) and (
            "any_of" not in row or any(takes(endpoint, each) for each in row["any_of"])
        )
    for name, row in rules["choices"].items():
        compat[name] = next((each for each in row["first_of"] if takes(row["endpoint"], each)), row["first_of"][0])
    levels = rules["thinking_levels"]
    parameter = levels["parameter"][wire]
    measured = _measured(table, asked[wire])
    compat["thinking_levels"] = {
        row["level"]: row["effort"] if takes(wire, f"{parameter}:{row['effort']}") else None
        for row in levels["levels"]
        if measured or row["unmeasured"] == "offer" or not takes(wire, f"{parameter}:{row['effort']}")
    }
    return {**compat, "wire": wire}


@functools.cache
def _rules() -> dict[str, Any]:
    text = (resources.files(__package__) / "compat.json").read_text(encoding="utf-8")
    rules: dict[str, Any] = json.loads(text)
    return rules


def _wire(model: str, rules: Mapping[str, Any], takes: Callable[[str, str], bool]) -> str:
    """The endpoint, in the order preferred for such a name, that refuses least of what is essential."""
    name = model[:MAX_ID].lower()
    order = next((row["value"] for row in rules["rules"] if re.search(row["pattern"], name)), rules["default"])
    refused = {end: sum(not takes(end, each) for each in rules["essential"][end]) for end in order}
    return str(min(order, key=lambda end: refused[end]))


def _measured(table: SupportTable, question: Question) -> bool:
    """True where this very model was measured, or its like on its route: what no rule refuses was seen to pass."""
    return all(
        any(
            _is_measured(table.sources.get(statement.source, {}))
            for rule in table.matching(asked)
            if asked.model in rule.models or asked.route in rule.routes
            for statement in rule.statements.values()
        )
        for asked in question.of_each()
    )


def _is_measured(source: Mapping[str, Any]) -> bool:
    """Whether a source stands for a measurement of models; what a gateway does not declare tells of no model."""
    return source.get("kind") in ("measured", "atlas") and source.get("how") != "undeclared"
