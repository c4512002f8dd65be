"""Tests of `conformance.judge`: each verdict, and each way in which the evidence does not carry one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from conformance.judge import Judge, deployment_of
from conformance.tests.building import (
    CHAT,
    RESPONSES,
    STREAM,
    WHOLE,
    exchanged,
    plan_cell,
    refused,
    said,
    sse,
    succeeded,
)
from conformance.types import (
    Endpoint,
    Exchange,
    Judgement,
    Mode,
    PlannedCell,
    RejectedBy,
    Request,
    Response,
    Verdict,
)

#: How a scripted upstream answers a request; None for one that was never recorded.
Answering = Callable[[Request], Response | None]

GATEWAY_SAYS_NO = (
    "litellm.UnsupportedParamsError: databricks does not support parameters: ['store'], for model=m. To drop …"
)
BACKEND_SAYS_NO = 'litellm.BadRequestError: DatabricksException - {"message":"store: Extra inputs are not permitted"}'


def ok(request: Request) -> Response:
    """Succeed, showing nothing of the parameter."""
    return succeeded(request)


def never(_: Request) -> None:
    """Have no recording."""


def says(message: str, status: int = 400, headers: dict[str, str] | None = None) -> Answering:
    """Refuse in these words."""
    return lambda request: refused(message, status, headers)


def shows(**shown: Any) -> Answering:
    """Succeed, showing this in the answer's object."""
    return lambda request: succeeded(request, **shown)


def gives(response: Response) -> Answering:
    """Answer always the same."""
    return lambda request: response


@dataclass
class Upstream:
    """What each kind of a cell's requests is answered with; the others succeed."""

    baseline: Answering = ok
    probe: Answering = ok
    bogus: Answering = ok
    wrong: Answering = ok

    def judge(self, cell: PlannedCell) -> Judgement:
        """The verdict of a cell by these answers."""
        roles = {
            request.digest: answering
            for requests, answering in (
                (cell.baselines, self.baseline),
                (cell.probes, self.probe),
                (cell.bogus, self.bogus),
                (cell.wrong, self.wrong),
            )
            for request in requests
        }

        def find(request: Request) -> Exchange | None:
            response = roles[request.digest](request)
            return None if response is None else exchanged(request, response)

        return Judge(find).judge(cell)


TYPE_ERROR = says("litellm.BadRequestError: OpenAIException - Invalid type for 'store': expected a boolean.")


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("endpoint", "upstream", "verdict", "words"),
    [
        (RESPONSES, Upstream(probe=shows(store=False), wrong=TYPE_ERROR), Verdict.HONOURED, "`store: false`"),
        (RESPONSES, Upstream(probe=shows(store=False)), Verdict.ACCEPTED, "wrong type passes just as gladly"),
        (RESPONSES, Upstream(probe=shows(store=True)), Verdict.IGNORED, "`store: true`"),
        (RESPONSES, Upstream(probe=shows(store=None)), Verdict.IGNORED, "`store: null`"),
        (RESPONSES, Upstream(), Verdict.ACCEPTED, "does not show `store`"),
        (
            RESPONSES,
            Upstream(baseline=shows(store=False), probe=shows(store=False), wrong=TYPE_ERROR),
            Verdict.ACCEPTED,
            "as it does unasked",
        ),
        (CHAT, Upstream(), Verdict.ACCEPTED, "the answer cannot show it"),
        (CHAT, Upstream(wrong=TYPE_ERROR), Verdict.ACCEPTED, "refuses a value of a wrong type, so it is read"),
    ],
)
def test_accepted_and_more(endpoint: Endpoint, upstream: Upstream, verdict: Verdict, words: str, mode: Mode) -> None:
    """Given a probe that succeeds, when it is judged, then its verdict is what the answer shows and no more."""
    judgement = upstream.judge(plan_cell(endpoint=endpoint, mode=mode))

    assert judgement.verdict is verdict, judgement.reason
    assert words in judgement.reason
    assert judgement.reason.endswith(".")
    assert judgement.rejected_by is None
    assert judgement.supported is True


@pytest.mark.parametrize(
    ("bogus", "words"),
    [
        (ok, "a bogus key is swallowed just as gladly, so acceptance proves nothing"),
        (says("conformance_bogus_key: Extra inputs are not permitted"), "a bogus key is refused here"),
        (says("no", 503), "the controls failed, so acceptance proves little"),
        (says("no", 429), "the controls failed, so acceptance proves little"),
        (gives(Response(status=None, error="cut")), "the controls failed, so acceptance proves little"),
        (never, "the controls failed, so acceptance proves little"),
    ],
    ids=["swallowed", "refused", "crashed", "limited", "cut", "never"],
)
def test_bogus_key(bogus: Answering, words: str) -> None:
    """Given an acceptance without a better control, when it is judged, then the bogus key tells its worth."""
    judgement = Upstream(bogus=bogus, wrong=never).judge(plan_cell())

    assert judgement.verdict is Verdict.ACCEPTED
    assert judgement.reason.startswith("the answer cannot show it; ")
    assert words in judgement.reason


def test_gateway_that_checks_types() -> None:
    """Given a gateway that refuses a wrong type itself, when an echo is judged, then it is no honour."""
    upstream = Upstream(probe=shows(store=False), wrong=says("litellm.UnsupportedParamsError: store must be bool"))

    judgement = upstream.judge(plan_cell(endpoint=RESPONSES))

    assert judgement.verdict is Verdict.ACCEPTED
    assert "the gateway itself refuses" in judgement.reason


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("probe", "by"),
    [
        (says(GATEWAY_SAYS_NO), RejectedBy.GATEWAY),
        (says(BACKEND_SAYS_NO), RejectedBy.BACKEND),
        (says("store: Extra inputs are not permitted", 422), RejectedBy.UNKNOWN),
        (says("store: Extra inputs are not permitted", headers={"llm_provider-server": "x"}), RejectedBy.BACKEND),
    ],
    ids=["gateway", "backend-by-words", "unknown", "backend-by-headers"],
)
def test_rejected(endpoint: Endpoint, mode: Mode, probe: Answering, by: RejectedBy) -> None:
    """Given a refusal that names the parameter, when it is judged, then the cell is rejected, and by whom."""
    cell = plan_cell(endpoint=endpoint, mode=mode)

    judgement = Upstream(probe=probe).judge(cell)

    assert (judgement.verdict, judgement.rejected_by) == (Verdict.REJECTED, by)
    assert judgement.reason.startswith("refused with 4")
    assert judgement.supported is False
    assert judgement.evidence == (cell.probes[0].digest, cell.baselines[0].digest)
    assert judgement.fields == ("store",)


@pytest.mark.parametrize(
    ("endpoint", "event"),
    [
        (CHAT, {"error": {"message": BACKEND_SAYS_NO, "code": "400"}}),
        (RESPONSES, {"type": "response.failed", "response": {"error": {"code": "400", "message": BACKEND_SAYS_NO}}}),
        (RESPONSES, {"type": "error", "code": "invalid_request_error", "message": BACKEND_SAYS_NO}),
    ],
)
def test_rejected_inside_a_success(endpoint: Endpoint, event: dict[str, Any]) -> None:
    """Given a refusal inside a clean 200 stream, when it is judged, then the cell is rejected all the same."""
    probe = gives(said(sse(event, "[DONE]")))

    judgement = Upstream(probe=probe).judge(plan_cell(endpoint=endpoint, mode=STREAM))

    assert (judgement.verdict, judgement.rejected_by) == (Verdict.REJECTED, RejectedBy.BACKEND)


@pytest.mark.parametrize(
    ("upstream", "cause"),
    [
        (Upstream(probe=says("slow down", 429)), "rate limited (429): slow down"),
        (Upstream(probe=says(BACKEND_SAYS_NO, 429)), "rate limited (429)"),
        (Upstream(probe=says("boom", 503)), "server error 503: boom"),
        (Upstream(probe=says(BACKEND_SAYS_NO, 500)), "server error 500"),
        (Upstream(probe=says("No connected db.")), "refused with 400: No connected db. (it names no parameter)"),
        (Upstream(probe=says("Unknown parameter: 'user'.")), "(it blames user)"),
        (Upstream(probe=says("Unknown parameter: 'metadata.store'.")), "(it blames metadata.store)"),
        (Upstream(probe=gives(said(b"moved", 302))), "refused with 302"),
        (Upstream(probe=gives(Response(status=None, error="no answer in 300 s"))), "no answer in 300 s"),
        (Upstream(probe=gives(Response(status=200, body=b"{", error="it broke"))), "it broke"),
        (Upstream(probe=gives(said(b"<html>"))), "not a JSON object"),
        (Upstream(probe=gives(said({"error": {"message": "x", "code": 429}}))), "rate limited (429): x"),
        (Upstream(baseline=says("wrong", 401)), "the baseline failed: refused with 401: wrong"),
        (Upstream(baseline=says("later", 429), probe=says(BACKEND_SAYS_NO)), "the baseline failed: rate limited"),
        (Upstream(baseline=gives(Response(status=None, error="cut"))), "the baseline failed: cut"),
        (Upstream(baseline=says("x", 500), probe=never), "the baseline failed: server error 500"),
    ],
)
def test_inconclusive(upstream: Upstream, cause: str) -> None:
    """Given evidence that carries no verdict, when it is judged, then the cell says why, and supports nothing."""
    judgement = upstream.judge(plan_cell())

    assert (judgement.verdict, judgement.rejected_by) == (Verdict.INCONCLUSIVE, None)
    assert cause in judgement.reason
    assert judgement.reason.endswith((".", "…"))
    assert judgement.supported is None
    assert judgement.recorded


@pytest.mark.parametrize(
    ("mode", "stream"),
    [
        (STREAM, sse({"choices": [{"finish_reason": None}]})),
        (STREAM, sse({"choices": [{"finish_reason": None}]}, "[DONE]")),
        (STREAM, sse({"choices": []}) + b'data: {"cho'),
    ],
)
def test_cut_streams(mode: Mode, stream: bytes) -> None:
    """Given a stream that ends before its answer does, when it is judged, then it is no acceptance."""
    judgement = Upstream(probe=gives(said(stream))).judge(plan_cell(mode=mode))

    assert judgement.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "upstream", [Upstream(baseline=never), Upstream(probe=never), Upstream(baseline=never, probe=never)]
)
def test_not_recorded(upstream: Upstream) -> None:
    """Given exchanges that were never made, when a cell is judged, then it says so, and that it is not recorded."""
    judgement = upstream.judge(plan_cell())

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason == "not recorded; measure it with --live."
    assert not judgement.recorded


def by_turns(*answers: Answering, name: str = "x-litellm-model-id") -> Answering:
    """A load balancer: each repetition is answered by the next of these deployments, called a, b, …."""

    def answering(request: Request) -> Response | None:
        turn = request.repeat % len(answers)
        response = answers[turn](request)
        assert response is not None
        headers = {**response.headers, name: "abc"[turn]}
        return Response(status=response.status, headers=headers, body=response.body)

    return answering


def test_balanced_and_split() -> None:
    """Given two deployments of which one rejects, when an alias is judged, then no verdict is given for both."""
    both = by_turns(ok, ok)

    judgement = Upstream(baseline=both, probe=by_turns(ok, says(BACKEND_SAYS_NO))).judge(plan_cell(deployments=2))

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason == "split between deployments: a accepted, b rejected."


def test_balanced_and_split_over_an_effect() -> None:
    """Given two deployments of which one ignores, when an alias is judged, then it is accepted, and says so."""
    both = by_turns(ok, ok)
    probe = by_turns(shows(store=False), shows(store=True))

    judgement = Upstream(baseline=both, probe=probe, wrong=by_turns(TYPE_ERROR, TYPE_ERROR)).judge(
        plan_cell(endpoint=RESPONSES, deployments=2)
    )

    assert judgement.verdict is Verdict.ACCEPTED
    assert judgement.reason == "split between deployments: a honoured, b ignored."


@pytest.mark.parametrize(
    ("probe", "verdict"),
    [(by_turns(ok, ok), Verdict.ACCEPTED), (by_turns(says(BACKEND_SAYS_NO), says(GATEWAY_SAYS_NO)), Verdict.REJECTED)],
)
def test_balanced_and_agreed(probe: Answering, verdict: Verdict) -> None:
    """Given two deployments that agree, when an alias is judged, then their verdict is its own."""
    cell = plan_cell(deployments=2)

    judgement = Upstream(baseline=by_turns(ok, ok), probe=probe).judge(cell)

    assert judgement.verdict is verdict
    assert len(judgement.evidence) == 12


def test_balanced_and_missed() -> None:
    """Given a deployment that no probe reached, when an alias is judged, then nothing is said for it."""
    judgement = Upstream(baseline=by_turns(ok, ok), probe=by_turns(ok)).judge(plan_cell(deployments=2))

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason == "no probe reached the deployment b."


def test_one_failure_spoils_a_balanced_cell() -> None:
    """Given one repetition that failed, when an alias is judged, then the cell is inconclusive for its cause."""
    judgement = Upstream(probe=by_turns(ok, says("later", 503))).judge(plan_cell(deployments=2))

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "server error 503" in judgement.reason


def test_control_of_another_deployment() -> None:
    """Given a wrong value that only another deployment refused, when an echo is judged, then it is no honour."""
    here, there = by_turns(shows(store=False)), by_turns(ok, TYPE_ERROR)

    def wrong(request: Request) -> Response | None:
        return there(replace(request, repeat=1))

    judgement = Upstream(baseline=by_turns(ok), probe=here, wrong=wrong).judge(plan_cell(endpoint=RESPONSES))

    assert judgement.verdict is Verdict.ACCEPTED


def test_undeclared_balancing() -> None:
    """Given one probe that another deployment answered than the baseline, when judged, then nothing is said of both."""
    baseline, probe = by_turns(ok), by_turns(says(BACKEND_SAYS_NO))

    def elsewhere(request: Request) -> Response | None:
        response = probe(request)
        assert response is not None
        return Response(status=400, headers={"x-litellm-model-id": "b"}, body=response.body)

    judgement = Upstream(baseline=baseline, probe=elsewhere).judge(plan_cell())

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason == "no probe reached the deployment a."


def test_refusal_without_a_deployment() -> None:
    """Given a refusal that does not say where it comes from, when a plain model is judged, then it counts."""
    judgement = Upstream(baseline=by_turns(ok), probe=says(GATEWAY_SAYS_NO)).judge(plan_cell())

    assert judgement.verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    ("headers", "deployment"),
    [
        ({}, ""),
        ({"x-litellm-model-id": "1", "x-litellm-model-name": "n"}, "1"),
        ({"x-litellm-model-id": "", "x-litellm-model-name": "n"}, "n"),
    ],
)
def test_deployments(headers: dict[str, str], deployment: str) -> None:
    """Given LiteLLM's headers, when asked which deployment answered, then its id counts, else its name."""
    assert deployment_of(Response(status=200, headers=headers)) == deployment


def test_judging_again_gives_the_same() -> None:
    """Given one recording, when a cell is judged twice by one judge, then the verdict is the same."""
    cell = plan_cell(mode=WHOLE)
    exchanges = {r.digest: exchanged(r, succeeded(r)) for r in (*cell.baselines, *cell.probes, *cell.bogus)}
    judge = Judge(lambda request: exchanges.get(request.digest))

    assert judge.judge(cell) == judge.judge(cell)
