"""A support table as JSON text. Pure."""

from __future__ import annotations

import json
from typing import Any

from conformance.provider.table import SCHEMA_VERSION, SELECTORS, Statement, SupportTable, parse_table


def dump_table(table: SupportTable) -> str:
    """A table as JSON text, a rule to a line. Selectors, notes and lists that say nothing are left out."""
    rules = []
    for rule in table.rules:
        row: dict[str, Any] = {name: list(getattr(rule, name)) for name in SELECTORS if getattr(rule, name)}
        row["statements"] = {name: _statement_row(value) for name, value in rule.statements.items()}
        if rule.cassettes:
            row["cassettes"] = list(rule.cassettes)
        rules.append(row)
    document = {"schema_version": SCHEMA_VERSION, "sources": dict(table.sources), "rules": rules}
    parse_table(document)
    compact = json.JSONEncoder(separators=(",", ":")).encode
    sources = ",\n".join(f"{compact(name)}:{compact(row)}" for name, row in table.sources.items())
    lines = ",\n".join(map(compact, rules))
    return f'{{"schema_version":{SCHEMA_VERSION},\n"sources":{{\n{sources}\n}},\n"rules":[\n{lines}\n]}}\n'


def _statement_row(statement: Statement) -> dict[str, Any]:
    row: dict[str, Any] = {"supported": statement.supported, "source": statement.source}
    if statement.rejected_by:
        row["rejected_by"] = list(statement.rejected_by)
    if statement.note:
        row["note"] = statement.note
    return row
