"""From the atlas to the shipped table: its rules, with the human ones in mind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conformance.atlas.history import Atlas
from conformance.atlas.writing import rules_of
from conformance.files import write_atomically
from conformance.parameters import Registry
from conformance.provider.table import Rule, SupportTable, load_table, names_of
from conformance.support.deriving import carried_by
from conformance.support.overrides import Overrides
from conformance.support.writing import dump_table


def carried_table(atlas: Atlas, registry: Registry, overrides: Overrides) -> SupportTable:
    """The rules that the atlas gives to a table, and their sources."""

    def doubted(endpoint: str, parameter: str) -> bool:
        """Whether a human rule may refuse it: the rules are about names, which the atlas does not know."""
        return any(
            endpoint in (rule.endpoints or (endpoint,))
            and any(name in rule.statements and not rule.statements[name].supported for name in names_of(parameter))
            for rule in overrides.general
        )

    rules, sources = rules_of(atlas, registry.values_of, doubted)
    return SupportTable(tuple(rules), sources)


def carry(table_file: Path, carried: SupportTable) -> None:
    """Put the atlas' rules into a table in place of those that it has; all others stay. Raises `TableError`."""
    table = load_table(table_file)
    before = carried_by(table)
    kept = [rule for rule in table.rules if rule not in before.rules]
    place = next(
        (number for number, rule in enumerate(kept) if any(_is_human(table, each) for each in _sources(rule))),
        len(kept),
    )
    sources = {name: row for name, row in table.sources.items() if name not in before.sources} | dict(carried.sources)
    made = replace(table, rules=(*kept[:place], *carried.rules, *kept[place:]), sources=dict(sorted(sources.items())))
    write_atomically(table_file, dump_table(made))


def _sources(rule: Rule) -> set[str]:
    return {statement.source for statement in rule.statements.values()}


def _is_human(table: SupportTable, source: str) -> bool:
    return table.sources.get(source, {}).get("kind") in ("override", "default")
