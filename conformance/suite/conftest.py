"""Parametrizes the suite's tests, and shuts the network while they run."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from conformance.cassette_format import cassette_name
from conformance.plugin import RUN
from conformance.run import Run
from conformance.types import PlannedCell


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
    """Of the tests for each cell and for each model, leave out those that the run does not want."""
    other = "test_cell" if collector.config.stash[RUN].a_test_per_model else "test_model"
    return [] if name == other else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each planned cell, or for each model."""
    plan = metafunc.config.stash[RUN].replay.plan
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", plan.cells, ids=[_test_id(cell) for cell in plan.cells])
    if "model" in metafunc.fixturenames:
        ids = [model.id for model in plan.models]
        metafunc.parametrize("model", ids, ids=list(map(_file_stem, ids)))


def _test_id(cell: PlannedCell) -> str:
    """Readable, selectable with -k, and unique and printable for any model id."""
    key = cell.key
    return f"{_file_stem(key.model)}/{key.endpoint}/{key.mode}/{key.parameter}"


def _file_stem(model: str) -> str:
    return cassette_name(model).removesuffix(".json")


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The recording and the table, with the network shut: verdicts come from recordings alone."""

    def refuse(*_: object) -> None:
        raise AssertionError("a conformance test tried to reach the network; verdicts come from recordings")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        yield request.config.stash[RUN]
