"""Compare a verdict with what the table says: the outcome of a conformance test. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conformance.provider.table import SupportTable
from conformance.support.deriving import told
from conformance.support.overrides import Overrides, beats_measurement
from conformance.types import DEVIATION, Judgement, Model, opening_of, told_of


class Standing(StrEnum):
    """How a measurement stands to the table."""

    SAME = "same"
    NEWS = "news"
    DEVIATES = "deviates"
    STALE = "stale"
    UNKNOWN = "unknown"

    @property
    def fails(self) -> bool:
        """True where a test of it fails: what was known of this gateway is wrong."""
        return self in (Standing.DEVIATES, Standing.STALE)


@dataclass(frozen=True)
class Compared:
    """How a cell stands to the table, in words for the person who reads the test's report."""

    standing: Standing
    message: str


def knows(table: SupportTable, gateway: str) -> bool:
    """True where a table holds something that was measured on this gateway."""
    return any(row.get("kind") == "measured" and row.get("gateway") == gateway for row in table.sources.values())


_AS_TOLD = Compared(Standing.SAME, "as the table says")


def compare(
    judgement: Judgement,
    table: SupportTable,
    overrides: Overrides,
    gateway: str,
    accept: str,
    *,
    model: Model | None = None,
    version: str | None = None,
    strict: bool = True,
) -> Compared:
    """Hold one verdict against the table; `accept` is the command that takes the measurement over.

    `model` and `version` are what the gateway tells of itself.
    `strict` says that the table is knowledge of this gateway. Without it a difference is news: the table speaks of
    gateways in general, and was not wrong about this one.
    """
    key, measured = judgement.key, judgement.supported
    if measured is None:
        return Compared(Standing.UNKNOWN, f"{opening_of(judgement.verdict, None)}{judgement.reason}")
    statement = told(table, key, gateway, model, version)
    said = statement.supported if statement else True
    deliberate = beats_measurement(statement, overrides)
    if said == measured and not (deliberate and strict):
        return _AS_TOLD
    source = statement.source if statement else "no rule: unknown parameters are sent"
    where = f"{key.model!r} on {key.endpoint} ({key.mode})"
    verdict = told_of(judgement.verdict, judgement.rejected_by)
    shown = f"{DEVIATION}{key.parameter} is {verdict} for {where}\n  {judgement.reason}"
    if deliberate and said != measured:
        return Compared(Standing.SAME, f"{shown}\n{source} contradicts it on purpose")
    if deliberate:
        return Compared(
            Standing.STALE,
            f"{shown}\nthe table: {source} is no longer needed, because the measurement agrees with it now\n"
            f"to mend: remove {source.partition(':')[2]!r} from the overrides, then {accept}",
        )
    says = f"{key.parameter} is {'safe to send' if said else 'rejected'} ({source})"
    if strict:
        return Compared(Standing.DEVIATES, f"{shown}\nthe table: {says}\nto accept the measurement: {accept}")
    return Compared(
        Standing.NEWS,
        f"{shown}\nthe table does not know this gateway, and says: {says}\nto keep the measurement: {accept}",
    )
