"""How far the rules can be trusted: what was measured, foretold from the rest, and compared. Pure.

Each measured model, each family on each route, and each release is left out in turn. What the rest says of it is
held against what was measured there:

- *right*: a refusal was foretold, and it is one;
- *wrong*: a refusal was foretold, and the parameter is taken: a client would have left it out for nothing;
- *silent*: it is refused, and nobody said so: a client would have sent it;
- *taken*: it is taken, and nobody said otherwise.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence

from conformance.atlas.history import Atlas
from conformance.atlas.rules import Said, Where, columns_of, foretold, said_of
from conformance.atlas.stretches import Member

#: What can come of a prediction.
OUTCOMES = ("right", "wrong", "silent", "taken")


def honesty(atlas: Atlas) -> dict[str, dict[str, int]]:
    """By what was left out (`model`, `family`, `release`): how often each outcome came."""
    releases = list(atlas["releases"])
    columns = columns_of(atlas, releases)
    return {
        "model": _without_each(columns, lambda member: (member.route, member.upstream)),
        "family": _without_each(columns, lambda member: (member.route, member.family)),
        "release": _without_each_release(columns, releases),
    }


Columns = Mapping[tuple[str, str], Mapping[str, Sequence[Member]]]


def _without_each(columns: Columns, name_of: Callable[[Member], Hashable]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for known in columns.values():
        for members, releases in itertools.groupby(known.values()):  # most releases are as the one before
            found = _outcomes_without_each(members, name_of)
            for _ in releases:
                counts.update(found)
    return _told(counts)


def _outcomes_without_each(members: Sequence[Member], name_of: Callable[[Member], Hashable]) -> Counter[str]:
    counts: Counter[str] = Counter()
    groups: dict[Hashable, list[Member]] = defaultdict(list)
    for member in members:
        groups[name_of(member)].append(member)
    for name, those in groups.items():
        route = those[0].route  # the rules of other routes do not concern it
        rest = [each for each in members if each.route == route and name_of(each) != name]
        found = said_of(rest)
        counts.update(_outcome(found, member) for member in those)
    return counts


def _without_each_release(columns: Columns, releases: Sequence[str]) -> dict[str, int]:
    """Between two neighbours that agree, they speak; beyond the newest, the newest does."""
    counts: Counter[str] = Counter()
    for known in columns.values():
        said = {release: said_of(known.get(release, ())) for release in releases}
        for place, release in enumerate(releases[1:], 1):
            for member in known.get(release, ()):
                before = foretold(said[releases[place - 1]], member)
                after = foretold(said[releases[place + 1]], member) if place + 1 < len(releases) else before
                counts[_compared(before is False and after is False, member)] += 1
    return _told(counts)


def _outcome(found: Mapping[Where, Said], member: Member) -> str:
    return _compared(foretold(found, member) is False, member)


def _compared(refused: bool, member: Member) -> str:
    if refused:
        return "wrong" if member.supported else "right"
    return "taken" if member.supported else "silent"


def _told(counts: Mapping[str, int]) -> dict[str, int]:
    return {outcome: counts.get(outcome, 0) for outcome in OUTCOMES}


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """The figures that are published: of what is refused how much was foretold, and of what is taken how much would
    have been left out. Shares between 0 and 1."""
    refused, taken = counts["right"] + counts["silent"], counts["taken"] + counts["wrong"]
    return {
        "foretold": counts["right"] / refused if refused else 1.0,
        "wrong": counts["wrong"] / taken if taken else 0.0,
    }
