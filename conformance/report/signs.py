"""The signs of verdicts and of changes, and their colours in a terminal. A sign alone tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from conformance.matrix.comparison import Kind
from conformance.types import Verdict


class Sign(NamedTuple):
    """One character, and its colour in a terminal."""

    sign: str
    colour: str


#: In the order of a legend, best first.
OF_VERDICT: Mapping[Verdict, Sign] = {
    Verdict.HONOURED: Sign("✔", "green"),
    Verdict.ACCEPTED: Sign("+", "green"),
    Verdict.IGNORED: Sign("~", "yellow"),
    Verdict.REJECTED: Sign("✘", "red"),
    Verdict.INCONCLUSIVE: Sign("?", "magenta"),
    Verdict.NOT_APPLICABLE: Sign("·", "dim"),
}

#: A change for the worse or the better has the sign of what the cell has become.
OF_CHANGE: Mapping[Kind, Sign] = {
    Kind.NEWLY_BROKEN: OF_VERDICT[Verdict.REJECTED],
    Kind.NEWLY_WORKING: OF_VERDICT[Verdict.HONOURED],
    Kind.CHANGED: Sign("≠", "yellow"),
    Kind.UNCLEAR: OF_VERDICT[Verdict.INCONCLUSIVE],
    Kind.APPEARED: Sign("+", "cyan"),
    Kind.GONE: Sign("-", "dim"),
}
