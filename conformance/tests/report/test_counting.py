"""Numbers of things are told in the singular where there is one."""

from __future__ import annotations

import pytest

from conformance.matrix.comparison import compare_matrices
from conformance.report import difference, tables, terminal
from conformance.tests.helpers.agents import row, with_agents
from conformance.tests.helpers.pages import cell, matrix_with
from conformance.text.counting import counted


@pytest.mark.parametrize(("count", "told"), [(0, "0 cells"), (1, "1 cell"), (2, "2 cells"), (1717, "1,717 cells")])
def test_numbers_of_things(count: int, told: str) -> None:
    """Given a number of things, when it is told, then one thing is in the singular, and thousands have commas."""
    assert counted(count, "cell") == told


def test_reports_of_one_thing() -> None:
    """Given a matrix of one model, cell and request that differs from what is declared, when reports tell of it, then
    none of them says one in the plural."""
    matrix = with_agents(matrix_with([cell("m", verdict="rejected", declared=True)]), [row("pi", "m", "works")])
    matrix["run"] |= {"requests": 1}
    changes = compare_matrices(matrix_with([cell("m")]), matrix)
    told = [tables.as_markdown(matrix), terminal.rendered(matrix, 120, False), difference.as_markdown(changes)]
    assert "1 model, 1 cell, 1 request" in told[0]
    assert not [word for text in told for word in (" 1 models", " 1 cells", " 1 requests") if word in f" {text}"]
