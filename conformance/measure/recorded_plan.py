"""What the runs of a recording asked, and the plan of the cells that are judged. Nothing is read but names of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.cassettes.folder import Folder
from conformance.errors import CassetteError
from conformance.matrix.document import model_from
from conformance.measure.runs import measured_by, models_of, number_of, runs_of, selection_of
from conformance.parameters import Registry
from conformance.plan.cells import Bodies, Group, Plan, groups_for, make_plan, refuse_useless_patterns, select_models
from conformance.plan.shards import Shard, shard_from
from conformance.readiness.whole import bodies_of
from conformance.schemas.documents import GatewayDocument, ProfilesDocument, RecordedRun
from conformance.types import Endpoint, Model, Parameter


@dataclass(frozen=True)
class PastRun:
    """One run of a recording: what it asked, and the models as they were listed then.

    `measured` are the ids of those models that it measured, or meant to.
    """

    row: RecordedRun
    measured: set[str]
    models: Mapping[str, Model]
    parameters: tuple[Parameter, ...]
    endpoints: tuple[Endpoint, ...]
    bodies: Bodies

    @property
    def number(self) -> int:
        """The number that its requests carry."""
        return number_of(self.row)


class RecordedPlan:
    """The plan that a recording is judged by, and what each of its runs asked. `runs` are newest first."""

    def __init__(
        self,
        folder: Folder,
        document: GatewayDocument,
        registry: Registry,
        parameters: Sequence[Parameter] | None,
        endpoints: Sequence[Endpoint] | None,
        *,
        selection: str | None,
        mode: Literal["live", "replay"],
        shard: Shard | None,
        profiles: ProfilesDocument,
    ) -> None:
        """Plan from a recording's document; `Replay` says what the arguments mean. Raises `CassetteError`."""
        rows = runs_of(document)[: 1 if mode == "live" else None]
        listed = [model_from(row) for row in document["models"]]
        refuse_useless_patterns(listed, selection)  # of all models, for a shard has not those of every pattern
        self.selection = selection or selection_of(rows)
        self.shard = _shard_of(rows, shard, folder)
        if self.shard:
            listed = list(self.shard.of(listed))
        measured = [measured_by(row, listed) for row in rows]
        wanted = select_models(listed, self.selection)
        _refuse_lost_cassettes(folder, rows, measured, wanted)
        # A live run tells of what it measured itself, and a replay of all that was recorded.
        chosen = wanted if selection or mode == "live" else _with_recorded(wanted, listed, folder)
        self.models = {model.id: model for model in chosen}
        self.runs = [
            PastRun(
                row,
                ids,
                models_of(row, self.models),
                registry.known(row["parameters"]),
                _endpoints_of(row),
                bodies_of(profiles, registry, row.get("clients", ())),
            )
            for row, ids in zip(rows, measured, strict=True)
        ]
        self._registry = registry
        self.plan: Plan = self._plan(tuple(chosen), parameters, endpoints)
        # What was asked together depends on all that was asked for: a dialogue is held as it was recorded.
        newest = self.runs[0]
        as_planned = parameters is None or tuple(parameters) == newest.parameters
        self._one_dialogue = len(self.runs) == 1 and as_planned and not newest.number

    def _plan(
        self,
        models: tuple[Model, ...],
        parameters: Sequence[Parameter] | None,
        endpoints: Sequence[Endpoint] | None,
    ) -> Plan:
        """The cells to judge: those named, else for each model those that some run asked it for."""
        if len(self.runs) == 1 or (parameters is not None and endpoints is not None):
            newest = self.runs[0]
            return make_plan(
                models,
                self._registry,
                newest.parameters if parameters is None else parameters,
                newest.endpoints if endpoints is None else endpoints,
                bodies=newest.bodies,
            )
        groups: list[Group] = []
        for model in models:
            runs = self.runs_with(model.id)
            for endpoint in endpoints or Endpoint:
                known = {p.id for run in runs if endpoint in run.endpoints for p in run.parameters}
                wanted = self._registry.known(tuple(known)) if parameters is None else parameters
                groups += groups_for(model, self._registry, wanted, [endpoint])
        return Plan(models, tuple(groups))

    def runs_with(self, model: str) -> list[PastRun]:
        """The runs that measured a model, newest first; the newest of all, where none says so."""
        return [run for run in self.runs if model in run.measured] or self.runs[:1]

    def groups_of(self, model: str, run: PastRun) -> Iterable[Group]:
        """What a run asked a model, where it is judged."""
        if self._one_dialogue:
            return self.plan.groups_of[model]
        judged = {group.endpoint for group in self.plan.groups_of[model]}
        where = [endpoint for endpoint in run.endpoints if endpoint in judged]
        return groups_for(run.models[model], self._registry, run.parameters, where, run.number, run.bodies)


def _shard_of(rows: Sequence[RecordedRun], shard: Shard | None, folder: Folder) -> Shard | None:
    """The shard that is judged: the one asked for, or the one that was recorded."""
    recorded = {shard_from(row.get("shard")) for row in rows}
    only = recorded.pop() if len(recorded) == 1 else None
    if shard and only and shard != only:
        raise CassetteError(
            f"the recording in {folder.path} is shard {only}, and not {shard}; leave --shard out, or name that one"
        )
    return shard or only


def _refuse_lost_cassettes(
    folder: Folder, rows: Sequence[RecordedRun], measured: Sequence[set[str]], wanted: Sequence[Model]
) -> None:
    """Raise where a run that calls itself complete lacks the cassette of a model that is wanted."""
    ids = {model.id for model in wanted}
    for row, measured_ids in zip(rows, measured, strict=True):
        missing = sorted(measured_ids & ids) if row["complete"] else []
        if lost := next((name for name in missing if not folder.has_model(name)), None):
            raise CassetteError(
                f"the cassette {folder.cassette_path(lost)} is missing; restore it, or record it with --live"
            )


def _with_recorded(wanted: Sequence[Model], listed: Sequence[Model], folder: Folder) -> Sequence[Model]:
    """The models that are wanted, and the others that have a cassette."""
    ids = {model.id for model in wanted}
    return [model for model in listed if model.id in ids or folder.has_model(model.id)]


def _endpoints_of(row: RecordedRun) -> tuple[Endpoint, ...]:
    return tuple(endpoint for endpoint in Endpoint if endpoint in row["endpoints"])
