"""From what was measured to rules that carry over to what was not. Pure.

For one endpoint, mode, parameter and release there are three kinds of statements, and the first that speaks holds:

- *measured*: of an upstream model that was measured, where what follows would say something else;
- *family*: on a route, a stretch of a family's versions whose measured members all agree. The newest speaks for what
  is newer; between two versions that differ nobody speaks;
- *route*: of all models of a route, where all measured ones agree, of three families at least.

Few do not speak for others: `stretches.FEWEST` says how many have to agree.

What LiteLLM itself refuses, and a later release takes, is not told of. LiteLLM decides much by a list of models. The
atlas is measured with the list that a release brings. A LiteLLM that reaches the network loads today's list when it
starts, unless it is told not to (`LITELLM_LOCAL_MODEL_COST_MAP`), and then takes what the later release takes.

Where the route is not known, a family speaks only if its members agree on every route that was measured.

Only what is refused has to be said: all else is sent anyway. That something is taken is said where a rule below,
or a human one, would leave it out. Over the releases a statement holds from the first to the last of neighbouring
measured releases in which it was made; the newest measured release speaks for those after it.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from conformance.atlas.history import ABSENT, Atlas, History, histories, spelled_out, supported
from conformance.atlas.stretches import Member, Version, agreeing, speak_for_others
from conformance.provider.table import Rule, Statement, split_parameter, version_fits
from conformance.provider.table.families import UNKNOWN, family_of, served_from

#: All ids in the registry that stand for values of one field on an endpoint, as `support.grouping` has it.
ValuesOf = Callable[[str, str], Sequence[str]]

#: Whether the human rules may refuse a parameter of an endpoint, so that "it is taken" has to be said.
Doubted = Callable[[str, str], bool]


class Where(NamedTuple):
    """Whom a statement is about: one upstream, a stretch of a family's versions on a route, or a whole route."""

    how: str  # measured, family or route
    route: str
    upstream: str = ""
    family: str = ""
    bounds: tuple[str, ...] = ()


class Said(NamedTuple):
    """A statement, and how many models and releases stand behind it at least."""

    supported: bool
    models: int
    releases: int = 1


#: Of how many families the models of a route have to be before they speak for a family that was not measured.
FEWEST_FAMILIES = 3

_LEVELS = ("measured", "family", "route")


def rules_of(atlas: Atlas, values_of: ValuesOf, doubted: Doubted) -> tuple[list[Rule], dict[str, dict[str, object]]]:
    """The rules of an atlas, those that are about the fewest first, and the sources that their statements name."""
    releases = list(atlas["releases"])
    ranges: dict[tuple[Where, str, str, tuple[str, ...]], dict[str, Said]] = defaultdict(dict)
    for (channel, parameter), known in columns_of(atlas, releases).items():
        endpoint, _, mode = channel.partition("/")
        about = [known.get(release, []) for release in releases]
        for where, bounds, said in _said_over(about, releases, doubted=doubted(endpoint, parameter)):
            ranges[where, endpoint, mode, bounds][parameter] = said
    return _rules(ranges, values_of)


def _said_over(
    about: Sequence[Sequence[Member]], releases: Sequence[str], *, doubted: bool
) -> Iterator[tuple[Where, tuple[str, ...], Said]]:
    """What is said of one parameter, and of which releases; `about` has the models that were measured at each."""
    first = _first_alike(about)
    said_at = {place: said_of(about[place], doubted=doubted) for place in dict.fromkeys(first)}
    made = [said_at[place] for place in first]
    neighbours = list(itertools.pairwise(first))

    @functools.cache
    def alike(other: int, place: int, where: Where) -> bool:
        return _say_alike(made[other], where, made[place].get(where), about[place])

    for where in dict.fromkeys(where for each in made for where in each):
        after = [False, *(alike(one, other, where) for one, other in neighbours)]
        before = [*(alike(other, one, where) for one, other in neighbours), False]
        for bounds, said in _stretches([each.get(where) for each in made], after, before, releases):
            yield where, bounds, said


def _first_alike(about: Sequence[Sequence[Member]]) -> list[int]:
    """For each release the first of its neighbours at which the same models were measured alike: most are so."""
    first: list[int] = []
    for _, run in itertools.groupby(about):
        first += [len(first)] * sum(1 for _ in run)
    return first


def said_of(members: Sequence[Member], *, doubted: bool = False) -> dict[Where, Said]:
    """What one release says of one parameter: each statement once, none that another one makes already."""
    found: dict[Where, Said] = {}
    routes: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        routes[member.route].append(member)
    for route, those in routes.items():
        found.update(_said_of_route(route, those, doubted=doubted))
    found.update(_said_of_families(UNKNOWN, _agreeing_everywhere(members), doubted=doubted))
    return found


def _said_of_route(route: str, members: Sequence[Member], *, doubted: bool) -> Iterator[tuple[Where, Said]]:
    answers = {member.supported for member in members}
    kinds = {member.family or member.upstream for member in members}
    if len(answers) == 1 and len(kinds) >= FEWEST_FAMILIES and speak_for_others("route", members):
        if doubted or False in answers:
            yield Where("route", route), _said(members)
        return
    families = dict(_said_of_families(route, members, doubted=doubted))
    yield from families.items()
    for member in members:
        told = foretold(families, member)
        if member.supported != (True if told is None else told) or (doubted and told is None):
            yield Where("measured", route, member.upstream), _said([member])


def _said_of_families(route: str, members: Iterable[Member], *, doubted: bool) -> Iterator[tuple[Where, Said]]:
    families: dict[str, dict[Version, list[Member]]] = defaultdict(lambda: defaultdict(list))
    for member in members:
        if member.family:
            families[member.family][member.version].append(member)
    for family, versions in families.items():
        for bounds, those in agreeing(versions):
            if doubted or not those[0].supported:
                yield Where("family", route, "", family, bounds), _said(those)


def _agreeing_everywhere(members: Iterable[Member]) -> list[Member]:
    """The members of the families and versions that two routes or more have, and that agree on all of them."""
    families: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        families[member.family].append(member)
    return [
        member
        for family, those in families.items()
        if family and len({each.route for each in those}) > 1
        for member in those
    ]


def foretold(found: Mapping[Where, Said], member: Member) -> bool | None:
    """What statements of one release say of a model on its route, measured or not; None where they are silent."""
    told = {
        where.how: said for where, said in found.items() if where.route == member.route and _concerns(where, member)
    }
    return next((told[how].supported for how in _LEVELS if how in told), None)


def _concerns(where: Where, member: Member) -> bool:
    if where.how == "family":
        return _is_in(member, where)
    return where.how == "route" or where.upstream == member.upstream


def _said(members: Sequence[Member]) -> Said:
    return Said(members[0].supported, len(members))


def _is_in(member: Member, where: Where) -> bool:
    """Whether a family's stretch has a member."""
    return member.family == where.family and version_fits(member.version, where.bounds)


def columns_of(atlas: Atlas, releases: Sequence[str]) -> dict[tuple[str, str], dict[str, list[Member]]]:
    """By channel and parameter, and by release: each measured model and what became of the parameter."""
    columns: dict[tuple[str, str], dict[str, list[Member]]] = defaultdict(lambda: defaultdict(list))
    for place, history in histories(atlas):
        served = served_from(place.model)
        if served is None:
            continue
        family = family_of(served.upstream)
        filled = _filled(history, releases)
        taken = [number for number, (_, state) in enumerate(filled) if supported(state)]
        for number, (release, state) in enumerate(filled):
            said, by = supported(state), state.partition(":")[2]
            if said is None or (by == "gateway" and taken and taken[-1] > number):
                continue  # what LiteLLM takes later it may take already: see above
            columns[place.channel, place.parameter][release].append(
                Member(
                    served.route,
                    served.upstream,
                    family.name if family else "",
                    family.version if family else (),
                    said,
                    by,
                    before=bool(taken) and taken[0] < number,
                )
            )
    return columns


def _filled(history: History, releases: Sequence[str]) -> list[tuple[str, str]]:
    """The state at each release; what is not known between two states that agree is as they are."""
    states = list(spelled_out(history, releases).values())
    known = [place for place, each in enumerate(states) if _speaks(each)]
    for first, second in itertools.pairwise(known):
        if second - first > 1 and supported(states[first]) == supported(states[second]):
            states[first + 1 : second] = [states[first]] * (second - first - 1)
    return [(release, each) for release, each in zip(releases, states, strict=True) if _speaks(each)]


def _speaks(state: str) -> bool:
    return state != ABSENT and supported(state) is not None


def _say_alike(other: Mapping[Where, Said], where: Where, said: Said | None, members: Iterable[Member]) -> bool:
    """Whether another release says the same of all whom a statement is about, in whatever statements.

    Then the two releases agree, and what lies between them is as they are.
    """
    if said is None:
        return False
    concerned = (each for each in members if where.route in (UNKNOWN, each.route) and _concerns(where, each))
    # A copy is dear, and only a route that is not known needs one.
    there = (each if each.route == where.route else replace(each, route=where.route) for each in concerned)
    return all(foretold(other, each) == said.supported for each in there)


def _stretches(
    made: Sequence[Said | None], after: Sequence[bool], before: Sequence[bool], releases: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], Said]]:
    """The runs of neighbouring releases that say the same, as bounds on the gateway's version.

    `after` and `before` say where the release before or the next one agrees in other statements, so that a run reaches
    up to it.
    """
    start: int | None = None
    for place, said in enumerate(made):
        if said is None:
            continue
        if start is None:
            start = place
        following = made[place + 1] if place + 1 < len(made) else None
        if following is not None and following.supported == said.supported:
            continue
        bounds = []
        if start > 0:
            bounds.append(f">{releases[start - 1]}" if after[start] else f">={releases[start]}")
        if place + 1 < len(made):
            bounds.append(f"<{releases[place + 1]}" if before[place] else f"<={releases[place]}")
        those = [each for each in made[start : place + 1] if each is not None]
        yield tuple(bounds), Said(said.supported, min(each.models for each in those), len(those))
        start = None


class _Alike(NamedTuple):
    """What makes one rule: all but the routes and upstreams that it holds for."""

    how: str
    family: str
    bounds: tuple[str, ...]
    endpoint: str
    modes: tuple[str, ...]
    versions: tuple[str, ...]
    content: tuple[tuple[str, bool, int, int], ...]


def _rules(
    ranges: Mapping[tuple[Where, str, str, tuple[str, ...]], Mapping[str, Said]], values_of: ValuesOf
) -> tuple[list[Rule], dict[str, dict[str, object]]]:
    """One rule for all that is said of the same."""
    sources: dict[str, dict[str, object]] = {}
    alike: dict[_Alike, list[Where]] = defaultdict(list)
    for (where, endpoint, modes, versions), statements in _modes_joined(ranges).items():
        folded = _folded(statements, endpoint, values_of)
        content = tuple(sorted((name, each.supported, each.models, each.releases) for name, each in folded.items()))
        alike[_Alike(where.how, where.family, where.bounds, endpoint, modes, versions, content)].append(where)
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
                    statements=statements_of,
                )
            )
    rules.sort(key=lambda rule: (_LEVELS.index(sources_how(rule)), rule.routes, rule.families, rule.endpoints))
    return rules, dict(sorted(sources.items()))


def sources_how(rule: Rule) -> str:
    """How the statements of an atlas rule are known."""
    return next(iter(rule.statements.values())).source.split("-")[1]


def _together(how: str, wheres: Sequence[Where]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Routes and upstreams of one rule: a measured model's name holds on its own route alone."""
    if how != "measured":
        yield tuple(sorted({where.route for where in wheres})), ()
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
        said = Said(can, min(one.models for one in each.values()), min(one.releases for one in each.values()))
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
                fewest = min(each.models for each in said), min(each.releases for each in said)
                folded[field] = Said(said[0].supported, *fewest)
    return folded
