"""A group's requests: the cap on its answers, its probes, its baselines; and how its gateway fares. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from conformance.answers import dialects
from conformance.judge.dialogue import PATIENCE, Ask, one, patiently
from conformance.judge.verdicts import Words, answer_of, says_no, words_of
from conformance.plan.cells import Group
from conformance.types import Exchange, Parameter, Request

#: Requests that fail in a row, in words that name nothing, before it is asked whether the baseline still passes.
SILENCE = 6

#: How often in a row a baseline has to fail that passed before, until it counts as failing.
IN_VAIN = 4


@dataclass(frozen=True)
class Start:
    """The first cap on the answer's length that a model takes, and the baseline that shows it.

    `silent` holds, where it takes none, what the caps were refused with, by their fields, where the words named none.
    """

    cap: Mapping[str, Any]
    baseline: Exchange | None
    silent: dict[str, set[Words]]


def negotiate(group: Group) -> Ask[Start]:
    """Find a cap. What is refused is not asked again, for the next will do; after the last there is no other."""
    silent: dict[str, set[Words]] = {}
    *caps, last = group.entry.caps
    for cap in caps:
        exchange = yield from patiently(partial(_capped, group, cap))
        if exchange is None or not says_no(answer := answer_of(exchange)):
            return Start(cap, exchange, {})
        if not dialects.offenders(answer.refusal or ""):
            silent |= {name: {words_of(answer)} for name in cap}
    exchange = yield from patiently(partial(_capped, group, last), vague=PATIENCE, patience=PATIENCE + 2)
    return Start(last, exchange, silent)


def _capped(group: Group, cap: Mapping[str, Any], again: int) -> Request:
    return group.request(cap, again=again)


@dataclass
class Asker:
    """Makes the requests of a group whose baseline passed.

    `stumbles` says that its gateway was seen to fail by chance, `silence` counts the requests since the last
    success that failed in words that name nothing, and `gone` is the baseline where it does not pass any more.
    """

    group: Group
    cap: Mapping[str, Any]
    baseline: Exchange
    stumbles: bool = False
    silence: int = 0
    gone: Exchange | None = None
    besides: Counter[str] = field(default_factory=Counter)  # baselines asked once more, by context

    def probe(self, batch: Sequence[Parameter], *extra: Mapping[str, Any], again: int = 0) -> Request:
        """The request that asks for parameters at once, for the n-th time."""
        bodies = [p.bodies[self.group.endpoint] for p in batch]
        without = [name for p in batch for name in p.without]
        contexts = dict.fromkeys(p.context for p in batch if p.context)
        return self.group.request(
            self.cap,
            *bodies,
            *extra,
            contexts=contexts,
            without=without,
            headers=[p.headers for p in batch],
            door=batch[0].door,  # what goes elsewhere goes alone
            again=again,
        )

    def beside(self, context: str) -> Request:
        """The baseline of a context once more, to be asked beside something else."""
        again = max(PATIENCE, self.baseline.request.repeat % 10 + 1) + self.besides[context]
        self.besides[context] += 1
        return self.group.request(self.cap, contexts=[context] if context else [], again=again)

    def first(self, batch: Sequence[Parameter]) -> Ask[Exchange | None]:
        """Ask for parameters for the first time; None where that was never recorded, or nothing passes any more."""
        yield from self.look()
        if self.gone:
            return None
        exchange = yield from patiently(lambda again: self.probe(batch, again=again))
        if exchange is not None:
            answer = answer_of(exchange)
            again = exchange.request.repeat != self.baseline.request.repeat
            self.stumbles |= again or not (answer.ok or says_no(answer))
        return exchange

    def look(self) -> Ask[None]:
        """Ask whether the baseline still passes, where nothing has for a while."""
        if self.silence < SILENCE:
            return
        self.silence = 0
        exchange: Exchange | None = None
        for _ in range(IN_VAIN):
            exchange = yield from one(self.beside(""))
            if exchange is None or answer_of(exchange).ok:
                return
            self.stumbles = True
        self.gone = exchange
