"""Tests of `conformance.provider.repair`: what a refusal makes of a request, in as many dialects as are known."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from conformance.provider.refusals.dialects import compiled
from conformance.provider.repair import Repair
from conformance.provider.table import Question, shipped_table_path
from conformance.tests.helpers.mending import NOTHING

DATA = shipped_table_path().parent
VECTORS = json.loads((DATA / "repair" / "repair_vectors.json").read_text(encoding="utf-8"))
DIALECTS = json.loads((DATA / "refusals" / "dialects.json").read_text(encoding="utf-8"))


def lines(section: str) -> pytest.MarkDecorator:
    """The lines of one section of the vectors, each as a test."""
    return pytest.mark.parametrize("line", [pytest.param(row, id=row["about"]) for row in VECTORS[section]])


def repair_of(line: dict[str, Any], **how: Any) -> Repair:
    """The repair of the request that a line is about."""
    body = copy.deepcopy(VECTORS["requests"][line["endpoint"]])
    return Repair(body, body, Question(body["model"], line["endpoint"], "stream"), NOTHING, **how)


@lines("refusals")
def test_refusals(line: dict[str, Any]) -> None:
    """Given a request and a vendor's refusal, when it is mended, then what was refused goes and nothing else."""
    repair = repair_of(line)
    before = json.dumps(repair.body)

    made = repair.next_body(line["refusal"]["status"], line["refusal"]["text"])

    assert made == line["mended"]
    assert [each.parameter for each in repair.kept] == line["kept"]
    assert json.dumps(repair.body) == before
    if made is not None:
        assert repair.event is not None
        assert list(repair.event.parameters) == line["refused"]
        assert repair.event.said_by == line["said_by"]
        assert repair.learnt == line["learnt"]


@lines("chains")
def test_chains(line: dict[str, Any]) -> None:
    """Given one refusal after another, when each is mended, then every body is new, and the end is explained."""
    repair = repair_of(line, mode=line["mode"])
    sent: list[Any] = []
    answered = False
    for answer in line["answers"]:
        answered = answer["status"] == 200
        made = None if answered else repair.next_body(answer["status"], answer["text"])
        if made is None:
            break
        sent.append(made)

    assert sent == line["sent"]
    assert (repair.learnt if answered else {}) == line["learnt"]
    assert list(repair.suspected if answered else ()) == line["suspected"]
    assert (None if answered else repair.explanation) == line["explanation"]


def test_there_are_thirty_forms() -> None:
    """Given the vectors, when those that are mended are counted, then they come from thirty places and more."""
    assert len({row["refusal"]["text"] for row in VECTORS["refusals"] if row["mended"] is not None}) >= 30


PATTERNS = [
    pytest.param(row, id=f"{name}-{number}")
    for name in ("refusals", "hints", "elsewhere", "allowed", "speakers")
    for number, row in enumerate(DIALECTS[name])
]


@pytest.mark.parametrize("row", PATTERNS)
def test_patterns_read_alike_everywhere(row: dict[str, Any]) -> None:
    """Given a pattern, when it is read, then it is of the subset that Python and JavaScript share, and bounded."""
    pattern = row["pattern"]
    bare = re.sub(r"\[\^?(?:\\.|[^\]\\])+\]", "C", re.sub(r"\\[\[\](){}.?*+^$|\\]", "c", pattern))

    assert compiled(row)
    assert not re.search(r"\\[sSdD0-9]|\(\?[a-zP]", pattern)
    assert not re.search(r"\\[^wWb\[\](){}.?*+^$|\\/trn]", pattern), "no escape that JavaScript's flag u refuses"
    assert not re.search(r"[^\\(][*+]", bare), "a quantifier without an end"
    assert not re.search(r",\}", bare)
