"""From what was measured to statements that carry over to what was not. Pure.

For one endpoint, mode, parameter and release there are four kinds of statements, and the first that speaks holds:

- *undeclared*: of models for which LiteLLM does not declare the parameter, where it refuses it to all measured ones;
- *measured*: of an upstream model that was measured, where what follows would say something else;
- *family*: on a route, a stretch of a family's versions whose measured members all agree. The newest speaks for what
  is newer; between two versions that differ nobody speaks;
- *route*: of all models of a route, where all measured ones agree, of four families at least.

What LiteLLM declares is known only to a client that may read it. The other three kinds hold without that. But where all
that is behind them is that LiteLLM does not declare the parameter, they are silent of a model for which it does.

Few do not speak for others: `stretches.FEWEST` says how many have to agree. It is otherwise with what is not declared,
for LiteLLM refuses by the very list that it declares: one model speaks for its route, or for its family there where the
route lets some through, and `FEWEST_ROUTES` routes speak for others.

Where the route is not known, a family speaks only if its members agree on every route that was measured.

Only what is refused has to be said: all else is sent anyway. That something is taken is said where a rule below,
or a human one, would leave it out. Over the releases a statement holds from the first to the last of neighbouring
measured releases in which it was made; the newest measured release speaks for those after it.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from conformance.atlas.stretches import Member, Version, agreeing, speak_for_others
from conformance.provider.table import version_fits
from conformance.provider.table.families import UNKNOWN

#: Stands for every route.
ANY_ROUTE = ""


class Where(NamedTuple):
    """Whom a statement is about: one upstream, a stretch of a family's versions on a route, a whole route, or those for
    which the parameter is not declared."""

    how: str  # one of HOWS
    route: str
    upstream: str = ""
    family: str = ""
    bounds: tuple[str, ...] = ()


class Said(NamedTuple):
    """A statement, and how many models and releases stand behind it at least.

    `undeclared` says that it is a refusal by LiteLLM of what it does not declare, and nothing else.
    """

    supported: bool
    models: int
    releases: int = 1
    undeclared: bool = False


#: Of how many families the models of a route have to be before they speak for a family that was not measured. With
#: three, one in 80 of a family's parameters that are taken would be left out (`honesty`); with four, one in 135.
FEWEST_FAMILIES = 4

#: On how many routes at least LiteLLM has to refuse what it does not declare before that tells of others, and how many
#: times as many as those where it lets some of it through.
FEWEST_ROUTES, MORE_ROUTES = 3, 9

#: The kinds of statements; the first that speaks holds.
HOWS = ("undeclared", "measured", "family", "route")


def said_over(
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
    found.update(said_of_undeclared(members))
    return found


def said_of_undeclared(members: Sequence[Member]) -> Iterator[tuple[Where, Said]]:
    """What is said of models for which a parameter is not declared: of every route, of some, or of families on one."""
    routes: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        if member.declared is False:
            routes[member.route].append(member)
    refusing = {route: those for route, those in routes.items() if all(map(_is_list_refusal, those))}
    otherwise = [route for route, those in routes.items() if any(each.supported for each in those)]
    for route in otherwise:
        yield from _undeclared_in_families(route, routes[route])
    if len(refusing) >= max(FEWEST_ROUTES, MORE_ROUTES * len(otherwise)):
        everybody = [each for those in refusing.values() for each in those]
        others = {member.route for member in members} - routes.keys() if otherwise else [ANY_ROUTE]
        refusing = {**(refusing if otherwise else {}), **dict.fromkeys(others, everybody)}
    for route, those in refusing.items():
        yield Where("undeclared", route), _said(those)


def _undeclared_in_families(route: str, members: Iterable[Member]) -> Iterator[tuple[Where, Said]]:
    families: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        families[member.family].append(member)
    for family, those in families.items():
        if family and all(map(_is_list_refusal, those)):
            yield Where("undeclared", route, "", family), _said(those)


def _is_list_refusal(member: Member) -> bool:
    """Whether a model's refusal is LiteLLM's own, and of what it does not declare."""
    return member.declared is False and not member.supported and member.by == "gateway"


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


def foretold(found: Mapping[Where, Said], member: Member, *, declarations: bool = True) -> bool | None:
    """What statements of one release say of a model on its route, measured or not; None where they are silent.

    `declarations` says whether the client knows what is declared for the model.
    """
    told = {
        where.how: said
        for where, said in found.items()
        if where.route in (ANY_ROUTE, member.route)
        and _concerns(where, member)
        and (declarations or where.how != "undeclared")
        and not (declarations and said.undeclared and member.declared)
    }
    return next((told[how].supported for how in HOWS if how in told), None)


def _concerns(where: Where, member: Member) -> bool:
    if where.how == "family":
        return _is_in(member, where)
    if where.how == "undeclared":
        return member.declared is False and where.family in ("", member.family)
    return where.how == "route" or where.upstream == member.upstream


def _said(members: Sequence[Member]) -> Said:
    return Said(members[0].supported, len(members), undeclared=all(map(_is_list_refusal, members)))


def _is_in(member: Member, where: Where) -> bool:
    """Whether a family's stretch has a member."""
    return member.family == where.family and version_fits(member.version, where.bounds)


def _say_alike(other: Mapping[Where, Said], where: Where, said: Said | None, members: Iterable[Member]) -> bool:
    """Whether another release says the same of all whom a statement is about, in whatever statements.

    Then the two releases agree, and what lies between them is as they are.
    """
    if said is None:
        return False
    routes = (UNKNOWN, ANY_ROUTE)
    concerned = (each for each in members if where.route in (*routes, each.route) and _concerns(where, each))
    # A copy is dear, and only a route that is not known needs one.
    there = (each._replace(route=UNKNOWN) if where.route == UNKNOWN else each for each in concerned)
    known = where.how == "undeclared"
    return all(foretold(other, each, declarations=known) == said.supported for each in there)


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
        undeclared = all(each.undeclared for each in those)
        yield tuple(bounds), Said(said.supported, min(each.models for each in those), len(those), undeclared)
        start = None
