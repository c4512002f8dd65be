"""A matrix as compact rows: one letter to a cell, one digit for its marks, model by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.matrix.comparison import Change, Kind
from conformance.matrix.document import Matrix, disagreements
from conformance.parameters import Registry
from conformance.report.legend import ABSENT, letter_of
from conformance.types import Parameter

#: What a cell's mark is made of: two bits, and the number of its kind of change above them.
DIFFERS, SPLIT, CHANGE = 1, 2, 4
_DIGITS = "0123456789abcdefghijklmnopqrstuv"

#: The group of parameters that the registry does not know.
OTHERS = "other"


@dataclass(frozen=True)
class Axes:
    """What the grid's rows and columns are: models by route, parameters by group, and the planes above them."""

    models: tuple[Mapping[str, Any], ...]
    parameters: tuple[Mapping[str, Any], ...]
    planes: tuple[tuple[str, str], ...]


@dataclass
class Plane:
    """One endpoint and mode: a text of letters, and one of marks (empty where there are none), per model."""

    endpoint: str
    mode: str
    verdicts: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The plane as the page's script reads it."""
        return {"endpoint": self.endpoint, "mode": self.mode, "verdicts": self.verdicts, "marks": self.marks}


def axes_of(matrix: Matrix, registry: Registry) -> Axes:
    """The rows and columns of a matrix, each in the order in which it is shown.

    Models stand by route, in the matrix's order within it; parameters by group, in the registry's
    order. A cell whose model or parameter nothing else names has its row or column all the same.
    """
    cells = matrix["cells"]
    rows = {model["id"]: model for model in matrix["models"]}
    for cell in cells:
        rows.setdefault(cell["model"], {"id": cell["model"], "route": None, "served_by": []})
    known = {parameter.id: parameter for parameter in registry.parameters}
    there = {cell["parameter"]: None for cell in cells}
    ordered = [name for name in known if name in there] + [name for name in there if name not in known]
    groups = dict.fromkeys(known[name].group if name in known else OTHERS for name in ordered)
    parameters = [
        {
            "id": name,
            "group": group,
            "core": name in known and "core" in known[name].sets,
            "why": known[name].why if name in known else None,
            "standards": _standards(known[name]) if name in known else {},
        }
        for group in groups
        for name in ordered
        if (known[name].group if name in known else OTHERS) == group
    ]
    planes = dict.fromkeys((cell["endpoint"], cell["mode"]) for cell in cells)
    return Axes(
        models=tuple(sorted(rows.values(), key=lambda m: (m["route"] is None, m["route"] or ""))),
        parameters=tuple(parameters),
        planes=tuple(sorted(planes, key=_plane_order)),
    )


def _standards(parameter: Parameter) -> dict[str, str]:
    """Where a parameter is defined, by endpoint."""
    return {endpoint.value: parameter.standard_on(endpoint) for endpoint in parameter.bodies}


def _plane_order(plane: tuple[str, str]) -> tuple[str, bool]:
    return plane[0], plane[1] == "stream"


def planes_of(matrix: Matrix, axes: Axes, changes: Iterable[Change] = ()) -> list[Plane]:
    """The verdicts and marks of all cells, plane by plane."""
    rows = {model["id"]: number for number, model in enumerate(axes.models)}
    columns = {parameter["id"]: number for number, parameter in enumerate(axes.parameters)}
    height, width = len(rows), len(columns)
    letters = {plane: [[ABSENT] * width for _ in range(height)] for plane in axes.planes}
    marks: dict[tuple[str, str], dict[int, list[int]]] = {plane: {} for plane in axes.planes}

    def mark(plane: tuple[str, str], model: str, parameter: str, bits: int) -> None:
        marks[plane].setdefault(rows[model], [0] * width)[columns[parameter]] |= bits

    for cell in matrix["cells"]:
        plane = cell["endpoint"], cell["mode"]
        letters[plane][rows[cell["model"]]][columns[cell["parameter"]]] = letter_of(cell)
        if cell.get("split"):
            mark(plane, cell["model"], cell["parameter"], SPLIT)
    for cell in disagreements(matrix):
        mark((cell["endpoint"], cell["mode"]), cell["model"], cell["parameter"], DIFFERS)
    for change in changes:
        if change.after is not None:
            key, kind = change.key, list(Kind).index(change.kind) + 1
            mark((key.endpoint.value, key.mode.value), key.model, key.parameter, CHANGE * kind)
    return [
        Plane(
            *plane,
            verdicts=["".join(row) for row in letters[plane]],
            marks=[_digits(marks[plane].get(number)) for number in range(height)],
        )
        for plane in axes.planes
    ]


def _digits(row: Sequence[int] | None) -> str:
    return "" if row is None else "".join(_DIGITS[bits] for bits in row)
