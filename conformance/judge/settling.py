"""What to ask to settle a group of cells, given the answers so far. Pure: generators, no I/O.

`settle` yields requests and is sent the exchanges that answer them, so that one piece of code
decides live, where a recorder sends them, and offline, where a recording is looked up. What can
travel together is asked together; what is refused is taken out, or halved until it is found.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from conformance.answers import dialects
from conformance.answers.reading import Answer
from conformance.judge.asking import Asker, negotiate
from conformance.judge.batching import batches
from conformance.judge.dialogue import Ask, one, patiently, together
from conformance.judge.reasons import (
    Outcome,
    concluded,
    not_recorded,
    rejected,
    unmet,
    without_baseline,
)
from conformance.judge.repeating import Suspects
from conformance.judge.verdicts import (
    Channel,
    Passed,
    accepted,
    answer_of,
    blamed,
    channel_of,
    invisible,
    is_refusal,
    says_no,
)
from conformance.parameters import BASELINE
from conformance.parameters.effects import FETCHED, NOT_FOUND
from conformance.parameters.filling import answer_id, filled, wrong_types
from conformance.plan.cells import Group
from conformance.types import Cause, Endpoint, Exchange, Mode, Parameter, RejectedBy, Request, Response, Role

#: Outcomes by parameter id.
Found = dict[str, Outcome]


def settle(group: Group, *, exhaustive: bool = False, litellm: bool = False) -> Ask[Found]:
    """Settle every cell of a group; `exhaustive` asks for each parameter alone.

    `litellm` says that the gateway takes LiteLLM's own switches, which settle who refused. A fault in
    what follows, met by an answer that nobody foresaw, costs this group its verdicts, and no other.
    """
    try:
        return (yield from _settled(group, exhaustive, litellm))
    except Exception as fault:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        outcome = concluded(Cause.SUITE_FAULT, fault=type(fault).__name__, place=place.name, line=place.lineno)
        return dict.fromkeys((p.id for p in group.parameters), outcome)


def _settled(group: Group, exhaustive: bool, litellm: bool) -> Ask[Found]:
    start = yield from negotiate(group)
    by_name = group.by_name()
    refused = start.baseline is not None and is_refusal(answer_of(start.baseline))
    if by_name and refused:  # not every key may ask for a deployment by its id
        group = by_name
        start = yield from negotiate(group)
    if start.baseline is None or not answer_of(start.baseline).ok:
        return dict.fromkeys((p.id for p in group.parameters), _no_baseline(start.baseline))
    asker, passed = Asker(group, start.cap, start.baseline), dict[str, Passed]()
    suspects = Suspects(asker, passed.keys(), start.silent)
    return (yield from _Prober(group, asker, suspects, exhaustive, litellm, passed).run())


def _no_baseline(exchange: Exchange | None) -> Outcome:
    if exchange is None:
        return not_recorded()
    return without_baseline(Cause.BASELINE_FAILED, answer_of(exchange)).shown_by((Role.BASELINE, exchange))


@dataclass
class _Prober:
    """One group's dialogue: its baselines, its controls, and what was found so far."""

    group: Group
    asker: Asker
    suspects: Suspects
    exhaustive: bool
    litellm: bool
    passed: dict[str, Passed]
    found: Found = field(default_factory=dict)
    refused: Found = field(default_factory=dict)  # by the path of a field, whatever its value
    channel: Channel = field(default_factory=lambda: Channel(None, ""))

    def run(self) -> Ask[Found]:
        yield from together([self._controls(), self._rounds()])
        yield from together([self._fetch(), self._wrong_types()])
        for parameter in self.group.parameters:
            if passed := self.passed.get(parameter.id):
                outcome = accepted(parameter, self.group.endpoint, passed, self.channel)
                self.found[parameter.id] = replace(outcome, recorded=self.channel.recorded)
        return {p.id: self.found[p.id] for p in self.group.parameters}

    def _parameters(self) -> list[Parameter]:
        """What is asked about: the group's parameters, and those that they build on."""
        asked = list(self.group.parameters)
        for parameter in asked:  # which grows: what one builds on may build on another
            named = (self._prerequisite(parameter), self.group.registry.by_id.get(parameter.against))
            asked += [needed for needed in named if needed and needed not in asked]
        return asked

    def _prerequisite(self, parameter: Parameter) -> Parameter | None:
        """The parameter that has to be accepted before this one can be asked about."""
        after = "" if parameter.after == BASELINE else parameter.after
        return self.group.registry.by_id.get(after or self.group.context(parameter.context).parameter)

    def _baseline(self, parameter: Parameter) -> Exchange:
        """What a parameter's answer is held against: the plain baseline, or a success of another parameter."""
        names = (parameter.against, self.group.context(parameter.context).parameter)
        return next((self.passed[name].probe for name in names if name in self.passed), self.asker.baseline)

    def _controls(self) -> Ask[None]:
        """Ask what successes are worth here."""
        asked: dict[str, Exchange | None] = {}

        def control(name: str, part: Mapping[str, Any]) -> Ask[None]:
            vague = 1 if self.suspects.silent else 2  # where a cap was refused so, that is how this one refuses
            asked[name] = yield from patiently(
                lambda again: self.group.request(self.asker.cap, part, again=again), vague=vague
            )

        entry = self.group.entry
        controls = {"bogus": entry.bogus, "channel": entry.channel}
        yield from together(control(name, part) for name, part in controls.items() if part)
        self.channel = channel_of(asked["bogus"], asked.get("channel"), entry)

    def _rounds(self) -> Ask[None]:
        """Settle all parameters: each alone, or as many at once as can travel together."""
        parameters = self._parameters()
        needed = {one.id for p in parameters if (one := self._prerequisite(p))} | {p.against for p in parameters}
        while not self.asker.gone and (ready := self._ready(parameters)):
            yield from together(self._asked(ready, parameters, needed))
            for parameter, end in (yield from self.suspects.confirm()):
                if isinstance(end, Outcome):
                    self.found[parameter.id] = end
                elif answer_of(end).ok:
                    self._pass([parameter], end)
                else:
                    yield from self._named(parameter, end)
        if gone := self.asker.gone:
            left = [p for p in parameters if not self._settled(p)]
            self._all(left, without_baseline(Cause.BASELINE_LOST, answer_of(gone)).shown_by((Role.BASELINE, gone)))

    def _asked(
        self, ready: Sequence[Parameter], parameters: Sequence[Parameter], needed: Collection[str]
    ) -> Iterator[Ask[None]]:
        """How to ask for what is ready: each alone, or as many at once as can travel together."""
        # What is refused in words that name nothing costs its company a search: the field's other values go alone.
        alone = [p for p in ready if self.exhaustive or p.path in self.suspects.silent]
        ready = [] if self.exhaustive else [p for p in ready if p.path not in self.suspects.silent]
        # A field's second value waits until it is known whether the field is taken at all.
        known = {p.path for p in parameters if self._settled(p)}
        firsts = {p.path: p for p in reversed(ready) if p.path not in known}
        leads = [p for p in ready if firsts.get(p.path) is p]
        leads.sort(key=lambda p: p.id not in needed)  # what others build on comes first
        at_once = batches([*leads, *(p for p in ready if p.path in known)], self.group)
        yield from (self._try([parameter]) for parameter in alone)
        yield from (self._batch(batch) for batch in islice(at_once, 1 if leads else None))

    def _settled(self, parameter: Parameter) -> bool:
        return parameter.id in self.found or parameter.id in self.passed

    def _ready(self, parameters: Sequence[Parameter]) -> list[Parameter]:
        """What can be asked about now, filled from earlier answers; what never can be is settled."""
        open_now: list[Parameter] = []
        settled = -1
        while not open_now and settled != len(self.found):  # what was settled just now settles what builds on it
            settled = len(self.found)
            open_now = self._open(parameters)
        return open_now

    def _open(self, parameters: Sequence[Parameter]) -> list[Parameter]:
        open_now = []
        for parameter in parameters:
            if self._settled(parameter):
                continue
            needed = self._prerequisite(parameter)
            if outcome := self._unasked(parameter, needed):
                self._all([parameter], outcome)
            elif self._due(parameter, needed):
                open_now += self._filled(parameter, needed) if parameter.after else [parameter]
        return open_now

    def _filled(self, parameter: Parameter, needed: Parameter | None) -> list[Parameter]:
        """The parameter with what it sends back of an answer; none where that answer has nothing of it."""
        source = self.passed[needed.id].probe if needed else self.asker.baseline
        role = Role.PREREQUISITE if needed else Role.BASELINE
        body = filled(parameter.bodies[self.group.endpoint], answer_of(source))
        if body is None:
            self._all([parameter], concluded(Cause.NOTHING_TO_SEND).shown_by((role, source)))
            return []
        return [replace(parameter, bodies={self.group.endpoint: body})]

    def _due(self, parameter: Parameter, needed: Parameter | None) -> bool:
        against = self.group.registry.by_id.get(parameter.against)
        return (needed is None or needed.id in self.passed) and (against is None or self._settled(against))

    def _unasked(self, parameter: Parameter, needed: Parameter | None) -> Outcome | None:
        """The outcome of what needs not be asked: its field is refused whatever its value, or what it builds on is."""
        if needed and (outcome := self.found.get(needed.id)):
            return unmet(needed.id, outcome)
        named = (parameter.path, *parameter.bodies[self.group.endpoint])
        refusals = [self.refused[name] for name in named if name in self.refused]
        if not refusals or self.exhaustive:
            return None
        return refusals[0].for_another(Role.SAME_FIELD)

    def _batch(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Ask for parameters at once; what a refusal names is settled, and its company waits for the next round."""
        yield from self._try(batch)
        if not any(map(self._concluded, batch)):
            yield from self._halves(batch)
            self.asker.stumbles |= all(p.id in self.passed for p in batch)

    def _halves(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Search a batch that fails in words that do not tell which of it is refused."""
        left, right = batch[: len(batch) // 2], batch[len(batch) // 2 :]
        yield from self._batch(left)
        if len(right) > 1 and all(p.id in self.passed for p in left):
            yield from self._halves(right)  # it is in there: nobody needs to ask
        else:
            yield from self._batch(right)

    def _concluded(self, parameter: Parameter) -> bool:
        return self._settled(parameter) or parameter.id in self.suspects.open or self.asker.gone is not None

    def _try(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Ask for parameters at once; nothing is concluded where the words do not tell which of them is refused."""
        exchange = yield from self.asker.first(batch)
        if exchange is None:
            self._all(batch if not self.asker.gone else (), not_recorded())
            return
        answer = answer_of(exchange)
        named = blamed(batch, self.group.endpoint, answer) if says_no(answer) else []
        if answer.ok:
            self._pass(batch, exchange)
        elif named:
            self.asker.silence = 0
            yield from self._named(batch[0], exchange) if len(batch) == 1 else self._named_among(named, exchange)
        else:
            self.asker.silence += 1
            if len(batch) == 1:
                self.suspects.add(batch[0], self._baseline(batch[0]), exchange)
            elif says_no(answer):
                self.suspects.failed.append(frozenset(parameter.id for parameter in batch))

    def _named_among(self, named: Sequence[Parameter], exchange: Exchange) -> Ask[None]:
        """Settle those of a batch that a refusal names, or ask for them alone, where it may be their company."""
        answer = answer_of(exchange)
        shown = (Role.PROBE, exchange), (Role.BASELINE, self._baseline(named[0]))
        outcome = rejected(Cause.REFUSAL_NAMED, answer, exchange.response).shown_by(*shown)
        text = answer.refusal or ""
        unclear = outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm
        by_itself = len(named) == 1 and dialects.names_all(text, named[0].bodies[self.group.endpoint])
        if (dialects.refuses_field(text) or by_itself) and not unclear:
            self._refuse(named, answer, outcome)
        else:
            yield from together(self._try([parameter]) for parameter in named)

    def _named(self, parameter: Parameter, exchange: Exchange) -> Ask[None]:
        """Settle a parameter by a refusal that names it."""
        answer, baseline = answer_of(exchange), self._baseline(parameter)
        shown = (Role.PROBE, exchange), (Role.BASELINE, baseline)
        outcome = rejected(Cause.REFUSAL_NAMED, answer, exchange.response).shown_by(*shown)
        if outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm:
            outcome = yield from self._who(parameter, exchange, baseline)
        self._refuse([parameter], answer, outcome)

    def _who(self, parameter: Parameter, refusal: Exchange, baseline: Exchange) -> Ask[Outcome]:
        """Who refused, where neither words nor headers tell: LiteLLM leaves out only what itself refuses."""
        outcome = rejected(Cause.REFUSAL_NAMED, answer_of(refusal), refusal.response)
        exchange = yield from one(self.asker.probe([parameter], {"drop_params": True}))
        if exchange is None:
            return outcome.shown_by((Role.PROBE, refusal), (Role.BASELINE, baseline))
        answer = answer_of(exchange)
        by = outcome.rejected_by
        if answer.ok:
            by = RejectedBy.GATEWAY
        elif says_no(answer) and blamed([parameter], self.group.endpoint, answer):
            by = RejectedBy.BACKEND
        return replace(outcome, rejected_by=by).shown_by(
            (Role.PROBE, refusal), (Role.DROPPED, exchange), (Role.BASELINE, baseline)
        )

    def _fetch(self) -> Ask[None]:
        """Fetch the answers of parameters whose effect shows only there, and the baseline's to compare."""
        endpoint = self.group.endpoint
        asked = [p for p in self.group.parameters if p.id in self.passed and p.effects.get(endpoint) in FETCHED]
        if not self.channel.read or not asked or (unasked := answer_id(answer_of(self.asker.baseline))) is None:
            return
        before = yield from one(self.group.fetch(unasked))
        if before is None or not (answer_of(before).ok or answer_of(before).status == NOT_FOUND):
            return  # nothing is told here of what is stored
        for parameter in asked:
            passed = self.passed[parameter.id]
            if bool(parameter.bodies[endpoint].get("store")) is answer_of(before).ok:
                continue  # as it is unasked: that would prove nothing
            name = answer_id(answer_of(passed.probe))
            exchange = (yield from one(self.group.fetch(name))) if name else None
            if exchange is not None:
                self.passed[parameter.id] = replace(passed, fetched=(exchange, before))

    def _wrong_types(self) -> Ask[None]:
        """Where a bogus key is swallowed: are the fields read whose acceptance shows nothing?"""
        endpoint = self.group.endpoint
        wrong: dict[str, Any] = {}
        for parameter in self.group.parameters if self.channel.swallows else ():
            passed = self.passed.get(parameter.id)
            if passed and not parameter.context and invisible(parameter, endpoint, passed):
                wrong |= wrong_types(parameter.bodies[endpoint])
        alone = [{name: value} for name, value in wrong.items()]
        yield from together(self._wrong(fields) for fields in (alone if self.exhaustive else [wrong]) if fields)

    def _wrong(self, fields: Mapping[str, Any]) -> Ask[None]:
        """Send fields with values of wrong types: all pass, or those that are named are read."""
        exchange = yield from one(self.group.request(self.asker.cap, fields))
        if exchange is None:
            return
        answer = answer_of(exchange)
        told = {n for n in fields if answer.ok or (says_no(answer) and dialects.mentions(answer.refusal or "", [n]))}
        for parameter in self.group.parameters:
            passed = self.passed.get(parameter.id)
            if passed and told & set(parameter.bodies[self.group.endpoint]):
                self.passed[parameter.id] = replace(passed, wrong=exchange, wrong_passes=answer.ok)

    def _pass(self, batch: Iterable[Parameter], exchange: Exchange) -> None:
        self.asker.silence = 0
        self.passed |= {p.id: Passed(exchange, self._baseline(p)) for p in batch}

    def _refuse(self, parameters: Iterable[Parameter], answer: Answer, outcome: Outcome) -> None:
        """Settle parameters by a refusal, and remember what is refused whatever its value."""
        self._all(parameters, outcome)
        text = answer.refusal or ""
        if dialects.refuses_field(text):
            self.refused |= dict.fromkeys(dialects.whole_fields(text), outcome)

    def _all(self, parameters: Iterable[Parameter], outcome: Outcome) -> None:
        self.found |= dict.fromkeys((p.id for p in parameters), outcome)


def fewest_requests(group: Group, *, exhaustive: bool = False) -> int:
    """How many requests settle a group where every one of them succeeds."""
    dialogue, count = settle(group, exhaustive=exhaustive), 0
    yes, no = Response(status=200, body=_IMAGINED[group.endpoint, group.mode]), Response(status=400)
    asked: tuple[Request, ...] = next(dialogue)
    with contextlib.suppress(StopIteration):
        while True:
            count += len(asked)
            # A bogus key that is refused needs no question about wrong types.
            asked = dialogue.send(tuple(Exchange(r, no if {*group.entry.bogus} & {*r.body} else yes) for r in asked))
    return count


_IMAGINED = {
    (Endpoint.CHAT_COMPLETIONS, Mode.WHOLE): b'{"choices":[{"finish_reason":"stop"}]}',
    (Endpoint.CHAT_COMPLETIONS, Mode.STREAM): b'data: {"choices":[{"finish_reason":"stop"}]}\n\n',
    (Endpoint.RESPONSES, Mode.WHOLE): b'{"output":[]}',
    (Endpoint.RESPONSES, Mode.STREAM): b'data: {"type":"response.completed","response":{}}\n\n',
}
