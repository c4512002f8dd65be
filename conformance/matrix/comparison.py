"""Two matrices → what changed between them: broken, working, of another kind, appeared, gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from conformance.matrix.document import Matrix, cell_key
from conformance.types import STATEMENTS, CellKey, Verdict


class Kind(StrEnum):
    """What became of a cell, worst first."""

    NEWLY_BROKEN = "newly_broken"
    NEWLY_WORKING = "newly_working"
    CHANGED = "changed"
    UNCLEAR = "unclear"
    APPEARED = "appeared"
    GONE = "gone"


#: Each kind in a few words, for people.
TITLES: Mapping[Kind, str] = {
    Kind.NEWLY_BROKEN: "newly broken",
    Kind.NEWLY_WORKING: "newly working",
    Kind.CHANGED: "changed in kind",
    Kind.UNCLEAR: "known on one side only",
    Kind.APPEARED: "appeared",
    Kind.GONE: "gone",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One cell that is not what it was; `before` and `after` are its matrix cells, None where it had none."""

    kind: Kind
    key: CellKey
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The change as JSON: its kind, coordinates, and verdict, speaker and reason on both sides."""
        key = self.key
        return {
            "kind": self.kind.value,
            "model": key.model,
            "endpoint": key.endpoint.value,
            "mode": key.mode.value,
            "parameter": key.parameter,
            "before": _told(self.before),
            "after": _told(self.after),
        }


@dataclass(frozen=True)
class Comparison:
    """Everything that changed between two matrices, worst kind first, else in the newer one's order."""

    old: Matrix
    new: Matrix
    changes: tuple[Change, ...]

    @property
    def counts(self) -> dict[Kind, int]:
        """How many changes there are of each kind, those with none left out."""
        return {kind: count for kind in Kind if (count := sum(c.kind is kind for c in self.changes))}

    @property
    def breaks(self) -> bool:
        """True where something that was safe to send is now rejected."""
        return any(change.kind is Kind.NEWLY_BROKEN for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """The comparison as JSON: both gateways and runs, the counts, the changes."""
        return {
            "old": {"gateway": self.old["gateway"], "run": self.old["run"]},
            "new": {"gateway": self.new["gateway"], "run": self.new["run"]},
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "changes": [change.as_json() for change in self.changes],
        }


def compare_matrices(old: Matrix, new: Matrix) -> Comparison:
    """What became of each cell of `old` in `new`; the two may be of other gateways, versions, selections."""
    before, after = _by_key(old), _by_key(new)
    keys = [*after, *(key for key in before if key not in after)]
    found = (_change(key, before.get(key), after.get(key)) for key in keys)
    order = list(Kind)
    changes = sorted((c for c in found if c is not None), key=lambda c: order.index(c.kind))
    return Comparison(old, new, tuple(changes))


def _by_key(matrix: Matrix) -> dict[CellKey, Mapping[str, Any]]:
    cells: Iterable[Mapping[str, Any]] = matrix["cells"]
    return {cell_key(cell): cell for cell in cells}


def _change(key: CellKey, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Change | None:
    if before is None or after is None:
        return Change(Kind.APPEARED if before is None else Kind.GONE, key, before, after)
    was, now = Verdict(before["verdict"]), Verdict(after["verdict"])
    said, says = STATEMENTS[was], STATEMENTS[now]
    if said is not says:
        if said is None or says is None:
            return Change(Kind.UNCLEAR, key, before, after)
        return Change(Kind.NEWLY_WORKING if says else Kind.NEWLY_BROKEN, key, before, after)
    if was is now and not (now is Verdict.REJECTED and _refused_otherwise(before, after)):
        return None
    return Change(Kind.CHANGED, key, before, after)


def _refused_otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """True where another one refused, or for another cause; what an older matrix lacks is no difference.

    The words of a refusal do not count: they hold ids, times, and whatever else was in the request.
    """
    causes = {cell["cause"] for cell in (before, after) if "cause" in cell}
    return before["rejected_by"] != after["rejected_by"] or len(causes) > 1


def _told(cell: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if cell is None else {name: cell[name] for name in ("verdict", "rejected_by", "reason")}
