"""The verdicts as the page shows them: a letter in the data, a sign, a title, a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.report.signs import OF_VERDICT
from conformance.types import WORST_FIRST, RejectedBy, Verdict

#: The letter of a cell that was not planned.
ABSENT = "."


@dataclass(frozen=True, slots=True)
class Shown:
    """How one verdict looks; `letters` are by who refused where somebody did, else under None."""

    title: str
    letters: Mapping[str | None, str]
    meaning: str


#: In the order of the legend, best first.
SHOWN: Mapping[Verdict, Shown] = {
    Verdict.HONOURED: Shown("honoured", {None: "h"}, "It succeeds, and its effect was seen."),
    Verdict.ACCEPTED: Shown("accepted", {None: "a"}, "It succeeds, but nothing shows whether it had an effect."),
    Verdict.IGNORED: Shown("ignored", {None: "i"}, "It succeeds, but an effect that must be visible is missing."),
    Verdict.REJECTED: Shown(
        "rejected",
        {RejectedBy.GATEWAY: "g", RejectedBy.BACKEND: "b", RejectedBy.UNKNOWN: "r"},
        "The request fails because of it.",
    ),
    Verdict.INCONCLUSIVE: Shown("inconclusive", {None: "q"}, "The exchanges do not decide it; the reason says why."),
    Verdict.NOT_APPLICABLE: Shown("not applicable", {None: "n"}, "There is nothing to ask; the reason says why."),
}


def letter_of(cell: Mapping[str, Any]) -> str:
    """The letter that stands for a matrix cell's verdict."""
    return SHOWN[Verdict(cell["verdict"])].letters[cell["rejected_by"]]


def for_page() -> list[dict[str, Any]]:
    """All verdicts as the page's script reads them; a higher `badness` is worse."""
    return [
        {
            "id": verdict.value,
            "title": shown.title,
            "sign": OF_VERDICT[verdict].sign,
            "letters": "".join(shown.letters.values()),
            "meaning": shown.meaning,
            "badness": len(WORST_FIRST) - WORST_FIRST.index(verdict),
        }
        for verdict, shown in SHOWN.items()
    ]
