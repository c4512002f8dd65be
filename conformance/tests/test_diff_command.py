"""Tests of `python -m conformance diff`: exit codes, and its three forms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.matrix.comparison import compare_matrices
from conformance.matrix.document import Matrix
from conformance.report.difference import as_markdown
from conformance.report.markdown import COMMENT_LIMIT, code
from conformance.tests.helpers.pages import HOSTILE, cell, large_matrix, matrix_with
from conformance.tests.helpers.running import Ended, run_command

OLD = matrix_with([cell("a"), cell("b", verdict="rejected"), cell("c")], version="1.0")
WORSE = matrix_with(
    [cell("b"), cell("a", verdict="rejected", reason="refused with 400: not permitted."), cell("d")], version="2.0"
)


def written(folder: Path, name: str, matrix: Any) -> str:
    """The path of a file that holds a matrix."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(matrix if isinstance(matrix, str) else json.dumps(matrix), encoding="utf-8")
    return str(path)


def diffed(folder: Path, old: Matrix, new: Matrix, *options: str) -> Ended:
    """How the command ended on two matrices."""
    return run_command("diff", written(folder, "old.json", old), written(folder, "new.json", new), *options)


def test_newly_broken_ends_with_1(tmp_path: Path) -> None:
    """Given something newly broken, when matrices are compared, then it comes first, with versions, and exit code 1."""
    ended = diffed(tmp_path, OLD, WORSE)
    assert ended.code == 1, ended.all
    assert "embedded (litellm 1.0, measured 2026-11-22) → embedded (litellm 2.0" in ended.out
    titles = [line for line in ended.out.splitlines() if re.search(r": \d+ cell", line)]
    assert titles == ["✘ newly broken: 1 cell", "✔ newly working: 1 cell", "+ appeared: 1 cell", "- gone: 1 cell"]
    assert "store:true (chat_completions, whole): accepted → rejected by the gateway" in ended.out
    assert "refused with 400: not permitted." in ended.out


@pytest.mark.parametrize("form", ["", "--markdown", "--json"])
def test_nothing_worse_ends_with_0(tmp_path: Path, form: str) -> None:
    """Given changes of which none breaks anything, when matrices are compared in any form, then exit code 0."""
    better = matrix_with([cell("a"), cell("b"), cell("e")])
    assert diffed(tmp_path, OLD, better, *filter(None, [form])).code == 0
    assert diffed(tmp_path, OLD, OLD, *filter(None, [form])).code == 0


def test_folders(tmp_path: Path) -> None:
    """Given two folders of reports, when they are compared, then their matrices are."""
    written(tmp_path, "before/matrix.json", OLD)
    written(tmp_path, "after/matrix.json", OLD)
    ended = run_command("diff", str(tmp_path / "before"), str(tmp_path / "after"))
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Nothing changed.")


def test_json(tmp_path: Path) -> None:
    """Given changes, when they are asked for as JSON, then it lists every cell, and the exit code is the same."""
    ended = diffed(tmp_path, OLD, WORSE, "--json")
    assert ended.code == 1
    assert json.loads(ended.out) == compare_matrices(OLD, WORSE).as_json()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot read the matrix"),
        ("{", "is not JSON"),
        ("[]", "is not a matrix"),
        ('{"schema_version": 2}', "has schema version 2, and this release reads up to 1; update litellm-conformance"),
        ("\udcff", "it is not UTF-8"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_unreadable_matrix_ends_with_4(tmp_path: Path, text: str | None, told: str) -> None:
    """Given what is no matrix, when it is compared, then one line says which file and why, with exit code 4."""
    path = tmp_path / "new.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    ended = run_command("diff", written(tmp_path, "old.json", OLD), str(path))
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("ERROR: ")
    assert len(ended.err.splitlines()) == 1
    assert told in ended.err
    assert "new.json" in ended.err


def rendered(text: str) -> str:
    """Markdown as GitHub's dialect makes HTML of it, in which raw HTML would stay."""
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def elements(html: str) -> set[str]:
    """The names of all elements in it."""
    return set(re.findall(r"<(\w+)", html))


KNOWN = {"h3", "h4", "p", "code", "blockquote", "table", "thead", "tbody", "tr", "th", "td"}


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40)), min_size=3, max_size=3))
def test_markdown_of_hostile_texts(texts: list[str]) -> None:
    """Given hostile ids and reasons, when they are told as Markdown, then they are code, and no row falls apart."""
    model, parameter, reason = (text or "-" for text in texts)
    old = matrix_with([cell(model, parameter)], name=model)
    new = matrix_with([cell(model, parameter, "rejected", reason=reason)], name=parameter, version=reason)
    text = as_markdown(compare_matrices(old, new))
    html = rendered(text)
    text.encode("utf-8")
    assert elements(html) <= KNOWN
    assert html.count("<tr>") == 2
    assert html.count("<td>") == 5
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", text)


@given(st.text(alphabet="`|\\ a@<", max_size=12))
def test_code_spans(text: str) -> None:
    """Given any mix of what delimits, when it is a table's code span, then it is one span and nothing else."""
    html = rendered(f"| a | b |\n| --- | --- |\n| {code(text)} | x |\n")
    cells = re.findall(r"<td>(.*?)</td>", html)
    assert len(cells) == 2
    assert re.fullmatch(r"<code>[^<]*</code>", cells[0])


def test_markdown_fits_a_comment() -> None:
    """Given far more changes than a comment holds, when they are told as Markdown, then it fits, and says it is cut."""
    old = large_matrix(models=200)
    for number, row in enumerate(old["cells"]):
        row["model"] = f"{'m' * 300}-{number % 200}"
    new: Any = {
        **old,
        "cells": [{**c, "verdict": "rejected", "rejected_by": "backend", "reason": "x" * 500} for c in old["cells"]],
    }
    text = as_markdown(compare_matrices(old, new))
    assert len(text.encode("utf-8")) <= COMMENT_LIMIT < 65_536
    assert re.search(r"… and [\d,]+ more rows \(newly broken\)\.", text)
    assert elements(rendered(text)) <= KNOWN


def test_caveats(tmp_path: Path) -> None:
    """Given an incomplete matrix of another gateway, when it is compared, then that is said."""
    new = matrix_with([cell("a")], name="proxy.example", simulated=False)
    new["run"]["complete"] = False
    ended = diffed(tmp_path, OLD, new)
    assert "The newer matrix is incomplete" in ended.out
    assert "The upstreams of the older one were simulators" in ended.out
    assert "These are two different gateways" in ended.out


@pytest.mark.parametrize("words", [("nonsense",), ("diff", "1.90"), ("shim", "--port=99999")])
def test_a_command_that_is_none_is_to_be_corrected(words: tuple[str, ...]) -> None:
    """Given words that are no command, when they are run, then the code says that something has to be corrected."""
    ended = run_command(*words)
    assert ended.code == 4, ended.all
    assert ended.err.splitlines()[-1].startswith("Error: ")
