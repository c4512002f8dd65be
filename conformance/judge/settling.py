"""What to ask to settle a group of cells, given the answers so far. Pure: generators, no I/O.

`settle` yields requests and is sent the exchanges that answer them, so that one piece of code
decides live, where a recorder sends them, and offline, where a recording is looked up. What can
travel together is asked together; what is refused is taken out, or halved until it is found.
`docs/verdicts.md` shows one such dialogue, request by request.
"""

from __future__ import annotations

import contextlib
import traceback

from conformance.judge.asking import Asker, Start, negotiate
from conformance.judge.blaming import Blame
from conformance.judge.controls import Controls, ask_wrong_types, fetch_stored
from conformance.judge.dialogue import Ask, together
from conformance.judge.findings import Findings, Found
from conformance.judge.reasons import Outcome, concluded, not_recorded, without_baseline
from conformance.judge.repeating import Suspects
from conformance.judge.scheduling import Schedule
from conformance.judge.searching import Search
from conformance.judge.verdicts import answer_of, is_refusal
from conformance.plan.cells import Group
from conformance.types import Cause, Endpoint, Exchange, Mode, Request, Response, Role


def settle(group: Group, *, exhaustive: bool = False, litellm: bool = False) -> Ask[Found]:
    """Settle every cell of a group; `exhaustive` asks for each parameter alone.

    `litellm` says that the gateway takes LiteLLM's own switches, which settle who refused. A fault in
    what follows, met by an answer that nobody foresaw, costs this group its verdicts, and no other.
    """
    try:
        return (yield from _settle(group, exhaustive, litellm))
    except Exception as fault:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        outcome = concluded(Cause.SUITE_FAULT, fault=type(fault).__name__, place=place.name, line=place.lineno)
        return dict.fromkeys((p.id for p in group.parameters), outcome)


def _settle(group: Group, exhaustive: bool, litellm: bool) -> Ask[Found]:
    group, start = yield from begun(group)
    if start.baseline is None or not answer_of(start.baseline).ok:
        return dict.fromkeys((p.id for p in group.parameters), _no_baseline(start.baseline))
    return (yield from _settle_with(start, start.baseline, group, exhaustive, litellm))


def begun(group: Group) -> Ask[tuple[Group, Start]]:
    """A group by the name that it can be asked by, and its cap and baseline."""
    start = yield from negotiate(group)
    by_name = group.by_name()
    refused = start.baseline is not None and is_refusal(answer_of(start.baseline))
    if by_name and refused:  # not every key may ask for a deployment by its id
        group = by_name
        start = yield from negotiate(group)
    return group, start


def _no_baseline(exchange: Exchange | None) -> Outcome:
    if exchange is None:
        return not_recorded()
    return without_baseline(Cause.BASELINE_FAILED, answer_of(exchange)).shown_by((Role.BASELINE, exchange))


def _settle_with(start: Start, baseline: Exchange, group: Group, exhaustive: bool, litellm: bool) -> Ask[Found]:
    """Settle a group whose baseline passed: controls and parameters at once, then what successes leave open."""
    asker, findings = Asker(group, start.cap, baseline), Findings(group, baseline)
    suspects = Suspects(asker, findings.passed.keys(), start.silent)
    search = Search(asker, findings, suspects, Blame(asker, findings, litellm))
    # Where a cap was refused in no words, that is how this gateway refuses.
    controls = Controls(asker, vague=1 if start.silent else 2)
    yield from together([controls.ask(), search.settle_all(Schedule(findings, exhaustive))])
    channel = controls.channel
    follow_ups = [fetch_stored(asker, findings)] if channel.read else []
    if channel.swallows:
        follow_ups.append(ask_wrong_types(asker, findings, exhaustive=exhaustive))
    yield from together(follow_ups)
    yield from search.confirm_ignored()
    return findings.judge(channel)


def fewest_requests(group: Group, *, exhaustive: bool = False) -> int:
    """How many requests settle a group where every one of them succeeds.

    Most refusals need a few more. A few need less: what is refused has no effect to be looked for once more.
    """
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
    (Endpoint.MESSAGES, Mode.WHOLE): b'{"type":"message","content":[],"input_tokens":1}',
    (
        Endpoint.MESSAGES,
        Mode.STREAM,
    ): b'data: {"type":"message_start","message":{}}\n\ndata: {"type":"message_stop"}\n\n',
}
