"""Ask what successes are worth: controls, wrong types of what passed, and stored answers, fetched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.answers import dialects
from conformance.judge.asking import Asker
from conformance.judge.dialogue import Ask, one, patiently, together
from conformance.judge.findings import Findings
from conformance.judge.verdicts import Channel, answer_of, channel_of, invisible, says_no
from conformance.parameters.effects import FETCHED, NOT_FOUND
from conformance.parameters.filling import answer_id, wrong_types
from conformance.types import Exchange


@dataclass
class Controls:
    """A group's controls: a bogus key, and a known field with a value of a wrong type.

    `vague` is how many server errors that name nothing count as a refusal of one. `channel` is what they say,
    once they are asked.
    """

    asker: Asker
    vague: int
    channel: Channel = field(default_factory=lambda: Channel(None, ""))

    def ask(self) -> Ask[None]:
        """Ask what successes are worth here."""
        entry = self.asker.group.entry
        answered: dict[str, Exchange | None] = {}

        def ask_one(name: str, part: Mapping[str, Any]) -> Ask[None]:
            answered[name] = yield from patiently(
                lambda again: self.asker.group.request(self.asker.cap, part, again=again), vague=self.vague
            )

        parts = {"bogus": entry.bogus, "channel": entry.channel}
        yield from together(ask_one(name, part) for name, part in parts.items() if part)
        self.channel = channel_of(answered["bogus"], answered.get("channel"), entry)


def ask_wrong_types(asker: Asker, findings: Findings, *, exhaustive: bool) -> Ask[None]:
    """Ask whether the fields are read whose acceptance shows nothing: each gets a value of a wrong type."""
    endpoint = asker.group.endpoint
    wrong: dict[str, Any] = {}
    for parameter in asker.group.parameters:
        passed = findings.passed.get(parameter.id)
        if passed and not parameter.context and invisible(parameter, endpoint, passed):
            wrong |= wrong_types(parameter.bodies[endpoint])
    alone = [{name: value} for name, value in wrong.items()]
    requests = alone if exhaustive else [wrong]
    yield from together(_ask_wrong_type(asker, findings, fields) for fields in requests if fields)


def _ask_wrong_type(asker: Asker, findings: Findings, fields: Mapping[str, Any]) -> Ask[None]:
    """Send fields with values of wrong types: all pass, or those that are named are read."""
    exchange = yield from one(asker.group.request(asker.cap, fields))
    if exchange is None:
        return
    answer = answer_of(exchange)
    told = {n for n in fields if answer.ok or (says_no(answer) and dialects.mentions(answer.refusal or "", [n]))}
    for parameter in asker.group.parameters:
        passed = findings.passed.get(parameter.id)
        if passed and told & set(parameter.bodies[asker.group.endpoint]):
            findings.passed[parameter.id] = replace(passed, wrong=exchange, wrong_passes=answer.ok)


def fetch_stored(asker: Asker, findings: Findings) -> Ask[None]:
    """Fetch the answers of parameters whose effect shows only there, and the baseline's to compare."""
    group, endpoint = asker.group, asker.group.endpoint
    asked = [p for p in group.parameters if p.id in findings.passed and p.effects.get(endpoint) in FETCHED]
    if not asked or (unasked := answer_id(answer_of(findings.baseline))) is None:
        return
    before = yield from one(group.fetch(unasked))
    if before is None or not (answer_of(before).ok or answer_of(before).status == NOT_FOUND):
        return  # nothing is told here of what is stored
    for parameter in asked:
        passed = findings.passed[parameter.id]
        if bool(parameter.bodies[endpoint].get("store")) is answer_of(before).ok:
            continue  # as it is unasked: that would prove nothing
        name = answer_id(answer_of(passed.probe))
        exchange = (yield from one(group.fetch(name))) if name else None
        if exchange is not None:
            findings.passed[parameter.id] = replace(passed, fetched=(exchange, before))
