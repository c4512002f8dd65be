"""Tests of `conformance.matrix.document`: every cell once, in JSON that its schema holds to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.errors import TableError
from conformance.matrix.document import (
    Matrix,
    by_model,
    cell_key,
    cell_row,
    counts,
    declares,
    disagreements,
    dump_matrix,
    evidence_of,
    gateway_from,
    gateway_row,
    judgement_from,
    make_matrix,
    model_from,
    model_row,
    parse_matrix,
)
from conformance.schemas import first_error
from conformance.schemas.documents import MatrixRun
from conformance.text.names import cassette_name
from conformance.types import (
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

GATEWAY = Gateway(name="embedded", url="http://127.0.0.1", software="litellm", version="1.109.1", simulated=True)
MODEL = Model(
    id="openai/Gpt", mode="chat", route="azure", served_by=("azure/a", "azure/b"), deployments=2, declared=("store",)
)
RUN: MatrixRun = {
    "mode": "replay",
    "started_at": "2026-11-22T12:00:00Z",
    "finished_at": "2026-11-22T12:00:01Z",
    "complete": True,
    "requests": 4,
    "selection": None,
}


def judged(verdict: Verdict, model: str = "openai/Gpt", parameter: str = "store:true") -> Judgement:
    """A cell with this verdict."""
    return Judgement(
        key=CellKey(model, Endpoint.RESPONSES, Mode.STREAM, parameter),
        fields=("store",),
        verdict=verdict,
        reason="because.",
        rejected_by=RejectedBy.BACKEND if verdict is Verdict.REJECTED else None,
        evidence=(Evidence(Role.PROBE, "0123456789abcdef"), Evidence(Role.BASELINE, "fedcba9876543210")),
    )


def matrix_of(*judgements: Judgement) -> Matrix:
    """A matrix of one model."""
    cells = [cell_row(judgement, MODEL.declared, cassette_name(judgement.key.model)) for judgement in judgements]
    return make_matrix(GATEWAY, RUN, [MODEL], cells)


@pytest.mark.parametrize("verdict", Verdict)
def test_cells(verdict: Verdict) -> None:
    """Given a verdict, when it becomes a cell, then the cell has the contract's keys and fits the schema."""
    matrix = matrix_of(judged(verdict))
    file = cassette_name("openai/Gpt")

    assert matrix["cells"] == [
        {
            "model": "openai/Gpt",
            "endpoint": "responses",
            "mode": "stream",
            "parameter": "store:true",
            "fields": ["store"],
            "verdict": verdict.value,
            "rejected_by": "backend" if verdict is Verdict.REJECTED else None,
            "reason": "because.",
            "declared": None,
            "evidence": [f"{file}#0123456789abcdef", f"{file}#fedcba9876543210"],
            "roles": ["probe", "baseline"],
        }
    ]
    assert first_error("matrix", matrix) is None
    assert cell_key(matrix["cells"][0]) == judged(verdict).key


def test_head() -> None:
    """Given gateway, run and models, when a matrix is made, then they stand in it as they are."""
    matrix = matrix_of()

    assert list(matrix) == ["schema_version", "gateway", "run", "models", "cells"]
    assert matrix["schema_version"] == 1
    assert matrix["run"] == RUN
    assert matrix["gateway"]["version"] == "1.109.1"
    assert matrix["models"][0]["served_by"] == ["azure/a", "azure/b"]


def test_rows_read_back() -> None:
    """Given a gateway and a model, when their rows are read back, then they are the same."""
    assert gateway_from(json.loads(json.dumps(gateway_row(GATEWAY)))) == GATEWAY
    assert model_from(json.loads(json.dumps(model_row(MODEL)))) == MODEL


def test_counts() -> None:
    """Given cells, when they are counted, then verdicts come in their order and idle ones are left out."""
    matrix = matrix_of(judged(Verdict.REJECTED), judged(Verdict.HONOURED), judged(Verdict.REJECTED))

    assert list(counts(matrix).items()) == [(Verdict.HONOURED, 1), (Verdict.REJECTED, 2)]


@pytest.mark.parametrize(
    ("declared", "endpoint", "fields", "claim"),
    [
        (("store", "n"), Endpoint.CHAT_COMPLETIONS, ("store",), True),
        (("store", "n"), Endpoint.CHAT_COMPLETIONS, ("store", "top_p"), False),
        (("store",), Endpoint.CHAT_COMPLETIONS, ("messages",), None),
        (("store",), Endpoint.RESPONSES, ("store",), None),
        (None, Endpoint.CHAT_COMPLETIONS, ("store",), None),
    ],
)
def test_declares(
    declared: tuple[str, ...] | None, endpoint: Endpoint, fields: tuple[str, ...], claim: bool | None
) -> None:
    """Given what a gateway declares, when fields are looked for, then its list speaks for chat parameters only."""
    assert declares(declared, endpoint, fields) is claim


def test_disagreements() -> None:
    """Given a gateway that claims a parameter, when it is measured as rejected, then that cell disagrees."""
    chat = CellKey("openai/Gpt", Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, "store:true")
    refused, fine = (replace(judged(v), key=chat) for v in (Verdict.REJECTED, Verdict.ACCEPTED))
    assert [cell["verdict"] for cell in disagreements(matrix_of(refused, fine))] == ["rejected"]


@given(
    st.lists(
        st.builds(judged, st.sampled_from(Verdict), st.text(st.characters(), min_size=1), st.text(st.characters())),
        max_size=4,
    )
)
def test_round_trip(judgements: list[Judgement]) -> None:
    """Given any cells, lone surrogates in them too, when dumped and parsed, then nothing has changed."""
    matrix = matrix_of(*sorted(judgements, key=lambda judgement: judgement.key.model))
    text = "".join(dump_matrix(matrix))

    assert parse_matrix(text, "m.json") == matrix
    assert text.isascii()
    assert sum(line.startswith('{"model"') for line in text.splitlines()) == len(judgements)


def test_cells_of_one_model_stand_together() -> None:
    """Given a matrix whose cells somebody shuffled, when it is read, then each model's cells follow one another."""
    shuffled = [judged(Verdict.ACCEPTED, model, parameter) for parameter in "pq" for model in "ba"]
    matrix = parse_matrix("".join(dump_matrix(matrix_of(*shuffled))), "m.json")

    cells = {model: [cell["parameter"] for cell in cells] for model, cells in by_model(matrix)}
    assert list(cells.items()) == [("b", ["p", "q"]), ("a", ["p", "q"])]


def test_reading_a_judgement_back() -> None:
    """Given a judgement, when it is written as a row and read back, then it is the same."""
    split = {"d": Verdict.ACCEPTED, "e": Verdict.REJECTED}
    judgement = replace(judged(Verdict.REJECTED), split=split, cause=Cause.REFUSAL_NAMED)
    assert judgement_from(cell_row(judgement, None, "f.json")) == judgement


def test_matrix_of_an_older_suite() -> None:
    """Given a cell without cause and roles, when it is read, then its evidence is there, in no role."""
    row: dict[str, Any] = {**cell_row(judged(Verdict.REJECTED), None, "f.json")}
    del row["roles"]
    matrix = parse_matrix(json.dumps({**matrix_of(), "cells": [row]}), "m.json")

    judgement = judgement_from(matrix["cells"][0])
    assert judgement.evidence == (Evidence(None, "0123456789abcdef"), Evidence(None, "fedcba9876543210"))
    assert judgement.cause is None


@pytest.mark.parametrize("roles", [["probe"], ["probe", "baseline", "dropped"]])
def test_roles_of_another_number(roles: list[str]) -> None:
    """Given a matrix with more roles than exchanges, or fewer, when it is read, then each exchange is there once."""
    refs = [f"f.json#{digit * 16}" for digit in "ab"]
    found = list(evidence_of({"evidence": refs, "roles": roles}))

    assert [ref for _, ref in found] == refs
    assert found[0][0] == "probe"
    assert found[1][0] in ("baseline", None)


def _broken(**parts: Any) -> str:
    return json.dumps({**matrix_of(judged(Verdict.REJECTED)), **parts})


CELL = matrix_of(judged(Verdict.REJECTED))["cells"][0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a matrix: the document"),
        ("{}", "is not a matrix: the document"),
        (_broken(schema_version=2), "has schema version 2, and this release reads up to 1; update"),
        (_broken(schema_version="1"), "is not a matrix: schema_version"),
        (_broken(run={**RUN, "mode": "guess"}), "is not a matrix: run.mode"),
        (_broken(cells=[{**CELL, "verdict": "maybe"}]), r"cells\[0\].verdict"),
        (_broken(cells=[{**CELL, "verdict": "honoured"}]), r"cells\[0\].rejected_by"),
        (_broken(cells=[{**CELL, "rejected_by": None}]), r"cells\[0\].rejected_by"),
        (_broken(cells=[{**CELL, "evidence": ["x"]}]), r"cells\[0\].evidence\[0\]"),
        (_broken(cells=[{**CELL, "reason": ""}]), r"cells\[0\].reason"),
        (_broken(cells=[{**CELL, "surprise": 1}]), r"cells\[0\]: .*surprise"),
        (_broken(models=[{"id": "\ud800"}]), r"models\[0\]: .*required"),
    ],
    ids=range(14),
)
def test_malformed(text: str, words: str) -> None:
    """Given a text that is no matrix, when it is parsed, then the error is one line with file and place."""
    with pytest.raises(TableError, match=f"^m.json .*{words}") as caught:
        parse_matrix(text, "m.json")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [{"schema_version": {1}}, {1: 2}, b"x"])
def test_values_that_json_does_not_have(value: Any) -> None:
    """Given a value of another world, when it is validated, then that is an error in words."""
    assert (first_error("matrix", value) or "").startswith("the document: ")
