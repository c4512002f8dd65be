"""A recording, read back: the plan it was made from, and the verdict of every cell.

Live and offline runs judge through this alike, in the controller and in every worker.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import shipped_profiles
from conformance.judge.proving import Proof
from conformance.matrix.document import Matrix, cell_key, cell_row, gateway_from, judgement_from, make_matrix
from conformance.matrix.packing import Block, Packed
from conformance.measure.inventory import Inventory
from conformance.measure.judging import Judge
from conformance.measure.recorded_plan import RecordedPlan
from conformance.parameters import Registry
from conformance.plan.cells import Plan
from conformance.plan.shards import Shard
from conformance.schemas.documents import Cell, GatewayDocument, MatrixRun, ProfilesDocument, ProofRow
from conformance.types import CellKey, Endpoint, Exchange, Judgement, Model, Parameter, PlannedCell

#: So many cells stay unpacked: a dozen readers go through them, and 20,000 take 20 MB.
_UNPACKED = 20_000

#: Models whose verdicts are at hand at once; those of the others are packed.
_OPENED = 64


class Replay:
    """One gateway's recording, judged on demand, a model at a time, and kept packed."""

    def __init__(
        self,
        folder: Folder,
        document: GatewayDocument,
        registry: Registry,
        parameters: Sequence[Parameter] | None = None,
        endpoints: Sequence[Endpoint] | None = None,
        *,
        selection: str | None = None,
        mode: Literal["live", "replay"] = "replay",
        shard: Shard | None = None,
        profiles: ProfilesDocument | None = None,
    ) -> None:
        """Plan from a recording's document, as `Folder.read_gateway` gives it.

        Without parameters or endpoints the plan holds, for each model, those that it was asked for. Without
        a selection it holds the models that were recorded, with a shard those of it. In the mode `live` only
        the newest run counts. `profiles` say what the clients send whose whole bodies were asked: the shipped
        ones do, unless others are given. Raises `CassetteError` where a recording that calls itself complete
        lacks one of its cassettes.
        """
        self.folder = folder
        self.gateway = gateway_from(document["gateway"])
        self._mode = mode
        self._recorded = RecordedPlan(
            folder,
            document,
            registry,
            parameters,
            endpoints,
            selection=selection,
            mode=mode,
            shard=shard,
            profiles=profiles or shipped_profiles(),
        )
        self._inventory = Inventory(folder, [row["id"] for row in document["models"]])
        self._judge = Judge(folder, self._recorded, self.gateway, self._inventory)
        self._blocks: dict[str, Block[Cell]] = {}
        self._opened = functools.lru_cache(_OPENED)(self._unpack)

    @property
    def plan(self) -> Plan:
        """The cells that are judged."""
        return self._recorded.plan

    def judgement(self, key: CellKey) -> Judgement:
        """The verdict of one planned cell."""
        return self._opened(key.model)[key]

    def judgements_of(self, model: str) -> Iterable[Judgement]:
        """The verdicts of all planned cells of a model, in the plan's order."""
        return self._opened(model).values()

    def _unpack(self, model: str) -> dict[CellKey, Judgement]:
        return {cell_key(row): judgement_from(row) for row in self._block(model).rows()}

    def _block(self, model: str) -> Block[Cell]:
        """A model's cells, packed; judged when they are first wanted."""
        if model not in self._blocks:
            declared, file = self._recorded.models[model].declared, self._inventory.file_of(model)
            self._blocks[model] = Block([cell_row(each, declared, file) for each in self._judge.judge(model)])
        return self._blocks[model]

    def route(self, model: str) -> str | None:
        """The provider path that a planned model takes, where the gateway tells."""
        return self._recorded.models[model].route

    def model(self, model: str) -> Model:
        """What the gateway tells of a planned model."""
        return self._recorded.models[model]

    def exchanges(self, cell: PlannedCell) -> list[Exchange]:
        """The exchanges behind one cell's verdict, read from disk anew."""
        recorded = self.folder.read_model(cell.key.model)
        return [recorded[each.digest] for each in self.judgement(cell.key).evidence if each.digest in recorded]

    def matrix(self) -> Matrix:
        """The matrix of the whole plan."""
        cells = Packed([self._block(model.id) for model in self.plan.models])
        runs, inventory = [run.row for run in self._recorded.runs], self._inventory
        run: MatrixRun = {
            "mode": self._mode,
            "started_at": min(inventory.times, default=runs[0]["started_at"]),
            "finished_at": max(inventory.times, default=runs[0]["finished_at"]),
            "complete": inventory.whole and all(row["complete"] for row in runs),
            "requests": inventory.exchanges,
            "selection": self._recorded.selection,
        }
        if self._recorded.shard:
            run["shard"] = str(self._recorded.shard)
        return make_matrix(self.gateway, run, self.plan.models, cells if len(cells) > _UNPACKED else list(cells))

    def proofs(self, model: str) -> Mapping[tuple[str, str, str], ProofRow]:
        """What became of clients' whole bodies with a model: by endpoint, mode and the body's key."""
        self._block(model)  # judged by now
        file = self._inventory.file_of(model)
        return {
            (endpoint.value, mode.value, key): _proof_row(proof, file)
            for (endpoint, mode, key), proof in self._judge.proofs.get(model, {}).items()
        }

    def notes(self, max_age: float | None = None) -> Iterator[str]:
        """What is odd about the recording, a line for each kind, with what to do; complete once all is judged.

        With `max_age`, also which evidence is older than so many days.
        """
        return self._inventory.notes([model.id for model in self.plan.models], max_age)


def _proof_row(proof: Proof, file: str) -> ProofRow:
    """A proof as JSON; `file` is the name of its cassette."""
    outcome = proof.outcome
    return {
        "verdict": outcome.verdict.value,
        "rejected_by": outcome.rejected_by.value if outcome.rejected_by else None,
        "reason": outcome.reason,
        "fields": list(proof.named),
        "evidence": [f"{file}#{each.digest}" for each in outcome.evidence],
        "roles": [each.role.value for each in outcome.evidence if each.role],
    }
