"""The atlas by columns: for each parameter and release, the models that were measured, and what came of it. Pure."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from conformance.atlas.history import ABSENT, Atlas, History, Place, declared_at, histories, spelled_out, supported
from conformance.atlas.stretches import Member
from conformance.provider.table.declaration import chat_names
from conformance.provider.table.families import family_of, served_from

#: By channel and parameter, and by release: the measured models.
Columns = Mapping[tuple[str, str], Mapping[str, Sequence[Member]]]


def columns_of(atlas: Atlas, releases: Sequence[str]) -> dict[tuple[str, str], dict[str, list[Member]]]:
    """The columns of an atlas.

    LiteLLM decides much by a list of models, and loads today's when it starts. A difference between two releases is
    their own only if both were measured with one list. So nothing is said of what LiteLLM refuses, and a later release
    takes with another list only: with today's list the older one may take it, too.
    """
    columns: dict[tuple[str, str], dict[str, list[Member]]] = defaultdict(lambda: defaultdict(list))
    lists = {release: row["model_list"] for release, row in atlas["releases"].items()}
    declarations = _Declarations(atlas)
    for place, history in histories(atlas):
        served = served_from(place.model)
        if served is None:
            continue
        family = family_of(served.upstream)
        filled = _filled(history, releases)
        taken = [number for number, (_, state) in enumerate(filled) if supported(state)]
        declared = declarations.of(place)
        for number, (release, state) in enumerate(filled):
            said, by = supported(state), state.partition(":")[2]
            if said is None:
                continue
            if by == "gateway":
                later = {lists[filled[each][0]] for each in taken if each > number}
                if later and lists[release] not in later:
                    continue  # it may be the list that takes it, and not the release: see above
            columns[place.channel, place.parameter][release].append(
                Member(
                    served.route,
                    served.upstream,
                    family.name if family else "",
                    family.version if family else (),
                    said,
                    by,
                    before=bool(taken) and taken[0] < number,
                    declared=declared[release],
                )
            )
    return columns


class _Declarations:
    """What each release declares of each model."""

    def __init__(self, atlas: Atlas) -> None:
        told = {model: declared_at(atlas, model) for model in atlas["models"]}
        self._of = {
            model: {release: frozenset(names) if names else None for release, names in each.items()}
            for model, each in told.items()
        }
        #: What a release declares of one model at least: of all else its silence tells nothing.
        self._of_any = {
            release: frozenset().union(*(each[release] or () for each in self._of.values()))
            for release in atlas["releases"]
        }

    def of(self, place: Place) -> dict[str, bool | None]:
        """By release, whether a parameter is declared."""
        names = chat_names(place.channel.partition("/")[0], place.parameter)
        return {release: self._told(release, each, names) for release, each in self._of[place.model].items()}

    def _told(self, release: str, declared: frozenset[str] | None, names: Collection[str]) -> bool | None:
        if declared is None or not self._of_any[release].issuperset(names):
            return None
        return declared.issuperset(names)


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
