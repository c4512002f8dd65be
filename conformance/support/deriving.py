"""From a matrix, the overrides and the table before it to the new table, and the check against it. Pure.

`facts` takes the statements out of a matrix, `overrides` reads what people know, and `derive` leaves out
every fact that the overrides and the default already state and has `grouping` make rules of the rest.
A statement that is null never overwrites anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from conformance.matrix.document import Matrix, model_from
from conformance.provider.table import Question, Rule, Statement, SupportTable
from conformance.support.facts import Fact, facts_of, measured_source
from conformance.support.grouping import ValuesOf, grouped
from conformance.support.overrides import DEFAULT, Overrides
from conformance.text.names import cassette_name
from conformance.types import CellKey, Endpoint, Mode, Model


def derive(
    matrix: Matrix,
    overrides: Overrides,
    previous: SupportTable | None,
    values_of: ValuesOf,
    carried: SupportTable | None = None,
) -> SupportTable:
    """The table that reproduces every statement of a matrix.

    What was measured holds for the gateway that it was measured on. `carried` are the rules of the atlas, which hold
    for all; without them those of `previous` stay. What `previous` knows else and this matrix does not (models outside
    its selection, cells that stayed inconclusive, other gateways) is kept.
    """
    name = matrix["gateway"]["name"]
    carried = carried or carried_by(previous)
    before = _measured_rules(previous)
    others = [rule for rule in before if _gateway_of(rule, previous) != name]
    own = [rule for rule in before if _gateway_of(rule, previous) == name]
    known = _still_known(own, matrix, values_of)
    if known:
        for key, _ in facts_of(matrix):
            known.pop(key, None)
    facts = itertools.chain(facts_of(matrix), known.items())
    # Rules for one gateway stand before those for all, and never speak of another gateway.
    base = SupportTable((*overrides.beating, *others, *carried.rules, *overrides.general))
    rules = grouped(_untold(facts, base, name, matrix, overrides), name, values_of)
    ordered = (*overrides.beating, *rules, *others, *carried.rules, *overrides.general)
    sources = dict(previous.sources if previous else {}) | measured_source(matrix) | dict(overrides.sources)
    sources |= dict(carried.sources)
    used = {statement.source for rule in ordered for statement in rule.statements.values()}
    return SupportTable(ordered, {source: row for source, row in sorted(sources.items()) if source in used})


def carried_by(table: SupportTable | None) -> SupportTable:
    """The rules of a table that the atlas gave it, and their sources."""
    if table is None:
        return SupportTable(())
    sources = {name: row for name, row in table.sources.items() if row.get("kind") == "atlas"}
    rules = (rule for rule in table.rules if any(each.source in sources for each in rule.statements.values()))
    return SupportTable(tuple(rules), sources)


def _measured_rules(table: SupportTable | None) -> list[Rule]:
    return [rule for rule in table.rules if _gateway_of(rule, table)] if table else []


def _gateway_of(rule: Rule, table: SupportTable | None) -> str | None:
    """The gateway that a rule was measured on; None for rules made by humans."""
    for statement in rule.statements.values():
        source = table.sources.get(statement.source, {}) if table else {}
        if source.get("kind") == "measured":
            return str(source["gateway"])
    return None


def _still_known(own: Sequence[Rule], matrix: Matrix, values_of: ValuesOf) -> dict[CellKey, Fact]:
    """Facts of earlier runs on the same gateway that this run could not have measured anew."""
    run = matrix["run"]
    if run["complete"] and run["selection"] is None and "shard" not in run:
        listed = {row["id"] for row in matrix["models"]}
    else:
        listed = {model for rule in own for model in rule.models}
    return {
        CellKey(model, Endpoint(endpoint), Mode(mode), parameter): Fact(
            statement.supported,
            statement.source,
            frozenset(statement.rejected_by),
            cassette_name(model) if cassette_name(model) in rule.cassettes else None,
        )
        for rule in own
        for model in rule.models
        if model in listed
        for endpoint in rule.endpoints
        for mode in rule.modes or Mode
        for name, statement in rule.statements.items()
        for parameter in values_of(name, endpoint) or (name,)
    }


def _untold(
    facts: Iterable[tuple[CellKey, Fact]],
    base: SupportTable,
    gateway: str,
    matrix: Matrix,
    overrides: Overrides,
) -> dict[CellKey, Fact]:
    """The facts that the rules below do not tell already, with a note where those say otherwise."""
    untold = {}
    models = {row["id"]: model_from(row) for row in matrix["models"]}
    version = matrix["gateway"]["version"]
    for key, fact in facts:
        if key.model not in models:  # of an earlier run, and not told by the rules below it then
            untold[key] = fact
            continue
        said = told(base, key, gateway, models[key.model], version)
        supported = said.supported if said else True
        if supported == fact.supported or (said and said.source in overrides.beating_sources):
            continue
        untold[key] = replace(fact, differs_from=said.source if said and said.source != DEFAULT else "")
    return untold


def told(
    table: SupportTable, key: CellKey, gateway: str | None, model: Model | None = None, version: str | None = None
) -> Statement | None:
    """What a table says of a cell of one gateway, as far as that tells of the model, and of its version."""
    served, declared = (model.served_by, model.parameters) if model else ((), None)
    question = Question(key.model, key.endpoint, key.mode, None, gateway, version, served, declared=declared)
    return table.lookup(question, key.parameter)


def same_rules(one: SupportTable, other: SupportTable) -> bool:
    """True where two tables say the same, whichever measurement they took it from.

    Human rules are compared in order, measured ones by what they say of each model.
    """
    return _meaning(one) == _meaning(other)


def _meaning(table: SupportTable) -> tuple[object, object]:
    measured = _measured_rules(table)
    said = {
        (model, endpoint, mode, rule.gateways, name, statement.supported)
        for rule in measured
        for model in rule.models
        for endpoint in rule.endpoints
        for mode in rule.modes or Mode
        for name, statement in rule.statements.items()
    }
    human = [replace(rule, cassettes=()) for rule in table.rules if rule not in measured]
    return said, human
