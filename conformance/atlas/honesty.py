"""How far the rules can be trusted: what was measured, foretold from the rest, and compared. Pure.

Each measured model, each family on each route, and each release is left out in turn. What the rest says of it is
held against what was measured there:

- *right*: a refusal was foretold, and it is one;
- *wrong*: a refusal was foretold, and the parameter is taken: a client would have left it out for nothing;
- *silent*: it is refused, and nobody said so: a client would have sent it;
- *taken*: it is taken, and nobody said otherwise.

A client that may read what LiteLLM declares for its models is told more than one that may not.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from conformance.atlas.columns import Columns, columns_of
from conformance.atlas.history import Atlas
from conformance.atlas.rules import Said, Where, foretold, said_of, said_of_undeclared
from conformance.atlas.stretches import Member

#: What can come of a prediction.
OUTCOMES = ("right", "wrong", "silent", "taken")


def honesty(atlas: Atlas, *, declarations: bool = True) -> dict[str, dict[str, int]]:
    """By what was left out (`model`, `family`, `release`): how often each outcome came.

    `declarations` says whether the client knows what is declared for a model.
    """
    releases = list(atlas["releases"])
    columns = columns_of(atlas, releases)
    if not declarations:
        columns = {place: _undeclared(known) for place, known in columns.items()}
    return {
        "model": _without_each(columns, lambda member: (member.route, member.upstream)),
        "family": _without_each(columns, lambda member: (member.route, member.family)),
        "release": _without_each_release(columns, releases),
    }


def _undeclared(known: Mapping[str, Sequence[Member]]) -> dict[str, list[Member]]:
    """The same models, of which nobody knows what is declared for them."""
    return {release: [each._replace(declared=None) for each in members] for release, members in known.items()}


def _without_each(columns: Columns, name_of: Callable[[Member], Hashable]) -> dict[str, int]:
    @functools.cache
    def said_without_each(members: tuple[Member, ...]) -> list[tuple[Hashable, list[Member], dict[Where, Said]]]:
        """Of a route each name's members, and what the others say."""
        groups = _grouped(members, name_of)
        return [(name, those, said_of([m for m in members if name_of(m) != name])) for name, those in groups.items()]

    def outcomes(members: tuple[Member, ...]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for route in _grouped(members, lambda member: member.route).values():
            for name, those, said in said_without_each(tuple(route)):
                found = said
                if any(each.declared is False for each in those):  # no other rule of other routes concerns it
                    found = said | dict(said_of_undeclared([each for each in members if name_of(each) != name]))
                counts.update(_outcome(found, member) for member in those)
        return counts

    every = Counter(tuple(members) for known in columns.values() for members in known.values())
    return _told((outcomes(members), times) for members, times in every.items())


def _grouped(members: Iterable[Member], name_of: Callable[[Member], Hashable]) -> dict[Hashable, list[Member]]:
    groups: dict[Hashable, list[Member]] = defaultdict(list)
    for member in members:
        groups[name_of(member)].append(member)
    return groups


def _without_each_release(columns: Columns, releases: Sequence[str]) -> dict[str, int]:
    """Between two neighbours that agree, they speak; beyond the newest, the newest does."""
    said_of_all = functools.cache(said_of)

    def outcomes(before: tuple[Member, ...], members: tuple[Member, ...], after: tuple[Member, ...]) -> Counter[str]:
        neighbours = said_of_all(before), said_of_all(after)
        return Counter(
            _compared(all(foretold(said, member) is False for said in neighbours), member) for member in members
        )

    every: Counter[tuple[tuple[Member, ...], ...]] = Counter()
    for known in columns.values():
        at = [tuple(known.get(release, ())) for release in releases]
        after = [*at[2:], *at[-2:-1]]  # beyond the newest there is only its other neighbour
        every.update(zip(at[:-1], at[1:], after, strict=True))
    return _told((outcomes(*neighbours), times) for neighbours, times in every.items())


def _outcome(found: Mapping[Where, Said], member: Member) -> str:
    return _compared(foretold(found, member) is False, member)


def _compared(refused: bool, member: Member) -> str:
    if refused:
        return "wrong" if member.supported else "right"
    return "taken" if member.supported else "silent"


def _told(each: Iterable[tuple[Mapping[str, int], int]]) -> dict[str, int]:
    """How often each outcome came, from what came of some and how many are like them: most are as others."""
    total: Counter[str] = Counter()
    for counts, times in each:
        total.update({outcome: count * times for outcome, count in counts.items()})
    return {outcome: total[outcome] for outcome in OUTCOMES}


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """The figures that are published: of what is refused how much was foretold, and of what is taken how much would
    have been left out. Shares between 0 and 1."""
    refused, taken = counts["right"] + counts["silent"], counts["taken"] + counts["wrong"]
    return {
        "foretold": counts["right"] / refused if refused else 1.0,
        "wrong": counts["wrong"] / taken if taken else 0.0,
    }
