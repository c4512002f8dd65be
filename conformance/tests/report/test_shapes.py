"""Tests of the matrix's other shapes: CSV, Markdown, badges, the step summary."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.errors import ReportError
from conformance.matrix.document import Matrix, supported_percent
from conformance.provider.table import shipped_table_path
from conformance.report import badges, shapes, tables
from conformance.tests.helpers.gateways import KEY, refusal, scripted_gateway
from conformance.tests.helpers.pages import HOSTILE, cell, large_matrix, matrix_with
from conformance.tests.helpers.running import CHECKOUT, Workplace, run_command, run_pytest
from conformance.types import Verdict

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "x;=1", "\uff1d1", "=cmd|' /C calc'!A0")
SVG = "http://www.w3.org/2000/svg"

hostile = st.one_of(st.sampled_from((*HOSTILE, *FORMULAS)), st.text(max_size=30))


def rows_of(matrix: Matrix) -> list[dict[str, str]]:
    """The CSV of a matrix as a spreadsheet reads it."""
    text = "".join(tables.as_csv(matrix))
    text.encode("utf-8")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\N{BOM}"), newline="")))


def test_csv_has_a_row_for_each_cell() -> None:
    """Given a matrix, when it is made CSV, then each cell is a row with all that is known of it."""
    split = {"d-1": "accepted", "d-2": "rejected"}
    refused = cell("b", "n", "rejected", declared=False, split=split, evidence=["b.json#1", "b.json#2"])
    models: list[dict[str, Any]] = [
        {"id": "a", "route": "azure", "served_by": []},
        {"id": "b", "route": None, "served_by": []},
    ]
    first, second = rows_of(matrix_with([cell("a"), refused], models))
    assert tuple(first) == tables.COLUMNS
    assert (first["gateway"], first["version"], first["route"]) == ("embedded", "1.109.1", "azure")
    assert (first["verdict"], first["supported"], first["declared"], first["split"]) == ("accepted", "yes", "", "")
    assert (second["rejected_by"], second["supported"], second["declared"]) == ("gateway", "no", "no")
    assert second["split"] == "d-1: accepted, d-2: rejected"
    assert second["evidence"] == "b.json#1 b.json#2"


@given(hostile, hostile, hostile)
def test_csv_calculates_nothing(model: str, parameter: str, reason: str) -> None:
    """Given formulas for ids and reasons, when they are made CSV, then no field begins one, in one line each."""
    matrix = matrix_with([cell(model, parameter, reason=reason)], name=model, version=parameter)
    (row,) = rows_of(matrix)
    for field in row.values():
        for part in field.split(";"):
            assert not re.match(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]", part)
        assert len(field) < 32_767
        assert field.isprintable()
    assert "".join(tables.as_csv(matrix)).count("\r\n") == 2


@pytest.mark.parametrize("formula", FORMULAS)
def test_formula_is_still_readable(formula: str) -> None:
    """Given a formula, when it stands in CSV, then an apostrophe before its sign is all that was added."""
    (row,) = rows_of(matrix_with([cell(formula)]))
    assert row["model"].replace("'", "", 1).lstrip("\ufffd ") == formula.lstrip()


def test_markdown() -> None:
    """Given a matrix, when it is made Markdown, then it says what was measured, and what each model refuses."""
    cells = [cell("a"), cell("a", "n", "rejected"), cell("a", "seed", "ignored"), cell("b", verdict="inconclusive")]
    text = tables.as_markdown(matrix_with(cells))
    assert "# Conformance of `embedded` (`litellm 1.109.1`)" in text
    assert "2 models, 4 cells, 4 requests" in text
    assert "simulators" in text
    assert "| `a` |  | 33 % | 1 | 1 | 1 | 0 |" in text
    assert "| `b` |  | unknown | 0 | 0 | 0 | 1 |" in text
    assert "- `a` ✘ rejected on some endpoint or mode: `n`" in text
    assert "- `a` ~ ignored on some endpoint or mode: `seed`" in text


def test_markdown_is_bounded() -> None:
    """Given more models than fit, when they are made Markdown, then what fits is there, and the rest is counted."""
    text = tables.as_markdown(large_matrix(), limit=20_000)
    assert len(text.encode("utf-8")) <= 20_000
    assert re.search(r"… and [\d,]+ more models\.", text)


@given(hostile, hostile)
def test_markdown_of_hostile_texts(model: str, parameter: str) -> None:
    """Given hostile ids, when they are made Markdown, then they are code and nothing else."""
    cells = [cell(model, parameter, "rejected"), cell(f"{model}2", parameter, "ignored")]
    text = tables.as_markdown(matrix_with(cells, name=model, software=parameter))
    html = str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    known = {"h1", "h2", "p", "code", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert set(re.findall(r"<(\w+)", html)) <= known
    assert html.count("<tr>") == 3


@pytest.mark.parametrize(
    ("verdicts", "percent", "colour"),
    [
        ("hhhhhhhhha", 100, "brightgreen"),
        ("hhhhhhhr", 87, "green"),
        ("aar", 66, "yellowgreen"),
        ("ar", 50, "yellow"),
        ("ir", 0, "orange"),
        ("qqn", None, "lightgrey"),
        ("", None, "lightgrey"),
        ("hq", 100, "brightgreen"),
    ],
)
def test_badge(verdicts: str, percent: int | None, colour: str) -> None:
    """Given some verdicts, when a badge is made of them, then it says how much is supported of what was answered."""
    named = dict(zip("hairqn", Verdict, strict=True))
    tally = {verdict: verdicts.count(letter) for letter, verdict in named.items()}
    assert supported_percent(tally) == percent
    cells = [
        cell("a", f"p{number}", named[letter].value, rejected_by="gateway" if letter == "r" else None)
        for number, letter in enumerate(verdicts)
    ]
    models: list[dict[str, Any]] = [{"id": "a", "route": None, "served_by": []}]
    told = json.loads(badges.badges_of(matrix_with(cells, models))["a"].as_endpoint())
    message = "unknown" if percent is None else f"{percent}% supported"
    assert told == {"schemaVersion": 1, "label": "a", "message": message, "color": colour}


@given(hostile)
def test_badges_of_hostile_ids(model: str) -> None:
    """Given a hostile id, when its badge is made, then it is well-formed text, in a file with a harmless name."""
    files = dict(badges.files_of(matrix_with([cell(model)])))
    assert len(files) == 4
    for name, text in files.items():
        assert re.fullmatch(r"[a-z0-9_][a-z0-9._~-]{0,90}\.(svg|json)", name)
        if name.endswith(".json"):
            assert json.loads(text)["label"].isprintable()
            continue
        svg = ElementTree.fromstring(text)  # noqa: S314  just made here
        assert {element.tag.removeprefix(f"{{{SVG}}}") for element in svg.iter()} == {
            "svg", "title", "rect", "path", "g", "text",
        }  # fmt: skip
        assert all("on" not in name[:2] for element in svg.iter() for name in element.attrib)


def test_no_two_badges_share_a_file() -> None:
    """Given models called as the gateway's badge and as each other but for case, then each has a file of its own."""
    models = ["gateway", "GPT-4", "gpt-4", "a/b", "a-b", "con"]
    names = [name for name, _ in badges.files_of(matrix_with([cell(model) for model in models]))]
    assert len({name.lower() for name in names}) == 2 * (len(models) + 1)
    assert "gateway.svg" in names


def test_badges_of_models_that_are_gone_go(tmp_path: Path) -> None:
    """Given badges of an earlier run, when others are written, then only those of this run are left."""
    shapes.write_all(matrix_with([cell("old")]), tmp_path)
    (tmp_path / "badges" / "README.md").write_text("mine", encoding="utf-8")
    shapes.write_all(matrix_with([cell("new")]), tmp_path)
    names = {path.name for path in (tmp_path / "badges").iterdir()}
    assert names == {"gateway.json", "gateway.svg", "new.json", "new.svg", "README.md"}
    assert {path.name for path in tmp_path.iterdir()} == {"badges", "matrix.csv", "matrix.md"}


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Given a file in a folder's place, when shapes are written, then one line says so."""
    (tmp_path / "badges").write_text("")
    with pytest.raises(ReportError, match="cannot write reports to"):
        shapes.write_all(matrix_with([cell()]), tmp_path)


def test_step_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a step of GitHub Actions, when it is summed up, then the Markdown is added to what is there."""
    summary, matrix = tmp_path / "summary.md", matrix_with([cell()])
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    shapes.write_step_summary(matrix)
    assert summary.read_text(encoding="utf-8") == f"before\n{tables.as_markdown(matrix)}\n"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "such"))
    with pytest.raises(ReportError, match="cannot write the step summary"):
        shapes.write_step_summary(matrix)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    shapes.write_step_summary(matrix)


def test_every_run_writes_all_shapes(tmp_path: Path) -> None:
    """Given the shipped recording, when it is replayed in a step on GitHub, then every shape is there, JUnit too."""
    summary, junit = tmp_path / "summary.md", tmp_path / "junit.xml"
    options = ["--parameters=store", "--models=gpt-4.1,o3", f"--reports={tmp_path}", f"--junitxml={junit}"]
    ended = run_pytest(*options, env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert ended.code in (0, 1), ended.all  # the table is one of more parameters
    csv_rows = (tmp_path / "matrix.csv").read_text(encoding="utf-8-sig").splitlines()
    matrix = json.loads((tmp_path / "matrix.json").read_text(encoding="utf-8"))
    assert len(csv_rows) == len(matrix["cells"]) + 1
    assert summary.read_text("utf-8") == (tmp_path / "matrix.md").read_text("utf-8") + "\n"
    assert {path.stem for path in (tmp_path / "badges").glob("*.svg")} == {"gateway", "gpt-4.1", "o3"}
    cases = [case.get("name", "") for case in ElementTree.parse(junit).iter("testcase")]  # noqa: S314
    assert "test_cell[o3/responses/stream/store:true]" in cases


def test_junit_and_allure_of_a_hostile_gateway(tmp_path: Path) -> None:
    """Given hostile ids and refusals, when a run fails over them, then JUnit's XML and Allure's results are whole."""
    place, junit = Workplace(tmp_path), tmp_path / "junit.xml"
    told = [text.encode("utf-8", "replace").decode() for text in HOSTILE if len(text) < 1000]

    def refuses(body: dict[str, Any]) -> Any:
        return refusal(f"store: Extra inputs are not permitted {' '.join(told)}") if "store" in body else None

    with scripted_gateway(refuses, told) as gateway:
        options = ["--live", "--parameters=store", "--gateway=embedded", f"--junitxml={junit}", *place.options]
        shutil.copy(shipped_table_path(), place.table)
        ended = run_pytest(*options, env=gateway.environment)
    assert ended.code == 1, ended.all
    cases = list(ElementTree.parse(junit).iter("testcase"))  # noqa: S314
    cells = place.matrix["cells"]
    assert len(cases) == len(cells) + 2
    assert len({case.get("name") for case in cases}) == len(cases)
    assert any("Extra inputs" in (failure.text or "") for case in cases for failure in case.iter("failure"))
    results = [json.loads(path.read_text("utf-8")) for path in (tmp_path / "reports").rglob("*-result.json")]
    assert len({result["historyId"] for result in results}) == len(cells) + 2
    attached = [name for result in results for name in result.get("attachments", ())]
    assert attached
    assert all((tmp_path / "reports/allure-results" / name["source"]).is_file() for name in attached)
    assert KEY not in place.texts()


def test_report_command_writes_them_too(tmp_path: Path) -> None:
    """Given a folder with a matrix, when its report is made, then the other shapes lie beside it."""
    (tmp_path / "matrix.json").write_text(json.dumps(matrix_with([cell(name) for name in HOSTILE])), encoding="utf-8")
    ended = run_command("report", f"--matrix={tmp_path}", f"--cassettes={CHECKOUT / 'cassettes'}")
    assert ended.code == 0, ended.all
    assert {path.name for path in tmp_path.iterdir()} == {
        "matrix.json",
        "index.html",
        "matrix.csv",
        "matrix.md",
        "badges",
    }
    assert len(list((tmp_path / "badges").glob("*.svg"))) == len(HOSTILE) + 1


@pytest.fixture(autouse=True)
def _no_step_summary(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
