"""Says in Allure's results, where any are written, what was measured."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from conformance.measure.replay import Replay
from conformance.parameters import Registry
from conformance.report.allure import results as allure_results
from conformance.support.outcomes import Compared, Standing
from conformance.types import PlannedCell


class Labels:
    """Labels the tests of one process."""

    def __init__(self, config: pytest.Config, replay: Replay, registry: Registry) -> None:
        """Listen from now on."""
        self._teller = allure_results.attend(config, replay.gateway)
        self._replay = replay
        self._registry = registry

    def label_model(self, model: str, outcomes: Iterable[Compared]) -> None:
        """Say in a model's result what was measured."""
        if self._teller:
            news = sum(outcome.standing is Standing.NEWS for outcome in outcomes)
            self._teller.tell_model(model, self._replay.route(model), news=news)

    def label(self, cell: PlannedCell, outcome: Compared) -> None:
        """Say in a cell's result what was measured."""
        if self._teller:
            route, news = self._replay.route(cell.key.model), outcome.standing is Standing.NEWS
            self._teller.tell(cell, self._replay.judgement(cell.key), route, news=news)

    def attach_evidence(self, cell: PlannedCell) -> None:
        """Attach the exchanges behind a verdict to the cell's result."""
        if self._teller:
            allure_results.attach(self._replay.exchanges(cell), self._registry.paths)
