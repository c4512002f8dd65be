"""Make a failing request smaller by asking again: what can go, goes, as long as the same refusal comes back. Pure.

The dialogue is a generator, as all of the suite's are: it yields requests and is sent their exchanges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.answers import dialects
from conformance.answers.reading import Answer, read_answer
from conformance.errors import ReportError
from conformance.judge.dialogue import Ask, one
from conformance.judge.verdicts import Channel, Passed, outcome_of_success, says_no, words_of
from conformance.reproduce.finding import Fault, name_of
from conformance.types import Endpoint, Exchange, Request, Verdict

#: So many requests are sent at most.
MOST = 60

#: What stands for a prompt where any will do.
_PROMPT: Mapping[Endpoint, Mapping[str, Any]] = {
    Endpoint.CHAT_COMPLETIONS: {"messages": [{"role": "user", "content": "Hi"}]},
    Endpoint.RESPONSES: {"input": "Hi"},
    Endpoint.MESSAGES: {"messages": [{"role": "user", "content": "Hi"}]},
}

#: Top-level fields without which there is no request.
_NEEDED = frozenset({"model", "messages", "input", "stream"})


@dataclass(frozen=True)
class Shrunk:
    """The smallest request that was found to fail, what it got, and what the same without the parameter got.

    `asked` is how many requests it took.
    """

    failing: Exchange
    without: Exchange | None
    asked: int


def shrink(fault: Fault) -> Ask[Shrunk]:
    """Ask again for what failed, and for smaller forms of it.

    Raises `ReportError` where it does not fail any more, and where it cannot be asked again as it was.
    """
    if fault.parameter.after:
        raise ReportError(
            f"{name_of(fault.cell)} sends back a part of an earlier answer, which is not there now; leave out --ask"
        )
    asked = 1
    failing = yield from one(fault.request)
    first = read_answer(fault.shown_by.request, fault.shown_by.response)
    if failing is not None and not _fails(fault, failing, first) and not fault.alone:
        asked += 1
        whole = replace(fault.shown_by.request, repeat=0)
        failing = yield from one(whole)
    if failing is None or not _fails(fault, failing, first):
        raise (yield from _why_not(fault, failing))
    expected = read_answer(failing.request, failing.response)
    smaller, tried = _smaller(fault, failing.request), {failing.request.digest}
    while asked < MOST and (candidate := next(smaller, None)) is not None:
        if candidate.digest in tried:
            continue
        tried.add(candidate.digest)
        asked += 1
        exchange = yield from one(candidate)
        if exchange is not None and _fails(fault, exchange, expected):
            failing = exchange
            smaller = _smaller(fault, candidate)
    without = yield from one(without_parameter(fault, failing.request))
    return Shrunk(failing, without, asked + 1)


def _why_not(fault: Fault, exchange: Exchange | None) -> Ask[ReportError]:
    """What is wrong where a fault does not show any more: with it, or with the gateway or the key."""
    told = "no answer" if exchange is None else told_by(read_answer(exchange.request, exchange.response))
    if exchange is None or not read_answer(exchange.request, exchange.response).ok:
        beside = yield from one(without_parameter(fault, fault.request))
        if beside is None or not read_answer(beside.request, beside.response).ok:
            # LiteLLM's words for a key that it does not know, where it has no database to look it up.
            key = "; it takes only its master key" if "No connected db" in told else ""
            return ReportError(
                f"the gateway answers nothing now, also without the parameter ({told}{key}); check LITELLM_BASE_URL "
                "and the key"
            )
    return ReportError(
        f"{name_of(fault.cell)} was asked again and does not fail in this way now ({told}); measure the model again"
    )


def without_parameter(fault: Fault, request: Request) -> Request:
    """A request without what the parameter adds; what it changes is as in the baseline."""
    before = fault.baseline.request.body if fault.baseline else {}
    body = {name: value for name, value in request.body.items() if name not in fault.own_fields}
    kept = {name: before[name] for name in fault.own_fields if name in before}
    return replace(request, body={**body, **kept})


def _fails(fault: Fault, exchange: Exchange, first: Answer) -> bool:
    """Whether an exchange shows the same fault as the first one did."""
    answer = read_answer(exchange.request, exchange.response)
    if fault.is_ignored:
        return answer.ok and _is_ignored(fault, exchange)
    if not says_no(answer):
        return False
    named, before = (dialects.offenders(each.refusal or "") for each in (answer, first))
    if named or before:  # one that is named with others may be named alone
        return bool(set(named) & set(before))
    return words_of(answer) == words_of(first)


def _is_ignored(fault: Fault, exchange: Exchange) -> bool:
    """Whether the parameter's effect is missing, held against the recorded baseline."""
    if fault.baseline is None:
        return False
    passed = Passed(exchange, fault.baseline)
    outcome = outcome_of_success(fault.parameter, exchange.request.endpoint, passed, Channel(None, ""))
    return outcome.verdict is Verdict.IGNORED


def _smaller(fault: Fault, request: Request) -> Iterator[Request]:
    """Smaller forms of a request, those that spare the most first."""
    own = set(fault.own_fields)
    prompt = {
        name: value
        for name, value in _PROMPT[request.endpoint].items()
        if name not in own and request.body.get(name) not in (None, value)
    }
    if prompt and not fault.is_ignored:  # what is ignored is held against the baseline, which has the same prompt
        yield replace(request, body={**request.body, **prompt})
    for name in request.body:
        if name not in own | _NEEDED:
            yield replace(request, body={each: value for each, value in request.body.items() if each != name})
    for name in request.body:
        for value in _parts(request.body[name]) if name in own or name not in _NEEDED else ():
            yield replace(request, body={**request.body, name: value})


def _parts(value: Any) -> Iterator[Any]:
    """A value with one part less, wherever a part can go; never with none left."""
    if isinstance(value, Mapping):
        for name in value if len(value) > 1 else ():
            yield {each: inner for each, inner in value.items() if each != name}
        for name, inner in value.items():
            for less in _parts(inner):
                yield {**value, name: less}
    elif isinstance(value, list):
        for place in range(len(value)) if len(value) > 1 else ():
            yield value[:place] + value[place + 1 :]
        for place, inner in enumerate(value):
            for less in _parts(inner):
                yield [*value[:place], less, *value[place + 1 :]]


def told_by(answer: Answer) -> str:
    """What an answer says, in one line."""
    if answer.ok:
        return "the request succeeds"
    return answer.problem or f"{answer.status}: {dialects.summary(answer.refusal or '')}"
