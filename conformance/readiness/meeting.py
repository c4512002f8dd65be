"""What one request of a client meets: the fields that the cells of a model do not simply take. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from conformance.readiness.needs import Needs
from conformance.readiness.words import NOT_MEASURED, OF_VERDICT, Readiness, readiness_of
from conformance.schemas.documents import (
    Cell,
    EndpointName,
    FieldVerdictName,
    ModeName,
    ReadinessField,
    RejectedByName,
)
from conformance.types import Mode, RejectedBy

#: A model's cells, by parameter, on each endpoint and in each mode that it was asked on.
CellsByPlane: TypeAlias = Mapping[tuple[str, str], Mapping[str, Cell]]


@dataclass(frozen=True)
class Asked:
    """One request of a client, what its body is called by, and what it needs.

    `needs` is None where no registry asks about its endpoint.
    """

    way: str
    turn: int
    endpoint: EndpointName
    mode: ModeName
    key: str
    needs: Needs | None


@dataclass(frozen=True)
class Met:
    """What a request meets: why the run says nothing about it at all, or its fields that are not simply taken."""

    asked: Asked
    missing: str | None
    fields: list[ReadinessField]

    @property
    def forecast(self) -> Readiness:
        """What the cells alone say."""
        return Readiness.UNKNOWN if self.missing else readiness_of(self.fields)


def by_plane(cells: Sequence[Cell]) -> CellsByPlane:
    """The cells of one model, by endpoint and mode, and by parameter."""
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        found.setdefault((cell["endpoint"], cell["mode"]), {})[cell["parameter"]] = cell
    return found


def meet(asked: Asked, cells: CellsByPlane) -> Met:
    """What a request meets."""
    return Met(asked, _missing(asked, cells), list(_fields(asked, cells)))


def _missing(asked: Asked, cells: CellsByPlane) -> str | None:
    """Why the run says nothing about a request at all, or None."""
    if (asked.endpoint, asked.mode) in cells and asked.needs is not None:
        return None
    if asked.needs is None or all(endpoint != asked.endpoint for endpoint, _ in cells):
        return f"not known: this run did not measure {asked.endpoint}"
    form = "streams" if Mode(asked.mode) is Mode.STREAM else "whole answers"
    return f"not known: this run did not measure {form} of {asked.endpoint}"


def _fields(asked: Asked, cells: CellsByPlane) -> Iterator[ReadinessField]:
    """What of a request is not simply taken."""
    there = cells.get((asked.endpoint, asked.mode))
    if there is None or asked.needs is None:
        return
    for name in asked.needs.parameters:
        cell = there.get(name)
        if cell is None:
            yield _field(asked, name, NOT_MEASURED)
        elif cell["verdict"] in OF_VERDICT:
            unsent = _is_unsent(cell, asked.needs, there)
            yield _field(asked, name, cell["verdict"], cell["rejected_by"], name, unsent=unsent)
    for name, others in asked.needs.values.items():
        # As in the table: where every value that was asked for is refused, so is the field.
        refused = [there[each] for each in others if each in there and there[each]["verdict"] == "rejected"]
        if refused and len(refused) == len(others):
            by = {cell["rejected_by"] for cell in refused}
            who = by.pop() if len(by) == 1 else RejectedBy.UNKNOWN.value
            yield _field(asked, name, "rejected", who, refused[0]["parameter"])
        else:
            yield _field(asked, name, NOT_MEASURED)
    for name in asked.needs.unasked:
        yield _field(asked, name, NOT_MEASURED)


def _is_unsent(cell: Cell, needs: Needs, there: Mapping[str, Cell]) -> bool:
    """True for what a client sends back of an answer, where this model's answers hold nothing of it."""
    shown_by = needs.replayed.get(cell["parameter"])
    if shown_by is None:
        return False
    shown = any(each in there and there[each]["verdict"] == "honoured" for each in shown_by)
    return cell["verdict"] == "not_applicable" or (bool(shown_by) and not shown)


def _field(
    asked: Asked,
    name: str,
    verdict: FieldVerdictName,
    rejected_by: RejectedByName | None = None,
    parameter: str | None = None,
    *,
    unsent: bool = False,
) -> ReadinessField:
    return {
        "field": name,
        "endpoint": asked.endpoint,
        "mode": asked.mode,
        "turn": asked.turn,
        "verdict": verdict,
        "rejected_by": rejected_by,
        "parameter": parameter,
        "unsent": unsent,
    }
