"""Which parameters are asked for next, and which of them in one request. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from conformance.judge.batching import batches, crowds
from conformance.judge.findings import Findings
from conformance.judge.reasons import Outcome, concluded, unmet
from conformance.judge.verdicts import answer_of
from conformance.parameters.filling import filled
from conformance.types import Cause, Parameter, Role


class Schedule:
    """The order in which a group's parameters are asked for, and those that they build on."""

    def __init__(self, findings: Findings, exhaustive: bool) -> None:
        """`exhaustive` asks for each parameter alone, and for each value of a field that is refused."""
        self._findings = findings
        self._group = findings.group
        self._exhaustive = exhaustive
        asked = self._group.parameters_and_their_sources()
        self._built_on = self._fields_built_on(asked)
        self.parameters = [self._guarded(parameter) for parameter in asked]
        self._crowds = crowds(self.parameters, self._group)

    def _fields_built_on(self, parameters: Sequence[Parameter]) -> Mapping[str, set[str]]:
        """The fields that are sent on top of each parameter that others build on, or are held against, by its id."""
        found: dict[str, set[str]] = {}
        for parameter in parameters:
            source = self._group.prerequisite_of(parameter)
            for name in (source.id if source else "", parameter.against):
                if name:
                    found.setdefault(name, set()).update(parameter.bodies[self._group.endpoint])
        return found

    def _guarded(self, parameter: Parameter) -> Parameter:
        """The parameter, in nobody's company who sends what is later held against its success."""
        later = self._built_on.get(parameter.id, set()) - parameter.bodies[self._group.endpoint].keys()
        return replace(parameter, touches=(*parameter.touches, *sorted(later)))

    def next_batches(self, silent: Collection[str]) -> list[list[Parameter]]:
        """What is asked for next, each batch in one request; nothing where all is settled.

        `silent` are the paths of fields that are refused in words that name nothing: such a refusal costs its
        company a search, so other values of these fields go alone.
        """
        alone: list[list[Parameter]] = []
        due: list[Parameter] = []
        for each in self._due():
            if self._exhaustive or each.path in silent or self._findings.is_settled(each):
                alone.append([each])
            else:
                due.append(each)
        # A field's second value waits until it is known whether the field is taken at all.
        known = {parameter.path for parameter in self.parameters if self._findings.is_settled(parameter)}
        firsts = {parameter.path: parameter for parameter in reversed(due) if parameter.path not in known}
        leads = [parameter for parameter in due if firsts.get(parameter.path) is parameter]
        values = [parameter for parameter in due if parameter.path in known]
        company = batches(sorted([*leads, *values], key=self._rank), self._group)
        return [*alone, *islice(company, 1 if leads else None)]

    def _rank(self, parameter: Parameter) -> tuple[bool, int]:
        """What others build on comes first, then what can travel with the fewest: it would be left alone in the end."""
        return parameter.id not in self._built_on, -self._crowds[parameter.id]

    def _due(self) -> list[Parameter]:
        """What can be asked for now, filled from earlier answers; what never can be is settled."""
        due: list[Parameter] = []
        settled, outcomes = -1, self._findings.outcomes
        while not due and settled != len(outcomes):  # what was settled just now settles what builds on it
            settled = len(outcomes)
            due = [each for parameter in self.parameters for each in self._askable(parameter)]
        return list({parameter.id: parameter for parameter in due}.values())

    def _askable(self, parameter: Parameter) -> Sequence[Parameter]:
        """The parameter as it can be asked for now, if it can; one that never can be is settled."""
        if self._findings.is_settled(parameter):
            return ()
        source = self._group.prerequisite_of(parameter)
        if outcome := self._outcome_unasked(parameter, source):
            self._findings.settle([parameter], outcome)
        elif self._may_follow(parameter, source):
            return self._fill(parameter, source) if parameter.after else [parameter]
        return ()

    def _outcome_unasked(self, parameter: Parameter, source: Parameter | None) -> Outcome | None:
        """The outcome of what needs not be asked: its field is refused whatever its value, or what it builds on is."""
        if not self._exhaustive and (refused := self._findings.refusal_of_field(parameter)):
            return refused
        if source and (outcome := self._findings.outcomes.get(source.id)):
            return unmet(source.id, outcome)
        return None

    def _may_follow(self, parameter: Parameter, source: Parameter | None) -> bool:
        """True where what the parameter builds on passed, and what it is held against is settled."""
        against = self._group.registry.by_id.get(parameter.against)
        passed = source is None or source.id in self._findings.passed
        return passed and (against is None or self._findings.is_settled(against))

    def _fill(self, parameter: Parameter, source: Parameter | None) -> Sequence[Parameter]:
        """Put into the parameter what it sends back of an answer; where that has nothing of it, it is settled.

        Where its source passed in company, that is what is asked for first, alone.
        """
        role, answered = Role.BASELINE, self._findings.baseline
        if source:
            role, answered = Role.PREREQUISITE, self._findings.passed[source.id].probe
        body = filled(parameter.bodies[self._group.endpoint], answer_of(answered))
        if body is None and source and source.id in self._findings.in_company:
            return [self._guarded(source)]  # its company may be why
        if body is None:
            self._findings.settle([parameter], concluded(Cause.NOTHING_TO_SEND).shown_by((role, answered)))
            return ()
        return [replace(parameter, bodies={self._group.endpoint: body})]
