"""Whole bodies of clients, asked of gateways whose policies are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from conformance.judge.dialogue import Ask, T
from conformance.judge.proving import Proof, Proofs, prove
from conformance.plan.cells import Group, Lane, WholeBody
from conformance.tests.helpers.building import CHAT
from conformance.tests.helpers.policies import VOICES, Policy, Watched, conversed, group, ok, refusal
from conformance.types import Exchange, Model, RejectedBy, Request, Response, Role, Verdict

BODY: dict[str, Any] = {"messages": [], "alpha": 1, "beta": {"b": 2}, "max_tokens": 32_000}
OTHER: dict[str, Any] = {"messages": [], "gamma": 3}


def with_bodies(*bodies: Mapping[str, Any]) -> Group:
    """A group that asks these bodies beside its parameters."""
    return replace(group(), bodies=tuple(map(WholeBody, bodies)))


def held(dialogue: Ask[T], answer: Callable[[Request], Response | None]) -> T:
    """What a dialogue finds; what is answered with None was not recorded."""
    try:
        asked = next(dialogue)
        while True:
            came = [(request, answer(request)) for request in asked]
            asked = dialogue.send(tuple(Exchange(request, told) if told else None for request, told in came))
    except StopIteration as end:
        found: T = end.value
        return found


def proofs(answer: Callable[[Request], Response | None], *bodies: Mapping[str, Any]) -> Proofs:
    """What becomes of bodies."""
    return held(prove(with_bodies(*bodies)), answer)


def proof(answer: Callable[[Request], Response | None]) -> Proof:
    """What becomes of the one body."""
    return proofs(answer, BODY)[WholeBody(BODY).key(CHAT)]


def is_whole(request: Request) -> bool:
    """True for a client's body, false for a baseline."""
    return "beta" in request.body


def test_a_success_is_proof() -> None:
    """Given a gateway that takes everything, when a body is asked, then it goes out as the client sends it, once, and
    its success is the proof."""
    policy = Policy()
    found = proof(policy)
    assert (found.outcome.verdict, found.outcome.rejected_by, found.named) == (Verdict.ACCEPTED, None, ())
    assert [request.body for request in policy.asked if is_whole(request)] == [{"model": "m", **BODY}]
    assert [each.role for each in found.outcome.evidence] == [Role.PROBE, Role.BASELINE]


@pytest.mark.parametrize("voice", VOICES[:4], ids=["all", "pydantic", "first", "json"])
def test_a_refusal_that_repeats_is_proof(voice: Callable[[list[str]], str]) -> None:
    """Given a gateway that refuses a field, when a body holds it, then it is refused twice beside a baseline that
    passes, and the fields that the words name are kept."""
    policy = Policy(refused=frozenset({"beta"}), voice=voice)
    found = proof(policy)
    assert (found.outcome.verdict, found.named) == (Verdict.REJECTED, ("beta",))
    assert "refused with 400" in found.outcome.reason
    roles = [each.role for each in found.outcome.evidence]
    assert roles == [Role.PROBE, Role.PROBE, Role.BASELINE]


def test_a_refusal_that_names_nothing() -> None:
    """Given a gateway that refuses in no words, when a body is refused, then it breaks, and no field is invented."""
    found = proof(Policy(refused=frozenset({"beta"}), voice=VOICES[4]))
    assert (found.outcome.verdict, found.named) == (Verdict.REJECTED, ())


def test_who_refused() -> None:
    """Given LiteLLM's own words, when a body is refused in them, then it was the gateway."""
    assert proof(Policy(refused=frozenset({"beta"}))).outcome.rejected_by is RejectedBy.GATEWAY


class Accident:
    """A gateway that fails the first so many times that it is asked a whole body."""

    def __init__(self, answer: Response, times: int) -> None:
        """Answer so, so often."""
        self.answer, self.left, self.asked = answer, times, 0

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        self.asked += is_whole(request)
        if is_whole(request) and self.left:
            self.left -= 1
            return self.answer
        return ok(request)


@pytest.mark.parametrize(
    ("answer", "times", "verdict"),
    [
        (refusal("Bad Request"), 1, Verdict.ACCEPTED),
        (refusal("Internal Server Error", 500), 1, Verdict.ACCEPTED),
        (refusal("Internal Server Error", 500), 3, Verdict.ACCEPTED),
        (refusal("Internal Server Error", 500), 100, Verdict.REJECTED),
        (refusal("slow down", 429), 100, Verdict.INCONCLUSIVE),
        (Response(status=None, error="the connection broke"), 100, Verdict.INCONCLUSIVE),
    ],
)
def test_what_does_not_repeat_is_no_proof(answer: Response, times: int, verdict: Verdict) -> None:
    """Given a gateway that fails by chance or for good, when a body is asked, then only what repeats more often than
    chance explains counts as a refusal, and a rate limit never does."""
    gateway = Accident(answer, times)
    assert proof(gateway).outcome.verdict is verdict
    assert gateway.asked <= 6


def test_the_baseline_is_lost() -> None:
    """Given a gateway that stops to answer, when a body is refused and the baseline fails beside it, then that is no
    proof."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return ok(request) if len(seen) == 1 else refusal("nothing any more")

    found = proof(answer)
    assert found.outcome.verdict is Verdict.INCONCLUSIVE
    assert found.outcome.reason.startswith("the baseline fails too")


def test_no_baseline_no_proof() -> None:
    """Given a model that answers nothing, when bodies are to be asked, then none is."""
    policy = Watched((lambda _: True, lambda _: refusal("no such model", 404)))
    assert proofs(policy, BODY) == {}
    assert not any(is_whole(request) for request in policy.asked)


def test_what_was_not_recorded_is_left_out() -> None:
    """Given a recording that lacks a body, as where the client was captured anew since, when it is replayed, then the
    others have their proof and that one has none."""
    found = proofs(lambda request: None if is_whole(request) else ok(request), BODY, OTHER)
    assert set(found) == {WholeBody(OTHER).key(CHAT)}
    refused_once = Policy(refused=frozenset({"beta"}))
    assert (
        proofs(lambda request: refused_once(request) if request.repeat < 3 else None, BODY)[
            WholeBody(BODY).key(CHAT)
        ].outcome.verdict
        is Verdict.INCONCLUSIVE
    )


def test_bodies_change_nothing_of_the_parameters() -> None:
    """Given a group with bodies, when its parameters are settled, then it asks and finds what it does without them,
    and the bodies' dialogue begins with the same baseline."""
    without, beside, alone = (Policy(refused=frozenset({"alpha", "warm"})) for _ in range(3))
    assert conversed(without, group()) == conversed(beside, with_bodies(BODY, OTHER))
    digests = [request.digest for request in without.asked]
    assert digests == [request.digest for request in beside.asked]
    proofs(alone, BODY, OTHER)
    assert [request.digest for request in alone.asked if request.digest in digests] == [digests[0]]


def test_a_deployment_is_asked_by_its_id() -> None:
    """Given a group of one deployment, when a body is asked, then it names that deployment for its model."""
    policy = Policy()
    model = Model(id="m", deployments=2, deployment_ids=("one", "two"))
    held(prove(replace(with_bodies(BODY), model=model, lane=Lane("two"))), policy)
    assert [request.body["model"] for request in policy.asked if is_whole(request)] == ["two"]
