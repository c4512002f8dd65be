"""The runs that made one recording, newest first, and which of them a new run makes needless. Pure.

A narrower run adds to a recording and takes nothing away. So a recording may hold the exchanges of several
runs. Runs with different plans have different numbers, and each request carries the number of its run in
its repetition (`plan.RUN_STRIDE`): an exchange then belongs to one run, and its digest to one exchange.

A run is a row of `gateway.json`: `run` is the newest, `earlier` holds those whose exchanges are still needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from conformance.errors import DiscoveryError
from conformance.matrix.document import model_from
from conformance.plan.cells import RUN_STRIDE, select_models
from conformance.plan.shards import shard_from
from conformance.schemas.documents import GatewayDocument, Matrix, RecordedModel, RecordedRun
from conformance.types import Exchange, Model


def runs_of(document: GatewayDocument) -> list[RecordedRun]:
    """Every run of a recording's document, newest first."""
    return [document["run"], *document.get("earlier", ())]


def number_of(run: RecordedRun) -> int:
    """The number that a run's requests carry."""
    return run.get("number", 0)


def run_of(exchange: Exchange) -> int:
    """The number of the run that an exchange belongs to."""
    return exchange.request.repeat // RUN_STRIDE


def number_for(run: RecordedRun, others: Iterable[RecordedRun]) -> int:
    """The number of a new run: that of a run with the same plan, whose requests are the same, or a free one."""
    others = list(others)
    for other in others:
        if _plan_of(run) == _plan_of(other):
            return number_of(other)
    taken = {number_of(other) for other in others}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _plan_of(run: RecordedRun) -> tuple[list[str], list[str], bool, list[str]]:
    return run["parameters"], run["endpoints"], run["exhaustive"], run.get("clients", [])


def asks_all_of(run: RecordedRun, other: RecordedRun) -> bool:
    """True where a run asks a model for everything that another run asked it for."""
    return (
        {*other["parameters"]} <= {*run["parameters"]}
        and {*other["endpoints"]} <= {*run["endpoints"]}
        and {*other.get("clients", ())} <= {*run.get("clients", ())}
    )


def measured_by(run: RecordedRun, listed: Sequence[Model]) -> set[str]:
    """The ids of the listed models that a run measured, or meant to."""
    try:
        chosen = select_models(listed, run["selection"])
        shard = shard_from(run.get("shard"))
        return {model.id for model in (shard.of(chosen) if shard else chosen)}
    except DiscoveryError:  # the gateway lists none of them any more
        return set()


def selection_of(runs: Sequence[RecordedRun]) -> str | None:
    """The `--models` that runs together were narrowed by, each pattern once; None where one of them was not."""
    selections = [run["selection"] or "" for run in runs]
    if not all(selections):
        return None
    patterns = (pattern.strip() for selection in selections for pattern in selection.split(","))
    return ",".join(dict.fromkeys(filter(None, patterns)))


def needed_beside(run: RecordedRun, others: Iterable[RecordedRun], listed: Sequence[Model]) -> list[RecordedRun]:
    """Those of the other runs that hold something which a new run does not measure."""
    measured = measured_by(run, listed)
    return [other for other in others if not (asks_all_of(run, other) and measured_by(other, listed) <= measured)]


def kept_numbers(run: RecordedRun, others: Iterable[RecordedRun]) -> frozenset[int]:
    """The numbers of the runs whose exchanges stay in a cassette that a new run writes."""
    return frozenset(number_of(other) for other in others if not asks_all_of(run, other)) - {number_of(run)}


def with_its_models(run: RecordedRun, before: Sequence[RecordedModel], now: Sequence[RecordedModel]) -> RecordedRun:
    """An earlier run with the rows of models that the gateway lists otherwise by now: they tell how it asked them."""
    known = {row["id"]: row for row in [*before, *run.get("models", ())]}
    listed = {row["id"]: row for row in now}
    others = [row for name, row in known.items() if name in listed and row != listed[name]]
    bare = run.copy()
    bare.pop("models", None)
    return {**bare, "models": others} if others else bare


def models_of(run: RecordedRun, listed: Mapping[str, Model]) -> dict[str, Model]:
    """The models as they were listed when a run asked them."""
    return {**listed, **{row["id"]: model_from(row) for row in run.get("models", ())}}


def made_in(document: GatewayDocument, matrix: Matrix) -> bool:
    """True where a matrix may have been made from this recording: its exchanges fall into the time of a run."""
    started = matrix["run"]["started_at"]
    return any(run["started_at"] <= started <= run["finished_at"] for run in runs_of(document))
