"""Parametrizes the suite's tests, and shuts the network while they run."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from conformance.cassette_format import cassette_name
from conformance.plugin import RUN
from conformance.run import Run
from conformance.types import PlannedCell


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each planned cell."""
    if "cell" in metafunc.fixturenames:
        cells = metafunc.config.stash[RUN].replay.plan.cells
        metafunc.parametrize("cell", cells, ids=[_test_id(cell) for cell in cells])


def _test_id(cell: PlannedCell) -> str:
    """Readable, selectable with -k, and unique and printable for any model id."""
    key = cell.key
    return f"{cassette_name(key.model).removesuffix('.json')}/{key.endpoint}/{key.mode}/{key.parameter}"


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The recording and the table, with the network shut: verdicts come from recordings alone."""

    def refuse(*_: object) -> None:
        raise AssertionError("a conformance test tried to reach the network; verdicts come from recordings")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        yield request.config.stash[RUN]
