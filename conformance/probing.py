"""What to ask to settle a group of cells, given the answers so far. Pure: generators, no I/O.

`settle` yields requests and is sent the exchanges that answer them, so that one piece of code
decides live, where a recorder sends them, and offline, where a recording is looked up. What can
travel together is asked together; what is refused is taken out, or halved until it is found.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from conformance import dialects
from conformance.answers import Answer
from conformance.judge import (
    Channel,
    Outcome,
    accepted,
    answer_of,
    blamed,
    channel_of,
    inconclusive,
    is_refusal,
    not_recorded,
    rejected,
    trouble,
)
from conformance.plan import Group
from conformance.types import Endpoint, Exchange, Mode, Parameter, RejectedBy, Request, Response

T = TypeVar("T")

#: Yields requests to send at once; is sent their exchanges, None for each that was never made.
Ask = Generator[tuple[Request, ...], tuple[Exchange | None, ...], T]

#: How many controls a group has: a bogus key, and a wrong type.
CONTROLS = 2
#: How often a request is made that gets neither a yes nor a no.
PATIENCE = 3

#: Outcomes by parameter id.
Found = dict[str, Outcome]


def settle(group: Group, *, exhaustive: bool = False, litellm: bool = False) -> Ask[Found]:
    """Settle every cell of a group; `exhaustive` asks for each parameter alone.

    `litellm` says that the gateway takes LiteLLM's own switches, which settle who refused.
    """
    cap, baseline = yield from _negotiate(group)
    if baseline is None or not answer_of(baseline).ok:
        return dict.fromkeys((p.id for p in group.parameters), _no_baseline(baseline))
    return (yield from _Prober(group, cap, baseline, exhaustive, litellm).run())


def _negotiate(group: Group) -> Ask[tuple[dict[str, Any], Exchange | None]]:
    """The first cap on the answer's length that the model takes, and the baseline that shows it."""
    exchange: Exchange | None = None
    for cap in group.entry.caps:
        exchange = yield from _patiently(lambda again, cap=cap: group.request(cap, again=again))  # type: ignore[misc]
        if exchange is None or not is_refusal(answer_of(exchange)):
            return dict(cap), exchange
    return {}, exchange


def _no_baseline(exchange: Exchange | None) -> Outcome:
    if exchange is None:
        return not_recorded()
    return inconclusive(f"the baseline failed: {trouble(answer_of(exchange))}").shown_by(exchange)


@dataclass
class _Prober:
    """One group's dialogue: its baselines, its controls, and what was found so far."""

    group: Group
    cap: dict[str, Any]
    baseline: Exchange
    exhaustive: bool
    litellm: bool
    found: Found = field(default_factory=dict)
    refused: Found = field(default_factory=dict)  # by top-level field
    channel: Channel = field(default_factory=lambda: Channel(None, ""))

    def run(self) -> Ask[Found]:
        group = self.group
        yield from self._controls()
        contexts = dict.fromkeys(p.context for p in group.parameters)
        yield from _together(self._context(name) for name in contexts)
        return self.found

    def _controls(self) -> Ask[None]:
        """Ask what successes are worth here."""
        asked: dict[str, Exchange | None] = {}

        def control(name: str, part: Mapping[str, Any]) -> Ask[None]:
            asked[name] = yield from _patiently(lambda again: self.group.request(self.cap, part, again=again))

        entry = self.group.entry
        yield from _together([control("bogus", entry.bogus), control("channel", entry.channel)])
        self.channel = channel_of(asked["bogus"], asked["channel"], entry.channel)

    def _context(self, name: str) -> Ask[None]:
        """Settle the parameters that share a context, whose baseline has to pass on its own."""
        parameters = [p for p in self.group.parameters if p.context == name]
        baseline: Exchange | None = self.baseline
        if name:
            baseline = yield from _patiently(lambda again: self.group.request(self.cap, context=name, again=again))
        if baseline is None or not answer_of(baseline).ok:
            cause = (
                not_recorded()
                if baseline is None
                else inconclusive(f"its prerequisite was not accepted: {trouble(answer_of(baseline))}").shown_by(
                    baseline
                )
            )
            self.found |= dict.fromkeys((p.id for p in parameters), cause)
            return
        if self.exhaustive:
            yield from _together(self._alone(parameter, baseline) for parameter in parameters)
            return
        first, *rounds = _rounds(parameters, self.group)
        yield from self._batch(first, baseline)
        # A field that is refused whatever its value needs not be asked about with each value.
        yield from _together(self._batch(self._still_open(batch), baseline) for batch in rounds)

    def _still_open(self, batch: Sequence[Parameter]) -> list[Parameter]:
        for parameter in batch:
            refusals = [self.refused[f] for f in parameter.bodies[self.group.endpoint] if f in self.refused]
            if refusals and not parameter.context:
                self._all([parameter], refusals[0])
        return [p for p in batch if p.id not in self.found]

    def _batch(self, batch: Sequence[Parameter], baseline: Exchange) -> Ask[None]:
        """Settle parameters that can travel together: all at once, then without what is refused."""
        if not batch:
            return
        if len(batch) == 1:
            yield from self._alone(batch[0], baseline)
            return
        exchange = yield from _patiently(lambda again: self._probe(batch, again=again))
        if exchange is None:
            self._all(batch, not_recorded())
            return
        answer = answer_of(exchange)
        if answer.ok:
            self._accept(batch, exchange, baseline)
            return
        named = blamed(batch, self.group.endpoint, answer) if is_refusal(answer) else []
        if not named:
            middle = len(batch) // 2
            yield from _together([self._batch(batch[:middle], baseline), self._batch(batch[middle:], baseline)])
            return
        rest = [p for p in batch if p not in named]
        outcome = rejected(answer, exchange.response).shown_by(exchange, baseline)
        unclear = outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm
        if dialects.refuses_field(answer.refusal or "") and not unclear:
            self._all(named, outcome)
            self.refused |= dict.fromkeys(dialects.whole_fields(answer.refusal or ""), outcome)
            yield from self._batch(rest, baseline)
        else:  # it may be the company that is refused
            yield from _together([*(self._alone(p, baseline) for p in named), self._batch(rest, baseline)])

    def _alone(self, parameter: Parameter, baseline: Exchange) -> Ask[None]:
        """Settle one parameter by itself; what is unclear is asked once more."""
        exchange = yield from _patiently(lambda again: self._probe([parameter], again=again))
        if exchange is None:
            self._all([parameter], not_recorded())
            return
        answer = answer_of(exchange)
        if answer.ok:
            self._accept([parameter], exchange, baseline)
        elif is_refusal(answer) and blamed([parameter], self.group.endpoint, answer):
            outcome = rejected(answer, exchange.response).shown_by(exchange, baseline)
            if outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm:
                outcome = yield from self._who(parameter, exchange, baseline)
            self._all([parameter], outcome)
        else:
            yield from self._again(parameter, exchange, answer, baseline)

    def _again(self, parameter: Parameter, first: Exchange, before: Answer, baseline: Exchange) -> Ask[None]:
        """Ask once more, with a baseline after it: only what repeats between passing baselines counts."""
        context = parameter.context
        second, after = yield (
            self._probe([parameter], again=PATIENCE),
            self.group.request(self.cap, context=context, again=PATIENCE),
        )
        shown = [e for e in (first, second, baseline, after) if e is not None]
        if second is None or after is None:
            self._all([parameter], inconclusive(trouble(before)).shown_by(*shown))
            return
        answer = answer_of(second)
        if answer.ok:
            self._accept([parameter], second, baseline)
            return
        # The parameter is all that these two have and the passing baselines have not.
        refused_twice = is_refusal(before) and is_refusal(answer)
        named_twice = all(blamed([parameter], self.group.endpoint, each) for each in (before, answer))
        if answer_of(after).ok and (named_twice or refused_twice):
            self._all([parameter], rejected(answer, second.response).shown_by(*shown))
        else:
            self._all([parameter], inconclusive(trouble(answer)).shown_by(*shown))

    def _who(self, parameter: Parameter, refusal: Exchange, baseline: Exchange) -> Ask[Outcome]:
        """Who refused, where neither words nor headers tell: LiteLLM leaves out only what itself refuses."""
        outcome = rejected(answer_of(refusal), refusal.response)
        exchange = yield from _one(self._probe([parameter], {"drop_params": True}))
        if exchange is None:
            return outcome.shown_by(refusal, baseline)
        answer = answer_of(exchange)
        by = outcome.rejected_by
        if answer.ok:
            by = RejectedBy.GATEWAY
        elif is_refusal(answer) and blamed([parameter], self.group.endpoint, answer):
            by = RejectedBy.BACKEND
        return Outcome(outcome.verdict, outcome.reason, by).shown_by(refusal, exchange, baseline)

    def _probe(self, batch: Sequence[Parameter], *extra: dict[str, Any], again: int = 0) -> Request:
        bodies = [p.bodies[self.group.endpoint] for p in batch]
        without = [name for p in batch for name in p.without]
        return self.group.request(self.cap, *bodies, *extra, context=batch[0].context, without=without, again=again)

    def _accept(self, batch: Sequence[Parameter], exchange: Exchange, baseline: Exchange) -> None:
        answer, before = answer_of(exchange), answer_of(baseline)
        for parameter in batch:
            outcome = accepted(parameter, self.group.endpoint, answer, before, self.channel)
            self.found[parameter.id] = replace(
                outcome.shown_by(exchange, baseline, *self.channel.shown_by),
                recorded=len(self.channel.shown_by) == CONTROLS,
            )

    def _all(self, parameters: Iterable[Parameter], outcome: Outcome) -> None:
        self.found |= dict.fromkeys((p.id for p in parameters), outcome)


def fewest_requests(group: Group, *, exhaustive: bool = False) -> int:
    """How many requests settle a group where every one of them succeeds."""
    dialogue, count = settle(group, exhaustive=exhaustive), 0
    response = Response(status=200, body=_IMAGINED[group.endpoint, group.mode])
    asked: tuple[Request, ...] = next(dialogue)
    with contextlib.suppress(StopIteration):
        while True:
            count += len(asked)
            asked = dialogue.send(tuple(Exchange(request, response) for request in asked))
    return count


_IMAGINED = {
    (Endpoint.CHAT_COMPLETIONS, Mode.WHOLE): b'{"choices":[{"finish_reason":"stop"}]}',
    (Endpoint.CHAT_COMPLETIONS, Mode.STREAM): b'data: {"choices":[{"finish_reason":"stop"}]}\n\n',
    (Endpoint.RESPONSES, Mode.WHOLE): b'{"output":[]}',
    (Endpoint.RESPONSES, Mode.STREAM): b'data: {"type":"response.completed","response":{}}\n\n',
}


def _rounds(parameters: Sequence[Parameter], group: Group) -> Iterable[list[Parameter]]:
    """Put parameters that neither share a field nor touch the same part of an answer into one round."""
    rounds: list[tuple[set[str], list[Parameter]]] = []
    for parameter in parameters:
        taken = {*parameter.bodies[group.endpoint], *parameter.without, *parameter.touches}
        for occupied, batch in rounds:
            if occupied.isdisjoint(taken):
                occupied |= taken
                batch.append(parameter)
                break
        else:
            rounds.append((taken, [parameter]))
    return (batch for _, batch in rounds)


def _one(request: Request) -> Ask[Exchange | None]:
    [exchange] = yield (request,)
    return exchange


def _patiently(make: Callable[[int], Request]) -> Ask[Exchange | None]:
    """Ask until somebody says yes or no, a few times: rate limits, server errors and cut streams may pass."""
    exchange: Exchange | None = None
    for again in range(PATIENCE):
        exchange = yield from _one(make(again))
        if exchange is None:
            break
        answer = answer_of(exchange)
        if answer.ok or is_refusal(answer):
            break
    return exchange


def _together(dialogues: Iterable[Ask[None]]) -> Ask[None]:
    """Hold several dialogues at once: each round asks what all of them ask next."""
    waiting: list[tuple[Ask[None], tuple[Request, ...]]] = []
    for dialogue in dialogues:
        try:
            waiting.append((dialogue, next(dialogue)))
        except StopIteration:
            continue
    while waiting:
        exchanges = iter((yield tuple(request for _, requests in waiting for request in requests)))
        going = []
        for dialogue, requests in waiting:
            try:
                going.append((dialogue, dialogue.send(tuple(next(exchanges) for _ in requests))))
            except StopIteration:
                continue
        waiting = going
