"""From facts to rules: as few as can be found that say exactly these facts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from conformance.provider.table import Rule, Statement, split_parameter
from conformance.support.facts import Fact
from conformance.types import CellKey, Mode

#: All ids in the registry that stand for values of one field on an endpoint: `store` → `store:true`, `store:false`.
ValuesOf = Callable[[str, str], Sequence[str]]

# A row of the grouping: where it holds, what it says, and the models it holds for.
_Where = tuple[tuple[str, ...], tuple[str, ...]]
_Said = tuple[str, bool, str]  # parameter or field, supported, source


def grouped(facts: Mapping[CellKey, Fact], gateway: str, values_of: ValuesOf) -> list[Rule]:
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
        for name in _folded_values(parameters, where[0][0], values_of)
    ]


def _folded_values(parameters: set[str], endpoint: str, values_of: ValuesOf) -> list[str]:
    fields = {split_parameter(parameter)[0] for parameter in parameters}
    whole = {field for field in fields if (values := set(values_of(field, endpoint))) and values <= parameters}
    return sorted(whole | {p for p in parameters if split_parameter(p)[0] not in whole})


def _rule(
    where: _Where,
    models: frozenset[str],
    sayings: frozenset[_Said],
    facts_by_model: Mapping[str, Sequence[tuple[CellKey, Fact]]],
    gateway: str,
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
        gateways=(gateway,),
        cassettes=tuple(sorted({fact.cassette for fact in covered.values() if fact.cassette})),
        statements={
            name: Statement(supported, source, tuple(sorted(blamed[name])), _note(differs[name]))
            for name, supported, source in sorted(sayings)
        },
    )


def _note(differs: set[str]) -> str:
    return f"differs from {', '.join(sorted(differs))}" if differs else ""
