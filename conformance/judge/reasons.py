"""Outcomes, and the sentences that say why: one table gives each cause its verdict and its sentence. Pure.

A sentence is for people. What decides looks at the cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from conformance.answers import dialects
from conformance.answers.reading import Answer
from conformance.types import Cause, Evidence, Exchange, RejectedBy, Response, Role, Verdict

_DEPLOYMENT_HEADERS = ("x-litellm-model-name", "x-litellm-model-id")


#: An exchange that shows an outcome, after what it is to that.
Shown: TypeAlias = tuple[Role, Exchange]


#: Roles of exchanges that ask about one parameter, and not about another.
_PROBES = frozenset({Role.PROBE, Role.DROPPED, Role.SAME_FIELD})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found of one parameter in one lane, and the exchanges that show it.

    `cause` is None where the verdict is a success.
    """

    verdict: Verdict
    reason: str
    rejected_by: RejectedBy | None = None
    evidence: tuple[Evidence, ...] = ()
    deployment: str = ""
    recorded: bool = True
    cause: Cause | None = None

    def shown_by(self, *shown: Shown) -> Outcome:
        """The same outcome with these exchanges as its evidence, each once, in the first of its roles."""
        roles: dict[str, Role] = {}
        for role, exchange in shown:
            roles.setdefault(exchange.request.digest, role)
        evidence = tuple(Evidence(role, digest) for digest, role in roles.items())
        return replace(self, evidence=evidence, deployment=deployment_of(shown[0][1]) if shown else "")

    def for_another(self, role: Role) -> Outcome:
        """The same outcome for another parameter, to which the probes in its evidence are in this role."""
        evidence = tuple(each._replace(role=role) if each.role in _PROBES else each for each in self.evidence)
        return replace(self, evidence=evidence)


class Meaning(NamedTuple):
    """What a cause comes to: the verdict, and the sentence, in which braces stand for what was found."""

    verdict: Verdict
    sentence: str


MEANINGS: Mapping[Cause, Meaning] = {
    Cause.REFUSAL_NAMED: Meaning(Verdict.REJECTED, "refused with {status}: {words}"),
    Cause.REFUSAL_REPEATED: Meaning(Verdict.REJECTED, "refused with {status}: {words}"),
    Cause.RATE_LIMITED: Meaning(Verdict.INCONCLUSIVE, "rate limited ({status}): {words}."),
    Cause.SERVER_ERROR: Meaning(Verdict.INCONCLUSIVE, "server error {status}: {words}."),
    Cause.REFUSAL_UNCLEAR: Meaning(Verdict.INCONCLUSIVE, "refused with {status}: {words}."),
    Cause.TIMED_OUT: Meaning(Verdict.INCONCLUSIVE, "{problem}."),
    Cause.NO_ANSWER: Meaning(Verdict.INCONCLUSIVE, "{problem}."),
    Cause.CUT_OFF: Meaning(Verdict.INCONCLUSIVE, "{problem}."),
    Cause.UNREADABLE: Meaning(Verdict.INCONCLUSIVE, "{problem}."),
    Cause.BASELINE_FAILED: Meaning(Verdict.INCONCLUSIVE, "the baseline failed: {why}."),
    Cause.BASELINE_LOST: Meaning(Verdict.INCONCLUSIVE, "the baseline fails too: {why}."),
    Cause.DEPLOYMENTS_SILENT: Meaning(Verdict.INCONCLUSIVE, "of {deployments} deployments only {seen} answered."),
    Cause.NOT_RECORDED: Meaning(Verdict.INCONCLUSIVE, "not recorded; measure it with --live."),
    Cause.OTHER_VERSION: Meaning(
        Verdict.INCONCLUSIVE, "recorded with version {seen}, and not {version}; measure it with --live."
    ),
    Cause.SUITE_FAULT: Meaning(
        Verdict.INCONCLUSIVE,
        "the suite failed to judge the answers: {fault} in {place}, line {line}; please report this.",
    ),
    Cause.NOTHING_TO_SEND: Meaning(Verdict.NOT_APPLICABLE, "no answer of it holds what would be sent back."),
    Cause.PREREQUISITE_REJECTED: Meaning(
        Verdict.NOT_APPLICABLE, "there is nothing to ask: its prerequisite {needed} is rejected: {why}"
    ),
    Cause.PREREQUISITE_NOT_APPLICABLE: Meaning(
        Verdict.NOT_APPLICABLE, "there is nothing to ask: its prerequisite {needed} does not apply: {why}"
    ),
}

#: What builds on something inconclusive has the cause of that, and this sentence.
_PREREQUISITE_INCONCLUSIVE = "its prerequisite {needed} is inconclusive: {why}"

#: The cause of what builds on a parameter that did not pass, by the verdict of that parameter.
_UNMET = {
    Verdict.REJECTED: Cause.PREREQUISITE_REJECTED,
    Verdict.NOT_APPLICABLE: Cause.PREREQUISITE_NOT_APPLICABLE,
}

#: Causes that say of a parameter only that it works no better than the one it builds on.
UNMET = frozenset(_UNMET.values())


def concluded(cause: Cause, **found: object) -> Outcome:
    """The outcome that a cause makes, its sentence filled with what was found."""
    verdict, sentence = MEANINGS[cause]
    return Outcome(verdict, _filled(sentence, found), cause=cause)


def _filled(sentence: str, found: Mapping[str, object]) -> str:
    """A sentence with one end: what fills it may bring a full stop of its own, or be cut off."""
    begun = sentence.removesuffix(".").format_map(found)
    return begun if begun.endswith((".", "…")) else begun + "." * sentence.endswith(".")


def rejected(cause: Cause, answer: Answer, response: Response) -> Outcome:
    """The outcome of a refusal that is known to be about the parameter."""
    text = answer.refusal or ""
    outcome = concluded(cause, status=answer.status, words=dialects.summary(text))
    return replace(outcome, rejected_by=dialects.spoken_by(text, response.headers))


def looked_up(answer: Answer) -> Outcome:
    """The outcome of a field with an id that nothing has, where the answer says just that."""
    words = dialects.summary(answer.refusal or "")
    return Outcome(Verdict.ACCEPTED, f"the field is read: what its id names was looked for and not found: {words}")


def unclear(answer: Answer) -> Outcome:
    """The outcome of an answer that is no success, and says nothing about the parameter."""
    if answer.problem is not None:
        return concluded(answer.cause or Cause.NO_ANSWER, problem=dialects.one_line(answer.problem))
    words, status = dialects.summary(answer.refusal or ""), answer.status
    if status == 429:
        return concluded(Cause.RATE_LIMITED, status=status, words=words)
    if status is not None and status >= 500:
        return concluded(Cause.SERVER_ERROR, status=status, words=words)
    return concluded(Cause.REFUSAL_UNCLEAR, status=status, words=words)


def without_baseline(cause: Cause, answer: Answer) -> Outcome:
    """The outcome of what has no baseline to be held against, given how that failed."""
    return concluded(cause, why=unclear(answer).reason)


def not_recorded() -> Outcome:
    """The outcome of what was never asked."""
    return replace(concluded(Cause.NOT_RECORDED), recorded=False)


def unmet(needed: str, outcome: Outcome) -> Outcome:
    """The outcome of what builds on a parameter that did not pass, given the outcome of that."""
    found = {"needed": needed, "why": outcome.reason}
    outcome = outcome.for_another(Role.PREREQUISITE)
    if outcome.verdict is Verdict.INCONCLUSIVE:
        return replace(outcome, reason=_filled(_PREREQUISITE_INCONCLUSIVE, found))
    cause = _UNMET[outcome.verdict]
    verdict, sentence = MEANINGS[cause]
    return replace(outcome, verdict=verdict, reason=_filled(sentence, found), cause=cause, rejected_by=None)


def deployment_of(exchange: Exchange) -> str:
    """Which deployment of a load-balanced model answered, as far as the headers tell, or which was asked by its id."""
    headers, asked = exchange.response.headers, exchange.request.body.get("model")
    names = (headers[name] for name in _DEPLOYMENT_HEADERS if headers.get(name))
    by_id = asked if isinstance(asked, str) and asked != exchange.request.model else ""
    return dialects.one_line(next(names, by_id))
