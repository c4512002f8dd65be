"""What whole bodies prove, beside what the cells forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from conformance.matrix.document import dump_matrix, parse_matrix
from conformance.parameters import load_registry
from conformance.readiness.section import with_clients
from conformance.readiness.whole import whole_body
from conformance.readiness.words import is_named
from conformance.schemas.documents import ClientRequest, ProofRow, ReadinessRow
from conformance.tests.helpers.pages import cell, matrix_with
from conformance.tests.readiness.test_forecast import profiles, request

REGISTRY = load_registry()
CELLS = [
    cell(),
    cell(parameter="user", verdict="ignored"),
    cell(parameter="prompt_cache_key", verdict="rejected"),
]


def proof(verdict: Any = "accepted", *fields: str, by: Any = None, reason: str = "so it is.") -> ProofRow:
    """What became of a whole body."""
    evidence = ["claude-x.json#0123456789abcdef"]
    return {
        "verdict": verdict, "rejected_by": by, "reason": reason, "fields": list(fields), "evidence": evidence,
        "roles": ["probe"],
    }  # fmt: skip


def readiness(*asked: tuple[ClientRequest, ProofRow | None], cells: Sequence[dict[str, Any]] = CELLS) -> ReadinessRow:
    """How a client does whose requests were proved so, with a model of these cells."""
    proofs: dict[tuple[str, str, str], ProofRow] = {
        (each["endpoint"], each["mode"], whole_body(each).key(each["endpoint"])): row for each, row in asked if row
    }
    document = profiles(*(each for each, _ in asked))
    matrix = with_clients(matrix_with(cells), REGISTRY, document, lambda _: proofs)
    read = parse_matrix("".join(dump_matrix(matrix)), "matrix.json")
    (row,) = read["clients"]["readiness"]
    return row


def test_proof_and_forecast_agree() -> None:
    """Given a body that works and cells that say so, when both are told, then the reason names the proof."""
    row = readiness((request(body={"store": True}), proof()))
    (way,) = row["ways"]
    assert (row["readiness"], way["forecast"]) == ("works", "works")
    assert row["reason"] == "works (proved with a whole request)"
    assert [(each["turn"], each["verdict"]) for each in way["proofs"]] == [(1, "accepted")]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"prompt_cache_key": "k"}, "breaks on prompt_cache_key (refused by the gateway)"),
        ({"hue": 1}, "is not known: hue (not measured)"),
    ],
)
def test_a_success_beats_the_forecast(body: dict[str, Any], told: str) -> None:
    """Given cells that say that a body breaks, or nothing, when it succeeds whole, then it works; both are told."""
    row = readiness((request(body=body), proof()))
    assert row["readiness"] == "works"
    assert row["reason"] == f"works (proved with a whole request); by the cells alone it {told}"
    assert row["ways"][0]["forecast"] in ("breaks", "unknown")


def test_a_refusal_beats_the_forecast() -> None:
    """Given cells that say that a body works, when it is refused whole, then it breaks on what the refusal names."""
    row = readiness((request(body={"store": True}), proof("rejected", "hue", "tools[0]", by="backend")))
    assert row["readiness"] == "breaks"
    assert row["reason"] == (
        "breaks on hue, tools[0] (refused by the backend) (proved with a whole request); by the cells alone it works"
    )


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["prompt_cache_key"], ", and by the cells on seed (refused by the backend)"),
        (["seed"], ", and by the cells on prompt_cache_key (refused by the gateway)"),
        (["prompt_cache_key", "seed"], ""),
        (["hue"], ", and by the cells on prompt_cache_key (refused by the gateway); seed (refused by the backend)"),
        ([], ", and by the cells on prompt_cache_key (refused by the gateway); seed (refused by the backend)"),
    ],
)
def test_a_refusal_does_not_hide_what_the_cells_know(named: list[str], told: str) -> None:
    """Given cells that refuse two fields, when a whole request is refused and names some or none of them, then the
    reason names the others too: who mends what the refusal names would meet those next."""
    cells = [*CELLS, cell(parameter="seed", verdict="rejected", rejected_by="backend")]
    body = {"store": True, "prompt_cache_key": "k", "seed": 1}
    row = readiness((request(body=body), proof("rejected", *named, by="backend")), cells=cells)
    assert row["reason"].endswith(f"(refused by the backend) (proved with a whole request){told}")


def test_what_a_later_request_breaks_on_is_told() -> None:
    """Given a refused first request, when only the second holds another field that the cells refuse, then the reason
    names it and the request; what a success proved to be taken it does not name."""
    first, later = request(body={"store": True, "hue": 1}), request(turn=2, body={"prompt_cache_key": "k"})
    row = readiness((first, proof("rejected", "hue")), (later, None))
    assert row["reason"].startswith(
        "breaks on hue (proved with a whole request), and by the cells on prompt_cache_key "
    )
    assert "from request 2 on" in row["reason"]
    fine = readiness((first, proof("rejected", "hue")), (later, proof()))
    assert "prompt_cache_key" not in fine["reason"].partition("; by the cells alone")[0]


@pytest.mark.parametrize(
    ("field", "name", "expected"),
    [
        ("store:true", "store", True),
        ("tools.strict", "tools[0].strict", True),
        ("tools.strict:true", "tools.0", True),
        ("tools", "tools[3].strict", False),
        ("store", "stored", False),
        ("stored", "store", False),
        ("input.content.type:input_image", "input[2].content[0].type", True),
    ],
)
def test_names_of_refusals_and_of_cells(field: str, name: str, expected: bool) -> None:
    """Given the name that a cell has for a field and one in a refusal, when they are held together, then they are the
    same where the refusal names the field, or what holds it."""
    assert is_named(field, [name]) is expected


def test_a_refusal_that_names_nothing() -> None:
    """Given a refusal that names no field, when it is told, then its own words stand there."""
    row = readiness((request(body={}), proof("rejected", reason="refused with 400: Bad Request.")))
    assert row["reason"].startswith("breaks: refused with 400: Bad Request (proved with a whole request)")


def test_a_success_does_not_show_a_loss() -> None:
    """Given a field that is ignored, when the body succeeds whole, then it is lost all the same."""
    row = readiness((request(body={"user": "u"}), proof()))
    assert (row["readiness"], row["reason"]) == ("loses", "works, but user is lost (proved with a whole request)")


def test_a_proof_speaks_for_other_requests() -> None:
    """Given a body that succeeds whole, when another request of the client holds the same fields and was not asked,
    then those fields are fine there too; what only the other holds still counts."""
    first = request(body={"prompt_cache_key": "k", "hue": 1})
    again = request(turn=2, body={"hue": 1, "store": True})
    assert readiness((first, proof()), (again, None))["readiness"] == "works"
    more = request(turn=2, body={"hue": 1, "shade": 1})
    row = readiness((first, proof()), (more, None))
    assert (row["readiness"], row["ways"][0]["turn"]) == ("unknown", 2)
    assert "shade" in row["reason"]


@pytest.mark.parametrize(("body", "expected"), [({"store": True}, "works"), ({"prompt_cache_key": "k"}, "breaks")])
def test_what_decides_nothing(body: dict[str, Any], expected: str) -> None:
    """Given a body whose answers decide nothing, when it is told, then the cells count, and the reason says so."""
    row = readiness((request(body=body), proof("inconclusive", reason="rate limited (429): slow.")))
    assert row["readiness"] == row["ways"][0]["forecast"] == expected
    assert row["reason"].endswith("(a whole request decided nothing: rate limited (429): slow)")


def test_the_best_way_may_be_a_proved_one() -> None:
    """Given two ways of which cells say that both break, when one succeeds whole, then the client works in that."""
    fast, slow = (
        request("fast", body={"prompt_cache_key": "k"}),
        request("slow", body={"prompt_cache_key": "k", "n": 1}),
    )
    row = readiness((fast, proof("rejected", "prompt_cache_key")), (slow, proof()))
    assert (row["readiness"], row["way"]) == ("works", "slow")


def test_without_proof_nothing_is_said_of_it() -> None:
    """Given a run that asked no bodies, when its rows are read, then none speaks of proofs."""
    (way,) = readiness((request(body={"store": True}), None))["ways"]
    assert "proofs" not in way
    assert "forecast" not in way
