"""A comparison as the page lists it: one row for a model and parameter, whole models in one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.matrix.comparison import TITLES, Change, Comparison, Kind
from conformance.types import told_of

#: Rows listed of each kind; the grid shows the rest.
MAX_ROWS = 60


@dataclass
class Row:
    """What became of one parameter of a model, or of a whole model (`parameter` is None)."""

    model: str
    parameter: str | None
    before: str | None
    after: str | None
    where: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """All changes of one kind: how many cells, and the rows that tell of them, `more` of which are not listed."""

    kind: Kind
    title: str
    cells: int
    rows: tuple[Row, ...]
    more: int


def sections_of(comparison: Comparison) -> list[Section]:
    """The changes by kind, worst kind first."""
    by_kind: dict[Kind, list[Change]] = defaultdict(list)
    for change in comparison.changes:
        by_kind[change.kind].append(change)
    ids = {side: {cell["model"] for cell in matrix["cells"]} for side, matrix in _sides(comparison)}
    sections = []
    for kind in Kind:
        changes = by_kind[kind]
        other = ids["new"] if kind is Kind.GONE else ids["old"]
        rows = _rows(changes, other if kind in (Kind.GONE, Kind.APPEARED) else None)
        if changes:
            sections.append(
                Section(kind, TITLES[kind], len(changes), tuple(rows[:MAX_ROWS]), max(0, len(rows) - MAX_ROWS))
            )
    return sections


def _sides(comparison: Comparison) -> tuple[tuple[str, Mapping[str, Any]], tuple[str, Mapping[str, Any]]]:
    return ("old", comparison.old), ("new", comparison.new)


def _rows(changes: Iterable[Change], elsewhere: set[str] | None) -> list[Row]:
    """One row for all endpoints and modes of a model and parameter that changed alike."""
    rows: dict[tuple[str, str | None, str | None, str | None], Row] = {}
    for change in changes:
        key = change.key
        whole_model = elsewhere is not None and key.model not in elsewhere
        parameter = None if whole_model else key.parameter
        before, after = (None, None) if whole_model else (_verdict(change.before), _verdict(change.after))
        row = rows.setdefault((key.model, parameter, before, after), Row(key.model, parameter, before, after))
        if not whole_model:
            row.where.append(f"{key.endpoint.value}, {key.mode.value}")
    return list(rows.values())


def _verdict(cell: Mapping[str, Any] | None) -> str | None:
    if cell is None:
        return None
    return told_of(cell["verdict"], cell["rejected_by"])
