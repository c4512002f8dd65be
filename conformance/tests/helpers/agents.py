"""Clients in matrices, for the tests of what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from conformance.matrix.document import Matrix
from conformance.tests.helpers.pages import cell, matrix_with

#: What an agent does with a model, in one letter: works, loses something, is not known, breaks.
LETTERS = {"w": "works", "l": "loses", "u": "unknown", "b": "breaks"}
_VERDICTS = {"loses": "ignored", "unknown": "inconclusive", "breaks": "rejected"}


def field(name: str, readiness: str, **parts: Any) -> dict[str, Any]:
    """A field of an agent's request that makes it what it is; there is a cell that shows it."""
    return {
        "field": name,
        "endpoint": "chat_completions",
        "mode": "whole",
        "turn": 1,
        "verdict": _VERDICTS[readiness],
        "rejected_by": "gateway" if readiness == "breaks" else None,
        "parameter": name,
        "unsent": False,
        **parts,
    }


def row(client: str, model: str, readiness: str, fields: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What an agent does with a model, in its one way."""
    told = {"readiness": readiness, "reason": f"{readiness} because of {', '.join(each['field'] for each in fields)}."}
    way = {
        "way": "plain",
        "endpoint": "chat_completions",
        "mode": "whole",
        "turn": 1,
        **told,
        "fields": list(fields),
    }
    return {"client": client, "model": model, "family": "unknown", "way": "plain", **told, "ways": [way]}


def row_of_ways(client: str, model: str, **ways: str) -> dict[str, Any]:
    """What an agent does with a model, in several ways: each way's readiness, the best first."""
    rows = [(name, row(client, model, readiness)) for name, readiness in ways.items()]
    best, first = rows[0]
    return {**first, "way": best, "ways": [{**each["ways"][0], "way": name} for name, each in rows]}


def proof(verdict: str, *evidence: str, fields: Sequence[str] = ()) -> dict[str, Any]:
    """What became of an agent's whole first request."""
    return {
        "turn": 1,
        "verdict": verdict,
        "rejected_by": "backend" if verdict == "rejected" else None,
        "reason": f"so it was {verdict}.",
        "fields": list(fields),
        "evidence": list(evidence),
        "roles": ["probe", "baseline"][: len(evidence)],
    }


def matrix_of_agents(agents: Mapping[str, str], name: str = "store:false") -> Matrix:
    """A matrix of some agents, each with a letter of `LETTERS` for each model; it is because of the field `name`."""
    models = [f"model-{number}" for number in range(max(map(len, agents.values()), default=0))]
    rows = [
        row(client, model, LETTERS[letters[at]], [] if letters[at] == "w" else [field(name, LETTERS[letters[at]])])
        for at, model in enumerate(models)
        for client, letters in agents.items()
    ]
    return with_agents(matrix_with([cell(model, name) for model in models]), rows)


def with_agents(matrix: Matrix, rows: Sequence[Mapping[str, Any]]) -> Matrix:
    """A matrix with these rows, and a profile for each of their clients."""
    profiles = [
        {"client": client, "title": f"The {client}", "version": "1.0", "captured_at": "2026-11-27"}
        for client in dict.fromkeys(each["client"] for each in rows)
    ]
    return cast("Matrix", {**matrix, "clients": {"profiles": profiles, "readiness": list(rows)}})
