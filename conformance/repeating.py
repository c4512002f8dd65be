"""What a refusal in words that name nothing is worth: how often it has to repeat before it counts. Pure.

A gateway that stumbles answers with a 5xx now and then, whatever it is asked. So a 5xx counts only where it
repeats more often than chance explains, each time beside a baseline that passes. A 4xx is nobody's accident.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from conformance import dialects
from conformance.answers import Answer
from conformance.judge import Outcome, answer_of, inconclusive, is_refusal, rejected, says_no, trouble
from conformance.types import Exchange, Parameter

#: How often a parameter has to be refused with a 4xx.
FIRM = 2

#: How often with a 5xx, and how often where the gateway was seen to stumble.
STEADY = 4
STEADY_AMONG_FAULTS = 6

#: Rounds of asking again at most; in a row without a passing baseline; and without any refusal.
ROUNDS = 10
ROUNDS_IN_VAIN = 4
ROUNDS_WITHOUT_REFUSAL = 2

#: How often a parameter is asked for in one round at most.
AT_ONCE = 3

#: What somebody was refused with: status and words.
Words: TypeAlias = tuple[int | None, str]


@dataclass(frozen=True)
class Known:
    """What else is known of a suspect and its gateway.

    `batches` counts the requests that failed with it, in which everything else is known to pass; `sibling`
    says that another value of its field is refused in the same words, `stumbles` that the gateway was seen to
    fail by chance.
    """

    batches: int
    sibling: bool
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
        return max(0, FIRM - count, needed - count - known.batches - FIRM * known.sibling)

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
            return rejected(answer_of(last), last.response).shown_by(*self._shown())
        lately = self.besides[-ROUNDS_IN_VAIN:]
        if len(lately) == ROUNDS_IN_VAIN and not any(answer_of(exchange).ok for exchange in lately):
            return self.unclear(f"the baseline fails too: {trouble(answer_of(lately[-1]))}")
        if len(self.besides) >= (ROUNDS if self.refusals else ROUNDS_WITHOUT_REFUSAL):
            return self.unclear(trouble(answer_of(self.probes[-1])))
        return None

    def unclear(self, cause: str) -> Outcome:
        """The outcome where nothing can be concluded."""
        return inconclusive(cause).shown_by(*self._shown())

    def _firm(self) -> list[Exchange]:
        return [exchange for exchange in self.refusals if is_refusal(answer_of(exchange))]

    def _shown(self) -> Iterable[Exchange]:
        return (*self.probes, self.baseline, *self.besides)


def words_of(answer: Answer) -> Words:
    """What somebody was refused with."""
    return answer.status, dialects.summary(answer.refusal or "")
