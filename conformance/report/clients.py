"""Will my agent work? A matrix's clients, summed up: with how many models each works, and why not with others. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance.errors import first_of
from conformance.matrix.document import Matrix
from conformance.readiness.words import OF_VERDICT as READINESS_OF_FIELD
from conformance.readiness.words import Readiness, is_named
from conformance.report.signs import OF_VERDICT, Sign
from conformance.schemas.documents import ClientRow, ReadinessField, ReadinessRow, ReadinessWay
from conformance.text.counting import counted
from conformance.types import Verdict

#: Fields that a summary names.
_NAMED = 3


class Shown(NamedTuple):
    """How a readiness looks: as this verdict does, and in words."""

    verdict: Verdict
    title: str
    meaning: str

    @property
    def sign(self) -> Sign:
        """One character, and its colour in a terminal."""
        return OF_VERDICT[self.verdict]


#: In the order of a legend, best first.
SHOWN: Mapping[Readiness, Shown] = {
    Readiness.WORKS: Shown(Verdict.HONOURED, "works", "Everything that the client sends is taken."),
    Readiness.LOSES: Shown(
        Verdict.IGNORED, "works, but loses something", "It works, but something that it sends has no effect."
    ),
    Readiness.UNKNOWN: Shown(
        Verdict.INCONCLUSIVE, "not known", "This run does not tell about something that the client sends."
    ),
    Readiness.BREAKS: Shown(Verdict.REJECTED, "breaks", "Something that the client sends is refused."),
}


#: What stands behind a sign where a client works in some of its ways and breaks in others, and what it means.
ONLY, ONLY_MEANS = "*", "works in some ways and breaks in others"

_WORKING = (Readiness.WORKS, Readiness.LOSES)


def only_ways(row: ReadinessRow) -> list[str]:
    """The ways in which a client works with a model, where others break; none where there is nothing to warn of."""
    if all(way["readiness"] != Readiness.BREAKS.value for way in row["ways"]):
        return []
    return [way["way"] for way in row["ways"] if way["readiness"] in _WORKING]


def sign_of(row: ReadinessRow) -> str:
    """One model's readiness for a client as a character, with a mark where only some ways work."""
    return SHOWN[Readiness(row["readiness"])].sign.sign + (ONLY if only_ways(row) else "")


@dataclass
class ClientSummary:
    """One client: with how many models it does how, and which fields that is because of, each with how many models.

    `only` counts the models with which only some ways work, by those ways.
    """

    profile: ClientRow
    tally: Counter[Readiness] = field(default_factory=Counter)
    because: dict[Readiness, Counter[str]] = field(default_factory=lambda: {each: Counter() for each in Readiness})
    only: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def count(self, row: ReadinessRow) -> None:
        """Count one model in."""
        readiness = Readiness(row["readiness"])
        self.tally[readiness] += 1
        self.because[readiness].update(_because(readiness, row))
        if ways := only_ways(row):
            self.only[tuple(ways)] += 1

    @property
    def working(self) -> int:
        """With how many models the client works, whether or not something is lost."""
        return self.tally[Readiness.WORKS] + self.tally[Readiness.LOSES]

    @property
    def known(self) -> int:
        """Of how many models it is known whether the client works."""
        return self.working + self.tally[Readiness.BREAKS]

    @property
    def told(self) -> str:
        """With how many models the client works, in words."""
        count = self.tally.total()
        if not self.known:
            return "not known"
        unknown = self.tally[Readiness.UNKNOWN]
        more = f", {unknown:,} not known" if unknown else ""
        only = f", {self.limits}" if self.only else ""
        return f"works with {self.working:,} of {counted(count, 'model')}{only}{more}"

    @property
    def limits(self) -> str:
        """With how many of those models only some ways work, and which where most have the same; or nothing."""
        if not self.only:
            return ""
        [(ways, count)], total = self.only.most_common(1), self.only.total()
        if 2 * count <= total:
            return f"{total:,} only by some ways"
        others = f", {total - count:,} only by other ways" if count < total else ""
        return f"{count:,} only by {first_of(ways, _NAMED)}{others}"

    def reasons(self) -> str:
        """The commonest reasons in a line; empty where the client works everywhere."""
        told = (self._reason(each, words) for each, words in _WORDS.items() if self.because[each])
        return "; ".join(told)

    def _reason(self, readiness: Readiness, words: str) -> str:
        found = sorted(self.because[readiness].items(), key=lambda pair: (-pair[1], pair[0]))
        return f"{words} {first_of([f'{name} ({count})' for name, count in found], _NAMED)}"


#: What stands before the reasons, the worst first.
_WORDS: Mapping[Readiness, str] = {
    Readiness.BREAKS: "breaks on",
    Readiness.UNKNOWN: "not known:",
    Readiness.LOSES: "loses",
}


def _because(readiness: Readiness, row: ReadinessRow) -> Iterable[str]:
    """The fields that make a client's best way with a model what it is, or why the run says nothing of that way."""
    if readiness is Readiness.WORKS:
        return ()
    best = row["ways"][0] if row["ways"] else None
    fields = fields_of(best, readiness) if best else []
    return fields or [(best["reason"] if best else row["reason"]).removeprefix("not known: ")]


def fields_of(way: ReadinessWay, readiness: Readiness) -> list[str]:
    """The fields that make a way what it is: as the cells know them, and as refusals of whole requests name them."""
    found = fields_that(readiness, way["fields"])
    if readiness is not Readiness.BREAKS:
        return found
    refusals = (proof for proof in way.get("proofs", ()) if proof["verdict"] == Verdict.REJECTED.value)
    named = dict.fromkeys(name for proof in refusals for name in proof["fields"])
    return found + [name for name in named if not is_named(name, found)]


def fields_that(readiness: Readiness, fields: Iterable[ReadinessField]) -> list[str]:
    """The fields that make a request what it is, each once."""
    return list(
        dict.fromkeys(
            each["field"]
            for each in fields
            if READINESS_OF_FIELD.get(each["verdict"]) is readiness and not each["unsent"]
        )
    )


def summaries(matrix: Matrix) -> list[ClientSummary]:
    """Each client of a matrix, summed up, in the matrix's order; none where it has no clients."""
    section = matrix.get("clients")
    if section is None:
        return []
    found = {profile["client"]: ClientSummary(profile) for profile in section["profiles"]}
    for row in section["readiness"]:
        if row["client"] in found:
            found[row["client"]].count(row)
    return list(found.values())


def by_model(matrix: Matrix) -> Iterator[tuple[str, dict[str, ReadinessRow]]]:
    """Each model's readiness for each client, model by model."""
    section = matrix.get("clients")
    rows: Sequence[ReadinessRow] = section["readiness"] if section else ()
    model, found = None, dict[str, ReadinessRow]()
    for row in rows:
        if row["model"] != model:
            if model is not None:
                yield model, found
            model, found = row["model"], {}
        found[row["client"]] = row
    if model is not None:
        yield model, found


def for_page(matrix: Matrix, models: Sequence[str]) -> dict[str, Any] | None:
    """All clients as the page's script reads them: a letter for each model and client, the readiness's first one.

    It is a capital where only some ways work. A dot stands where the matrix does not tell; None where it tells of no
    clients.
    """
    section = matrix.get("clients")
    if section is None:
        return None
    names = [profile["client"] for profile in section["profiles"]]
    found = dict(by_model(matrix))
    rows = [
        "".join(_letter(row) if (row := found.get(model, {}).get(name)) else "." for name in names) for model in models
    ]
    shown = [
        {"letter": each.value[0], "title": told.title, "meaning": told.meaning, "verdict": told.verdict.value}
        for each, told in SHOWN.items()
    ]
    return {"profiles": section["profiles"], "rows": rows, "readiness": shown}


def _letter(row: ReadinessRow) -> str:
    letter = row["readiness"][0]
    return letter.upper() if only_ways(row) else letter
