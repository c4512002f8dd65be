"""What a refusal in words that name nothing is worth: how often it has to repeat before it counts. Pure.

A gateway that stumbles answers with a 5xx now and then, whatever it is asked. So a 5xx counts only where it
repeats more often than chance explains, each time beside a baseline that passes. A 4xx is nobody's accident.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from conformance.judge.asking import IN_VAIN, Asker
from conformance.judge.dialogue import PATIENCE, Ask
from conformance.judge.naming import blamed
from conformance.judge.reasons import Outcome, rejected, unclear, without_baseline
from conformance.judge.verdicts import Words, answer_of, is_refusal, says_no, words_of
from conformance.types import Cause, Exchange, Parameter, Request, Role, Verdict

#: How often a parameter has to be refused with a 4xx.
FIRM = 2

#: How often with a 5xx, and how often where the gateway was seen to stumble.
STEADY = 4
STEADY_AMONG_FAULTS = 6

#: Rounds of asking again at most, and where nothing refuses.
ROUNDS = 10
ROUNDS_WITHOUT_REFUSAL = 2

#: How often a parameter is asked for in one round at most.
AT_ONCE = 3


@dataclass(frozen=True)
class Known:
    """What else is known of a suspect and its gateway.

    `batches` counts the requests that failed with it, in which everything else is known to pass. `sibling`
    says that another value of its field is refused in the same words, `familiar` that some field is, and
    `stumbles` that the gateway was seen to fail by chance.
    """

    batches: int
    sibling: bool
    familiar: bool
    stumbles: bool


@dataclass
class Suspect:
    """A parameter that failed, asked for alone, in words that do not name it, and what was asked about it since.

    `besides` are the baselines that were asked beside its probes; `refusals` are the probes that were
    refused while a baseline passed.
    """

    parameter: Parameter
    baseline: Exchange
    probes: list[Exchange]
    besides: list[Exchange] = field(default_factory=list)
    refusals: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The first failure follows the baseline of the whole group, which passed."""
        self.refusals += [exchange for exchange in self.probes if says_no(answer_of(exchange))]

    @property
    def words(self) -> Words:
        """What it was refused with last."""
        return words_of(answer_of((self._firm() or self.refusals or self.probes)[-1]))

    def wanted(self, known: Known) -> int:
        """How many refusals are missing before it counts as rejected, as far as can be told by now."""
        if firm := len(self._firm()):
            return max(0, FIRM - firm - known.sibling)
        count = len(self.refusals)
        alike = len({words_of(answer_of(exchange)) for exchange in self.refusals}) <= 1  # accidents rarely are
        needed = STEADY_AMONG_FAULTS if known.stumbles or not alike else STEADY
        return max(0, FIRM - count, needed - count - known.batches - known.sibling - known.familiar)

    def note(self, probes: Iterable[Exchange], beside: Exchange) -> None:
        """Note that it was asked for again and failed, beside a baseline."""
        for probe in probes:
            self.probes.append(probe)
            if answer_of(beside).ok and says_no(answer_of(probe)):
                self.refusals.append(probe)
        self.besides.append(beside)

    def outcome(self, known: Known) -> Outcome | None:
        """What it comes to; None where it has to be asked about again."""
        if self.refusals and not self.wanted(known):
            last = (self._firm() or self.refusals)[-1]
            return self._with_evidence(rejected(Cause.REFUSAL_REPEATED, answer_of(last), last.response))
        lately = self.besides[-IN_VAIN:]
        if len(lately) == IN_VAIN and not any(answer_of(exchange).ok for exchange in lately):
            return self.without_baseline(lately[-1])
        if len(self.besides) >= (ROUNDS if self.refusals else ROUNDS_WITHOUT_REFUSAL):
            return self.unclear()
        return None

    def unclear(self) -> Outcome:
        """The outcome where nothing can be concluded from its last failure."""
        return self._with_evidence(unclear(answer_of(self.probes[-1])))

    def without_baseline(self, beside: Exchange) -> Outcome:
        """The outcome where this baseline fails too."""
        return self._with_evidence(without_baseline(Cause.BASELINE_LOST, answer_of(beside)))

    def _firm(self) -> list[Exchange]:
        return [exchange for exchange in self.refusals if is_refusal(answer_of(exchange))]

    def _with_evidence(self, outcome: Outcome) -> Outcome:
        probes = [(Role.PROBE, probe) for probe in self.probes]
        return outcome.shown_by(*probes, *((Role.BASELINE, each) for each in (self.baseline, *self.besides)))


@dataclass
class Suspects:
    """The parameters of a group that failed in words that do not name them, until it is known what repeats.

    `passed` are the ids of those that passed. `silent` holds what fields are refused with that were named
    by nobody, and `failed` what was in each request that failed in such words.
    """

    asker: Asker
    passed: Collection[str]
    silent: dict[str, set[Words]]
    failed: list[frozenset[str]] = field(default_factory=list)
    open: dict[str, Suspect] = field(default_factory=dict)

    def add(self, parameter: Parameter, baseline: Exchange, failure: Exchange) -> None:
        """Suspect a parameter that failed when it was asked for alone."""
        self.open[parameter.id] = Suspect(parameter, baseline, [failure])

    def confirm(self) -> Ask[list[tuple[Parameter, Outcome | Exchange]]]:
        """Ask about all suspects again, beside baselines, until all are settled: only what repeats counts.

        Returns the outcome of each, or the exchange in which it passed, or was named.
        """
        yield from self.asker.look()
        settled: list[tuple[Parameter, Outcome | Exchange]] = list(self._concluded())
        while suspects := list(self.open.values()):
            contexts = list(dict.fromkeys(suspect.parameter.context for suspect in suspects))
            probes = [self._once_more(suspect) for suspect in suspects]
            exchanges = iter((yield (*chain.from_iterable(probes), *map(self.asker.beside, contexts))))
            answers = [list(islice(exchanges, len(asked))) for asked in probes]
            besides = dict(zip(contexts, exchanges, strict=True))
            self.asker.stumbles |= any(beside and not answer_of(beside).ok for beside in besides.values())
            for suspect, came in zip(suspects, answers, strict=True):
                if (end := self._weighed(suspect, came, besides[suspect.parameter.context])) is not None:
                    del self.open[suspect.parameter.id]
                    settled.append((suspect.parameter, end))
            settled += self._concluded()
        return settled

    def _once_more(self, suspect: Suspect) -> list[Request]:
        """As many probes of a suspect as are missing, to be asked at once."""
        begin, missing = PATIENCE + len(suspect.probes) - 1, suspect.wanted(self._known(suspect))
        return [self.asker.probe([suspect.parameter], again=begin + n) for n in range(max(1, min(AT_ONCE, missing)))]

    def _weighed(
        self, suspect: Suspect, came: Sequence[Exchange | None], beside: Exchange | None
    ) -> Outcome | Exchange | None:
        """Take from more answers what they say of a suspect; what settles it, or None."""
        probes = [exchange for exchange in came if exchange is not None]
        for exchange in probes:
            if answer_of(exchange).ok:
                self.asker.stumbles = True
                return exchange
        for exchange in probes:
            answer = answer_of(exchange)
            if says_no(answer) and blamed([suspect.parameter], self.asker.group.endpoint, answer):
                return exchange
        if beside is None or len(probes) < len(came):
            return suspect.unclear()
        suspect.note(probes, beside)
        return None

    def _concluded(self) -> Iterable[tuple[Parameter, Outcome]]:
        """The suspects of which enough is known."""
        for suspect in list(self.open.values()):
            parameter = suspect.parameter
            if outcome := self._given_up(suspect) or suspect.outcome(self._known(suspect)):
                del self.open[parameter.id]
                if outcome.verdict is Verdict.REJECTED:
                    self.silent.setdefault(parameter.path, set()).add(suspect.words)
                yield parameter, outcome

    def _given_up(self, suspect: Suspect) -> Outcome | None:
        gone = self.asker.gone
        return suspect.without_baseline(gone) if gone else None

    def _known(self, suspect: Suspect) -> Known:
        name, path = suspect.parameter.id, suspect.parameter.path
        batches = sum(name in batch and all(p in self.passed for p in batch - {name}) for batch in self.failed)
        familiar = any(suspect.words in words for words in self.silent.values())
        return Known(batches, suspect.words in self.silent.get(path, ()), familiar, self.asker.stumbles)
