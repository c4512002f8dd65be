"""Verdicts → the matrix: every planned cell once, as the JSON that reports are made from. Pure."""

from __future__ import annotations

import functools
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from conformance.errors import TableError
from conformance.schemas import first_error
from conformance.schemas.documents import Cell, GatewayRow, MatrixRun, RecordedModel, RoleName
from conformance.schemas.documents import Matrix as Matrix
from conformance.types import (
    STATEMENTS,
    Cause,
    CellKey,
    Endpoint,
    Evidence,
    Gateway,
    Judgement,
    Mode,
    Model,
    RejectedBy,
    Role,
    Verdict,
)

SCHEMA_VERSION = 1


def make_matrix(gateway: Gateway, run: MatrixRun, models: Sequence[Model], cells: Sequence[Cell]) -> Matrix:
    """Put a run's verdicts together: `cells` are the rows that `cell_row` makes, model by model.

    `run` holds `mode` (`live` or `replay`), `started_at`, `finished_at`, `complete`, `requests`,
    and `selection`, the `--models` glob that narrowed the run, or None.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "gateway": gateway_row(gateway),
        "run": run.copy(),
        "models": [{**model_row(model)} for model in models],
        "cells": cells,
    }


def gateway_row(gateway: Gateway) -> GatewayRow:
    """A gateway as JSON."""
    return {
        "name": gateway.name,
        "url": gateway.url,
        "software": gateway.software,
        "version": gateway.version,
        "simulated": gateway.simulated,
    }


def gateway_from(row: Mapping[str, Any]) -> Gateway:
    """The gateway that `gateway_row` wrote."""
    return Gateway(**{name: row[name] for name in ("name", "url", "software", "version", "simulated")})


def model_row(model: Model) -> RecordedModel:
    """A model as JSON."""
    return {
        "id": model.id,
        "mode": model.mode,
        "route": model.route,
        "served_by": list(model.served_by),
        "deployments": model.deployments,
        "deployment_ids": list(model.deployment_ids),
        "declared": None if model.declared is None else list(model.declared),
        "parameters": None if model.parameters is None else list(model.parameters),
    }


def model_from(row: Mapping[str, Any]) -> Model:
    """The model that `model_row` wrote."""
    return Model(
        id=row["id"],
        mode=row["mode"],
        route=row["route"],
        served_by=tuple(row["served_by"]),
        deployments=row["deployments"],
        deployment_ids=tuple(row["deployment_ids"]),
        declared=None if row["declared"] is None else tuple(row["declared"]),
        parameters=None if row.get("parameters") is None else tuple(row["parameters"]),  # absent in older recordings
    )


def cell_row(judgement: Judgement, declared: Sequence[str] | None, file: str) -> Cell:
    """A cell as JSON; `declared` is what the gateway claims of the model, `file` its cassette's name."""
    key = judgement.key
    cell: Cell = {
        "model": key.model,
        "endpoint": key.endpoint.value,
        "mode": key.mode.value,
        "parameter": key.parameter,
        "fields": list(judgement.fields),
        "verdict": judgement.verdict.value,
        "rejected_by": judgement.rejected_by.value if judgement.rejected_by else None,
        "reason": judgement.reason,
        "declared": declares(declared, key.endpoint, judgement.fields),
        # One baseline stands in many cells. Interned, it is packed once, and unpacked once.
        "evidence": [sys.intern(f"{file}#{each.digest}") for each in judgement.evidence],
        "roles": _roles(tuple(each.role.value for each in judgement.evidence if each.role)),
    }
    if judgement.cause:
        cell["cause"] = judgement.cause.value
    if judgement.split:
        cell["split"] = {name: verdict.value for name, verdict in sorted(judgement.split.items())}
    return cell


@functools.lru_cache(1024)  # one list for all cells with these roles: it is packed once, and unpacked once
def _roles(names: tuple[RoleName, ...]) -> list[RoleName]:
    return list(names)


def judgement_from(row: Mapping[str, Any]) -> Judgement:
    """The judgement that `cell_row` wrote."""
    by, cause = row["rejected_by"], row.get("cause")
    return Judgement(
        key=cell_key(row),
        fields=tuple(row["fields"]),
        verdict=Verdict(row["verdict"]),
        reason=row["reason"],
        cause=Cause(cause) if cause else None,
        rejected_by=RejectedBy(by) if by else None,
        evidence=tuple(itertools.starmap(_evidence, evidence_of(row))),
        split={name: Verdict(verdict) for name, verdict in row.get("split", {}).items()},
    )


@functools.lru_cache(1024)  # cells of a model share baselines and controls
def _evidence(role: RoleName | None, ref: str) -> Evidence:
    return Evidence(role and Role(role), ref.rpartition("#")[2])


def evidence_of(cell: Mapping[str, Any]) -> Iterator[tuple[RoleName | None, str]]:
    """The exchanges behind a cell, each after what it is to that; None where the matrix does not say."""
    refs = cell["evidence"]
    return zip(itertools.chain(cell.get("roles", ()), itertools.repeat(None)), refs, strict=False)


def declares(declared: Sequence[str] | None, endpoint: Endpoint, fields: Sequence[str]) -> bool | None:
    """What a gateway's list of supported chat parameters claims of some fields; None where it claims nothing.

    The list is of the chat endpoint's names, and says nothing of the fields that every request has.
    """
    if declared is None or endpoint is not Endpoint.CHAT_COMPLETIONS or "messages" in fields:
        return None
    return all(field in declared for field in fields)


def disagreements(matrix: Matrix) -> Iterator[Cell]:
    """The cells in which the gateway declares one thing, and the measurement shows the other."""
    return (
        cell
        for cell in matrix["cells"]
        if cell["declared"] is not None and STATEMENTS[Verdict(cell["verdict"])] is (not cell["declared"])
    )


def by_model(matrix: Matrix) -> Iterator[tuple[str, list[Cell]]]:
    """The cells of one model after another, in the matrix's order."""
    return ((model, list(cells)) for model, cells in itertools.groupby(matrix["cells"], itemgetter("model")))


def cell_key(cell: Mapping[str, Any]) -> CellKey:
    """The coordinates of a matrix's cell."""
    return CellKey(cell["model"], Endpoint(cell["endpoint"]), Mode(cell["mode"]), cell["parameter"])


def counts(matrix: Matrix) -> dict[Verdict, int]:
    """How many cells have each verdict, those with none left out."""
    tally = dict.fromkeys(Verdict, 0)
    for cell in matrix["cells"]:
        tally[Verdict(cell["verdict"])] += 1
    return {verdict: count for verdict, count in tally.items() if count}


def supported_percent(tally: Mapping[Verdict, int]) -> int | None:
    """How many percent of the cells with an answer are honoured or accepted, rounded down; None without any."""
    good = tally.get(Verdict.HONOURED, 0) + tally.get(Verdict.ACCEPTED, 0)
    answered = good + tally.get(Verdict.IGNORED, 0) + tally.get(Verdict.REJECTED, 0)
    return 100 * good // answered if answered else None


def dump_matrix(matrix: Matrix) -> Iterator[str]:
    """A matrix as JSON text with one cell to a line, a piece for each model; so with each client's readiness."""
    head = json.dumps({name: part for name, part in matrix.items() if name not in ("cells", "clients")}, indent=1)
    yield f"{head[:-2]},\n"
    if clients := matrix.get("clients"):
        profiles = ",\n".join(map(json.dumps, clients["profiles"]))
        yield f' "clients": {{"profiles": [\n{profiles}\n], "readiness": ['
        for number, row in enumerate(clients["readiness"]):
            yield f"{',' if number else ''}\n{json.dumps(row, separators=(',', ':'))}"
        yield "\n]},\n"
    yield ' "cells": ['
    between = "\n"
    for _, cells in by_model(matrix):
        yield between + ",\n".join(json.dumps(cell, separators=(",", ":")) for cell in cells)
        between = ",\n"
    yield "\n]}\n"


def parse_matrix(text: str, where: str) -> Matrix:
    """Read a matrix back; `where` names it in errors. Raises `TableError`."""
    try:
        matrix: Matrix = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{where} is not JSON ({error})") from None
    version = matrix.get("schema_version") if isinstance(matrix, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise TableError(
            f"{where} has schema version {version}, and this release reads up to {SCHEMA_VERSION}; "
            "update litellm-conformance to read it"
        )
    if problem := first_error("matrix", matrix):
        raise TableError(f"{where} is not a matrix: {problem}")
    places: dict[str, int] = {}
    # Another program may have written it in another order.
    matrix["cells"] = sorted(matrix["cells"], key=lambda cell: places.setdefault(cell["model"], len(places)))
    return matrix
