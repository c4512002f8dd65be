"""What was found of a group's parameters so far, and what each is held against. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from conformance.answers import dialects
from conformance.answers.reading import Answer
from conformance.judge.reasons import Outcome
from conformance.judge.verdicts import Channel, Passed, had_no_effect, outcome_of_success
from conformance.parameters.effects import FETCHED
from conformance.plan.cells import Group
from conformance.types import Exchange, Parameter, Role, Verdict

#: Outcomes by parameter id.
Found = dict[str, Outcome]


@dataclass
class Findings:
    """What was found of each parameter: an outcome, or a success, whose outcome needs what is asked later.

    `baseline` is the plain one. `refused_fields` holds outcomes by the path of a field that is refused
    whatever its value. `in_company` has the ids of those that passed beside others.
    """

    group: Group
    baseline: Exchange
    outcomes: Found = field(default_factory=dict)
    passed: dict[str, Passed] = field(default_factory=dict)
    refused_fields: Found = field(default_factory=dict)
    in_company: set[str] = field(default_factory=set)

    def is_settled(self, parameter: Parameter) -> bool:
        """True where nobody has to ask for the parameter any more."""
        return parameter.id in self.outcomes or parameter.id in self.passed

    def settle(self, parameters: Iterable[Parameter], outcome: Outcome) -> None:
        """Give parameters this outcome; a rejection counts more than a success in company."""
        names = [parameter.id for parameter in parameters]
        self.outcomes |= dict.fromkeys(names, outcome)
        if outcome.verdict is Verdict.REJECTED:
            for name in names:
                self.passed.pop(name, None)

    def settle_by_refusal(self, parameters: Sequence[Parameter], answer: Answer, outcome: Outcome) -> None:
        """Give parameters the outcome of a refusal, and remember those of their fields that it refuses as such."""
        self.settle(parameters, outcome)
        text = answer.refusal or ""
        if dialects.refuses_field(text):
            sent = {name for parameter in parameters for name in parameter.bodies[self.group.endpoint]}
            refused = [name for name in dialects.whole_fields(text) if name.partition(".")[0] in sent]
            self.refused_fields |= dict.fromkeys(refused, outcome)

    def refusal_of_field(self, parameter: Parameter) -> Outcome | None:
        """The outcome of a parameter whose field is refused whatever its value; None where it is not known to be."""
        named = (parameter.path, *parameter.bodies[self.group.endpoint])
        refusals = [self.refused_fields[name] for name in named if name in self.refused_fields]
        return refusals[0].for_another(Role.SAME_FIELD) if refusals else None

    def note_success(self, parameters: Sequence[Parameter], probe: Exchange) -> None:
        """Note that parameters passed, all of them in this probe."""
        names = {parameter.id for parameter in parameters}
        self.in_company = self.in_company | names if len(names) > 1 else self.in_company - names
        self.passed |= {parameter.id: Passed(probe, self.baseline_of(parameter)) for parameter in parameters}

    def baseline_of(self, parameter: Parameter) -> Exchange:
        """What a parameter's answer is held against: the plain baseline, or a success of another parameter."""
        names = (parameter.against, self.group.context(parameter.context).parameter)
        return next((self.passed[name].probe for name in names if name in self.passed), self.baseline)

    def doubtful(self) -> list[Parameter]:
        """What passed in company and had no effect there: the company may be why.

        No company changes whether an answer is stored.
        """
        endpoint = self.group.endpoint
        return [
            each
            for each in self.group.parameters
            if each.id in self.in_company
            and each.id in self.passed
            and not each.after  # it was filled from an answer, and is not any more
            and each.effects.get(endpoint) not in FETCHED
            and had_no_effect(each, endpoint, self.passed[each.id])
        ]

    def judge(self, channel: Channel) -> Found:
        """The outcome of each of the group's parameters, in the light of what successes are worth there.

        That a field is refused whatever its value may have been seen only after what it builds on was.
        """
        for parameter in self.group.parameters:
            known = self.outcomes.get(parameter.id)
            if known and known.verdict is Verdict.NOT_APPLICABLE:
                self.outcomes[parameter.id] = self.refusal_of_field(parameter) or known
            if passed := self.passed.get(parameter.id):
                outcome = outcome_of_success(parameter, self.group.endpoint, passed, channel)
                self.outcomes[parameter.id] = replace(outcome, recorded=channel.recorded)
        return {parameter.id: self.outcomes[parameter.id] for parameter in self.group.parameters}
