"""What a generated test gets: what it is about, and the run that judges it.

Both come as one parameter. A fixture for the run would cost each test a tenth of what a test costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.measure.run import Run
from conformance.types import PlannedCell


@dataclass(frozen=True, slots=True)
class CellCase:
    """A cell, and the run that judges it."""

    run: Run
    cell: PlannedCell

    def __repr__(self) -> str:
        """Short, for it stands in test reports."""
        return repr(self.cell)


@dataclass(frozen=True, slots=True)
class ModelCase:
    """A model with all its cells, and the run that judges them."""

    run: Run
    model: str

    def __repr__(self) -> str:
        """Short, for it stands in test reports."""
        return repr(self.model)
