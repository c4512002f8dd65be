"""Tests of the compatibility page as text: self-contained, guarded, exact. What it does is tested in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.__main__ import commands
from conformance.cassettes.folder import Folder
from conformance.errors import ReportError
from conformance.matrix.comparison import Kind
from conformance.matrix.document import Matrix, counts, disagreements, dump_matrix, parse_matrix
from conformance.parameters import load_registry
from conformance.report.evidence import LETTERS
from conformance.report.grid import CHANGE, DIFFERS, SPLIT, axes_of, planes_of
from conformance.report.legend import SHOWN, letter_of
from conformance.report.overview import by_model, by_route, facts
from conformance.report.page import cell_fragment, render_page, write_page
from conformance.report.signs import OF_VERDICT
from conformance.tests.helpers.containing import has
from conformance.tests.helpers.pages import HOSTILE, cell, large_matrix, matrix_with
from conformance.tests.helpers.parsed_page import Parsed, packet
from conformance.tests.helpers.running import CHECKOUT, run_pytest
from conformance.tests.helpers.shipped import RECORDING, shipped_replay
from conformance.types import WORST_FIRST, CellKey, Endpoint, Mode, Role, Verdict


@pytest.fixture(scope="module")
def shipped() -> Matrix:
    """The matrix of the shipped recording."""
    return shipped_replay().matrix()


@pytest.fixture(scope="module")
def page(shipped: Matrix) -> str:
    """The page of the shipped recording."""
    return render_page(shipped, RECORDING.read_model)


def test_policy_allows_this_script_and_style_alone(page: str) -> None:
    """Given a page, when its policy is read, then it names its script and style by hash, and allows nothing else."""
    parsed = Parsed(page)
    policy = next(a["content"] for _, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy")
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (
            re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1],  # type: ignore[index]
            re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1],  # type: ignore[index]
        )
    ]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_loads_nothing(page: str) -> None:
    """Given a page, when its elements are read, then none loads anything, nor carries a script or style."""
    for tag, attributes in Parsed(page).elements:
        assert "src" not in attributes, tag
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert tag not in ("iframe", "object", "embed", "form", "base"), tag
        if tag == "link":
            assert (attributes["href"] or "").startswith("data:"), attributes
        elif "href" in attributes:
            assert (attributes["href"] or "").startswith("#"), attributes
    assert not re.search(r"\burl\((?!\"data:)|@import|fetch\(|XMLHttpRequest|WebSocket|sendBeacon", page)


def test_is_small(page: str) -> None:
    """Given the shipped recording, when its page is made, then it is under 3 MB, evidence included."""
    assert len(page.encode()) < 3_000_000


def test_every_cell_stands_in_the_grid(shipped: Matrix, page: str) -> None:
    """Given a matrix, when its page's data is read, then each cell has its verdict's letter, and no other is there."""
    data = Parsed(page).data
    rows = {m["id"]: n for n, m in enumerate(data["models"])}
    columns = {p["id"]: n for n, p in enumerate(data["parameters"])}
    planes = {(p["endpoint"], p["mode"]): p for p in data["planes"]}
    differing = list(disagreements(shipped))
    for each in shipped["cells"]:
        plane = planes[each["endpoint"], each["mode"]]
        row, column = rows[each["model"]], columns[each["parameter"]]
        assert plane["verdicts"][row][column] == letter_of(each)
        marks = int((plane["marks"][row] or "0" * len(columns))[column], 32)
        assert bool(marks & SPLIT) == bool(each.get("split"))
        assert bool(marks & DIFFERS) == (each in differing)
    asked = sum(letter != "." for plane in planes.values() for row in plane["verdicts"] for letter in row)
    assert asked == len(shipped["cells"])


def test_evidence_has_its_roles(shipped: Matrix, page: str) -> None:
    """Given the shipped recording, when evidence is unpacked, then each exchange is there, and is what it is called."""
    parsed, registry = Parsed(page), {p.id: p for p in load_registry().parameters}
    data = parsed.data
    for model in ("claude-haiku-4-5", "team-default"):
        unpacked = packet(parsed, model)
        for each in (c for c in shipped["cells"] if c["model"] == model):
            plane = next(
                n
                for n, p in enumerate(data["planes"])
                if (p["endpoint"], p["mode"]) == (each["endpoint"], each["mode"])
            )
            column = [p["id"] for p in data["parameters"]].index(each["parameter"])
            reason, set_, declared, *_ = unpacked["cells"][plane][column]
            roles, *numbers = unpacked["sets"][set_]
            assert unpacked["reasons"][reason] == each["reason"]
            assert declared == each["declared"]
            assert [unpacked["refs"][n] for n in numbers] == each["evidence"]
            assert roles == "".join(LETTERS[role] for role in each["roles"])
            added = registry[each["parameter"]].bodies[Endpoint(each["endpoint"])]
            for role, number in zip(roles, numbers, strict=True):
                sent = json.loads(unpacked["exchanges"][number]["sent"] or "{}")
                if "{answer." not in json.dumps(added):
                    assert (role in "pd") == has(sent, added), (each, role, sent)
                assert (role == "k") == ("conformance_bogus_key" in sent)
                assert (role == "w") == ('"wrong' in json.dumps(sent))
                assert (role == "f") == (sent == {})


def test_each_role_has_words() -> None:
    """Given the roles of evidence, when the page's script is read, then it has words for the letter of each."""
    script = (CHECKOUT / "conformance/report/templates/page/evidence.js").read_text("utf-8")
    words = re.findall(r'^  (\w): "', script[script.index("ROLES") :], re.MULTILINE)
    assert set(LETTERS) == {*Role, None}
    assert sorted(words) == sorted(set(LETTERS.values()) - {LETTERS[None]})


def test_matrix_without_roles() -> None:
    """Given a matrix of an older suite, when its page is made, then its exchanges are there, and nobody guesses."""
    refs = [f"claude-x.json#{digit * 16}" for digit in "ab"]
    unpacked = packet(Parsed(render_page(matrix_with([cell(evidence=refs)]))), "claude-x")
    assert unpacked["refs"] == refs
    assert unpacked["sets"] == [["--", 0, 1]]


def test_evidence_is_exact_and_says_what_it_leaves_out(page: str) -> None:
    """Given recorded exchanges, when they are packed, then requests are as sent, bodies whole or cut and counted."""
    unpacked, recorded = packet(Parsed(page), "claude-haiku-4-5"), RECORDING.read_model("claude-haiku-4-5")
    cut = 0
    for ref, told in zip(unpacked["refs"], unpacked["exchanges"], strict=True):
        exchange = recorded[ref.partition("#")[2]]
        assert told["sent"].encode() == exchange.request.content
        body = exchange.response.body.decode()
        assert body.startswith(told["body"][0])
        assert body.endswith(told["body"][-1])
        assert sum(map(len, told["body"])) + told.get("left", 0) == len(body)
        cut += "left" in told
    assert cut


def test_little_room_keeps_the_telling_exchanges(shipped: Matrix) -> None:
    """Given less and less room, when a page is made, then it keeps to it, and verdicts, reasons and digests stay."""
    kept, sizes = [], []
    for allowance in (4_000_000, 400_000, 100_000):
        parsed = Parsed(render_page(shipped, RECORDING.read_model, allowance=allowance))
        sizes.append(sum(map(len, parsed.data["evidence"])))
        unpacked = packet(parsed, "claude-haiku-4-5")
        kept.append(sum(each is not None for each in unpacked["exchanges"]) / len(unpacked["refs"]))
        assert len(unpacked["reasons"]) > 10
        assert unpacked["short"] == (allowance < 4_000_000)
    assert kept[0] == 1 > kept[1] > kept[2] == 0
    assert sizes[1] <= 400_000 < sizes[0]


def test_page_without_recordings(shipped: Matrix) -> None:
    """Given a matrix alone, when its page is made, then all verdicts are there, and evidence is named but not held."""
    parsed = Parsed(render_page(shipped))
    unpacked = packet(parsed, "gpt-4.1")
    assert set(unpacked["exchanges"]) == {None}
    assert all(re.fullmatch(r"gpt-4\.1\.json#[0-9a-f]{16}", ref) for ref in unpacked["refs"])


def test_head(shipped: Matrix, page: str) -> None:
    """Given a run, when its page is read, then its head says what was measured, where, when, and how."""
    told = dict(facts(shipped, axes_of(shipped, load_registry())))
    assert told["Gateway"] == "embedded: litellm 1.109.1"
    assert re.fullmatch(r"\d+ [A-Z][a-z]+ 20\d\d, \d\d:\d\d(–\d\d:\d\d)? UTC", told["Measured"])
    assert told["Cells"] == f"{len(shipped['cells']):,}"
    assert told["Complete"] == "yes"
    assert "simulators that follow the vendors’ published schemas" in page
    assert "Incomplete" not in page


def test_incomplete_run_says_so() -> None:
    """Given a run that was cut short, when its page is read, then it says so, and names no simulator."""
    matrix = matrix_with([cell()], simulated=False, version=None, software=None)
    matrix["run"] |= {"complete": False, "selection": "claude*", "started_at": "yesterday", "finished_at": "today"}
    told = dict(facts(matrix, axes_of(matrix, load_registry())))
    page = render_page(matrix)
    assert told["Complete"].startswith("no")
    assert told["Gateway"] == "embedded: unknown software"
    assert told["Measured"] == "yesterday – today"
    assert told["Models"] == "1, selected by claude*"
    assert "<strong>Incomplete.</strong>" in page
    assert "<strong>Simulated upstreams.</strong>" not in page


def test_routes_are_summed_up() -> None:
    """Given models of two routes, when they are summed up, then each has its share, what breaks and what vanishes."""
    models: list[dict[str, Any]] = [
        {"id": "a", "route": "x", "served_by": []},
        {"id": "b", "route": None, "served_by": []},
        {"id": "c", "route": "x", "served_by": []},
    ]
    cells = [
        cell("a", "store:true", "rejected"),
        cell("a", "store:false", "rejected"),
        cell("c", "store:true", "honoured"),
        cell("c", "user", "ignored"),
        cell("c", "seed", "rejected"),  # not of the core
        cell("c", "top_p", "inconclusive"),
        cell("b", "user", "inconclusive"),
    ]
    matrix = matrix_with(cells, models)
    axes = axes_of(matrix, load_registry())
    first, second = by_route(matrix, axes)
    assert (first.route, first.models, first.cells, first.supported) == ("x", 2, 6, 20)
    assert [(a.path, a.values, a.models) for a in first.refused] == [("store", ("true", "false"), 1)]
    assert [(a.path, a.models) for a in first.vanishes] == [("user", 1)]
    assert (second.route, second.supported, second.refused) == (None, None, ())
    assert [(m["id"], tally[Verdict.REJECTED]) for m, tally in by_model(matrix, axes)] == [("a", 2), ("c", 1), ("b", 0)]


def test_sums_without_scripts(shipped: Matrix, page: str) -> None:
    """Given a browser without scripts, when it opens the page, then a table has every model's verdicts, summed up."""
    table = page[page.index("<noscript>") : page.index("</noscript>")]
    assert len(re.findall(r'<th scope="row">', table)) == len(shipped["models"])
    numbers = [int(n) for n in re.findall(r"<td>(\d+)</td>", table)]
    assert sum(numbers) == len(shipped["cells"]) == sum(counts(shipped).values())


def test_changes_are_marked_and_listed(shipped: Matrix) -> None:
    """Given an older matrix, when the page is made, then changed cells are marked, and all changes listed by kind."""
    new = matrix_with([cell("a", "store:true", "rejected"), cell("a", "user"), cell("b", "user")])
    old = matrix_with([cell("a", "store:true"), cell("a", "user"), cell("c", "user")], version="1.0")
    page = render_page(new, baseline=old)
    parsed = Parsed(page)
    [plane] = parsed.data["planes"]
    kinds = [
        parsed.data["kinds"][int(mark, 32) // CHANGE - 1]["id"] for row in plane["marks"] for mark in row if mark > "3"
    ]
    assert kinds == [Kind.NEWLY_BROKEN, Kind.APPEARED]
    assert '<span class="kind kind-newly_broken">newly broken</span> 1 cell' in page
    assert "accepted → rejected by the gateway" in page
    assert "the whole model <bdi>c</bdi>" in page
    assert packet(parsed, "a")["cells"][0][0][4] == ["a", "because."]
    assert "Nothing changed" in render_page(new, baseline=new)
    assert "Changed since" not in render_page(new)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(text: str) -> None:
    """Given a hostile text in every place, when the page is parsed, then it has the elements that it always has."""

    def elements(text: str) -> list[str]:
        models = [{"id": text, "route": text, "served_by": [text]}]
        hostile = matrix_with(
            [cell(text, text, "rejected", fields=[text], reason=text, split={text: "rejected"})],
            models,
            name=text,
            url=text,
            software=text,
            version=text,
        )
        hostile["run"] |= {"selection": text, "started_at": text, "finished_at": text}
        page = render_page(hostile, baseline={**hostile, "cells": []})
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", page)
        parsed = Parsed(page)
        assert parsed.data["models"][0]["id"] == text
        assert parsed.data["parameters"][0]["id"] == text
        return [tag for tag, _ in parsed.elements]

    assert elements(text) == elements("harmless")


@settings(max_examples=30)
@given(st.text(st.characters(codec=None), min_size=1))
def test_any_text_is_written_and_read_back(text: str) -> None:
    """Given any text for an id, when the page is written, then it is UTF-8, and its data holds the text as it is."""
    page = render_page(matrix_with([cell(text, reason=text)]))
    assert Parsed(page.encode("utf-8").decode("utf-8")).data["models"][0]["id"] == text


def test_cell_fragment() -> None:
    """Given a cell, when it is linked to, then its names are encoded, so that slashes and surrogates do no harm."""
    key = CellKey("openai/gpt 5\ud800#&=é", Endpoint.RESPONSES, Mode.STREAM, "reasoning.effort:low")
    assert (
        cell_fragment(key) == "#cell=responses/stream/reasoning.effort%3Alow/openai%2Fgpt%205%EF%BF%BD%23%26%3D%C3%A9"
    )


def test_verdicts_are_all_shown() -> None:
    """Given all verdicts, when they are shown, then each has its own letters, sign and badness."""
    letters = [letter for shown in SHOWN.values() for letter in shown.letters.values()]
    assert set(SHOWN) == set(Verdict) == set(WORST_FIRST)
    assert len(letters) == len(set(letters))
    assert len({each.sign for each in OF_VERDICT.values()}) == len(SHOWN) == len(OF_VERDICT)


def test_unknown_parameters_have_a_place() -> None:
    """Given a matrix of another registry, when it is laid out, then its parameters stand last."""
    matrix = matrix_with([cell("m", "brand_new"), cell("m", "user")], [{"id": "idle", "route": None, "served_by": []}])
    axes = axes_of(matrix, load_registry())
    assert [(p["id"], p["group"]) for p in axes.parameters] == [("user", "privacy"), ("brand_new", "other")]
    assert [m["id"] for m in axes.models] == ["idle", "m"]
    assert planes_of(matrix, axes)[0].verdicts == ["..", "aa"]


def test_empty_matrix() -> None:
    """Given a matrix without cells, when its page is made, then there is one."""
    assert "Every cell" in render_page(matrix_with([]))


def test_command(tmp_path: Path, shipped: Matrix) -> None:
    """Given a matrix file, when the command is run, then the page lies beside it, or where it was told to."""
    matrix = tmp_path / "matrix.json"
    matrix.write_text("".join(dump_matrix(matrix_with([cell()]))), encoding="utf-8")
    older = tmp_path / "older.json"
    older.write_text("".join(dump_matrix(matrix_with([cell(verdict="rejected")]))), encoding="utf-8")
    result = CliRunner().invoke(commands, ["report", f"--matrix={matrix}", f"--cassettes={tmp_path}"])
    assert result.exit_code == 0
    assert "the page has no evidence" in result.stderr
    assert result.stdout == f"page: {tmp_path / 'index.html'}\n"
    options = [f"--matrix={matrix}", f"--baseline={older}", f"--out={tmp_path / 'new' / 'p.html'}"]
    assert CliRunner().invoke(commands, ["report", *options]).exit_code == 0
    assert "newly working" in (tmp_path / "new" / "p.html").read_text(encoding="utf-8")


def test_command_with_bad_input_is_one_line(tmp_path: Path) -> None:
    """Given no matrix, or one that is none, when the command is run, then an error says what and what to do."""
    result = CliRunner().invoke(commands, ["report", f"--matrix={tmp_path / 'none.json'}"])
    assert isinstance(result.exception, ReportError)
    assert "cannot read the matrix" in str(result.exception)
    assert "\n" not in str(result.exception)


def test_unwritable_page(tmp_path: Path) -> None:
    """Given a place that cannot be written to, when the page is written, then one line says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot write"):
        write_page(tmp_path / "file" / "index.html", matrix_with([cell()]), Folder(tmp_path))


def test_every_run_writes_the_page(tmp_path: Path) -> None:
    """Given the shipped recording, when pytest replays it, then the page lies beside the matrix, as it says."""
    ended = run_pytest(f"--reports={tmp_path}", "--parameters=store", "--models=gpt-4.1")
    assert ended.code in (0, 1), ended.all
    assert f"page: {tmp_path / 'index.html'}" in ended.out
    page = Parsed((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert [model["id"] for model in page.data["models"]] == ["gpt-4.1"]
    assert all(packet(page, "gpt-4.1")["exchanges"])


def test_large_matrix_is_valid() -> None:
    """Given the matrix that the page's speed is measured with, when it is checked, then it fits the schema."""
    matrix = large_matrix(models=2)
    assert parse_matrix(json.dumps(matrix), "large") == matrix
