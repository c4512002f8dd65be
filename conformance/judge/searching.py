"""Ask for parameters together, and search what fails for those that are refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.judge.asking import Asker
from conformance.judge.blaming import Blame
from conformance.judge.dialogue import Ask, together
from conformance.judge.findings import Findings
from conformance.judge.naming import blamed
from conformance.judge.reasons import Outcome, not_recorded, unclear, without_baseline
from conformance.judge.repeating import Suspects
from conformance.judge.scheduling import Schedule
from conformance.judge.verdicts import answer_of, is_refusal, says_no
from conformance.types import Cause, Exchange, Parameter, Role, Verdict


@dataclass(frozen=True)
class Search:
    """Settles parameters: each alone, or as many at once as can travel together."""

    asker: Asker
    findings: Findings
    suspects: Suspects
    blame: Blame

    def settle_all(self, schedule: Schedule) -> Ask[None]:
        """Ask in rounds until every parameter is settled, or no baseline passes any more."""
        while not self.asker.gone and (due := schedule.next_batches(self.suspects.silent)):
            yield from together(self._search(batch) for batch in due)
            for parameter, end in (yield from self.suspects.confirm()):
                yield from self._conclude(parameter, end)
        if gone := self.asker.gone:
            left = [parameter for parameter in schedule.parameters if not self.findings.is_settled(parameter)]
            lost = without_baseline(Cause.BASELINE_LOST, answer_of(gone))
            self.findings.settle(left, lost.shown_by((Role.BASELINE, gone)))

    def confirm_ignored(self) -> Ask[None]:
        """Ask alone for what passed in company without an effect: that counts, if it comes to anything."""
        yield from together(self._ask([parameter]) for parameter in self.findings.doubtful())
        for parameter, end in (yield from self.suspects.confirm()):
            yield from self._conclude(parameter, end)

    def _conclude(self, suspect: Parameter, end: Outcome | Exchange) -> Ask[None]:
        """Settle a suspect by its outcome, or by the exchange in which it passed, or was named."""
        if isinstance(end, Outcome):
            if suspect.unknown_id and end.verdict is Verdict.REJECTED:  # no words: it may be the id that is not found
                end = replace(end, verdict=Verdict.INCONCLUSIVE, cause=Cause.REFUSAL_UNCLEAR, rejected_by=None)
            self.findings.settle([suspect], end)
        elif answer_of(end).ok:
            self._note_success([suspect], end)
        else:
            yield from self.blame.settle(suspect, end)

    def _search(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Ask for a batch; what a refusal names is settled, and its company waits for the next round."""
        yield from self._ask(batch)
        if not any(map(self._is_concluded, batch)):
            yield from self._search_halves(batch)
            self.asker.stumbles |= all(parameter.id in self.findings.passed for parameter in batch)

    def _search_halves(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Search a batch that fails in words that do not tell which of it is refused."""
        left, right = batch[: len(batch) // 2], batch[len(batch) // 2 :]
        yield from self._search(left)
        if len(right) > 1 and all(parameter.id in self.findings.passed for parameter in left):
            yield from self._search_halves(right)  # it is in there: nobody needs to ask
        else:
            yield from self._search(right)

    def _is_concluded(self, parameter: Parameter) -> bool:
        """True where nothing more is asked about the parameter in this round."""
        settled = self.findings.is_settled(parameter) or parameter.id in self.suspects.open
        return settled or self.asker.gone is not None

    def _ask(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Ask for a batch once; nothing is concluded where the words do not tell which of it is refused."""
        exchange = yield from self.asker.first(batch)
        if exchange is None:
            self.findings.settle(batch if not self.asker.gone else (), not_recorded())
            return
        answer = answer_of(exchange)
        named = blamed(batch, self.asker.group.endpoint, answer) if says_no(answer) else []
        if answer.ok:
            self._note_success(batch, exchange)
        elif named:
            self.asker.silence = 0
            yield from self._settle_named(batch, named, exchange)
        elif batch[0].unknown_id and is_refusal(answer):  # it went alone, and may be what was not found
            shown = (Role.PROBE, exchange), (Role.BASELINE, self.findings.baseline)
            self.findings.settle(batch, unclear(answer).shown_by(*shown))
        else:
            self.asker.silence += 1
            if len(batch) == 1:
                self.suspects.add(batch[0], self.findings.baseline_of(batch[0]), exchange)
            elif says_no(answer):
                self.suspects.failed.append(frozenset(parameter.id for parameter in batch))

    def _settle_named(self, batch: Sequence[Parameter], named: Sequence[Parameter], refusal: Exchange) -> Ask[None]:
        """Settle what a refusal names, if need be after it was asked for alone."""
        if len(batch) == 1:
            yield from self.blame.settle(batch[0], refusal)
        else:
            alone = self.blame.settle_among(named, batch, refusal)
            yield from together(self._ask([parameter]) for parameter in alone)

    def _note_success(self, parameters: Sequence[Parameter], exchange: Exchange) -> None:
        self.asker.silence = 0
        self.findings.note_success(parameters, exchange)
