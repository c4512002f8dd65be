"""Each cell's verdict, recomputed from its recording, against what the support table knows of this gateway."""

from __future__ import annotations

import pytest

from conformance.measure.run import Run
from conformance.suite.cases import CellCase, ModelCase
from conformance.support.outcomes import Standing

#: Deviations that a model's test tells in full.
SHOWN = 10


def test_cell(case: CellCase) -> None:
    """Given a cell's recorded exchanges, when they are judged, then what is known of this gateway says the same."""
    run, cell = case.run, case.cell
    outcome = run.standings.of(cell.key)
    run.labels.label(cell, outcome)
    if outcome.standing is Standing.UNKNOWN:
        pytest.skip(outcome.message)
    if outcome.standing.fails:
        run.labels.attach_evidence(cell)
        pytest.fail(f"{outcome.message}\nthe evidence, shortened:\n{run.evidence(cell)}", pytrace=False)


def test_model(case: ModelCase) -> None:
    """Given a model's recorded exchanges, when they are judged, then what is known of this gateway says the same."""
    run, model = case.run, case.model
    outcomes = run.standings.of_model(model)
    run.labels.label_model(model, outcomes)
    if all(outcome.standing is Standing.UNKNOWN for outcome in outcomes):
        pytest.skip(outcomes[0].message)
    deviating = [outcome.message for outcome in outcomes if outcome.standing.fails]
    if deviating:
        more = [f"and {len(deviating) - SHOWN} cells more"] if len(deviating) > SHOWN else []
        pytest.fail("\n".join(deviating[:SHOWN] + more), pytrace=False)


def test_table_is_what_the_recording_gives(run: Run) -> None:
    """Given a recording of a gateway that the table knows, when the table is derived anew, then its rules are these."""
    if message := run.standings.table_differs(run.derived_table(run.table)):
        pytest.fail(message, pytrace=False)


def test_recording_shows_something(run: Run) -> None:
    """Given the recording, when all of it is judged, then at least one cell has a verdict."""
    if message := run.nothing_shown():
        pytest.fail(message, pytrace=False)
