"""What is asked to settle a group of cells, against gateways whose every policy is known. No network."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from conformance.judge import findings, verdicts
from conformance.judge.reasons import Outcome
from conformance.judge.settling import fewest_requests, settle
from conformance.judge.verdicts import Channel, Passed
from conformance.parameters import BASELINE
from conformance.plan.cells import lanes
from conformance.tests.helpers.building import CHAT, RESPONSES
from conformance.tests.helpers.policies import (
    ENTRY,
    OK,
    PARAMETERS,
    VOICES,
    Policy,
    Watched,
    conversed,
    group,
    held,
    ok,
    parameter,
    random_policy,
    refusal,
)
from conformance.types import (
    Cause,
    Endpoint,
    Evidence,
    Mode,
    Model,
    Parameter,
    RejectedBy,
    Request,
    Response,
    Role,
    Verdict,
)


@pytest.mark.parametrize(
    "exhaustive", [pytest.param(False, id="together"), pytest.param(True, id="alone", marks=pytest.mark.slow)]
)
def test_no_wrong_verdict_among_faults(exhaustive: bool) -> None:
    """Given 300 random policies and a fault in every fifth answer, when cells are settled, then none is wrong."""
    cells = unclear = 0
    for seed in range(300):
        policy = random_policy(seed, stumbles=0.2)
        found = held(policy, group(mode=random.Random(seed).choice(list(Mode))), exhaustive=exhaustive)  # noqa: S311
        for p in PARAMETERS:
            cells += 1
            verdict = found[p.id].verdict
            if verdict is Verdict.INCONCLUSIVE:
                unclear += 1
            else:
                assert (verdict is Verdict.REJECTED) is policy.rejects(p), (seed, p.id, found[p.id])
    assert unclear / cells < 0.01


@pytest.mark.slow
def test_together_and_alone_give_the_same_verdicts() -> None:
    """Given random policies without faults, when cells are settled together and alone, then verdicts are the same."""
    saved = 0
    for seed in range(300):
        one, other = random_policy(seed, 0.0), random_policy(seed, 0.0)
        together, alone = held(one, group()), held(other, group(), exhaustive=True)
        assert {i: o.verdict for i, o in together.items()} == {i: o.verdict for i, o in alone.items()}, seed
        saved += len(other.asked) - len(one.asked)
    assert saved > 0


def test_all_successes_take_few_requests() -> None:
    """Given a gateway that takes everything, when cells are settled, then far fewer requests than cells are made."""
    policy = Policy()
    found = held(policy, group())
    assert {outcome.verdict for outcome in found.values()} == {Verdict.ACCEPTED}
    assert len(policy.asked) == fewest_requests(group()) <= len(PARAMETERS) // 2
    assert len({request.digest for request in policy.asked}) == len(policy.asked)


def test_cap_is_negotiated() -> None:
    """Given a model that refuses max_completion_tokens, when its baseline is sought, then max_tokens is taken."""
    policy = Policy(refused=frozenset({"max_completion_tokens"}))
    found = held(policy, group())
    assert {outcome.verdict for outcome in found.values()} == {Verdict.ACCEPTED}
    assert all("max_tokens" in request.body for request in policy.asked[1:])


def test_model_that_fails_leaves_its_cells_inconclusive() -> None:
    """Given a model that refuses every baseline, when cells are settled, then each says so, and no more is asked."""
    policy = Policy(refused=frozenset({"messages"}), voice=VOICES[4])
    found = held(policy, group())
    assert {outcome.verdict for outcome in found.values()} == {Verdict.INCONCLUSIVE}
    assert all(outcome.reason.startswith("the baseline failed") for outcome in found.values())
    assert len(policy.asked) == len(ENTRY.caps)


def test_what_builds_on_something_refused_does_not_apply() -> None:
    """Given a model without tools, when cells are settled, then what needs tools is not applicable, and says why."""
    found = held(Policy(refused=frozenset({"tools"})), group())
    dependents = [found[p.id] for p in PARAMETERS if p.context]
    assert {outcome.verdict for outcome in dependents} == {Verdict.NOT_APPLICABLE}
    assert all("its prerequisite tools is rejected: refused with 400" in outcome.reason for outcome in dependents)
    assert {outcome.rejected_by for outcome in dependents} == {None}


def test_what_builds_on_something_unclear_is_inconclusive() -> None:
    """Given tools that meet a rate limit each time, when cells are settled, then what needs them is inconclusive."""
    found = held(Watched((lambda r: "tools" in r.body, lambda _: refusal("slow down", 429))), group())
    dependents = [found[p.id] for p in PARAMETERS if p.context]
    assert {outcome.verdict for outcome in dependents} == {Verdict.INCONCLUSIVE}
    assert all("its prerequisite tools is inconclusive: rate limited" in outcome.reason for outcome in dependents)


def test_refusal_that_names_nothing_counts_when_it_repeats() -> None:
    """Given a refusal in no words, when it repeats between passing baselines, then it is a rejection."""
    found = held(Policy(refused=frozenset({"beta"}), voice=VOICES[4]), group())
    assert found["beta"].verdict is Verdict.REJECTED
    assert found["alpha"].verdict is Verdict.ACCEPTED
    assert len(found["beta"].evidence) == 4  # twice the probe, the baseline before and after


@pytest.mark.parametrize("status", [400, 403, 404, 408, 422, 500, 502, 504])
def test_whatever_names_the_parameter_is_believed_at_once(status: int) -> None:
    """Given a refusal that names the parameter, whatever its status, when it is asked for, then once is enough."""
    policy = Watched((lambda r: "beta" in r.body, lambda _: refusal("beta: Extra inputs are not permitted", status)))
    found = held(policy, group())
    assert found["beta"].verdict is Verdict.REJECTED
    assert found["alpha"].verdict is Verdict.ACCEPTED
    assert len([request for request in policy.asked if "beta" in request.body]) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 408, 422, 500, 502, 504])
def test_whatever_repeats_between_passing_baselines_is_a_rejection(status: int) -> None:
    """Given a failure in no words, whatever its status, when it repeats beside baselines, then it is a rejection."""
    policy = Watched((lambda r: "beta" in r.body, lambda _: refusal("oops", status)))
    outcome = held(policy, group())["beta"]
    assert outcome.verdict is Verdict.REJECTED
    assert outcome.rejected_by is RejectedBy.UNKNOWN
    assert outcome.reason == f"refused with {status}: oops"


@pytest.mark.parametrize("status", [401, 402, 407, 429, 503, 529])
def test_what_is_about_something_else_is_no_rejection(status: int) -> None:
    """Given a failure about the key, a limit or an overload, when it comes with one parameter, nothing is concluded."""
    policy = Watched((lambda r: "beta" in r.body, lambda _: refusal("beta: Extra inputs are not permitted", status)))
    found = held(policy, group())
    assert found["beta"].verdict is Verdict.INCONCLUSIVE
    assert found["alpha"].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("words", ["Budget has been exceeded! Spend=1", "The model `m` does not exist"])
def test_words_about_something_else_are_no_rejection(words: str) -> None:
    """Given words about a budget or the model's name, when they come with one parameter, nothing is concluded."""
    found = held(Watched((lambda r: "beta" in r.body, lambda _: refusal(words))), group())
    assert found["beta"].verdict is Verdict.INCONCLUSIVE


def test_a_firewall_does_not_tell_who_refuses() -> None:
    """Given a page in HTML that comes with one parameter, when it repeats, then nobody is blamed for it."""
    page = Response(status=403, body=b"<html><h1>Request blocked</h1></html>")
    outcome = held(Watched((lambda r: "beta" in r.body, lambda _: page)), group(), litellm=True)["beta"]
    assert (outcome.verdict, outcome.rejected_by) == (Verdict.REJECTED, RejectedBy.UNKNOWN)


def test_a_failure_that_does_not_repeat_is_none() -> None:
    """Given a 500 that comes once, when the parameter is asked for again, then it is accepted."""
    failures = iter([True])
    policy = Watched((lambda r: "beta" in r.body and next(failures, False), lambda _: refusal("oops", 500)))
    assert held(policy, group([PARAMETERS[1]]))["beta"].verdict is Verdict.ACCEPTED


def test_a_failure_that_comes_without_the_parameter_too_is_inconclusive() -> None:
    """Given a model that dies half-way, when the baseline fails too, then no parameter is blamed, and little asked."""

    class Dies(Policy):
        def answer(self, request: Request) -> Response:
            return refusal("oops", 500) if len(self.asked) > 3 else super().answer(request)

    policy = Dies()
    found = held(policy, group())
    unclear = {outcome.reason for outcome in found.values() if outcome.verdict is Verdict.INCONCLUSIVE}
    assert {outcome.verdict for outcome in found.values()} == {Verdict.ACCEPTED, Verdict.INCONCLUSIVE}
    assert unclear == {"the baseline fails too: server error 500: oops."}
    assert len(policy.asked) < len(PARAMETERS)


@pytest.mark.parametrize("words", ["oops", "create() got an unexpected keyword argument 'max_tokens'"])
def test_a_cap_is_negotiated_past_server_errors(words: str) -> None:
    """Given a model that refuses both caps with a 500, when its baseline is sought, then it is measured without one."""
    caps = frozenset({"max_completion_tokens", "max_tokens"})
    policy = Watched((lambda r: bool(caps & set(r.body)), lambda _: refusal(words, 500)))
    assert {outcome.verdict for outcome in held(policy, group()).values()} == {Verdict.ACCEPTED}


@pytest.mark.parametrize(("drops", "by"), [(True, RejectedBy.GATEWAY), (False, RejectedBy.BACKEND)])
def test_who_refused_is_settled_by_experiment(drops: bool, by: RejectedBy) -> None:
    """Given a refusal by nobody in particular, when LiteLLM is told to drop, then its success tells who it was."""

    class Nameless(Policy):
        def __call__(self, request: Request) -> Response:
            if "beta" in request.body and not (drops and request.body.get("drop_params")):
                return refusal("beta: Extra inputs are not permitted")
            return super().__call__(request)

    assert held(Nameless(), group(), litellm=True)["beta"].rejected_by is by
    assert held(Nameless(), group(), litellm=False)["beta"].rejected_by is RejectedBy.UNKNOWN


def test_what_was_never_recorded_is_not_judged() -> None:
    """Given no recording at all, when a dialogue is held with it, then every cell says that it was not recorded."""
    dialogue = settle(group())
    asked = next(dialogue)
    with pytest.raises(StopIteration) as end:  # the very first baseline is missing, and there is nothing more to ask
        dialogue.send((None,) * len(asked))
    assert all(not outcome.recorded for outcome in end.value.value.values())


def test_a_fault_costs_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a fault of ours that one mode's answers bring out, when both are settled, then the other's stand."""
    success = verdicts.outcome_of_success

    def faulty(parameter: Parameter, endpoint: Endpoint, passed: Passed, channel: Channel) -> Outcome:
        if passed.probe.request.mode is Mode.STREAM:
            raise KeyError("nobody thought of it")
        return success(parameter, endpoint, passed, channel)

    monkeypatch.setattr(findings, "outcome_of_success", faulty)
    for outcome in conversed(Policy(), group(mode=Mode.STREAM)).values():
        assert outcome.verdict is Verdict.INCONCLUSIVE
        assert outcome.cause is Cause.SUITE_FAULT
        assert outcome.reason.startswith("the suite failed to judge the answers: KeyError in faulty, line ")
    assert {outcome.verdict for outcome in held(Policy(), group()).values()} == {Verdict.ACCEPTED}


def test_a_second_value_waits_for_the_first() -> None:
    """Given a field that is refused whatever its value, when its levels are asked about, then only one of them is."""
    policy = Policy(refused=frozenset({"effort"}))
    found = held(policy, group())
    levels = [request.body["effort"] for request in policy.asked if "effort" in request.body]

    assert {found[f"effort:{level}"].verdict for level in ("low", "medium", "high")} == {Verdict.REJECTED}
    assert len(set(levels)) == 1


def test_two_that_do_not_go_together_need_no_second_refusal() -> None:
    """Given a refusal of both fields of one parameter, when it came in company, then it is asked for no more alone."""
    both = replace(parameter("warm"), id="warm+nucleus", bodies={CHAT: {"warm": 1, "nucleus": 1}})
    policy = Watched(
        (
            lambda request: {"warm", "nucleus"} <= set(request.body),
            lambda _: refusal("XException - `warm` and `nucleus` cannot both be specified for this model."),
        )
    )
    found = held(policy, group([PARAMETERS[0], both]))

    assert found["warm+nucleus"].verdict is Verdict.REJECTED
    assert found["alpha"].verdict is Verdict.ACCEPTED
    assert len([request for request in policy.asked if "warm" in request.body]) == 1


def test_a_place_that_is_named_may_be_anothers() -> None:
    """Given a bridge that moves a field into a list, when a refusal names its place there, then no neighbour is it."""
    moved, whole = parameter("moved", [{"mark": 1}]), parameter("list", [{"kind": "x"}])
    policy = Watched(
        (
            lambda request: "moved" in request.body,
            lambda _: refusal("Invalid JSON payload received. Unknown name \"mark\" at 'list.0': Cannot find field."),
        )
    )

    found = held(policy, group([moved, whole]))

    assert found["moved"].verdict is Verdict.REJECTED
    assert found["list"].verdict is Verdict.ACCEPTED


def dependent(after: str, value: Any) -> Parameter:
    """A parameter that sends back something of an earlier answer."""
    return replace(parameter("before"), bodies={CHAT: {"before": value}}, after=after)


def test_what_is_sent_back_comes_from_the_answer() -> None:
    """Given a parameter that sends an answer's id back, when it is asked for, then it holds the baseline's."""
    policy = Watched(
        (
            lambda request: "bogus_key" not in request.body,
            lambda r: Response(status=200, body=json.dumps({**OK, "id": "a1"}).encode()),
        )
    )
    found = held(policy, group([dependent(BASELINE, "{answer.id}")]))

    assert found["before"].verdict is Verdict.ACCEPTED
    assert [request.body["before"] for request in policy.asked if "before" in request.body] == ["a1"]


def test_what_no_answer_holds_does_not_apply() -> None:
    """Given answers without an id, when it would be sent back, then the parameter does not apply."""
    policy = Policy()
    found = held(policy, group([dependent(BASELINE, "{answer.id}")]))

    assert found["before"].verdict is Verdict.NOT_APPLICABLE
    assert not [request for request in policy.asked if "before" in request.body]


def test_what_follows_a_refused_parameter_does_not_apply() -> None:
    """Given a parameter whose source is refused, when cells are settled, then it is not applicable, and says why."""
    found = held(Policy(refused=frozenset({"alpha"})), group([PARAMETERS[0], dependent("alpha", "{answer.id}")]))

    assert found["before"].verdict is Verdict.NOT_APPLICABLE
    assert "its prerequisite alpha is rejected: refused with 400" in found["before"].reason


def test_a_parameter_is_held_against_the_one_it_names() -> None:
    """Given a parameter that is held against another, when both pass, then the other's success is its evidence."""
    against = replace(parameter("beta"), against="alpha")
    policy = Policy()
    found = held(policy, group([PARAMETERS[0], against]))
    unasked, asked = ([r for r in policy.asked if name in r.body] for name in ("alpha", "beta"))

    shown = (Evidence(Role.PROBE, asked[0].digest), Evidence(Role.BASELINE, unasked[0].digest))
    assert found["beta"].evidence[:2] == shown


def test_a_key_that_may_not_ask_for_a_deployment_asks_for_the_model() -> None:
    """Given a key that knows models by name only, when a deployment's id is refused, then the name is asked for."""
    model = Model(id="m", deployments=2, deployment_ids=("m-1", "m-2"))
    second = replace(group(), model=model, lane=lanes(model)[1])
    policy = Watched((lambda r: r.body["model"] != "m", lambda _: refusal("key not allowed to access model", 401)))
    found = held(policy, second)

    assert {outcome.verdict for outcome in found.values()} == {Verdict.ACCEPTED}
    assert {request.repeat // 10 for request in policy.asked if request.body["model"] == "m"} == {2}


def roles_of(outcome: Outcome) -> list[str]:
    """What the exchanges behind an outcome are to it, in their order."""
    return [str(each.role) for each in outcome.evidence]


def test_evidence_of_each_kind_has_its_role() -> None:
    """Given refusals and successes, when cells are settled, then each exchange says what it is to its cell."""
    policy = Policy(
        refused=frozenset({"tools", "beta", "effort"}), voice=lambda names: f"Unknown parameter: '{names[0]}'."
    )
    found = held(policy, group(), litellm=True)

    assert roles_of(found["alpha"]) == ["probe", "baseline", "unknown_key"]
    assert roles_of(found["beta"]) == ["probe", "dropped", "baseline"]
    assert roles_of(found["effort:high"]) == ["same_field", "same_field", "baseline"]
    assert roles_of(found["choice"]) == ["prerequisite", "prerequisite", "baseline"]


def test_repeated_refusals_are_probes_and_baselines() -> None:
    """Given a refusal that names nothing, when it repeats, then its evidence is probes, and baselines beside them."""
    found = held(Policy(refused=frozenset({"beta"}), voice=VOICES[4]), group())
    assert roles_of(found["beta"]) == ["probe", "probe", "baseline", "baseline"]


SWALLOWS = (lambda r: "bogus_key" in r.body, ok)


def texts(*names: str) -> list[Parameter]:
    """Parameters whose value is a text, which no answer shows."""
    return [replace(parameter(name), bodies={CHAT: {name: "text"}}) for name in names]


def test_wrong_types_tell_what_acceptance_is_worth() -> None:
    """Given a gateway that swallows a bogus key, when a wrong type of one field is refused, then that one is read."""
    policy = Watched(
        SWALLOWS,
        (lambda r: isinstance(r.body.get("alpha"), dict), lambda _: refusal("XException - Invalid type for 'alpha'")),
    )
    found = held(policy, group(texts("alpha", "beta")))

    assert found["alpha"].reason.endswith("a value of a wrong type is refused, so it is read.")
    assert "a bogus key is swallowed" in found["beta"].reason


def test_wrong_types_that_pass_prove_that_nobody_reads() -> None:
    """Given a gateway that swallows all, when wrong types pass as well, then each reason says so."""
    found = held(Watched(SWALLOWS), group(texts("alpha", "beta")))

    assert all("with a value of a wrong type passes just as gladly" in outcome.reason for outcome in found.values())


@pytest.mark.parametrize(
    ("kept", "verdicts"),
    [
        ({True, None}, {True: Verdict.ACCEPTED, False: Verdict.HONOURED}),
        ({True}, {True: Verdict.HONOURED, False: Verdict.ACCEPTED}),
        ({True, False, None}, {True: Verdict.ACCEPTED, False: Verdict.IGNORED}),
        (set(), {True: Verdict.ACCEPTED, False: Verdict.ACCEPTED}),
    ],
    ids=["as documented", "only when asked", "always", "never"],
)
def test_what_was_stored_can_be_fetched(kept: set[bool | None], verdicts: dict[bool, Verdict]) -> None:
    """Given a backend that stores some answers, when they are fetched by their ids, then `store` shows its effect."""

    def answer(request: Request) -> Response:
        stored = request.body.get("store")
        result = {"output": [], "id": f"{'kept' if stored in kept else 'lost'}-{stored}"}
        return Response(status=200, body=json.dumps(result).encode())

    def fetched(request: Request) -> Response:
        found = request.fetch.startswith("kept")
        return Response(status=200, body=b'{"output": []}') if found else refusal("not found", 404)

    entry = replace(ENTRY, channel={"store": "wrong type"})
    stores = [
        replace(
            parameter(f"store:{value}".lower(), value),
            bodies={RESPONSES: {"store": value}},
            effects={RESPONSES: "stored"},
        )
        for value in (True, False)
    ]
    policy = Watched(
        (lambda r: r.body.get("store") == "wrong type", lambda _: refusal("XException - Invalid type for 'store'")),
        (lambda r: "bogus_key" in r.body, lambda _: refusal("XException - Unknown parameter: 'bogus_key'.")),
        (lambda r: bool(r.fetch), fetched),
        (lambda r: True, answer),
    )
    of = replace(group(stores, entry=entry), endpoint=RESPONSES)
    found = held(policy, of)

    assert {value: found[f"store:{value}".lower()].verdict for value in (True, False)} == verdicts
