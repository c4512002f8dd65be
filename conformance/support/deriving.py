"""Matrices + overrides → the support table, with as few rules as it can; and the check against it. Pure.

The steps, each a function: `facts_of` takes the statements out of a matrix, `overrides_from`
reads what humans know, `derive` leaves out every fact that the overrides and the default already
tell and groups the rest into rules. A statement that is null never overwrites anything.
"""

from __future__ import annotations

import functools
import itertools
import json
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from conformance.errors import TableError
from conformance.matrix.document import Matrix, cell_key
from conformance.provider.table import (
    SCHEMA_VERSION,
    Question,
    Rule,
    Statement,
    SupportTable,
    parse_table,
    split_parameter,
)
from conformance.schemas import first_error
from conformance.text.names import cassette_name
from conformance.types import STATEMENTS, CellKey, Endpoint, Mode, Verdict

#: The gateway whose statements hold for every gateway that nothing more is known about.
GENERAL_GATEWAY = "embedded"

_OVERRIDE, _DEFAULT = "override:", "default"

#: All ids in the registry that stand for values of one field: `store` → `store:true`, `store:false`.
ValuesOf = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fact:
    """What was measured of one cell, and where."""

    supported: bool
    source: str
    rejected_by: frozenset[str] = frozenset()
    cassette: str | None = None
    differs_from: str = ""


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
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TableError(f"{where} is not TOML: {error}") from None
    if problem := first_error("overrides", data):
        raise TableError(f"{where}: {problem}")
    beating: list[Rule] = []
    general: list[Rule] = []
    sources: dict[str, Mapping[str, Any]] = {}
    for row in data["overrides"]:
        source = f"{_OVERRIDE}{row['id']}"
        if source in sources:
            raise TableError(f"{where}: the override {row['id']!r} is there twice")
        sources[source] = {"kind": "override", "reason": row["reason"], "seen": row["seen"]}
        selectors = {
            name: tuple(row.get(name, ()))
            for name in ("models", "endpoints", "modes", "routes", "gateways", "gateway_versions")
        }
        statements = {name: Statement(value, source) for name, value in row["statements"].items()}
        (beating if row.get("beats_measurement") else general).append(Rule(statements=statements, **selectors))
    sources[_DEFAULT] = {"kind": "default", "reason": data["default"]["reason"]}
    default = {name: Statement(value, _DEFAULT) for name, value in data["default"]["statements"].items()}
    return Overrides(tuple(beating), (*general, Rule(("*",), default)), sources)


def load_overrides() -> Overrides:
    """The overrides that come with the package."""
    text = (resources.files(__package__) / "overrides.toml").read_text(encoding="utf-8")
    return overrides_from(text, "overrides.toml")


def source_of(matrix: Matrix) -> str:
    """The name under which a matrix's statements are filed: gateway and version."""
    gateway = matrix["gateway"]
    return f"{gateway['name']}-{gateway['version'] or 'unversioned'}"


def facts_of(matrix: Matrix) -> Iterator[tuple[CellKey, Fact]]:
    """Every statement that a matrix makes, with its cell; cells that say nothing are left out."""
    source = source_of(matrix)
    for cell in matrix["cells"]:
        supported = STATEMENTS[Verdict(cell["verdict"])]
        if supported is not None:
            yield (
                cell_key(cell),
                Fact(
                    supported,
                    source,
                    _blamed(cell["rejected_by"]),
                    cassette_name(cell["model"]) if cell["evidence"] else None,
                ),
            )


@functools.cache  # one set for all facts: a fleet has a hundred thousand
def _blamed(by: str | None) -> frozenset[str]:
    return frozenset() if by is None else frozenset({by})


def derive(matrix: Matrix, overrides: Overrides, previous: SupportTable | None, values_of: ValuesOf) -> SupportTable:
    """The table that reproduces every statement of a matrix.

    What `previous` knows and this matrix does not (models outside its selection, cells that
    stayed inconclusive, other gateways) is kept.
    """
    name = matrix["gateway"]["name"]
    gateway = None if name == GENERAL_GATEWAY else name
    before = _measured_rules(previous)
    others = [rule for rule in before if _gateway_of(rule, previous) != name]
    own = [rule for rule in before if _gateway_of(rule, previous) == name]
    known = _still_known(own, matrix, values_of)
    if known:
        for key, _ in facts_of(matrix):
            known.pop(key, None)
    facts = itertools.chain(facts_of(matrix), known.items())
    # Rules for one gateway stand before those for all, and never speak of another gateway.
    base = SupportTable((*overrides.beating, *others, *overrides.general))
    rules = _grouped(_untold(facts, base, gateway, matrix, overrides), gateway, values_of)
    measured = (*rules, *others) if gateway else (*others, *rules)
    ordered = (*overrides.beating, *measured, *overrides.general)
    sources = dict(previous.sources if previous else {}) | _measured_source(matrix) | dict(overrides.sources)
    used = {statement.source for rule in ordered for statement in rule.statements.values()}
    return SupportTable(ordered, {source: row for source, row in sorted(sources.items()) if source in used})


def _measured_source(matrix: Matrix) -> dict[str, dict[str, Any]]:
    gateway = matrix["gateway"]
    return {
        source_of(matrix): {
            "kind": "measured",
            "gateway": gateway["name"],
            "software": gateway["software"],
            "version": gateway["version"],
            "simulated": gateway["simulated"],
            "cassettes": f"cassettes/{gateway['name']}",
        }
    }


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
        for parameter in values_of(name) or (name,)
    }


def _untold(
    facts: Iterable[tuple[CellKey, Fact]],
    base: SupportTable,
    gateway: str | None,
    matrix: Matrix,
    overrides: Overrides,
) -> dict[CellKey, Fact]:
    """The facts that the rules below do not tell already, with a note where those say otherwise."""
    untold = {}
    routes = {row["id"]: row["route"] for row in matrix["models"]}
    version = matrix["gateway"]["version"]
    for key, fact in facts:
        said = told(base, key, gateway, routes.get(key.model), version)
        supported = said.supported if said else True
        if supported == fact.supported or (said and said.source in overrides.beating_sources):
            continue
        untold[key] = replace(fact, differs_from=said.source if said and said.source != _DEFAULT else "")
    return untold


# A row of the grouping: where it holds, what it says, and the models it holds for.
_Where = tuple[tuple[str, ...], tuple[str, ...]]
_Said = tuple[str, bool, str]  # parameter or field, supported, source


def _grouped(facts: Mapping[CellKey, Fact], gateway: str | None, values_of: ValuesOf) -> list[Rule]:
    """The fewest rules found that say exactly these facts, more models first."""
    rows = _folded(facts, values_of)
    by_model: dict[tuple[str, _Where], set[_Said]] = defaultdict(set)
    by_saying: dict[tuple[_Where, _Said], set[str]] = defaultdict(set)
    for model, where, said in rows:
        by_model[model, where].add(said)
        by_saying[where, said].add(model)
    # Two ways to cover the same facts: models that say all the same, or sayings of the same models.
    same_sayings: dict[tuple[_Where, frozenset[_Said]], set[str]] = defaultdict(set)
    for (model, where), sayings in by_model.items():
        same_sayings[where, frozenset(sayings)].add(model)
    same_models: dict[tuple[_Where, frozenset[str]], set[_Said]] = defaultdict(set)
    for (where, said), models in by_saying.items():
        same_models[where, frozenset(models)].add(said)
    first = {(where, frozenset(models), sayings) for (where, sayings), models in same_sayings.items()}
    second = {(where, models, frozenset(sayings)) for (where, models), sayings in same_models.items()}
    chosen = min((_across_endpoints(cover) for cover in (first, second)), key=len)
    facts_by_model: dict[str, list[tuple[CellKey, Fact]]] = defaultdict(list)
    for key, fact in facts.items():
        facts_by_model[key.model].append((key, fact))
    rules = [_rule(where, models, sayings, facts_by_model, gateway) for where, models, sayings in chosen]
    return sorted(rules, key=lambda rule: (rule.endpoints, -len(rule.modes), -len(rule.models), rule.models))


_Cover = Iterable[tuple[_Where, frozenset[str], frozenset[_Said]]]


def _across_endpoints(cover: _Cover) -> list[tuple[_Where, frozenset[str], frozenset[_Said]]]:
    """Join the groups that differ in nothing but the endpoint."""
    joined: dict[tuple[tuple[str, ...], frozenset[str], frozenset[_Said]], list[str]] = defaultdict(list)
    for (endpoints, modes), models, sayings in cover:
        joined[modes, models, sayings] += endpoints
    return [((tuple(sorted(ends)), modes), models, sayings) for (modes, models, sayings), ends in joined.items()]


def _folded(facts: Mapping[CellKey, Fact], values_of: ValuesOf) -> list[tuple[str, _Where, _Said]]:
    """Fold the modes of a fact into one row, and the values of a field into the field."""
    modes: dict[tuple[str, str, str, bool, str], set[str]] = defaultdict(set)
    for key, fact in facts.items():
        modes[key.model, key.endpoint, key.parameter, fact.supported, fact.source].add(key.mode)
    rows: dict[tuple[str, _Where, bool, str], set[str]] = defaultdict(set)
    for (model, endpoint, parameter, supported, source), found in modes.items():
        where = ((endpoint,), () if len(found) == len(Mode) else tuple(sorted(found)))
        rows[model, where, supported, source].add(parameter)
    return [
        (model, where, (name, supported, source))
        for (model, where, supported, source), parameters in rows.items()
        for name in _folded_values(parameters, values_of)
    ]


def _folded_values(parameters: set[str], values_of: ValuesOf) -> list[str]:
    fields = {split_parameter(parameter)[0] for parameter in parameters}
    whole = {field for field in fields if set(values_of(field)) <= parameters and values_of(field)}
    return sorted(whole | {p for p in parameters if split_parameter(p)[0] not in whole})


def _rule(
    where: _Where,
    models: frozenset[str],
    sayings: frozenset[_Said],
    facts_by_model: Mapping[str, Sequence[tuple[CellKey, Fact]]],
    gateway: str | None,
) -> Rule:
    endpoints, modes = where
    names = {name for name, *_ in sayings}
    covered = {
        key: fact
        for model in models
        for key, fact in facts_by_model[model]
        if key.endpoint in endpoints
        and (not modes or key.mode in modes)
        and ({key.parameter, split_parameter(key.parameter)[0]} & names)
    }
    blamed: dict[str, set[str]] = defaultdict(set)
    differs: dict[str, set[str]] = defaultdict(set)
    for key, fact in covered.items():
        for name in {key.parameter, split_parameter(key.parameter)[0]} & names:
            blamed[name] |= fact.rejected_by
            differs[name] |= {fact.differs_from} - {""}
    return Rule(
        models=tuple(sorted(models)),
        endpoints=endpoints,
        modes=modes,
        gateways=(gateway,) if gateway else (),
        cassettes=tuple(sorted({fact.cassette for fact in covered.values() if fact.cassette})),
        statements={
            name: Statement(supported, source, tuple(sorted(blamed[name])), _note(differs[name]))
            for name, supported, source in sorted(sayings)
        },
    )


def _note(differs: set[str]) -> str:
    return f"differs from {', '.join(sorted(differs))}" if differs else ""


def dump_table(table: SupportTable) -> str:
    """A table as JSON text. Selectors, notes and lists that say nothing are left out."""
    rules = []
    for rule in table.rules:
        row: dict[str, Any] = {
            name: list(getattr(rule, name))
            for name in ("models", "endpoints", "modes", "routes", "gateways", "gateway_versions")
            if getattr(rule, name)
        }
        row["statements"] = {name: _statement_row(value) for name, value in rule.statements.items()}
        if rule.cassettes:
            row["cassettes"] = list(rule.cassettes)
        rules.append(row)
    document = {"schema_version": SCHEMA_VERSION, "sources": dict(table.sources), "rules": rules}
    parse_table(document)
    return json.dumps(document, indent=1) + "\n"


def _statement_row(statement: Statement) -> dict[str, Any]:
    row: dict[str, Any] = {"supported": statement.supported, "source": statement.source}
    if statement.rejected_by:
        row["rejected_by"] = list(statement.rejected_by)
    if statement.note:
        row["note"] = statement.note
    return row


def told(
    table: SupportTable, key: CellKey, gateway: str | None, route: str | None = None, version: str | None = None
) -> Statement | None:
    """What a table says of a cell of one gateway, of a route and version as far as they are known."""
    return table.lookup(Question(key.model, key.endpoint, key.mode, route, gateway, version), key.parameter)


def beats_measurement(statement: Statement | None, overrides: Overrides) -> bool:
    """True where a statement comes from an override that is meant to contradict the measurement."""
    return statement is not None and statement.source in overrides.beating_sources


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
