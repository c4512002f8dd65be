"""What each release changed against the one before it in the atlas, in groups that people can read. Pure.

A cell is compared only where both releases know what becomes of it. What one of them does not know (inconclusive,
not measured, nothing to ask) is no change.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from conformance.atlas.history import Atlas, History, Place, histories, release_of
from conformance.errors import AtlasError
from conformance.types import Verdict


class Fate(StrEnum):
    """What becomes of a parameter, in one word."""

    TAKEN = "taken"
    DROPPED = "dropped"
    REFUSED = "refused"


#: What a state means for who sends the parameter. States that are not here say nothing.
FATES: Mapping[str, Fate] = {
    Verdict.HONOURED: Fate.TAKEN,
    Verdict.ACCEPTED: Fate.TAKEN,
    Verdict.IGNORED: Fate.DROPPED,
    Verdict.REJECTED: Fate.REFUSED,
}


class Turn(StrEnum):
    """How a cell changed from one release to the next; what hurts comes first."""

    BROKE = "broke"
    SILENCED = "silenced"
    MENDED = "mended"
    HEARD = "heard"


#: From which fate to which: what people call it. A request that is no longer refused, but whose parameter has no
#: effect, is no mend: it is a silent drop.
TURNS: Mapping[tuple[Fate, Fate], Turn] = {
    (Fate.TAKEN, Fate.REFUSED): Turn.BROKE,
    (Fate.DROPPED, Fate.REFUSED): Turn.BROKE,
    (Fate.TAKEN, Fate.DROPPED): Turn.SILENCED,
    (Fate.REFUSED, Fate.DROPPED): Turn.SILENCED,
    (Fate.REFUSED, Fate.TAKEN): Turn.MENDED,
    (Fate.DROPPED, Fate.TAKEN): Turn.HEARD,
}

#: What stands for a route that is not known.
NO_ROUTE = "unknown route"


class Change(NamedTuple):
    """One cell that changed: `begun` is the older release at which the state before began."""

    place: Place
    turn: Turn
    before: str
    after: str
    begun: str


@dataclass(frozen=True)
class Group:
    """Cells that changed alike: those of one parameter on one endpoint of one route.

    `before` and `after` are their states, `of` counts the route's models that were measured there.
    """

    turn: Turn
    route: str
    endpoint: str
    parameter: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    models: tuple[str, ...]
    modes: tuple[str, ...]
    cells: int
    of: int


@dataclass(frozen=True)
class Comparison:
    """A release against the one before it in the atlas; `groups` has all turns, what hurts most first in each."""

    release: str
    before: str
    groups: Mapping[Turn, Sequence[Group]]

    def cells(self, turn: Turn) -> int:
        """How many cells changed so."""
        return sum(group.cells for group in self.groups[turn])


def fate_of(state: str) -> Fate | None:
    """What a state means for who sends the parameter; None where nothing is known."""
    return FATES.get(state.partition(":")[0])


def turn_of(before: str, after: str) -> Turn | None:
    """How a cell changed between two states; None where it did not, or nobody knows."""
    first, second = fate_of(before), fate_of(after)
    return TURNS.get((first, second)) if first and second else None


def turns_of(history: History, releases: Sequence[str]) -> Iterator[tuple[str, str, Turn]]:
    """The changes in one history: the release at which the state before began, that of the change, and the turn.

    `releases` are all that the atlas has, oldest first.
    """
    begun: str | None = None
    for release in releases:
        if release not in history:
            continue
        if begun is not None and (turn := turn_of(history[begun], history[release])):
            yield begun, release, turn
        begun = release


def comparisons(atlas: Atlas) -> list[Comparison]:
    """Each release but the oldest against the one before it, newest first."""
    releases = list(atlas["releases"])
    found: dict[str, list[Change]] = defaultdict(list)
    for place, history in histories(atlas):
        for begun, release, turn in turns_of(history, releases):
            found[release].append(Change(place, turn, history[begun], history[release], begun))
    routes = {model: row["route"] or NO_ROUTE for model, row in atlas["models"].items()}
    measured = _measured(atlas, routes)
    compared = [
        Comparison(after, before, _grouped(found[after], routes, measured))
        for before, after in itertools.pairwise(releases)
    ]
    return compared[::-1]


def comparison_of(atlas: Atlas, release: str) -> Comparison:
    """One release against the one before it. Raises `AtlasError` where there is nothing to compare."""
    release = release_of(atlas, release)
    if release == next(iter(atlas["releases"])):
        raise AtlasError(f"{release} is the oldest release of the atlas, so there is none to compare it with")
    return next(each for each in comparisons(atlas) if each.release == release)


def _measured(atlas: Atlas, routes: Mapping[str, str]) -> dict[tuple[str, str, str], int]:
    """How many models were asked, by route, endpoint and parameter."""
    asked: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for place, _ in histories(atlas):
        asked[routes[place.model], _endpoint(place), place.parameter].add(place.model)
    return {key: len(models) for key, models in asked.items()}


def _grouped(
    changes: Iterable[Change], routes: Mapping[str, str], measured: Mapping[tuple[str, str, str], int]
) -> dict[Turn, list[Group]]:
    """Changes by turn, route, endpoint and parameter. Every core parameter counts alike: most cells come first."""
    alike: dict[tuple[Turn, str, str, str], list[Change]] = defaultdict(list)
    for each in changes:
        alike[each.turn, routes[each.place.model], _endpoint(each.place), each.place.parameter].append(each)
    groups: dict[Turn, list[Group]] = {turn: [] for turn in Turn}
    for (turn, route, endpoint, parameter), those in alike.items():
        group = Group(
            turn,
            route,
            endpoint,
            parameter,
            before=tuple(sorted({each.before for each in those})),
            after=tuple(sorted({each.after for each in those})),
            models=tuple(sorted({each.place.model for each in those})),
            modes=tuple(sorted({each.place.channel.partition("/")[2] for each in those})),
            cells=len(those),
            of=measured[route, endpoint, parameter],
        )
        groups[turn].append(group)
    for each_turn in groups.values():
        each_turn.sort(key=lambda each: (-each.cells, -len(each.models), each.route, each.endpoint, each.parameter))
    return groups


def _endpoint(place: Place) -> str:
    return place.channel.partition("/")[0]
