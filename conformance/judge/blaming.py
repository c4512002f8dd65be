"""Settle parameters by refusals that name them, and find out who refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.judge.asking import Asker
from conformance.judge.dialogue import Ask, one
from conformance.judge.findings import Findings
from conformance.judge.naming import at_fault, blamed, finds_nothing, is_certain
from conformance.judge.reasons import Outcome, Shown, looked_up, rejected
from conformance.judge.verdicts import answer_of, says_no
from conformance.types import Cause, Exchange, Parameter, RejectedBy, Role


@dataclass(frozen=True)
class Blame:
    """Takes refusals at their word. `litellm` says that its switch `drop_params` tells who refused."""

    asker: Asker
    findings: Findings
    litellm: bool

    def settle(self, parameter: Parameter, refusal: Exchange) -> Ask[None]:
        """Settle a parameter that was asked for alone by the refusal that names it, or does not find what it names."""
        if finds_nothing(parameter, answer_of(refusal)):
            self.findings.settle([parameter], looked_up(answer_of(refusal)).shown_by(*self._shown(parameter, refusal)))
            return
        outcome = self._outcome(parameter, refusal)
        if self._is_anonymous(outcome):
            outcome = yield from self._find_who(parameter, refusal, outcome)
        self.findings.settle_by_refusal([parameter], answer_of(refusal), outcome)

    def settle_among(
        self, named: Sequence[Parameter], batch: Sequence[Parameter], refusal: Exchange
    ) -> Sequence[Parameter]:
        """Settle those of a batch that a refusal names and is certain about.

        Returns those that have to be asked for alone, because their company may be to blame. Where several share a
        field, and the refusal names what only some of them send in it, the others wait for the next round.
        """
        answer, outcome = answer_of(refusal), self._outcome(named[0], refusal)
        group = self.asker.group
        if not self._is_anonymous(outcome):
            culprits = at_fault(named, group, answer)
            if culprits and is_certain(culprits, batch, group, answer):
                self.findings.settle_by_refusal(culprits, answer, outcome)
                return ()
        return named

    def _outcome(self, parameter: Parameter, refusal: Exchange) -> Outcome:
        outcome = rejected(Cause.REFUSAL_NAMED, answer_of(refusal), refusal.response)
        return outcome.shown_by(*self._shown(parameter, refusal))

    def _shown(self, parameter: Parameter, refusal: Exchange) -> Sequence[Shown]:
        return (Role.PROBE, refusal), (Role.BASELINE, self.findings.baseline_of(parameter))

    def _is_anonymous(self, outcome: Outcome) -> bool:
        """True where words and headers do not tell who refused, and an experiment can."""
        return outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm

    def _find_who(self, parameter: Parameter, refusal: Exchange, outcome: Outcome) -> Ask[Outcome]:
        """Find out who refused: LiteLLM, told to drop what it does not support, drops only what itself refuses."""
        dropped = yield from one(self.asker.probe([parameter], {"drop_params": True}))
        if dropped is None:
            return outcome
        answer, by = answer_of(dropped), outcome.rejected_by
        if answer.ok:
            by = RejectedBy.GATEWAY
        elif says_no(answer) and blamed([parameter], self.asker.group.endpoint, answer):
            by = RejectedBy.BACKEND
        baseline = self.findings.baseline_of(parameter)
        shown = (Role.PROBE, refusal), (Role.DROPPED, dropped), (Role.BASELINE, baseline)
        return replace(outcome, rejected_by=by).shown_by(*shown)
