"""A recording, read back: the plan it was made from, and the verdict of every cell.

Live and offline runs judge through this alike, in the controller and in every worker.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance.cassette_format import PART
from conformance.cassettes import Folder
from conformance.dialects import one_line
from conformance.dialogue import Ask
from conformance.discovery import Discovered
from conformance.errors import CassetteError
from conformance.judge import Outcome, combined, inconclusive, not_recorded
from conformance.matrix import (
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
from conformance.packing import Block, Packed
from conformance.parameters import Registry
from conformance.plan import Plan, make_plan, select_models
from conformance.probing import Found, settle
from conformance.shards import Shard, shard_from
from conformance.types import CellKey, Endpoint, Exchange, Judgement, Parameter, PlannedCell

GATEWAY_SCHEMA_VERSION = 1

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
        shard: Shard | None = None,
    ) -> None:
        """Plan from a recording's document, as `Folder.read_gateway` gives it.

        Without a selection the plan holds the models that were recorded, with a shard those of it.
        Raises `CassetteError` where a recording that calls itself complete lacks one of its cassettes.
        """
        self.folder = folder
        self.gateway = gateway_from(document["gateway"])
        self._run = document["run"]
        self._mode = mode
        self._selection = selection or self._run["selection"]
        listed = [model_from(row) for row in document["models"]]
        recorded_shard = shard_from(self._run.get("shard"))
        if shard and recorded_shard and shard != recorded_shard:
            raise CassetteError(
                f"the recording in {folder.path} is shard {recorded_shard}, and not {shard}; "
                "leave --shard out, or name that one"
            )
        self._shard = shard or recorded_shard
        if self._shard:
            listed = list(self._shard.of(listed))
        chosen = select_models(listed, self._selection)
        if self._run["complete"] and (missing := [m for m in chosen if not folder.has_model(m.id)]):
            raise CassetteError(
                f"the cassette {folder.cassette_path(missing[0].id)} is missing; restore it, or record it with --live"
            )
        if not selection:
            ids = {model.id for model in chosen}
            chosen = tuple(m for m in listed if m.id in ids or folder.has_model(m.id))
        self.plan: Plan = make_plan(chosen, registry, parameters, endpoints)
        # What was asked together depends on all that was asked for: the dialogue is held as it was recorded.
        recorded = registry.known(self._run["parameters"])
        same = recorded == tuple(parameters)
        self._dialogues = self.plan if same else make_plan(chosen, registry, recorded, endpoints)
        self._models = {model.id: model for model in chosen}
        self._judged: dict[str, Block] = {}
        self._opened = functools.lru_cache(_OPENED)(self._judgements_of)
        self._whole = True
        self._exchanges = 0
        self._times: set[str] = set()
        self._unused = folder.unused(model.id for model in listed)
        self._lacking: list[str] = []
        self._oldest: dict[str, str] = {}

    def judgement(self, key: CellKey) -> Judgement:
        """The verdict of one planned cell."""
        return self._opened(key.model)[key]

    def judgements_of(self, model: str) -> Iterable[Judgement]:
        """The verdicts of all planned cells of a model, in the plan's order."""
        return self._opened(model).values()

    def _judgements_of(self, model: str) -> dict[CellKey, Judgement]:
        return {cell_key(row): judgement_from(row) for row in self._block(model).rows()}

    def _block(self, model: str) -> Block:
        if model not in self._judged:
            declared, file = self._models[model].declared, self._file(model)
            self._judged[model] = Block([cell_row(judgement, declared, file) for judgement in self._judge(model)])
        return self._judged[model]

    def _judge(self, model: str) -> Iterator[Judgement]:
        """Hold the dialogues with one model again, with the recording for an interlocutor."""
        recorded = self.folder.read_model(model)
        self._exchanges += len(recorded)
        times = {exchange.recorded_at for exchange in recorded.values()}
        self._times |= times
        if times:
            self._oldest[self._file(model)] = min(times)
        stale = self._stale(recorded.values())
        outcomes: dict[CellKey, list[Outcome]] = {}
        groups = self._dialogues.groups_of[model]
        for group in groups:
            dialogue = settle(group, exhaustive=self._run["exhaustive"], litellm=self._litellm)
            found = dict.fromkeys((p.id for p in group.parameters), stale) if stale else answered(dialogue, recorded)
            for parameter in group.parameters:
                outcomes.setdefault(group.key(parameter), []).append(found[parameter.id])
        if recorded and not stale and not _all_recorded(outcomes.values()):
            self._lacking.append(self._file(model))
        planned = {
            group.key(parameter): tuple(parameter.bodies[group.endpoint])
            for group in self.plan.groups_of[model]
            for parameter in group.parameters
        }
        asked = {key: outcomes.get(key, [not_recorded()]) for key in planned}
        self._whole &= _all_recorded(asked.values())
        for key, fields in planned.items():
            yield combined(key, fields, asked[key], self._models[model].deployments)

    def _stale(self, exchanges: Iterable[Exchange]) -> Outcome | None:
        """What to say of a cassette that another version of the gateway answered; None for one of this."""
        versions = {
            e.response.headers["x-litellm-version"] for e in exchanges if "x-litellm-version" in e.response.headers
        }
        if not versions or self.gateway.version in versions:
            return None
        seen = one_line(", ".join(sorted(versions)))
        cause = f"recorded with version {seen}, and not {self.gateway.version}; measure it with --live"
        return replace(inconclusive(cause), recorded=False)

    @property
    def _litellm(self) -> bool:
        return self.gateway.software == "litellm"

    def route(self, model: str) -> str | None:
        """The provider path that a planned model takes, where the gateway tells."""
        return self._models[model].route

    def exchanges(self, cell: PlannedCell) -> list[Exchange]:
        """The exchanges behind one cell's verdict, read from disk anew."""
        recorded = self.folder.read_model(cell.key.model)
        return [recorded[digest] for digest in self.judgement(cell.key).evidence if digest in recorded]

    def matrix(self) -> Matrix:
        """The matrix of the whole plan."""
        blocks = [self._block(model.id) for model in self.plan.models]
        run: dict[str, Any] = {
            "mode": self._mode,
            "started_at": min(self._times, default=self._run["started_at"]),
            "finished_at": max(self._times, default=self._run["finished_at"]),
            "complete": self._run["complete"] and self._whole,
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


def _all_recorded(outcomes: Iterable[Iterable[Outcome]]) -> bool:
    return all(outcome.recorded for each in outcomes for outcome in each)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
