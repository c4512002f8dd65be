"""What people know beside the measurements: the overrides, and which of them beat a measurement. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from conformance.errors import TableError
from conformance.provider.table import SELECTORS, Rule, Statement
from conformance.schemas import toml_document

#: The source of every statement of the default rule.
DEFAULT = "default"

_OVERRIDE = "override:"


@dataclass(frozen=True)
class Overrides:
    """The human rules in order, those that beat measurements apart, and where each comes from."""

    beating: tuple[Rule, ...]
    general: tuple[Rule, ...]
    sources: Mapping[str, Mapping[str, Any]]

    @functools.cached_property
    def beating_sources(self) -> frozenset[str]:
        """The sources of the rules that beat measurements."""
        return frozenset(s.source for rule in self.beating for s in rule.statements.values())


def overrides_from(text: str, where: str) -> Overrides:
    """Read the overrides file; `where` names it in errors. Raises `TableError`."""
    data = toml_document("overrides", text, where, TableError)
    beating: list[Rule] = []
    general: list[Rule] = []
    sources: dict[str, Mapping[str, Any]] = {}
    for row in data["overrides"]:
        source = f"{_OVERRIDE}{row['id']}"
        if source in sources:
            raise TableError(f"{where}: two overrides have the id {row['id']!r}")
        sources[source] = {"kind": "override", "reason": row["reason"], "seen": row["seen"]}
        selectors = {name: tuple(row.get(name, ())) for name in SELECTORS}
        statements = {name: Statement(value, source) for name, value in row["statements"].items()}
        (beating if row.get("beats_measurement") else general).append(Rule(statements=statements, **selectors))
    sources[DEFAULT] = {"kind": "default", "reason": data["default"]["reason"]}
    default = {name: Statement(value, DEFAULT) for name, value in data["default"]["statements"].items()}
    return Overrides(tuple(beating), (*general, Rule(("*",), default)), sources)


def load_overrides() -> Overrides:
    """The overrides that come with the package."""
    text = (resources.files(__package__) / "overrides.toml").read_text(encoding="utf-8")
    return overrides_from(text, "overrides.toml")


def beats_measurement(statement: Statement | None, overrides: Overrides) -> bool:
    """True where a statement comes from an override that is meant to contradict the measurement."""
    return statement is not None and statement.source in overrides.beating_sources
