"""A recording, read back: the plan it was made from, and the verdict of every cell.

Live and offline runs judge through this alike, in the controller and in every worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.cassettes import Folder, cassette_name
from conformance.discovery import Discovered
from conformance.judge import Judge
from conformance.matrix import Matrix, gateway_from, gateway_row, make_matrix, model_from, model_row
from conformance.parameters import Registry
from conformance.plan import Plan, make_plan, select_models
from conformance.types import CellKey, Endpoint, Exchange, Judgement, Parameter, PlannedCell, Request

GATEWAY_SCHEMA_VERSION = 1


def gateway_document(discovered: Discovered, run: dict[str, Any]) -> dict[str, Any]:
    """What is kept beside the cassettes, so that the offline run is planned from the recording."""
    return {
        "schema_version": GATEWAY_SCHEMA_VERSION,
        "gateway": gateway_row(discovered.gateway),
        "run": run,
        "models": [model_row(model) for model in discovered.models],
        "left_out": [{"id": model, "mode": mode} for model, mode in discovered.left_out],
    }


class Replay:
    """One gateway's recording, judged on demand, a model at a time."""

    def __init__(
        self,
        folder: Folder,
        document: Mapping[str, Any],
        registry: Registry,
        parameters: Sequence[Parameter],
        endpoints: Sequence[Endpoint],
        *,
        selection: str | None = None,
        mode: str = "replay",
    ) -> None:
        """Plan from a recording's document, as `Folder.read_gateway` gives it."""
        self.folder = folder
        self.gateway = gateway_from(document["gateway"])
        self.plan: Plan = make_plan(
            select_models([model_from(row) for row in document["models"]], selection),
            registry,
            parameters,
            endpoints,
        )
        self._run = document["run"]
        self._mode = mode
        self._selection = selection
        self._judged: dict[CellKey, Judgement] = {}
        self._cells: dict[str, list[PlannedCell]] = {}
        for cell in self.plan.cells:
            self._cells.setdefault(cell.key.model, []).append(cell)

    def judgement(self, key: CellKey) -> Judgement:
        """The verdict of one planned cell."""
        if key not in self._judged:
            exchanges = self.folder.read_model(key.model)
            judge = Judge(lambda request: exchanges.get(request.digest))
            for cell in self._cells[key.model]:
                self._judged[cell.key] = judge.judge(cell)
        return self._judged[key]

    def judgements(self) -> Iterator[Judgement]:
        """The verdicts of all planned cells, in the plan's order."""
        return (self.judgement(cell.key) for cell in self.plan.cells)

    def exchanges(self, cell: PlannedCell) -> list[tuple[Request, Exchange | None]]:
        """The requests of one cell with what was recorded of them, read from disk anew."""
        recorded = self.folder.read_model(cell.key.model)
        return [(request, recorded.get(request.digest)) for request in (*cell.probes, *cell.baselines)]

    def matrix(self) -> Matrix:
        """The matrix of the whole plan."""
        judgements = list(self.judgements())
        run = {
            "mode": self._mode,
            "started_at": self._run["started_at"],
            "finished_at": self._run["finished_at"],
            "complete": self._run["complete"] and all(judgement.recorded for judgement in judgements),
            "requests": self._run["requests"],
            "selection": self._selection,
        }
        return make_matrix(self.gateway, run, self.plan.models, judgements, cassette_name)
