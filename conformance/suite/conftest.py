"""Parametrizes the suite's tests, and shuts the network while they run."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from conformance.measure.run import Run
from conformance.plugin import RUN
from conformance.suite.cases import CellCase, ModelCase
from conformance.text.names import cassette_name
from conformance.types import PlannedCell


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
    """Of the tests for each cell and for each model, leave out those that the run does not want."""
    other = "test_cell" if collector.config.stash[RUN].a_test_per_model else "test_model"
    return [] if name == other else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each planned cell, or for each model."""
    if "case" not in metafunc.fixturenames:
        return
    run = metafunc.config.stash[RUN]
    plan = run.replay.plan
    if run.a_test_per_model:
        models = [ModelCase(run, model.id) for model in plan.models]
        metafunc.parametrize("case", models, ids=[_file_stem(case.model) for case in models])
    else:
        cells = [CellCase(run, cell) for cell in plan.cells]
        metafunc.parametrize("case", cells, ids=[_test_id(case.cell) for case in cells])


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """The recording and the table, for the tests that judge all of it."""
    return pytestconfig.stash[RUN]


def _test_id(cell: PlannedCell) -> str:
    """Readable, selectable with -k, and unique and printable for any model id."""
    key = cell.key
    return f"{_file_stem(key.model)}/{key.endpoint}/{key.mode}/{key.parameter}"


def _file_stem(model: str) -> str:
    return cassette_name(model).removesuffix(".json")


class SuiteModule(pytest.Module):
    """The suite's tests."""

    def setup(self) -> None:
        """Shut the network: verdicts come from recordings alone."""

        def refuse(*_: object) -> None:
            raise AssertionError("a conformance test tried to reach the network; verdicts come from recordings")

        super().setup()
        patch = pytest.MonkeyPatch()
        self.addfinalizer(patch.undo)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    """Collect the suite's tests with the network shut."""
    module: pytest.Module = SuiteModule.from_parent(parent, path=module_path)
    return module
