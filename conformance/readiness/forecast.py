"""What the cells of a model make of a client's requests: a forecast for each way to run the client. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from conformance.readiness.needs import Needs
from conformance.readiness.words import (
    NOT_MEASURED,
    OF_VERDICT,
    Readiness,
    readiness_of,
    told_of_fields,
    told_of_ways,
)
from conformance.schemas.documents import (
    Cell,
    ClientEndpointName,
    FieldVerdictName,
    ModeName,
    ReadinessField,
    ReadinessRow,
    ReadinessWay,
    RejectedByName,
)
from conformance.types import Mode, RejectedBy

#: A model's cells, by parameter, on each endpoint and in each mode that it was asked on.
CellsByPlane: TypeAlias = Mapping[tuple[str, str], Mapping[str, Cell]]


@dataclass(frozen=True)
class Asked:
    """One request of a client, and what it needs. `needs` is None where no registry asks about its endpoint."""

    way: str
    turn: int
    endpoint: ClientEndpointName
    mode: ModeName
    needs: Needs | None


def by_plane(cells: Sequence[Cell]) -> CellsByPlane:
    """The cells of one model, by endpoint and mode, and by parameter."""
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        found.setdefault((cell["endpoint"], cell["mode"]), {})[cell["parameter"]] = cell
    return found


def forecast(client: str, model: str, family: str, asked: Sequence[Asked], cells: CellsByPlane) -> ReadinessRow:
    """Whether a client works with a model: its best way counts, and of a way the worst request.

    A way that the run did not measure counts only where it measured no other. `ways` come in this order.
    """
    found = [_way(name, requests, cells) for name, requests in _ways(asked).items()]
    ways = [way for _, way in sorted(found, key=lambda each: each[0])]
    return {
        "client": client,
        "model": model,
        "family": family,
        "way": ways[0]["way"] if ways else None,
        "readiness": ways[0]["readiness"] if ways else Readiness.UNKNOWN.value,
        "reason": told_of_ways(ways) if ways else f"not known: it was not captured for models like {family}",
        "ways": ways,
    }


def _ways(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    """The requests of each way; a way that goes to several endpoints is one for each of them."""
    endpoints: dict[str, set[str]] = {}
    for each in asked:
        endpoints.setdefault(each.way, set()).add(each.endpoint)
    ways: dict[str, list[Asked]] = {}
    for each in asked:
        name = each.way if len(endpoints[each.way]) == 1 else f"{each.way} ({each.endpoint})"
        ways.setdefault(name, []).append(each)
    return ways


def _way(name: str, asked: Sequence[Asked], cells: CellsByPlane) -> tuple[tuple[bool, int], ReadinessWay]:
    """One way of a client, after its rank: what each of its requests meets, and the worst of that."""
    order = list(Readiness)
    found = [(each, _missing(each, cells), list(_fields(each, cells))) for each in asked]
    readiness = [Readiness.UNKNOWN if missing else readiness_of(fields) for _, missing, fields in found]
    worst = max(readiness, key=order.index)
    request, missing, _ = found[readiness.index(worst)]
    fields = list(_each_once(field for _, _, fields in found for field in fields))
    way: ReadinessWay = {
        "way": name,
        "endpoint": request.endpoint,
        "mode": request.mode,
        "turn": request.turn,
        "readiness": worst.value,
        "reason": missing or told_of_fields(worst, fields, min(each.turn for each in asked)),
        "fields": fields,
    }
    return (all(missing for _, missing, _ in found), order.index(worst)), way


def _each_once(fields: Iterator[ReadinessField]) -> Iterator[ReadinessField]:
    """Fields that several requests hold, where they are first; what breaks stands first."""
    seen: dict[tuple[str, str, str], ReadinessField] = {}
    for field in fields:
        seen.setdefault((field["field"], field["endpoint"], field["mode"]), field)
    order = list(Readiness)
    return iter(sorted(seen.values(), key=lambda field: (field["unsent"], -order.index(OF_VERDICT[field["verdict"]]))))


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
