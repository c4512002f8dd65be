"""Fuzzing of files that somebody else recorded: cassettes, unfinished ones, model lists and matrices."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers.reading import read_answer
from conformance.cassettes import format as cassette_format
from conformance.cassettes.folder import Folder
from conformance.cassettes.format import GATEWAY_FILE
from conformance.errors import CassetteError, ConformanceError, TableError
from conformance.matrix.comparison import compare_matrices
from conformance.matrix.document import dump_matrix, parse_matrix
from conformance.measure.merging import merge
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.plan.cells import select_endpoints
from conformance.report.page import render_page
from conformance.tests.fuzz.strategies import (
    DEPTHS,
    HEADERS,
    SHIPPED,
    answers,
    content_of,
    damaged,
    deep,
    gateway_document,
    mutated,
    recorded,
)
from conformance.tests.helpers.building import RESPONSES, WHOLE
from conformance.text.names import cassette_name
from conformance.types import Endpoint, Exchange, Mode, Request, Response, digest_of

REGISTRY = load_registry()
MODEL = "nova-pro"
FEW = ["store:true", "temperature"]


def _rows(count: int) -> list[Any]:
    """The first interactions of a shipped cassette."""
    rows: list[Any] = cassette_format.parse((SHIPPED / f"{MODEL}.json").read_text("utf-8"))["interactions"]
    return rows[:count]


CASSETTE: dict[str, Any] = {"version": 1, "metadata": {"model": MODEL}, "interactions": _rows(3)}
GATEWAY = gateway_document()
GATEWAY["models"] = [row for row in GATEWAY["models"] if row["id"] == MODEL]
GATEWAY["run"] |= {"parameters": FEW, "selection": None}


def told(error: ConformanceError) -> None:
    """What holds for everything that a user is told: it is one line."""
    assert "\n" not in str(error)


def consistent(document: Any) -> Any:
    """A cassette whose digests are those of its requests again, as somebody would write it who means harm."""
    rows = document.get("interactions") if isinstance(document, dict) else None
    for row in rows if isinstance(rows, list) else ():
        try:
            conformance, sent = row["response"]["conformance"], row["request"]["body"]["json"]
            body = {"fetch": conformance["fetch"]} if "fetch" in conformance else sent
            conformance["digest"] = digest_of(conformance["endpoint"], body, conformance["repeat"])
        except (TypeError, KeyError, ValueError, RecursionError):  # what was changed is no request any more
            continue
    return document


@contextmanager
def folder() -> Iterator[Folder]:
    """An empty folder of recordings."""
    with tempfile.TemporaryDirectory() as path:
        yield Folder(Path(path))


def check_read(where: Folder, model: str) -> None:
    """A model's recording is read and looked at, or one line says why not."""
    try:
        exchanges = where.read_all(model)
    except CassetteError as error:
        told(error)
        return
    for digest, exchange in exchanges.items():
        assert exchange.request.digest == digest
        assert isinstance(exchange.request.body, dict)
        read_answer(exchange.request, exchange.response)


@given(damaged(mutated([CASSETTE], 3).map(consistent).map(content_of)))
def test_any_cassette(content: bytes) -> None:
    """Given a cassette with anything wrong with it, when it is read, then it is judged, or one line says why not."""
    with folder() as where:
        where.cassette_path(MODEL).write_bytes(content)
        check_read(where, MODEL)


HEAD = {"version": 1, "metadata": {"model": MODEL}}


@given(mutated([HEAD], 1), st.lists(mutated(_rows(3), 2), max_size=3), damaged(st.just(b'{"request":{}}')))
def test_any_unfinished_cassette(head: Any, lines: list[Any], end: bytes) -> None:
    """Given an unfinished cassette of any lines, when it is read, then it is judged, or one line says why not."""
    with folder() as where:
        where.part_path(MODEL).write_bytes(b"\n".join([*map(content_of, [head, *lines]), end]))
        check_read(where, MODEL)


@pytest.mark.parametrize("head", ["[]", "1", "null", '"x"', "NaN", "{}"])
def test_unfinished_cassette_that_begins_with_something_else(tmp_path: Path, head: str) -> None:
    """Given a part whose first line is no object, when it is read, then one line says that it is damaged."""
    where = Folder(tmp_path)
    where.part_path("m").write_text(f"{head}\n{{}}\n")

    with pytest.raises(CassetteError, match="is damaged"):
        where.read_model("m")


def test_a_fetched_answer_whose_request_is_no_object(tmp_path: Path) -> None:
    """Given a recorded fetch with a list for a request, whose digest fits, when it is read, then it is damaged."""
    row = json.loads(json.dumps(CASSETTE["interactions"][0]))
    row["response"]["conformance"] |= {"fetch": "x"}
    row["request"]["body"] = {"json": ["x"]}
    document = consistent({**CASSETTE, "interactions": [row]})
    where = Folder(tmp_path)
    where.cassette_path(MODEL).write_text(json.dumps(document))

    with pytest.raises(CassetteError, match="is no object"):
        where.read_model(MODEL)


WAYS = [(endpoint, mode) for endpoint in Endpoint for mode in Mode]


@given(st.data(), st.sampled_from(WAYS), HEADERS, st.text(st.characters(codec=None), max_size=5))
def test_any_answer_is_kept(
    data: st.DataObject, way: tuple[Endpoint, Mode], headers: dict[str, str], model: str
) -> None:
    """Given any answer, when it is recorded, then it comes back as it was, and the file can be read by anybody."""
    endpoint, mode = way
    response = Response(status=200, headers=headers, body=data.draw(answers(endpoint, mode)))
    sent = data.draw(st.sampled_from([each.request.body for each in recorded()[:50]]))
    exchange = Exchange(Request(model, endpoint, mode, sent), response, "2026-11-22T12:00:00Z")
    with folder() as where:
        part = where.part(model, REGISTRY.paths)
        part.add(exchange)
        part.close()
        unfinished = where.read_model(model)
        part.finish()
        finished = where.read_model(model)
        json.loads(where.cassette_path(model).read_bytes())
    assert unfinished == finished
    kept = finished[exchange.request.digest]
    assert kept.request == exchange.request
    told = read_answer(exchange.request, kept.response).refusal or ""
    assert len(told) <= 2 * len(response.body) + 100  # an object is told as JSON with spaces


@pytest.mark.parametrize("kind", "[{")
def test_deep_answers_are_kept(tmp_path: Path, kind: str) -> None:
    """Given answers that nest around what Python reads, when they are recorded, then they come back as they were."""
    exchanges = [
        Exchange(Request("m", RESPONSES, WHOLE, {"a": depth}), Response(status=200, body=content_of(deep(depth, kind))))
        for depth in sorted({*DEPTHS, *range(880, 1000)})
    ]
    where = Folder(tmp_path)
    where.write_model("m", exchanges, REGISTRY.paths)

    assert where.read_model("m") == {exchange.request.digest: exchange for exchange in exchanges}


@given(damaged(mutated([GATEWAY], 3).map(content_of)))
def test_any_list_of_models(content: bytes) -> None:
    """Given any list of models, when it is replayed and merged, then there is a matrix, or one line says why not."""
    with folder() as where, tempfile.TemporaryDirectory() as into:
        (where.path / GATEWAY_FILE).write_bytes(content)
        shutil.copyfile(SHIPPED / cassette_name(MODEL), where.cassette_path(MODEL))
        try:
            document = where.read_gateway()
            endpoints = select_endpoints(",".join(document["run"]["endpoints"]))
            if len(document["models"]) <= 3:
                replay = Replay(where, document, REGISTRY, REGISTRY.known(FEW), endpoints)
                matrix = replay.matrix()
                assert parse_matrix("".join(dump_matrix(matrix)), "m.json")
                assert all("\n" not in note for note in replay.notes())
                merge([where.path], Path(into) / "merged", partial=True, registry=REGISTRY)
        except ConformanceError as error:
            told(error)


@pytest.mark.parametrize("depth", [300, 900, 940, 960])
def test_deep_documents_with_lone_surrogates(tmp_path: Path, depth: int) -> None:
    """Given a document too deep for its schema, with a lone surrogate in it, when it is read, then one line says so."""
    content = content_of({"\ud800": deep(depth, "[")})
    (tmp_path / GATEWAY_FILE).write_bytes(content)

    with pytest.raises(CassetteError):
        Folder(tmp_path).read_gateway()
    with pytest.raises(TableError):
        parse_matrix(content.decode(), "m.json")


def _matrix() -> Any:
    where = Folder(SHIPPED)
    matrix = Replay(where, GATEWAY, REGISTRY, REGISTRY.known(FEW), tuple(Endpoint)).matrix()
    return json.loads("".join(dump_matrix(matrix)))


MATRIX = _matrix()


@given(damaged(mutated([MATRIX], 3).map(content_of)))
def test_any_matrix(content: bytes) -> None:
    """Given a matrix with anything wrong with it, when it is read, then it is shown, or one line says why not."""
    try:
        matrix = parse_matrix(content.decode("utf-8", "replace"), "m.json")
    except TableError as error:
        told(error)
        return
    render_page(matrix).encode()
    compare_matrices(MATRIX, matrix)
