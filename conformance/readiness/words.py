"""The words for whether a client works with a model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Literal

from conformance.errors import first_of
from conformance.schemas.documents import ReadinessField, ReadinessWay
from conformance.types import RejectedBy, Verdict


class Readiness(StrEnum):
    """Whether a client works with a model, the best first."""

    WORKS = "works"
    LOSES = "loses"  # it works, but something that it sends has no effect
    UNKNOWN = "unknown"
    BREAKS = "breaks"


#: The verdict of a field that no cell of the run is about.
NOT_MEASURED: Literal["not_measured"] = "not_measured"

#: What each verdict of a field makes of a request. A verdict that is not here is one of success.
OF_VERDICT: Mapping[str, Readiness] = {
    Verdict.REJECTED: Readiness.BREAKS,
    Verdict.INCONCLUSIVE: Readiness.UNKNOWN,
    Verdict.NOT_APPLICABLE: Readiness.UNKNOWN,
    NOT_MEASURED: Readiness.UNKNOWN,
    Verdict.IGNORED: Readiness.LOSES,
}

_BY: Mapping[str | None, str] = {
    RejectedBy.GATEWAY: " (refused by the gateway)",
    RejectedBy.BACKEND: " (refused by the backend)",
}

_WHY_UNKNOWN: Mapping[str, str] = {
    NOT_MEASURED: "not measured",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_APPLICABLE: "nothing to ask about",
}

#: Fields that one sentence names.
_NAMED = 4


def refused_by(name: str | None) -> str:
    """Who refused, as the end of a reason; empty where nobody knows."""
    return _BY.get(name, "")


def worst(found: Iterable[Readiness]) -> Readiness:
    """The worst of some; with none of them it works."""
    return max(found, key=list(Readiness).index, default=Readiness.WORKS)


def readiness_of(fields: Iterable[ReadinessField]) -> Readiness:
    """What the fields that are not simply taken make of a request."""
    return worst(OF_VERDICT[field["verdict"]] for field in fields if not field["unsent"])


def told_of_fields(readiness: Readiness, fields: Sequence[ReadinessField], first: int = 1) -> str:
    """A readiness in words, with the fields that decide it; `first` is the turn that the client begins with."""
    deciding = [field for field in fields if OF_VERDICT[field["verdict"]] is readiness and not field["unsent"]]
    if readiness is Readiness.BREAKS:
        return f"breaks on {told_of_refusals(deciding, first)}"
    if readiness is Readiness.LOSES:
        return f"works, but {_names(deciding, first)} {'is' if len(deciding) == 1 else 'are'} lost"
    if readiness is Readiness.UNKNOWN:
        return f"not known: {'; '.join(_unknowns(deciding, first))}"
    return "works"


def told_of_refusals(fields: Sequence[ReadinessField], first: int) -> str:
    """Refused fields in words, each beside who refused it; `first` is the turn that the client begins with."""
    return "; ".join(_refusals(fields, first))


def is_named(field: str, names: Iterable[str]) -> bool:
    """True where some of these names stand for a field: they name it, in whatever place of a list, or what holds it."""
    path = _bare(field)
    return any(f"{path}.".startswith(f"{_bare(name)}.") for name in names)


def _bare(name: str) -> str:
    """A field without the value that it has there, and without places in lists."""
    return _PLACES.sub("", name.partition(":")[0])


#: A place in a list, as it stands in a field's name: `tools[0]`, `tools[]`, `tools.0`.
_PLACES = re.compile(r"\[\d*\]|\.\d+(?=\.|$)")


def _refusals(fields: Sequence[ReadinessField], first: int) -> Iterator[str]:
    for by in dict.fromkeys(field["rejected_by"] for field in fields):
        yield _names([field for field in fields if field["rejected_by"] == by], first) + refused_by(by)


def _unknowns(fields: Sequence[ReadinessField], first: int) -> Iterator[str]:
    for verdict, words in _WHY_UNKNOWN.items():
        if there := [field for field in fields if field["verdict"] == verdict]:
            yield f"{_names(there, first)} ({words})"


def _names(fields: Sequence[ReadinessField], first: int) -> str:
    """The fields, each once; a field that only a later request holds says so."""
    names = dict.fromkeys(
        field["field"] if field["turn"] <= first else f"{field['field']} from request {field['turn']} on"
        for field in fields
    )
    return first_of(list(names), _NAMED)


def told_of_ways(ways: Sequence[ReadinessWay]) -> str:
    """All ways of a client in one text; those of which the same is to be said stand together."""
    said: dict[str, list[str]] = {}
    for way in ways:
        said.setdefault(way["reason"], []).append(way["way"])
    if len(said) == 1:
        return next(iter(said))
    return ". ".join(f"{', '.join(names)}: {reason}" for reason, names in said.items())
