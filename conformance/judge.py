"""Exchanges → a verdict and its reason. Pure: the same recording always gives the same verdict.

A verdict says only what the exchanges show. A refusal that does not name the parameter, a
failure that may pass, a baseline that fails as well: each is `inconclusive`, with its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from conformance import dialects
from conformance.answers import Answer, read_answer
from conformance.parameters.effects import OBSERVERS
from conformance.types import (
    Exchange,
    Judgement,
    Parameter,
    PlannedCell,
    RejectedBy,
    Request,
    Response,
    Verdict,
)

#: Looks an exchange up in the recording; None where the request was never recorded.
Find = Callable[[Request], Exchange | None]

_DEPLOYMENT_HEADERS = ("x-litellm-model-id", "x-litellm-model-name")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe shows, on the deployment that answered it ("" where the gateway does not say)."""

    verdict: Verdict
    reason: str
    rejected_by: RejectedBy | None = None
    deployment: str = ""
    recorded: bool = True


_NOT_RECORDED = Outcome(Verdict.INCONCLUSIVE, "not recorded; measure it with --live.", recorded=False)


class Judge:
    """Judges cells from one recording; reads each shared exchange once."""

    def __init__(self, find: Find) -> None:
        """Judge by the exchanges that `find` looks up."""
        self._find = find
        self._answers: dict[int, tuple[Exchange, Answer]] = {}

    def judge(self, cell: PlannedCell) -> Judgement:
        """The verdict of one planned cell."""
        baselines = self._look_up(cell.baselines)
        probes = self._look_up(cell.probes)
        outcome = self._decide(cell, baselines, probes)
        return Judgement(
            key=cell.key,
            fields=cell.parameter.fields,
            verdict=outcome.verdict,
            reason=outcome.reason,
            rejected_by=outcome.rejected_by,
            recorded=outcome.recorded,
            evidence=tuple(e.request.digest for e in (*probes, *baselines)),
        )

    def _decide(self, cell: PlannedCell, baselines: Sequence[Exchange], probes: Sequence[Exchange]) -> Outcome:
        if len(baselines) < len(cell.baselines):
            return _NOT_RECORDED
        for exchange in baselines:
            answer = self._answer(exchange)
            if not answer.ok:
                return _inconclusive(f"the baseline failed: {_trouble(answer)}")
        if len(probes) < len(cell.probes):
            return _NOT_RECORDED
        baseline = self._answer(baselines[0])
        outcomes = [self._outcome(cell, exchange, baseline) for exchange in probes]
        return _combine(outcomes, expected=self._deployments(baselines, probes))

    def _outcome(self, cell: PlannedCell, exchange: Exchange, baseline: Answer) -> Outcome:
        answer = self._answer(exchange)
        deployment = deployment_of(exchange.response)
        if answer.refusal is not None:
            return _refused(cell.parameter, answer, exchange.response, deployment)
        if answer.problem is not None:
            return _inconclusive(answer.problem, deployment)
        observer = cell.parameter.effects.get(cell.key.endpoint)
        seen, what = None, "the answer cannot show it"
        if observer is not None:
            seen, what = OBSERVERS[observer](cell.parameter, answer, baseline)
        if seen is False:
            return Outcome(Verdict.IGNORED, f"{what}.", deployment=deployment)
        read, worth = self._worth(cell, deployment)
        verdict = Verdict.HONOURED if seen and read else Verdict.ACCEPTED
        return Outcome(verdict, f"{what}; {worth}.", deployment=deployment)

    def _worth(self, cell: PlannedCell, deployment: str) -> tuple[bool, str]:
        """Whether whoever is behind the gateway reads the parameter, and what tells so.

        An echo is no proof of it: LiteLLM's bridge repeats `store` in the answer, and drops it.
        """
        for exchange in self._look_up(cell.wrong):
            if deployment_of(exchange.response) != deployment:
                continue
            answer = self._answer(exchange)
            if answer.ok:
                return False, "a value of a wrong type passes just as gladly, so nobody reads it"
            if _is_refusal(answer) and dialects.mentions(answer.refusal or "", cell.parameter.wrong):
                by = dialects.spoken_by(answer.refusal or "", exchange.response.headers)
                if by is RejectedBy.GATEWAY:
                    return False, "the gateway itself refuses a value of a wrong type, so it may keep the others too"
                who = "the backend" if by is RejectedBy.BACKEND else "somebody"
                return True, f"{who} refuses a value of a wrong type, so it is read"
        return False, self._bogus(cell)

    def _bogus(self, cell: PlannedCell) -> str:
        """What the bogus key says about acceptance on this channel."""
        answers = [self._answer(exchange) for exchange in self._look_up(cell.bogus)]
        if any(answer.ok for answer in answers):
            return "a bogus key is swallowed just as gladly, so acceptance proves nothing"
        known = [answer for answer in answers if _is_refusal(answer) and _names_bogus(cell, answer)]
        if answers and len(known) == len(answers):
            return "a bogus key is refused here, so the parameter is known"
        return "the controls failed, so acceptance proves little"

    def _deployments(self, *groups: Iterable[Exchange]) -> frozenset[str]:
        return frozenset(deployment_of(e.response) for group in groups for e in group) - {""}

    def _look_up(self, requests: Iterable[Request]) -> list[Exchange]:
        return [exchange for request in requests if (exchange := self._find(request)) is not None]

    def _answer(self, exchange: Exchange) -> Answer:
        known = self._answers.get(id(exchange))
        if known is None:
            # The exchange is kept with its answer so that its id stays its own.
            known = self._answers[id(exchange)] = (exchange, read_answer(exchange.request, exchange.response))
        return known[1]


def deployment_of(response: Response) -> str:
    """Which deployment of a load-balanced model answered, as far as the headers tell."""
    return next((response.headers[name] for name in _DEPLOYMENT_HEADERS if response.headers.get(name)), "")


def _refused(parameter: Parameter, answer: Answer, response: Response, deployment: str) -> Outcome:
    text = answer.refusal or ""
    if not _is_refusal(answer):
        return _inconclusive(_trouble(answer), deployment)
    named = dialects.offenders(text)
    if any(dialects.blames(name, parameter.fields) for name in named):
        return Outcome(
            Verdict.REJECTED,
            f"refused with {answer.status}: {dialects.summary(text)}",
            dialects.spoken_by(text, response.headers),
            deployment,
        )
    others = f"it blames {', '.join(sorted(named)[:5])}" if named else "it names no parameter"
    return _inconclusive(f"{_trouble(answer)} ({others})", deployment)


def _names_bogus(cell: PlannedCell, answer: Answer) -> bool:
    own = set(cell.bogus[0].body) - set(cell.baselines[0].body)
    return dialects.mentions(answer.refusal or "", own)


def _is_refusal(answer: Answer) -> bool:
    """True for an answer that turns the request itself down: no rate limit, no server error."""
    return answer.refusal is not None and answer.status != 429 and (answer.status is None or answer.status < 500)


def _combine(outcomes: Sequence[Outcome], expected: frozenset[str]) -> Outcome:
    """One verdict from the outcomes of all repetitions, over every deployment that answered at all."""
    verdicts = {outcome.verdict for outcome in outcomes}
    first = outcomes[0]
    if Verdict.INCONCLUSIVE in verdicts:
        return next(outcome for outcome in outcomes if outcome.verdict is Verdict.INCONCLUSIVE)
    if len(verdicts) > 1:
        split = {outcome.deployment or "?": outcome.verdict for outcome in outcomes}
        told = ", ".join(f"{name} {verdict}" for name, verdict in sorted(split.items()))
        if Verdict.REJECTED in verdicts:
            return _inconclusive(f"split between deployments: {told}")
        return Outcome(Verdict.ACCEPTED, f"split between deployments: {told}.")
    answered = {outcome.deployment for outcome in outcomes}
    if len(outcomes) > 1 or "" not in answered:
        missed = expected - answered
        if missed:
            return _inconclusive(f"no probe reached the deployment {', '.join(sorted(missed))}")
    return first


def _inconclusive(cause: str, deployment: str = "") -> Outcome:
    return Outcome(Verdict.INCONCLUSIVE, cause if cause.endswith((".", "…")) else f"{cause}.", deployment=deployment)


def _trouble(answer: Answer) -> str:
    """Why an answer is no success, in a clause."""
    if answer.problem is not None:
        return answer.problem
    words = dialects.summary(answer.refusal or "")
    if answer.status == 429:
        return f"rate limited (429): {words}"
    if answer.status is not None and answer.status >= 500:
        return f"server error {answer.status}: {words}"
    return f"refused with {answer.status}: {words}"
