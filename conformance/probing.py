"""What to ask to settle a group of cells, given the answers so far. Pure: generators, no I/O.

`settle` yields requests and is sent the exchanges that answer them, so that one piece of code
decides live, where a recorder sends them, and offline, where a recording is looked up. What can
travel together is asked together; what is refused is taken out, or halved until it is found.
"""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import Any

from conformance import dialects
from conformance.answers import Answer
from conformance.dialogue import PATIENCE, Ask, one, patiently, together
from conformance.judge import (
    Channel,
    Outcome,
    Passed,
    accepted,
    answer_of,
    blamed,
    channel_of,
    inconclusive,
    invisible,
    is_refusal,
    not_recorded,
    rejected,
    says_no,
    trouble,
)
from conformance.parameters import BASELINE, Context
from conformance.parameters.effects import FETCHED, NOT_FOUND
from conformance.parameters.filling import answer_id, filled, wrong_types
from conformance.plan import Group
from conformance.repeating import AT_ONCE, ROUNDS_IN_VAIN, Known, Suspect, Words, words_of
from conformance.types import Endpoint, Exchange, Mode, Parameter, RejectedBy, Request, Response, Verdict

#: How the reason of cells begins that met a fault of ours.
FAULT = "the suite failed to judge the answers"

#: Requests that fail in a row, in words that name nothing, before it is asked whether the baseline still passes.
SILENCE = 4

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
        cause = f"{FAULT}: {type(fault).__name__} in {place.name}, line {place.lineno}; please report this"
        return dict.fromkeys((p.id for p in group.parameters), inconclusive(cause))


def _settled(group: Group, exhaustive: bool, litellm: bool) -> Ask[Found]:
    start = yield from _negotiate(group)
    by_name = group.by_name()
    refused = start.baseline is not None and is_refusal(answer_of(start.baseline))
    if by_name and refused:  # not every key may ask for a deployment by its id
        group = by_name
        start = yield from _negotiate(group)
    if start.baseline is None or not answer_of(start.baseline).ok:
        return dict.fromkeys((p.id for p in group.parameters), _no_baseline(start.baseline))
    return (yield from _Prober(group, start.cap, start.baseline, exhaustive, litellm, silent=start.silent).run())


@dataclass(frozen=True)
class _Start:
    """The first cap on the answer's length that a model takes, and the baseline that shows it.

    `silent` holds what the caps before it were refused with, by their fields, where the words named none.
    """

    cap: Mapping[str, Any]
    baseline: Exchange | None
    silent: dict[str, set[Words]]


def _negotiate(group: Group) -> Ask[_Start]:
    """Find a cap; the last that is tried is none, and there is nothing to turn to from that."""
    silent: dict[str, set[Words]] = {}
    exchange: Exchange | None = None
    for cap in group.entry.caps:
        exchange = yield from patiently(partial(_capped, group, cap), vague=2 if cap else PATIENCE)
        if exchange is None or not says_no(answer_of(exchange)):
            return _Start(cap, exchange, silent)
        if not dialects.offenders(answer_of(exchange).refusal or ""):
            silent |= {name: {words_of(answer_of(exchange))} for name in cap}
    return _Start({}, exchange, silent)


def _capped(group: Group, cap: Mapping[str, Any], again: int) -> Request:
    return group.request(cap, again=again)


def _no_baseline(exchange: Exchange | None) -> Outcome:
    if exchange is None:
        return not_recorded()
    return inconclusive(f"the baseline failed: {trouble(answer_of(exchange))}").shown_by(exchange)


@dataclass
class _Prober:
    """One group's dialogue: its baselines, its controls, and what was found so far."""

    group: Group
    cap: Mapping[str, Any]
    baseline: Exchange
    exhaustive: bool
    litellm: bool
    found: Found = field(default_factory=dict)
    passed: dict[str, Passed] = field(default_factory=dict)
    refused: Found = field(default_factory=dict)  # by the path of a field, whatever its value
    channel: Channel = field(default_factory=lambda: Channel(None, ""))
    suspects: dict[str, Suspect] = field(default_factory=dict)  # by parameter id
    silent: dict[str, set[Words]] = field(
        default_factory=dict
    )  # what refuses fields without naming them, by their path
    failed: list[frozenset[str]] = field(default_factory=list)  # what was in requests that failed in such words
    besides: Counter[str] = field(default_factory=Counter)  # baselines asked once more, by context
    stumbles: bool = False
    silence: int = 0  # such requests since the last success
    gone: Exchange | None = None  # the baseline that fails now

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
        return next((self.passed[name].probe for name in names if name in self.passed), self.baseline)

    def _controls(self) -> Ask[None]:
        """Ask what successes are worth here."""
        asked: dict[str, Exchange | None] = {}

        def control(name: str, part: Mapping[str, Any]) -> Ask[None]:
            asked[name] = yield from patiently(lambda again: self.group.request(self.cap, part, again=again), vague=2)

        entry = self.group.entry
        controls = {"bogus": entry.bogus, "channel": entry.channel}
        yield from together(control(name, part) for name, part in controls.items() if part)
        self.channel = channel_of(asked["bogus"], asked.get("channel"), entry)

    def _rounds(self) -> Ask[None]:
        """Settle all parameters: each alone, or as many at once as can travel together."""
        parameters = self._parameters()
        needed = {one.id for p in parameters if (one := self._prerequisite(p))} | {p.against for p in parameters}
        while not self.gone:
            if not (ready := self._ready(parameters)):
                return
            yield from together(self._asked(ready, parameters, needed))
            yield from self._confirm()
        left = [p for p in parameters if not self._settled(p)]
        self._all(left, inconclusive(f"the baseline fails too: {trouble(answer_of(self.gone))}").shown_by(self.gone))

    def _asked(
        self, ready: Sequence[Parameter], parameters: Sequence[Parameter], needed: Collection[str]
    ) -> Iterator[Ask[None]]:
        """How to ask for what is ready: each alone, or as many at once as can travel together."""
        # What is refused in words that name nothing costs its company a search: the field's other values go alone.
        alone = [p for p in ready if self.exhaustive or p.path in self.silent]
        ready = [p for p in ready if p not in alone]
        # A field's second value waits until it is known whether the field is taken at all.
        known = {p.path for p in parameters if self._settled(p)}
        firsts = {p.path: p for p in reversed(ready) if p.path not in known}
        leads = [p for p in ready if firsts.get(p.path) is p]
        leads.sort(key=lambda p: p.id not in needed)  # what others build on comes first
        batches = _batches([*leads, *(p for p in ready if p.path in known)], self.group)
        yield from (self._try([parameter]) for parameter in alone)
        yield from (self._batch(batch) for batch in islice(batches, 1 if leads else None))

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
        source = self.passed[needed.id].probe if needed else self.baseline
        body = filled(parameter.bodies[self.group.endpoint], answer_of(source))
        if body is None:
            words = "no answer of it holds what would be sent back."
            self._all([parameter], Outcome(Verdict.NOT_APPLICABLE, words).shown_by(source))
            return []
        return [replace(parameter, bodies={self.group.endpoint: body})]

    def _due(self, parameter: Parameter, needed: Parameter | None) -> bool:
        against = self.group.registry.by_id.get(parameter.against)
        return (needed is None or needed.id in self.passed) and (against is None or self._settled(against))

    def _unasked(self, parameter: Parameter, needed: Parameter | None) -> Outcome | None:
        """The outcome of what needs not be asked: its field is refused whatever its value, or what it builds on is."""
        if needed and (unmet := self.found.get(needed.id)):
            return _unmet(needed, unmet)
        named = (parameter.path, *parameter.bodies[self.group.endpoint])
        refusals = [self.refused[name] for name in named if name in self.refused]
        return refusals[0] if refusals and not self.exhaustive else None

    def _batch(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Ask for parameters at once; what a refusal names is settled, and its company waits for the next round."""
        yield from self._try(batch)
        if not any(map(self._concluded, batch)):
            yield from self._halves(batch)
            self.stumbles |= all(p.id in self.passed for p in batch)

    def _halves(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Search a batch that fails in words that do not tell which of it is refused."""
        left, right = batch[: len(batch) // 2], batch[len(batch) // 2 :]
        yield from self._batch(left)
        if len(right) > 1 and all(p.id in self.passed for p in left):
            yield from self._halves(right)  # it is in there: nobody needs to ask
        else:
            yield from self._batch(right)

    def _concluded(self, parameter: Parameter) -> bool:
        return self._settled(parameter) or parameter.id in self.suspects or self.gone is not None

    def _try(self, batch: Sequence[Parameter]) -> Ask[None]:
        """Ask for parameters at once; nothing is concluded where the words do not tell which of them is refused."""
        exchange = yield from self._first(batch)
        if exchange is None:
            return
        answer = answer_of(exchange)
        named = blamed(batch, self.group.endpoint, answer) if says_no(answer) else []
        if answer.ok:
            self._pass(batch, exchange)
        elif len(batch) == 1 and named:
            yield from self._named(batch[0], exchange)
        elif len(batch) == 1:
            self.suspects[batch[0].id] = Suspect(batch[0], self._baseline(batch[0]), [exchange])
        elif named:
            outcome = rejected(answer, exchange.response).shown_by(exchange, self._baseline(named[0]))
            unclear = outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm
            whatever = dialects.refuses_field(answer.refusal or "")
            by_itself = len(named) == 1 and dialects.names_all(
                answer.refusal or "", named[0].bodies[self.group.endpoint]
            )
            if (whatever or by_itself) and not unclear:
                self._refuse(named, answer, outcome)
            else:  # it may be the company that is refused
                yield from together(self._try([parameter]) for parameter in named)
        elif says_no(answer):
            self.failed.append(frozenset(parameter.id for parameter in batch))

    def _first(self, batch: Sequence[Parameter]) -> Ask[Exchange | None]:
        """Ask for parameters for the first time; None where that was never recorded, or nothing passes any more."""
        if self.silence >= SILENCE:
            yield from self._still_there()
        if self.gone:
            return None
        exchange = yield from patiently(lambda again: self._probe(batch, again=again))
        if exchange is None:
            self._all(batch, not_recorded())
            return None
        answer = answer_of(exchange)
        self.stumbles |= exchange.request.repeat != self.baseline.request.repeat or not (answer.ok or says_no(answer))
        self.silence = 0 if answer.ok or blamed(batch, self.group.endpoint, answer) else self.silence + 1
        return exchange

    def _still_there(self) -> Ask[None]:
        """Ask whether the baseline still passes, where nothing has for a while."""
        self.silence = 0
        exchange: Exchange | None = None
        for _ in range(ROUNDS_IN_VAIN):
            exchange = yield from one(self._beside(""))
            if exchange is None or answer_of(exchange).ok:
                return
            self.stumbles = True
        self.gone = exchange

    def _beside(self, context: str) -> Request:
        """The baseline of a context once more, to be asked beside something else."""
        again = PATIENCE + self.besides[context]
        self.besides[context] += 1
        return self.group.request(self.cap, contexts=[context] if context else [], again=again)

    def _named(self, parameter: Parameter, exchange: Exchange) -> Ask[None]:
        """Settle a parameter by a refusal that names it."""
        answer, baseline = answer_of(exchange), self._baseline(parameter)
        outcome = rejected(answer, exchange.response).shown_by(exchange, baseline)
        if outcome.rejected_by is RejectedBy.UNKNOWN and self.litellm:
            outcome = yield from self._who(parameter, exchange, baseline)
        self._refuse([parameter], answer, outcome)

    def _confirm(self) -> Ask[None]:
        """Ask about all suspects again, beside baselines: only what repeats while those pass counts."""
        self._conclude()
        while suspects := list(self.suspects.values()):
            contexts = list(dict.fromkeys(suspect.parameter.context for suspect in suspects))
            probes = [self._once_more(suspect) for suspect in suspects]
            exchanges = iter((yield (*chain.from_iterable(probes), *map(self._beside, contexts))))
            answers = [list(islice(exchanges, len(asked))) for asked in probes]
            besides = dict(zip(contexts, exchanges, strict=True))
            self.stumbles |= any(exchange and not answer_of(exchange).ok for exchange in besides.values())
            for suspect, came in zip(suspects, answers, strict=True):
                yield from self._weigh(suspect, came, besides[suspect.parameter.context])
            self._conclude()

    def _once_more(self, suspect: Suspect) -> list[Request]:
        """As many probes of a suspect as are missing, to be asked at once."""
        wanted = suspect.wanted(self._known(suspect))
        begin = PATIENCE + len(suspect.probes) - 1
        return [self._probe([suspect.parameter], again=begin + n) for n in range(max(1, min(AT_ONCE, wanted)))]

    def _weigh(self, suspect: Suspect, came: Sequence[Exchange | None], beside: Exchange | None) -> Ask[None]:
        """Take from more answers what they say of a suspect."""
        parameter = suspect.parameter
        probes = [exchange for exchange in came if exchange is not None]
        passing = [exchange for exchange in probes if answer_of(exchange).ok]
        named = [e for e in probes if says_no(a := answer_of(e)) and blamed([parameter], self.group.endpoint, a)]
        if passing:
            self.stumbles = True
            self._pass([parameter], passing[0])
        elif named:
            yield from self._named(parameter, named[0])
        elif beside is None or len(probes) < len(came):
            self.found[parameter.id] = suspect.unclear(trouble(answer_of(suspect.probes[-1])))
        else:
            suspect.note(probes, beside)
            return
        del self.suspects[parameter.id]

    def _conclude(self) -> None:
        """Settle the suspects of which enough is known."""
        for suspect in list(self.suspects.values()):
            parameter = suspect.parameter
            if outcome := suspect.outcome(self._known(suspect)):
                self.found[parameter.id] = outcome
                del self.suspects[parameter.id]
                if outcome.verdict is Verdict.REJECTED:
                    self.silent.setdefault(parameter.path, set()).add(suspect.words)

    def _known(self, suspect: Suspect) -> Known:
        name, path = suspect.parameter.id, suspect.parameter.path
        batches = sum(name in batch and batch - {name} <= self.passed.keys() for batch in self.failed)
        return Known(batches, suspect.words in self.silent.get(path, ()), self.stumbles)

    def _who(self, parameter: Parameter, refusal: Exchange, baseline: Exchange) -> Ask[Outcome]:
        """Who refused, where neither words nor headers tell: LiteLLM leaves out only what itself refuses."""
        outcome = rejected(answer_of(refusal), refusal.response)
        exchange = yield from one(self._probe([parameter], {"drop_params": True}))
        if exchange is None:
            return outcome.shown_by(refusal, baseline)
        answer = answer_of(exchange)
        by = outcome.rejected_by
        if answer.ok:
            by = RejectedBy.GATEWAY
        elif says_no(answer) and blamed([parameter], self.group.endpoint, answer):
            by = RejectedBy.BACKEND
        return Outcome(outcome.verdict, outcome.reason, by).shown_by(refusal, exchange, baseline)

    def _fetch(self) -> Ask[None]:
        """Fetch the answers of parameters whose effect shows only there, and the baseline's to compare."""
        endpoint = self.group.endpoint
        asked = [p for p in self.group.parameters if p.id in self.passed and p.effects.get(endpoint) in FETCHED]
        if not self.channel.read or not asked or (unasked := answer_id(answer_of(self.baseline))) is None:
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
        exchange = yield from one(self.group.request(self.cap, fields))
        if exchange is None:
            return
        answer = answer_of(exchange)
        told = {n for n in fields if answer.ok or (says_no(answer) and dialects.mentions(answer.refusal or "", [n]))}
        for parameter in self.group.parameters:
            passed = self.passed.get(parameter.id)
            if passed and told & set(parameter.bodies[self.group.endpoint]):
                self.passed[parameter.id] = replace(passed, wrong=exchange, wrong_passes=answer.ok)

    def _probe(self, batch: Sequence[Parameter], *extra: dict[str, Any], again: int = 0) -> Request:
        bodies = [p.bodies[self.group.endpoint] for p in batch]
        without = [name for p in batch for name in p.without]
        contexts = dict.fromkeys(p.context for p in batch if p.context)
        return self.group.request(self.cap, *bodies, *extra, contexts=contexts, without=without, again=again)

    def _pass(self, batch: Iterable[Parameter], exchange: Exchange) -> None:
        self.silence = 0
        self.passed |= {p.id: Passed(exchange, self._baseline(p)) for p in batch}

    def _refuse(self, parameters: Iterable[Parameter], answer: Answer, outcome: Outcome) -> None:
        """Settle parameters by a refusal, and remember what is refused whatever its value."""
        self._all(parameters, outcome)
        text = answer.refusal or ""
        if dialects.refuses_field(text):
            self.refused |= dict.fromkeys(dialects.whole_fields(text), outcome)

    def _all(self, parameters: Iterable[Parameter], outcome: Outcome) -> None:
        self.found |= dict.fromkeys((p.id for p in parameters), outcome)


def _unmet(needed: Parameter, unmet: Outcome) -> Outcome:
    """The outcome of what builds on a parameter that did not pass."""
    if unmet.verdict is Verdict.INCONCLUSIVE:
        return replace(unmet, reason=f"its prerequisite {needed.id} is inconclusive: {unmet.reason}")
    does = "is rejected" if unmet.verdict is Verdict.REJECTED else "does not apply"
    reason = f"there is nothing to ask: its prerequisite {needed.id} {does}: {unmet.reason}"
    return replace(unmet, verdict=Verdict.NOT_APPLICABLE, reason=reason, rejected_by=None, unmet=True)


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


def _batches(parameters: Sequence[Parameter], group: Group) -> Iterator[list[Parameter]]:
    """Put parameters that do not get in each other's way into one batch each, the first ones first."""
    while parameters:
        batch: list[Parameter] = []
        left: list[Parameter] = []
        for parameter in parameters:
            fits = not any(_clash(parameter, other, group) for other in batch)
            (batch if fits else left).append(parameter)
        yield batch
        parameters = left


def _clash(one: Parameter, other: Parameter, group: Group) -> bool:
    """Whether two parameters share a field or touch the same part of an answer, themselves or by their contexts."""
    shared = one.context == other.context  # what both stand in is in neither's way

    def taken(parameter: Parameter) -> set[str]:
        around = Context() if shared else group.context(parameter.context)
        fields = {*parameter.bodies[group.endpoint], *around.body}
        return {*fields, *parameter.without, *around.without, *parameter.touches, *around.touches}

    return not taken(one).isdisjoint(taken(other))
