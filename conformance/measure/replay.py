"""A recording, read back: the plan it was made from, and the verdict of every cell.

Live and offline runs judge through this alike, in the controller and in every worker.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from conformance.answers.dialects import one_line
from conformance.cassettes.folder import Folder
from conformance.cassettes.format import GATEWAY_VERSION, PART
from conformance.discover.listing import Discovered
from conformance.errors import CassetteError
from conformance.judge.dialogue import Ask
from conformance.judge.findings import Found
from conformance.judge.reasons import Outcome, concluded, not_recorded
from conformance.judge.settling import settle
from conformance.judge.verdicts import combined
from conformance.matrix.document import (
    Matrix,
    cell_key,
    cell_row,
    gateway_from,
    gateway_row,
    judgement_from,
    make_matrix,
    model_from,
    model_row,
)
from conformance.matrix.packing import Block, Packed
from conformance.measure.runs import measured_by, models_of, number_of, runs_of
from conformance.parameters import Registry
from conformance.plan.cells import RUN_STRIDE, Group, Plan, groups_for, make_plan, select_models
from conformance.plan.shards import Shard, shard_from
from conformance.schemas.documents import Cell, GatewayDocument, MatrixRun, RecordedRun
from conformance.types import Cause, CellKey, Endpoint, Exchange, Judgement, Model, Parameter, PlannedCell

#: So many cells stay unpacked: a dozen readers go through them, and 20,000 take 20 MB.
_UNPACKED = 20_000

#: Models whose verdicts are at hand at once; those of the others are packed.
_OPENED = 64


def answered(dialogue: Ask[Found], recorded: Mapping[str, Exchange]) -> Found:
    """Hold a dialogue with a recording for an interlocutor."""
    try:
        asked = next(dialogue)
        while True:
            asked = dialogue.send(tuple(recorded.get(request.digest) for request in asked))
    except StopIteration as end:
        found: Found = end.value
        return found


def gateway_document(discovered: Discovered, run: RecordedRun, earlier: Sequence[RecordedRun] = ()) -> GatewayDocument:
    """What is kept beside the cassettes, so that the offline run is planned from the recording.

    `earlier` are the runs before this one whose exchanges are still needed. An older suite does not know of
    them, so a document that has some, or a numbered run, says that it is of a later format.
    """
    plain = not earlier and not number_of(run)
    document: GatewayDocument = {
        "schema_version": 1 if plain else GATEWAY_VERSION,
        "gateway": gateway_row(discovered.gateway),
        "run": run.copy(),
        "models": [model_row(model) for model in discovered.models],
        "left_out": [{"id": model, "mode": mode} for model, mode in discovered.left_out],
    }
    return {**document, "earlier": [each.copy() for each in earlier]} if earlier else document


class Replay:
    """One gateway's recording, judged on demand, a model at a time.

    Of several runs that asked for a cell, the newest one that has its exchanges decides.
    """

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
    ) -> None:
        """Plan from a recording's document, as `Folder.read_gateway` gives it.

        Without parameters or endpoints the plan holds, for each model, those that it was asked for. Without
        a selection it holds the models that were recorded, with a shard those of it. In the mode `live` only
        the newest run counts. Raises `CassetteError` where a recording that calls itself complete lacks one
        of its cassettes.
        """
        self.folder = folder
        self.gateway = gateway_from(document["gateway"])
        self._registry = registry
        self._runs = runs_of(document)[: 1 if mode == "live" else None]
        self._mode = mode
        listed = [model_from(row) for row in document["models"]]
        self._selection = selection or self._selected()
        self._shard = self._shard_of(shard)
        if self._shard:
            listed = list(self._shard.of(listed))
        self._measured = [measured_by(run, listed) for run in self._runs]
        chosen = self._chosen(listed, selection)
        self._models = {model.id: model for model in chosen}
        self._as_asked = [models_of(run, self._models) for run in self._runs]
        self._asked = [(registry.known(run["parameters"]), _endpoints(run)) for run in self._runs]
        self.plan: Plan = self._planned(chosen, parameters, endpoints)
        # What was asked together depends on all that was asked for: a dialogue is held as it was recorded.
        as_planned = parameters is None or tuple(parameters) == self._asked[0][0]
        self._one_dialogue = len(self._runs) == 1 and as_planned and not number_of(self._runs[0])
        self._judged: dict[str, Block[Cell]] = {}
        self._opened = functools.lru_cache(_OPENED)(self._judgements_of)
        self._whole = True
        self._exchanges = 0
        self._times: set[str] = set()
        self._unused = folder.unused(row["id"] for row in document["models"])
        self._lacking: list[str] = []
        self._oldest: dict[str, str] = {}

    def _selected(self) -> str | None:
        """The `--models` that the runs together were narrowed by; None where one of them was not."""
        selections = [run["selection"] for run in self._runs]
        return ",".join(dict.fromkeys(filter(None, selections))) if all(selections) else None

    def _shard_of(self, shard: Shard | None) -> Shard | None:
        """The shard that is judged: the one asked for, or the one that was recorded."""
        recorded = {shard_from(run.get("shard")) for run in self._runs}
        only = recorded.pop() if len(recorded) == 1 else None
        if shard and only and shard != only:
            raise CassetteError(
                f"the recording in {self.folder.path} is shard {only}, and not {shard}; "
                "leave --shard out, or name that one"
            )
        return shard or only

    def _chosen(self, listed: Sequence[Model], selection: str | None) -> tuple[Model, ...]:
        wanted = select_models(listed, self._selection)
        ids = {model.id for model in wanted}
        for run, measured in zip(self._runs, self._measured, strict=True):
            missing = sorted(measured & ids) if run["complete"] else []
            if lost := next((name for name in missing if not self.folder.has_model(name)), None):
                raise CassetteError(
                    f"the cassette {self.folder.cassette_path(lost)} is missing; restore it, or record it with --live"
                )
        if selection:
            return wanted
        return tuple(m for m in listed if m.id in ids or self.folder.has_model(m.id))

    def _planned(
        self, chosen: Sequence[Model], parameters: Sequence[Parameter] | None, endpoints: Sequence[Endpoint] | None
    ) -> Plan:
        """The cells to judge: those named, else for each model those that some run asked it for."""
        if len(self._runs) == 1 or (parameters is not None and endpoints is not None):
            asked, where = self._asked[0]
            return make_plan(
                chosen,
                self._registry,
                asked if parameters is None else parameters,
                where if endpoints is None else endpoints,
            )
        groups: list[Group] = []
        for model in chosen:
            asked_here = [self._asked[index] for index in self._runs_with(model.id)]
            for endpoint in endpoints or Endpoint:
                known = {p.id for some, where in asked_here if endpoint in where for p in some}
                wanted = self._registry.known(tuple(known)) if parameters is None else parameters
                groups += groups_for(model, self._registry, wanted, [endpoint])
        return Plan(tuple(chosen), tuple(groups))

    def _runs_with(self, model: str) -> list[int]:
        """The places of the runs that measured a model, newest first; of the newest, where none says so."""
        return [place for place, measured in enumerate(self._measured) if model in measured] or [0]

    def judgement(self, key: CellKey) -> Judgement:
        """The verdict of one planned cell."""
        return self._opened(key.model)[key]

    def judgements_of(self, model: str) -> Iterable[Judgement]:
        """The verdicts of all planned cells of a model, in the plan's order."""
        return self._opened(model).values()

    def _judgements_of(self, model: str) -> dict[CellKey, Judgement]:
        return {cell_key(row): judgement_from(row) for row in self._block(model).rows()}

    def _block(self, model: str) -> Block[Cell]:
        if model not in self._judged:
            declared, file = self._models[model].declared, self._file(model)
            self._judged[model] = Block([cell_row(judgement, declared, file) for judgement in self._judge(model)])
        return self._judged[model]

    def _judge(self, model: str) -> Iterator[Judgement]:
        """Hold the dialogues with one model again, with the recording for an interlocutor."""
        recorded: dict[int, dict[str, Exchange]] = {}
        for digest, exchange in self.folder.read_model(model).items():
            recorded.setdefault(exchange.request.repeat // RUN_STRIDE, {})[digest] = exchange
        planned = {
            group.key(parameter): tuple(parameter.bodies[group.endpoint])
            for group in self.plan.groups_of[model]
            for parameter in group.parameters
        }
        found: dict[CellKey, tuple[list[Outcome], int]] = {}
        for place in self._runs_with(model):
            exchanges = recorded.pop(number_of(self._runs[place]), {})  # of two with one number the newer has them
            self._take_note_of(model, exchanges.values())
            outcomes = self._settled(model, place, exchanges)
            if not _all_recorded(outcomes.values()) and exchanges and not self._stale(exchanges.values()):
                self._lacking.append(self._file(model))
            for key, each in outcomes.items():
                if key in planned and (key not in found or (_recorded(each) and not _recorded(found[key][0]))):
                    found[key] = each, self._as_asked[place][model].deployments
        for key, fields in planned.items():
            each, deployments = found.get(key, ([not_recorded()], 1))
            self._whole &= _recorded(each)
            yield combined(key, fields, each, deployments)

    def _settled(self, model: str, place: int, exchanges: Mapping[str, Exchange]) -> dict[CellKey, list[Outcome]]:
        """What one run found of a model: the outcomes of each of its cells, one for each lane."""
        run, stale = self._runs[place], self._stale(exchanges.values())
        outcomes: dict[CellKey, list[Outcome]] = {}
        for group in self._groups(model, place):
            litellm = run.get("litellm", self.gateway.software == "litellm")
            dialogue = settle(group, exhaustive=run["exhaustive"], litellm=litellm)
            found = dict.fromkeys((p.id for p in group.parameters), stale) if stale else answered(dialogue, exchanges)
            for parameter in group.parameters:
                outcomes.setdefault(group.key(parameter), []).append(found[parameter.id])
        return outcomes

    def _groups(self, model: str, place: int) -> Iterable[Group]:
        """What one run asked a model, where it is judged."""
        if self._one_dialogue:
            return self.plan.groups_of[model]
        asked, endpoints = self._asked[place]
        judged = {group.endpoint for group in self.plan.groups_of[model]}
        where = [endpoint for endpoint in endpoints if endpoint in judged]
        return groups_for(self._as_asked[place][model], self._registry, asked, where, number_of(self._runs[place]))

    def _take_note_of(self, model: str, exchanges: Iterable[Exchange]) -> None:
        """Count exchanges, and keep when they were made."""
        times = [exchange.recorded_at for exchange in exchanges]
        self._exchanges += len(times)
        self._times.update(times)
        if times:
            file = self._file(model)
            self._oldest[file] = min([*times, self._oldest.get(file, times[0])])

    def _stale(self, exchanges: Iterable[Exchange]) -> Outcome | None:
        """What to say of exchanges that another version of the gateway answered; None for those of this."""
        versions = {
            e.response.headers["x-litellm-version"] for e in exchanges if "x-litellm-version" in e.response.headers
        }
        if not versions or self.gateway.version in versions:
            return None
        seen = one_line(", ".join(sorted(versions)))
        return replace(concluded(Cause.OTHER_VERSION, seen=seen, version=self.gateway.version), recorded=False)

    def route(self, model: str) -> str | None:
        """The provider path that a planned model takes, where the gateway tells."""
        return self._models[model].route

    def exchanges(self, cell: PlannedCell) -> list[Exchange]:
        """The exchanges behind one cell's verdict, read from disk anew."""
        recorded = self.folder.read_model(cell.key.model)
        return [recorded[each.digest] for each in self.judgement(cell.key).evidence if each.digest in recorded]

    def matrix(self) -> Matrix:
        """The matrix of the whole plan."""
        blocks = [self._block(model.id) for model in self.plan.models]
        newest = self._runs[0]
        run: MatrixRun = {
            "mode": self._mode,
            "started_at": min(self._times, default=newest["started_at"]),
            "finished_at": max(self._times, default=newest["finished_at"]),
            "complete": self._whole and all(run["complete"] for run in self._runs),
            "requests": self._exchanges,
            "selection": self._selection,
        }
        if self._shard:
            run["shard"] = str(self._shard)
        cells = Packed(blocks)
        return make_matrix(self.gateway, run, self.plan.models, cells if len(cells) > _UNPACKED else list(cells))

    def _file(self, model: str) -> str:
        return self.folder.evidence_path(model).name

    def notes(self, max_age: float | None = None) -> Iterator[str]:
        """What is odd about the recording, a line for each kind, with what to do; complete once all is judged.

        With `max_age`, also which evidence is older than so many days.
        """
        unfinished = [name for name in self._lacking if name.endswith(PART)]
        if unfinished:
            yield f"unfinished: {_some(unfinished)}; go on with --live --resume"
        again = [self._file(model.id) for model in self.plan.models if self.folder.is_measured_again(model.id)]
        if again:
            yield f"judged as they were before they were measured again: {_some(again)}; go on with --live --resume"
        if other := [name for name in self._lacking if not name.endswith(PART)]:
            yield f"recorded for another plan than gateway.json holds: {_some(other)}; record again with --live"
        if self._unused:
            yield f"unused, of no model in gateway.json: {_some(self._unused)}; delete them, or measure their models"
        if max_age is not None:
            limit = (datetime.now(UTC) - timedelta(days=max_age)).strftime("%Y-%m-%dT%H:%M:%SZ")
            if old := sorted((time, name) for name, time in self._oldest.items() if time < limit):
                named = _some([f"{name} ({time[:10]})" for time, name in old])
                yield f"older than {max_age:g} days: {named}; record again with --live"


def _endpoints(run: RecordedRun) -> tuple[Endpoint, ...]:
    return tuple(endpoint for endpoint in Endpoint if endpoint in run["endpoints"])


def _recorded(outcomes: Iterable[Outcome]) -> bool:
    return all(outcome.recorded for outcome in outcomes)


def _all_recorded(outcomes: Iterable[Iterable[Outcome]]) -> bool:
    return all(map(_recorded, outcomes))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
