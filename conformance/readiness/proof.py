"""What whole bodies prove of a client, beside what the cells forecast. Pure.

A body that succeeds proves each field in it, also for the client's other requests, which may not have been asked
whole. That a field is lost no success shows, so there the cells still count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from conformance.readiness.meeting import Met
from conformance.readiness.words import (
    Readiness,
    is_named,
    readiness_of,
    refused_by,
    told_of_fields,
    told_of_refusals,
)
from conformance.schemas.documents import ProofRow, ReadinessField, ReadinessProof, ReadinessWay
from conformance.types import Verdict

#: What became of whole bodies with one model: by endpoint, mode and the body's key.
ProofsByBody: TypeAlias = Mapping[tuple[str, str, str], ProofRow]


def proved(way: ReadinessWay, met: Sequence[Met], proofs: ProofsByBody) -> ReadinessWay:
    """A way with what was proved of it; the same where no body of it was asked whole."""
    asked = [(each, proofs.get((each.asked.endpoint, each.asked.mode, each.asked.key))) for each in met]
    rows: list[ReadinessProof] = [{**proof, "turn": each.asked.turn} for each, proof in asked if proof]
    if not rows:
        return way
    fine = {place for each, proof in asked if proof and proof["verdict"] == "accepted" for place in _needs(each)}
    refused = [field for field in way["fields"] if field["verdict"] == Verdict.REJECTED.value and _counts(field, fine)]
    found = [_with_proof(each, proof, fine, refused) for each, proof in asked]
    order = list(Readiness)
    # Of requests that come to the same, one that was asked whole speaks for them.
    at = max(range(len(found)), key=lambda number: (order.index(found[number][0]), asked[number][1] is not None))
    readiness, reason = found[at]
    if readiness.value != way["readiness"]:
        verb = "is " if way["readiness"] == Readiness.UNKNOWN.value else ""
        reason = f"{reason}; by the cells alone it {verb}{way['reason']}"
    return {
        **way,
        "endpoint": met[at].asked.endpoint,
        "mode": met[at].asked.mode,
        "turn": met[at].asked.turn,
        "forecast": way["readiness"],
        "readiness": readiness.value,
        "reason": reason,
        "proofs": rows,
    }


def _needs(met: Met) -> set[tuple[str, str, str]]:
    """Everything that a request holds, by where it is sent."""
    needs = met.asked.needs
    names = (*needs.parameters, *needs.values, *needs.unasked) if needs else ()
    return {(met.asked.endpoint, met.asked.mode, name) for name in names}


def _with_proof(
    met: Met, proof: ProofRow | None, fine: set[tuple[str, str, str]], refused: Sequence[ReadinessField]
) -> tuple[Readiness, str]:
    """What a request comes to, and why; `refused` is what the cells know to be refused of any request of its way."""
    if proof and proof["verdict"] == "rejected":
        return Readiness.BREAKS, _told_of_refusal(proof, refused)
    if met.missing and not proof:
        return Readiness.UNKNOWN, met.missing
    left = [field for field in met.fields if _counts(field, fine)]
    readiness = readiness_of(left)
    told = told_of_fields(readiness, left, met.asked.turn)
    if proof and proof["verdict"] == "accepted":
        return readiness, f"{told} (proved with a whole request)"
    return (
        readiness,
        f"{told} (a whole request decided nothing: {proof['reason'].removesuffix('.')})" if proof else told,
    )


def _counts(field: ReadinessField, fine: set[tuple[str, str, str]]) -> bool:
    """False for a field that decides nothing, or was proved to be taken; that it is lost counts all the same."""
    is_fine = (field["endpoint"], field["mode"], field["field"]) in fine
    return not field["unsent"] and (not is_fine or field["verdict"] == Verdict.IGNORED.value)


def _told_of_refusal(proof: ProofRow, refused: Sequence[ReadinessField]) -> str:
    """What a refusal names, and what the cells know beside that: who mends the one would meet the other next."""
    named = ", ".join(proof["fields"])
    what = f"breaks on {named}" if named else f"breaks: {proof['reason'].removesuffix('.')}"
    told = f"{what}{refused_by(proof['rejected_by'])} (proved with a whole request)"
    others = [field for field in refused if not is_named(field["field"], proof["fields"])]
    if not others:
        return told
    return f"{told}, and by the cells on {told_of_refusals(others, 1)}"
