"""Ask what clients send, whole and as it is sent: a success proves that it works, a refusal that it does not. Pure.

Its dialogue stands apart from the one that settles a group's parameters, so that neither changes with the other.
It begins with the same baseline, which is recorded once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from conformance.answers import dialects
from conformance.judge.dialogue import PATIENCE, Ask, patiently, together
from conformance.judge.reasons import Outcome, rejected, unclear, without_baseline
from conformance.judge.repeating import FIRM, STEADY
from conformance.judge.settling import begun
from conformance.judge.verdicts import answer_of, is_refusal, says_no
from conformance.plan.cells import Group, WholeBody
from conformance.types import Cause, Exchange, Request, Role, Verdict

#: The repetition of the baseline that is asked beside refused bodies; no other dialogue asks it so often.
_BESIDE = 9000


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of a client's whole body: the outcome, and the fields that its refusal names."""

    outcome: Outcome
    named: tuple[str, ...] = ()


#: What was found of bodies, by their keys.
Proofs = dict[str, Proof]


def prove(group: Group) -> Ask[Proofs]:
    """Ask every body of a group. Those that were not recorded, or have no baseline that passes, are left out."""
    group, start = yield from begun(group)
    if start.baseline is None or not answer_of(start.baseline).ok:
        return {}
    bodies = {body.key(group.endpoint): body for body in group.bodies}
    first: dict[str, Exchange] = {}
    yield from together(_ask(group, key, body, first) for key, body in bodies.items())
    proofs = {key: _first_proof(exchange, start.baseline) for key, exchange in first.items()}
    refused = {key: exchange for key, exchange in first.items() if says_no(answer_of(exchange))}
    if refused:
        proofs |= yield from _confirm(group, start.cap, {key: (bodies[key], each) for key, each in refused.items()})
    return proofs


def _ask(group: Group, key: str, body: WholeBody, found: dict[str, Exchange]) -> Ask[None]:
    exchange = yield from patiently(partial(group.whole, body))
    if exchange is not None:
        found[key] = exchange


def _first_proof(exchange: Exchange, baseline: Exchange) -> Proof:
    """What the first answer shows. A refusal shows nothing yet: it has to repeat."""
    answer = answer_of(exchange)
    shown = (Role.PROBE, exchange), (Role.BASELINE, baseline)
    outcome = Outcome(Verdict.ACCEPTED, "the whole request succeeds.") if answer.ok else unclear(answer)
    return Proof(outcome.shown_by(*shown))


def _confirm(group: Group, cap: Mapping[str, Any], refused: Mapping[str, tuple[WholeBody, Exchange]]) -> Ask[Proofs]:
    """Ask refused bodies again, beside a baseline: only what repeats counts."""
    asked: dict[str, list[Request]] = {}
    for key, (body, exchange) in refused.items():
        # A 4xx is nobody's accident; a 5xx may be one.
        often = FIRM if is_refusal(answer_of(exchange)) else STEADY
        asked[key] = [group.whole(body, PATIENCE + n) for n in range(often - 1)]
    requests = [request for each in asked.values() for request in each]
    *came, beside = yield (*requests, group.request(cap, again=_BESIDE))
    answers = iter(came)
    proofs: Proofs = {}
    for key, requests_of in asked.items():
        more = [next(answers) for _ in requests_of]
        if beside is not None and None not in more:
            proofs[key] = _confirmed([refused[key][1], *(each for each in more if each)], beside)
    return proofs


def _confirmed(exchanges: list[Exchange], beside: Exchange) -> Proof:
    """What a body comes to that was refused, and asked again."""
    shown = *((Role.PROBE, each) for each in exchanges), (Role.BASELINE, beside)
    passed = next((each for each in exchanges if answer_of(each).ok), None)
    if passed is not None:
        return _first_proof(passed, beside)
    if not answer_of(beside).ok:
        return Proof(without_baseline(Cause.BASELINE_LOST, answer_of(beside)).shown_by(*shown))
    if not all(says_no(answer_of(each)) for each in exchanges):
        return Proof(unclear(answer_of(exchanges[-1])).shown_by(*shown))
    answer = answer_of(exchanges[0])
    outcome = rejected(Cause.REFUSAL_REPEATED, answer, exchanges[0].response)
    return Proof(outcome.shown_by(*shown), tuple(sorted(dialects.offenders(answer.refusal or ""))))
