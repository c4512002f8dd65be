"""The example in `docs/verdicts.md`: the suite asks exactly what stands there, and concludes that."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from conformance.judge.findings import Found
from conformance.judge.settling import settle
from conformance.parameters import load_registry
from conformance.plan.cells import Group, make_plan
from conformance.tests.helpers.building import CHAT, WHOLE
from conformance.tests.helpers.policies import ok, refusal
from conformance.types import Exchange, Model, Request

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"
HEADING = "## An example, request by request"

#: What every request has, and what those have that follow the baseline.
ALWAYS, CAP = ["model", "messages"], "max_tokens"


def tables() -> list[list[list[str]]]:
    """The rows of the example's two tables, without their heads, as cells of text."""
    section = DOCUMENT.read_text("utf-8").partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    starts = [number for number, row in enumerate(rows) if row[0].startswith("---")] + [len(rows) + 1]
    return [rows[start + 1 : end - 1] for start, end in itertools.pairwise(starts)]


def names_in(cell: str) -> list[str]:
    """The names that stand in a cell as code."""
    return re.findall(r"`([^`]+)`", cell)


def asked_for(parameters: str) -> Group:
    """The group that asks for these parameters."""
    registry = load_registry()
    plan = make_plan([Model(id="m")], registry, registry.select(parameters), [CHAT])
    [group] = [group for group in plan.groups if group.mode is WHOLE]
    return group


def answered(request: Request, row: list[str]) -> Exchange:
    """A request with the answer that stands in its row; raises where the row is of another request."""
    number, fields, answer, _ = row
    expected = [*ALWAYS, *([CAP] if int(number) > 2 else []), *names_in(fields)]
    assert list(request.body) == expected, f"round {number}"
    status, _, words = answer.partition(" ")
    return Exchange(request, ok(request) if status == "200" else refusal(words, int(status)))


def hold(group: Group, rows: list[list[str]]) -> Found:
    """Hold a group's dialogue with the rows of the example, round by round."""
    dialogue, rounds = settle(group), [list(round_) for _, round_ in itertools.groupby(rows, itemgetter(0))]
    try:
        asked = next(dialogue)
        for answers in rounds:
            asked = dialogue.send(tuple(answered(request, row) for request, row in zip(asked, answers, strict=True)))
    except StopIteration as end:
        assert answers is rounds[-1], "the example goes on after the dialogue has ended"
        found: Found = end.value
        return found
    raise AssertionError(f"the dialogue goes on after the example has ended: {asked}")


def outcomes_of(found: Found) -> Iterator[list[str]]:
    """Outcomes as the example's second table has them."""
    for parameter, outcome in found.items():
        roles = ", ".join(str(each.role) for each in outcome.evidence)
        yield [f"`{parameter}`", outcome.verdict.value, outcome.cause.value if outcome.cause else "", roles]


def test_the_example_is_what_the_suite_does() -> None:
    """Given the example's answers, when its parameters are settled, then requests and outcomes are the example's."""
    requests, outcomes = tables()
    found = hold(asked_for(",".join(names_in(row[0])[0] for row in outcomes)), requests)

    assert sorted(outcomes_of(found)) == sorted(outcomes)
    assert len(requests) == 12
