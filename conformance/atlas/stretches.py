"""Stretches of a family's versions whose measured members agree, and for whom they speak. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

Version: TypeAlias = tuple[int, ...]


class Member(NamedTuple):
    """A measured model, and what became of one parameter at one release; `family` is empty where none is known.

    `before` says that an older release took the parameter, `declared` whether LiteLLM declares it for the model; None
    where it declares nothing, or the parameter of no model.
    """

    route: str
    upstream: str
    family: str
    version: Version
    supported: bool
    by: str
    before: bool = False
    declared: bool | None = None


#: How many measured models have to agree before they speak for others, by kind and by who refuses: the gateway
#: alone, or also a backend. What LiteLLM refuses holds for a route sooner than what a vendor refuses of some models.
#: None: never. With these figures `honesty` finds that less than one in a hundred parameters that are taken would be
#: left out; with smaller ones it was one in thirty.
FEWEST: Mapping[tuple[str, bool], int | None] = {
    ("family", True): 2,
    ("family", False): 3,
    ("route", True): 4,
    ("route", False): None,
}


def speak_for_others(how: str, members: Sequence[Member]) -> bool:
    """Whether models that agree are enough to tell of one that was not measured."""
    fewest = FEWEST[how, all(member.supported or member.by == "gateway" for member in members)]
    return fewest is not None and len(members) >= fewest


def agreeing(versions: Mapping[Version, Sequence[Member]]) -> Iterator[tuple[tuple[str, ...], list[Member]]]:
    """Stretches of versions whose members agree, with their bounds.

    The newest speaks also for what is newer: as far as its major version goes, or for ever where two major versions
    agree. Nobody speaks for what is older: a refusal often begins with a version. Where a gateway knows newer versions
    by name, nobody speaks for the next major one (`_by_name`).
    """
    ordered = sorted(versions)
    stretch: list[Version] = []
    for place, version in enumerate(ordered):
        answers = {member.supported for member in versions[version]}
        if len(answers) > 1:
            stretch = []
            continue
        stretch.append(version)
        following = ordered[place + 1] if place + 1 < len(ordered) else None
        if following is not None and {member.supported for member in versions[following]} == answers:
            continue
        members = [member for each in stretch for member in versions[each]]
        if speak_for_others("family", members):
            named = stretch[0] != ordered[0] and _by_name(members, versions[version])
            yield tuple(_bounds(stretch, newest=following is None, named=named)), members
        stretch = []


def _by_name(members: Sequence[Member], newest: Sequence[Member]) -> bool:
    """Whether a gateway that tells newer versions from older ones does so by a list of names that it refuses.

    It does where an older release, which had not heard of the newest yet, took the parameter.
    """
    return not members[0].supported and any(member.before for member in newest)


def _bounds(stretch: Sequence[Version], *, newest: bool, named: bool) -> Iterator[str]:
    majors = [version[0] if version else 0 for version in stretch]
    if stretch[0]:
        yield f">={_dotted(stretch[0])}"
    if not newest:
        yield f"<={_dotted(stretch[-1])}"
    elif named or majors[0] == majors[-1]:
        yield f"<{majors[-1] + 1}"


def _dotted(version: Version) -> str:
    return ".".join(map(str, version)) or "0"
