"""Settle parameters by refusals that name them, and find out who refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.answers import dialects
from conformance.judge.asking import Asker
from conformance.judge.dialogue import Ask, one
from conformance.judge.findings import Findings
from conformance.judge.reasons import Outcome, rejected
from conformance.judge.verdicts import answer_of, blamed, is_at_fault, says_no
from conformance.types import Cause, Exchange, Parameter, RejectedBy, Role


@dataclass(frozen=True)
class Blame:
    """Takes refusals at their word. `litellm` says that its switch `drop_params` tells who refused."""

    asker: Asker
    findings: Findings
    litellm: bool

    def settle(self, parameter: Parameter, refusal: Exchange) -> Ask[None]:
        """Settle a parameter that was asked for alone by the refusal that names it."""
        outcome = self._outcome(parameter, refusal)
        if self._is_anonymous(outcome):
            outcome = yield from self._find_who(parameter, refusal, outcome)
        self.findings.settle_by_refusal([parameter], answer_of(refusal), outcome)

    def settle_among(self, named: Sequence[Parameter], refusal: Exchange) -> Sequence[Parameter]:
        """Settle those of a batch that a refusal names.

        Returns them instead where each has to be asked for alone, because their company may be to blame.
        """
        answer, outcome = answer_of(refusal), self._outcome(named[0], refusal)
        text = answer.refusal or ""
        by_itself = len(named) == 1 and dialects.names_all(text, named[0].bodies[self.asker.group.endpoint])
        endpoint = self.asker.group.endpoint
        alone = len(named) == 1
        at_fault = all(is_at_fault(parameter, endpoint, answer, alone=alone) for parameter in named)
        certain = by_itself or (dialects.refuses_field(text) and at_fault)
        if certain and not self._is_anonymous(outcome):
            self.findings.settle_by_refusal(named, answer, outcome)
            return ()
        return named

    def _outcome(self, parameter: Parameter, refusal: Exchange) -> Outcome:
        shown = (Role.PROBE, refusal), (Role.BASELINE, self.findings.baseline_of(parameter))
        return rejected(Cause.REFUSAL_NAMED, answer_of(refusal), refusal.response).shown_by(*shown)

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
