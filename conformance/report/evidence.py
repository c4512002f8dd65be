"""The evidence behind a model's cells: reasons and exchanges, trimmed, deduplicated, packed. Pure.

A page holds one packet per model, deflated and in base64, which the page's script unpacks when a
cell is opened. All packets share one allowance; what does not fit is left out, and the packet says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.answers.reading import read_answer
from conformance.matrix.comparison import Change
from conformance.matrix.document import evidence_of
from conformance.report.grid import Axes
from conformance.report.legend import letter_of
from conformance.report.packets import Numbered, packed
from conformance.schemas.documents import ReadinessRow
from conformance.types import Exchange, Role, Verdict

#: What is kept of each answer's body, in characters; the middle of longer ones is left out.
FULL_BODY, SHORT_BODY = 2400, 500
#: What is kept of a request; a longer one is not repeated as a command.
MAX_REQUEST = 50_000
#: What all packets of a page may take, in characters of base64.
ALLOWANCE = 4_000_000

#: How hard a packet is deflated: a page of many models has to be made soon.
_LEVEL = 6

#: The letter of each role in a packet; `evidence.js` has its words.
LETTERS: Mapping[str | None, str] = {
    Role.PROBE: "p",
    Role.DROPPED: "d",
    Role.BASELINE: "b",
    Role.UNKNOWN_KEY: "k",
    Role.WRONG_TYPE: "w",
    Role.FETCHED: "f",
    Role.PREREQUISITE: "q",
    Role.SAME_FIELD: "s",
    None: "-",
}

#: Verdicts whose exchanges are kept longest.
_TELLING = frozenset({Verdict.REJECTED, Verdict.IGNORED, Verdict.INCONCLUSIVE})

#: Gives the recorded exchanges of a model by digest.
Recorded = Callable[[str], Mapping[str, Exchange]]


@dataclass(frozen=True, slots=True)
class _Depth:
    """How much of the exchanges a packet holds."""

    body: int
    all_cells: bool
    exchanges: bool = True


_DEPTHS = (
    _Depth(FULL_BODY, all_cells=True),
    _Depth(SHORT_BODY, all_cells=False),
    _Depth(0, all_cells=False, exchanges=False),
)


class Packer:
    """Packs the evidence of one model after another, within the page's allowance."""

    def __init__(self, axes: Axes, recorded: Recorded, allowance: int = ALLOWANCE) -> None:
        """`recorded` gives a model's exchanges; nothing is read before a model is packed."""
        self._axes = axes
        self._columns = {parameter["id"]: number for number, parameter in enumerate(axes.parameters)}
        self._planes = {plane: number for number, plane in enumerate(axes.planes)}
        self._recorded = recorded
        self._left = allowance
        self._models_left = max(1, len(axes.models))

    def packet(
        self,
        model: str,
        cells: Sequence[Mapping[str, Any]],
        changes: Iterable[Change] = (),
        clients: Mapping[str, ReadinessRow] | None = None,
    ) -> str:
        """One model's packet, as deep as its share of what is left of the allowance permits.

        `clients` is how each of them does with the model.
        """
        share = self._left // self._models_left
        recorded = self._recorded(model)
        before = {(k.model, k.endpoint.value, k.mode.value, k.parameter): c.before for c in changes for k in [c.key]}
        text = ""
        for depth in _DEPTHS:
            text = packed(self._document(cells, recorded, before, clients or {}, depth), _LEVEL)
            if len(text) <= share:
                break
        self._left = max(0, self._left - len(text))
        self._models_left = max(1, self._models_left - 1)
        return text

    def _document(
        self,
        cells: Sequence[Mapping[str, Any]],
        recorded: Mapping[str, Exchange],
        before: Mapping[Any, Mapping[str, Any] | None],
        clients: Mapping[str, ReadinessRow],
        depth: _Depth,
    ) -> dict[str, Any]:
        reasons, sets, refs = Numbered(), Numbered(), Numbered()
        rows: list[list[Any]] = [[0] * len(self._columns) for _ in self._planes]
        wanted: dict[str, None] = {}
        for cell in cells:
            roles = "".join(LETTERS[role] for role, _ in evidence_of(cell))
            row: list[Any] = [
                reasons.number(cell["reason"]),
                sets.number((roles, *(refs.number(ref) for ref in cell["evidence"]))),
                cell["declared"],
            ]
            was = before.get((cell["model"], cell["endpoint"], cell["mode"], cell["parameter"]))
            if cell.get("split") or was:
                row += [cell.get("split"), was and [letter_of(was), was["reason"]]]
            rows[self._planes[cell["endpoint"], cell["mode"]]][self._columns[cell["parameter"]]] = row
            if depth.exchanges and (depth.all_cells or was or Verdict(cell["verdict"]) in _TELLING):
                wanted |= dict.fromkeys(cell["evidence"])
        proofs = [proof for row in clients.values() for way in row["ways"] for proof in way.get("proofs", ())]
        for ref in (ref for proof in proofs for ref in proof["evidence"]):
            refs.number(ref)
            if depth.exchanges:
                wanted[ref] = None
        return {
            "clients": clients,
            "reasons": reasons.values,
            "sets": sets.values,
            "cells": rows,
            "refs": refs.values,
            "exchanges": [
                _told(recorded[digest], depth.body) if ref in wanted and (digest := _digest(ref)) in recorded else None
                for ref in refs.values
            ],
            "short": not depth.all_cells,
        }


def _digest(ref: str) -> str:
    return ref.rpartition("#")[2]


def _told(exchange: Exchange, limit: int) -> dict[str, Any]:
    """An exchange as the page shows it; `left` counts the characters of its body that were left out."""
    request, response = exchange.request, exchange.response
    sent, body = request.content.decode("ascii"), response.body.decode("utf-8", "replace")
    kept, left = _middle_out(body, limit)
    told = {
        "at": exchange.recorded_at,
        "ms": response.elapsed_ms,
        "status": response.status,
        "carried": _carried(exchange),
        "headers": {name: value for name, value in response.headers.items() if value},
        "sent": sent if len(sent) <= MAX_REQUEST else None,
        "asked": dict(request.headers) or None,
        "door": request.door or None,
        "body": kept,
        "left": left,
        "error": response.error,
    }
    return {name: value for name, value in told.items() if value not in (None, 0)}


def _carried(exchange: Exchange) -> int | None:
    """The status of an error that came inside a success, or None."""
    if exchange.response.status != 200 or b"error" not in exchange.response.body:
        return None
    answer = read_answer(exchange.request, exchange.response)
    return answer.status if answer.refusal is not None and answer.status != 200 else None


def _middle_out(text: str, limit: int) -> tuple[list[str], int]:
    """A text's beginning and end (errors end a stream), and how much is left out between them."""
    if len(text) <= limit:
        return [text], 0
    tail = limit // 3
    return [text[: limit - tail], text[len(text) - tail :]], len(text) - limit
