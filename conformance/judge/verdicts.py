"""What exchanges show: pure functions from answers to outcomes. `settling` decides what to ask.

An outcome says only what the exchanges show. A failure that may pass, a refusal that names
something else, a baseline that fails as well: each is `inconclusive`, with its cause (`reasons`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from conformance.answers import dialects
from conformance.answers.reading import Answer, read_answer
from conformance.judge.reasons import UNMET, Outcome, Shown, concluded
from conformance.parameters import EndpointEntry
from conformance.parameters.effects import FETCHED, OBSERVERS, Echoed, Observation
from conformance.types import (
    WORST_FIRST,
    Cause,
    CellKey,
    Endpoint,
    Exchange,
    Judgement,
    Parameter,
    RejectedBy,
    Role,
    Verdict,
)

#: The statuses of refusals that are about something else than what was asked: the key, a limit, an overload. The
#: provider's list (`statuses_elsewhere`) has no 503 and 529: it asks again only where such an answer names a field.
_ELSEWHERE = frozenset({401, 402, 407, 429, 503, 529})

#: A refusal's status and words.
Words: TypeAlias = tuple[int | None, str]

#: Answers of so many bytes are remembered; a large one is read anew, and takes no memory.
_REMEMBERED_BODY = 65_536


@dataclass(frozen=True, slots=True)
class Channel:
    """What a group's controls say of successes there.

    `read` tells whether somebody behind the gateway reads what is sent: they refuse a known field
    with a value of a wrong type. None where that could not be told. `swallows` is true where a
    bogus key passes: then acceptance is worth what a wrong type of the field itself says.
    """

    read: bool | None
    worth: str
    shown_by: tuple[Shown, ...] = ()
    swallows: bool = False
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """A parameter's success: the probe, its baseline, and what else was asked about it.

    `fetched` are the probe's answer and the baseline's, fetched once more by their ids; `wrong` is
    the field with a value of a wrong type, and `wrong_passes` whether that was taken as well.
    """

    probe: Exchange
    baseline: Exchange
    fetched: tuple[Exchange, Exchange] | None = None
    wrong: Exchange | None = None
    wrong_passes: bool | None = None

    def shown(self) -> Iterator[Shown]:
        """What shows it, in the order of the asking."""
        yield Role.PROBE, self.probe
        yield Role.BASELINE, self.baseline
        yield from ((Role.FETCHED, exchange) for exchange in self.fetched or ())
        if self.wrong is not None:
            yield Role.WRONG_TYPE, self.wrong


def answer_of(exchange: Exchange) -> Answer:
    """What an exchange's response amounts to, read once while a dialogue goes on."""
    if len(exchange.response.body) > _REMEMBERED_BODY:
        return read_answer(exchange.request, exchange.response)
    return _remembered(_Same(exchange))


class _Same:
    """An exchange as a key: the same object, whatever it holds."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def __hash__(self) -> int:
        return id(self.exchange)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.exchange is other.exchange


@functools.lru_cache(256)
def _remembered(same: _Same) -> Answer:
    return read_answer(same.exchange.request, same.exchange.response)


def is_refusal(answer: Answer) -> bool:
    """True for an answer that turns the request itself down: no rate limit, no server error."""
    return answer.refusal is not None and answer.status != 429 and (answer.status is None or answer.status < 500)


def says_no(answer: Answer) -> bool:
    """True for an answer that may turn down what was sent, whatever its status: a 500 is evidence like any other.

    False for what is about something else: rate limits, overload, the key, its budget, the model's name.
    """
    if answer.refusal is None or answer.status in _ELSEWHERE:
        return False
    return not dialects.is_elsewhere(answer.refusal)


def is_vague(answer: Answer) -> bool:
    """True for a server error that names nothing, which may be an accident."""
    return not is_refusal(answer) and says_no(answer) and not dialects.offenders(answer.refusal or "")


def words_of(answer: Answer) -> Words:
    """What somebody was refused with: status and words."""
    return answer.status, dialects.summary(answer.refusal or "")


def outcome_of_success(parameter: Parameter, endpoint: Endpoint, passed: Passed, channel: Channel) -> Outcome:
    """The outcome of a success: was its effect seen, and if not, what is acceptance worth here?

    An echo is no proof: LiteLLM's bridge repeats settings in its answer, and drops them.
    """
    seen = _seen(parameter, endpoint, passed)
    if seen.seen is False:
        outcome = Outcome(Verdict.IGNORED, f"{seen.what}.")
    elif seen.seen and (channel.read or not isinstance(seen, Echoed)):
        outcome = Outcome(Verdict.HONOURED, f"{seen.what}.")
    else:
        outcome = Outcome(Verdict.ACCEPTED, f"{seen.what}; {_WORTH.get(passed.wrong_passes, channel.worth)}.")
    return outcome.shown_by(*passed.shown(), *channel.shown_by)


_WORTH: Mapping[bool | None, str] = {
    True: "this field with a value of a wrong type passes just as gladly, so acceptance proves nothing",
    False: "this field with a value of a wrong type is refused, so it is read",
}


def _seen(parameter: Parameter, endpoint: Endpoint, passed: Passed) -> Observation:
    observer, sent = parameter.effects.get(endpoint), parameter.bodies[endpoint]
    if observer is None:
        return Observation(None, parameter.unobservable or "the answer cannot show it")
    if passed.fetched:
        probe, baseline = (answer_of(exchange) for exchange in passed.fetched)
        found = FETCHED[observer](sent, probe, baseline)
        if found.seen is not None:
            return found
    return OBSERVERS[observer](sent, answer_of(passed.probe), answer_of(passed.baseline))


def invisible(parameter: Parameter, endpoint: Endpoint, passed: Passed) -> bool:
    """True for a success of which nothing shows, either way."""
    return _seen(parameter, endpoint, passed).seen is None


def had_no_effect(parameter: Parameter, endpoint: Endpoint, passed: Passed) -> bool:
    """True for a success whose answer shows that the parameter did nothing."""
    return _seen(parameter, endpoint, passed).seen is False


def channel_of(bogus: Exchange | None, wrong: Exchange | None, entry: EndpointEntry) -> Channel:
    """What the controls of a group say: the bogus key, and a known field with a value of a wrong type."""
    controls = ((Role.WRONG_TYPE, wrong), (Role.UNKNOWN_KEY, bogus))
    shown = tuple((role, exchange) for role, exchange in controls if exchange is not None)
    read = _read(answer_of(wrong), wrong, entry.channel) if wrong is not None else None
    answer = answer_of(bogus) if bogus is not None else Answer()
    if read is False:
        worth = "a known field with a value of a wrong type passes just as gladly here"
    elif answer.ok:
        worth = "a bogus key is swallowed just as gladly, so acceptance proves nothing"
    elif says_no(answer) and dialects.mentions(answer.refusal or "", entry.bogus):
        worth = "a bogus key is refused here, so the parameter is known"
    else:
        worth = "the controls tell nothing, so acceptance proves little"
    recorded = bogus is not None and (wrong is not None or not entry.channel)
    return Channel(read, worth, shown, swallows=answer.ok, recorded=recorded)


def _read(answer: Answer, exchange: Exchange, fields: Mapping[str, Any]) -> bool | None:
    """Whether somebody behind the gateway reads these fields, given the answer to a wrong type in them."""
    if answer.ok:
        return False
    by = dialects.spoken_by(answer.refusal or "", exchange.response.headers)
    named = dialects.mentions(answer.refusal or "", fields)
    return True if says_no(answer) and by is not RejectedBy.GATEWAY and named else None


def combined(key: CellKey, fields: tuple[str, ...], outcomes: Sequence[Outcome], deployments: int) -> Judgement:
    """One verdict from the outcomes of all lanes to a model; those of unlike deployments are told apart."""
    verdicts = {outcome.verdict for outcome in outcomes}
    split: dict[str, Verdict] = {}
    chosen = outcomes[0]
    if len(verdicts) > 1:
        # The worst that was found holds: what fails on one deployment fails every other time.
        chosen = min(outcomes, key=_badness)
        split = {outcome.deployment or "?": outcome.verdict for outcome in outcomes}
        told = ", ".join(f"{name} {verdict}" for name, verdict in sorted(split.items()))
        chosen = replace(chosen, reason=f"{chosen.reason} Split between deployments: {told}.")
    elif len({outcome.deployment for outcome in outcomes}) < deployments and chosen.verdict is not Verdict.INCONCLUSIVE:
        seen = ", ".join(sorted({outcome.deployment or "?" for outcome in outcomes}))
        silent = concluded(Cause.DEPLOYMENTS_SILENT, deployments=deployments, seen=seen)
        chosen = replace(silent, evidence=chosen.evidence)
    return Judgement(
        key=key,
        fields=fields,
        verdict=chosen.verdict,
        reason=chosen.reason,
        cause=chosen.cause,
        rejected_by=chosen.rejected_by,
        evidence=chosen.evidence,
        split=split,
    )


def _badness(outcome: Outcome) -> int:
    """Where an outcome stands, the worst first; what builds on something refused works no better than that does."""
    return WORST_FIRST.index(Verdict.INCONCLUSIVE if outcome.cause in UNMET else outcome.verdict)
