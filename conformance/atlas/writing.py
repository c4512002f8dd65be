"""From an atlas to the rules of a table: what is said alike of many is said once. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from conformance.atlas.columns import columns_of
from conformance.atlas.history import Atlas
from conformance.atlas.rules import ANY_ROUTE, HOWS, Said, Where, said_over
from conformance.provider.table import Rule, Statement, split_parameter
from conformance.provider.table.declaration import UNDECLARED
from conformance.provider.table.families import UNKNOWN

#: All ids in the registry that stand for values of one field on an endpoint, as `support.grouping` has it.
ValuesOf = Callable[[str, str], Sequence[str]]

#: Whether the human rules may refuse a parameter of an endpoint, so that "it is taken" has to be said.
Doubted = Callable[[str, str], bool]


def rules_of(atlas: Atlas, values_of: ValuesOf, doubted: Doubted) -> tuple[list[Rule], dict[str, dict[str, object]]]:
    """The rules of an atlas, those that are about the fewest first, and the sources that their statements name."""
    releases = list(atlas["releases"])
    ranges: dict[tuple[Where, str, str, tuple[str, ...]], dict[str, Said]] = defaultdict(dict)
    columns = columns_of(atlas, releases)
    measured = {(channel.partition("/")[0], parameter) for channel, parameter in columns}
    for (channel, parameter), known in columns.items():
        endpoint, _, mode = channel.partition("/")
        about = [known.get(release, []) for release in releases]
        for where, bounds, said in said_over(about, releases, doubted=doubted(endpoint, parameter)):
            ranges[where, endpoint, mode, bounds][parameter] = said
    return _rules(ranges, values_of, measured)


class _Alike(NamedTuple):
    """What makes one rule: all but the routes and upstreams that it holds for."""

    how: str
    family: str
    bounds: tuple[str, ...]
    endpoint: str
    modes: tuple[str, ...]
    versions: tuple[str, ...]
    declared: tuple[str, ...]
    content: tuple[tuple[str, bool, int, int], ...]


def _rules(
    ranges: Mapping[tuple[Where, str, str, tuple[str, ...]], Mapping[str, Said]],
    values_of: ValuesOf,
    measured: Collection[tuple[str, str]],
) -> tuple[list[Rule], dict[str, dict[str, object]]]:
    """One rule for all that is said of the same."""

    def measured_values_of(field: str, endpoint: str) -> list[str]:
        """A field is declared, or not, whatever its value: so those that were measured speak for all."""
        return [value for value in values_of(field, endpoint) if (endpoint, value) in measured]

    sources: dict[str, dict[str, object]] = {}
    alike: dict[_Alike, list[Where]] = defaultdict(list)
    for (where, endpoint, modes, versions), statements in _modes_joined(ranges).items():
        parts: dict[tuple[str, ...], list[tuple[str, bool, int, int]]] = defaultdict(list)
        values = measured_values_of if where.how == "undeclared" else values_of
        for name, each in sorted(_folded(statements, endpoint, values).items()):
            parts[_declared(where, each)].append((name, each.supported, each.models, each.releases))
        for declared, rows in parts.items():
            about = _Alike(where.how, where.family, where.bounds, endpoint, modes, versions, declared, tuple(rows))
            alike[about].append(where)
    rules = []
    for key, wheres in alike.items():
        statements_of = {}
        for name, can, models, seen in key.content:
            source = f"atlas-{key.how}-{models}-{seen}"
            row = {"kind": "atlas", "how": key.how, "models": models, "releases": seen, "simulated": True}
            sources.setdefault(source, row)
            statements_of[name] = Statement(can, source)
        for routes, upstreams in _together(key.how, wheres):
            rules.append(
                Rule(
                    models=("*",),
                    endpoints=(key.endpoint,),
                    modes=key.modes,
                    routes=routes,
                    upstreams=upstreams,
                    families=(key.family,) if key.family else (),
                    family_versions=key.bounds,
                    gateway_versions=key.versions,
                    declared=key.declared,
                    statements=statements_of,
                )
            )
    rules.sort(key=lambda rule: (HOWS.index(sources_how(rule)), rule.routes, rule.families, rule.endpoints))
    return rules, dict(sorted(sources.items()))


def sources_how(rule: Rule) -> str:
    """How the statements of an atlas rule are known."""
    return next(iter(rule.statements.values())).source.split("-")[1]


def _together(how: str, wheres: Sequence[Where]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Routes and upstreams of one rule: a measured model's name holds on its own route alone."""
    if how != "measured":
        named = {where.route for where in wheres}
        yield (() if ANY_ROUTE in named else tuple(sorted(named))), ()
        return
    routes: dict[str, list[str]] = defaultdict(list)
    for where in wheres:
        routes[where.route].append(where.upstream)
    for route, upstreams in sorted(routes.items()):
        yield (route,), tuple(sorted(upstreams))


def _modes_joined(
    ranges: Mapping[tuple[Where, str, str, tuple[str, ...]], Mapping[str, Said]],
) -> dict[tuple[Where, str, tuple[str, ...], tuple[str, ...]], dict[str, Said]]:
    """What is said alike of whole answers and of streams, said once."""
    modes: dict[tuple[Where, str, tuple[str, ...], str, bool], dict[str, Said]] = defaultdict(dict)
    for (where, endpoint, mode, versions), statements in ranges.items():
        for parameter, said in statements.items():
            modes[where, endpoint, versions, parameter, said.supported][mode] = said
    joined: dict[tuple[Where, str, tuple[str, ...], tuple[str, ...]], dict[str, Said]] = defaultdict(dict)
    for (where, endpoint, versions, parameter, can), each in modes.items():
        those = () if len(each) > 1 else tuple(each)
        said = _all_of(can, list(each.values()))
        joined[where, endpoint, those, versions][parameter] = said
    return joined


def _folded(statements: Mapping[str, Said], endpoint: str, values_of: ValuesOf) -> dict[str, Said]:
    """A field in place of all its values, where all are said alike."""
    folded = dict(statements)
    for field in {split_parameter(name)[0] for name in statements}:
        values = [value for value in values_of(field, endpoint) if value != field]
        if values and all(value in folded for value in values):
            said = [folded[value] for value in values]
            if len({each.supported for each in said}) == 1:
                for value in values:
                    del folded[value]
                folded[field] = _all_of(said[0].supported, said)
    return folded


def _all_of(supported: bool, said: Sequence[Said]) -> Said:
    """One statement for several that say the same."""
    models, releases = min(each.models for each in said), min(each.releases for each in said)
    return Said(supported, models, releases, undeclared=all(each.undeclared for each in said))


def _declared(where: Where, said: Said) -> tuple[str, ...]:
    """What a gateway has to say of a parameter so that a statement holds."""
    if where.how == "undeclared":
        return (UNDECLARED,)
    return (UNDECLARED, UNKNOWN) if said.undeclared else ()
