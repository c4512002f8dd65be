"""Mend a request that was refused: from what was sent and what was answered to what to send instead. Pure.

A refusal is read (`dialects`), what it names is traced to the request (`tracing`), and what can be done
about it is what the filter does for a parameter that a table refuses: so what was learnt from a refusal
has the same effect when it is known beforehand. What would make it another request is kept, and explained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from conformance.provider.filter import Filtered, filter_asked, places_named, remedies
from conformance.provider.filter.places import EACH, spelled
from conformance.provider.refusals.dialects import Blame, read_refusal, spoken_by, summary
from conformance.provider.repair.tracing import Place, place_of, places_text, rules, trace, values_at
from conformance.provider.table import Question, Rule, Statement, SupportTable, split_parameter

#: What is mended: refusals that name something, also those that name nothing, or none.
RepairMode: TypeAlias = Literal["named", "search", "off"]

#: How a statement that a refusal taught names its source.
LEARNT = "learnt"

#: Characters of a gateway's words that are told.
MAX_WORDS = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """What was refused and is sent all the same: why, and what the user can do."""

    parameter: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class RepairEvent:
    """A request was mended and is sent once more.

    `parameters` were refused, as a table names them; `instead` says what stands in their place, where
    anything does; `said_by` is `gateway`, `backend` or `unknown`, and `words` are theirs. `attempt`
    counts the repairs of one request from 1.
    """

    model: str
    endpoint: str
    mode: str
    parameters: tuple[str, ...]
    instead: Mapping[str, str]
    said_by: str
    words: str
    attempt: int

    def __str__(self) -> str:
        """One line for a log."""
        done = [
            f"{name} (sent {self.instead[name]} instead)" if name in self.instead else name for name in self.parameters
        ]
        who = "" if self.said_by == "unknown" else f" by its {self.said_by}"
        return f"{self.model} refuses {', '.join(done)} on {self.endpoint}{who}: mended and sent again ({self.words})"


@dataclass(slots=True)
class Repair:
    """One request, from its first refusal to the answer or the end of what can be tried.

    `body` is the caller's request and `sent` what went out of it first; `question` is what the table is
    asked, and `key` is never told. Feed each refusal to `next_body`; when an answer has come, `learnt` is
    what it taught.
    """

    body: Mapping[str, Any]
    sent: Mapping[str, Any]
    question: Question
    table: SupportTable
    mode: RepairMode = "named"
    suspects: Sequence[str] = ()
    key: str = ""
    #: What the refusals of this request, and of one before it that came to no end, have said.
    refused: dict[str, bool] = field(default_factory=dict)
    #: What the next request of the kind can go on with, where only the number of repairs ended this one.
    unfinished: dict[str, bool] = field(default_factory=dict)
    said_by: str = "unknown"
    event: RepairEvent | None = None
    #: What is left out of `body` in what was sent last, once it was mended.
    dropped: tuple[str, ...] = ()
    kept: list[Kept] = field(default_factory=list)
    searched: tuple[str, ...] = ()
    _private: set[str] = field(default_factory=set)
    _bodies: set[str] = field(default_factory=set)
    _plans: list[tuple[str, ...]] | None = None
    #: What is searched after the suspects.
    _beyond: tuple[str, ...] = ()
    _attempts: int = 0

    def next_body(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """What to send instead after this refusal; None where nothing can be mended, or enough was tried."""
        self._bodies.add(_canonical(self.sent))
        self.event = None
        limits, headers = rules()["limits"], headers or {}
        if self.mode == "off" or status in rules()["statuses_elsewhere"]:
            return None
        refusal = read_refusal(text)
        if refusal.elsewhere is not None:
            return None
        found = self._statements(refusal.blames, refusal.allowed)
        if self.kept:
            return None
        if self._attempts >= limits["searches" if self.mode == "search" else "repairs"]:
            self.unfinished = {**self.said, **found} if found else {}
            return None
        searching = not refusal.blames and self.mode == "search" and status in rules()["statuses_searched"]
        self.refused.update(found)
        made = self._filtered()
        while _canonical(made.body) in self._bodies:
            if not searching or not self._step():
                return None
            made = self._filtered()
        self._attempts += 1
        self.sent, self.dropped = made.body, made.dropped
        mended = self.searched if searching else tuple(name for name, can in found.items() if not can)
        asked, self.said_by = self.question, spoken_by(text, headers)
        self.event = RepairEvent(
            asked.model,
            asked.endpoint,
            asked.mode or "whole",
            mended,
            {name: put for name, put in made.instead.items() if name in mended},
            self.said_by,
            self._worded(text),
            self._attempts,
        )
        return made.body

    def _worded(self, text: str) -> str:
        """A gateway's words on one short line, without the key."""
        return summary(text.replace(self.key, "[key]") if self.key else text, MAX_WORDS)

    def _filtered(self) -> Filtered:
        """The caller's request without what is known to be refused by now."""
        rule = Rule(("*",), _rule_of(self.said))
        return filter_asked(self.body, self.question, SupportTable((rule, *self.table.rules), self.table.sources))

    @property
    def learnt(self) -> dict[str, bool]:
        """What the answer that has come at last teaches: parameters, and whether each can be sent."""
        said = self.refused if self.suspected else self.said
        return {name: can for name, can in said.items() if name not in self._private}

    @property
    def suspected(self) -> tuple[str, ...]:
        """Of what a search left out, what may be left out in vain: the next request begins with half of it."""
        return self.searched if len(self.searched) > 1 and self._plans else ()

    @property
    def explanation(self) -> str | None:
        """Why the refusal that remains could not be mended, what was tried, and what the user can do."""
        lines = [
            f"{each.parameter} was refused, but is not left out, because {each.reason}: {each.advice}"
            for each in self.kept
        ]
        tried = [name for name, can in self.said.items() if not can]
        if tried and self._attempts:
            lines.append(f"leaving these out did not help: {', '.join(tried[:10])}")
        if not lines:
            return None
        if self.unfinished:
            lines.append("this is enough for one request: send it again, and the repairs continue from here")
        elif not self.kept:
            lines.append("leave out what the error names, or use another model")
        return "; ".join(dict.fromkeys(lines))

    @property
    def said(self) -> dict[str, bool]:
        """All that the refusals have said by now: parameters, and whether each can be sent."""
        return {**self.refused, **dict.fromkeys(self.searched, False)}

    def _statements(self, blames: Iterable[Blame], allowed: Sequence[str]) -> dict[str, bool]:
        """What to say of the parameters that are blamed, as a table would: name, and whether it can be sent."""
        traced = [(blame, place) for blame in blames for place in trace(blame.name, self.sent)]
        places = {place for _, place in traced}
        found: dict[str, bool] = {}
        self.kept.clear()
        for blame, place in traced:
            if any(len(other) > len(place) and other[: len(place)] == place for other in places):
                continue  # the refusal names something inside it, too
            if not all(step == EACH or re.fullmatch(rules()["step"], step) for step in place):
                continue
            stated = rules()["stands_for"].get(self.question.endpoint, {}).get(places_text(place), ())
            if stated:
                found.update(dict.fromkeys(stated, False))
                continue
            values = values_at(self.sent, place)
            if why := self._why_kept(place, values):
                self.kept += [why] if why not in self.kept else []
                continue
            said = self._said(blame, place, values, allowed)
            if place[0] in rules()["free_form"] and len(place) > 1 and places_text(place) not in remedies()["remedies"]:
                self._private.update(said)
            found.update(said)
        whole = {name for name, can in found.items() if not can}
        # What is said of the whole field holds for its values, too.
        return {
            name: can for name, can in found.items() if can or ":" not in name or split_parameter(name)[0] not in whole
        }

    def _why_kept(self, place: Place, values: Sequence[Any]) -> Kept | None:
        """Why a place is not touched, or None: it, or something inside it, is what makes the request."""
        for row in rules()["kept"]:
            at = place_of(row["at"])
            if at[: len(place)] != place or ("endpoints" in row and self.question.endpoint not in row["endpoints"]):
                continue
            inside = values if at == place else values_at(self.sent, at)
            unless = row.get("unless", ())
            if inside and (not unless or any(spelled(each) not in (*unless, "null") for each in inside)):
                if any(each in row.get("mends", ()) for each in inside):
                    continue
                return Kept(places_text(place), row["reason"], row["advice"])
        return None

    def _said(self, blame: Blame, place: Place, values: Sequence[Any], allowed: Sequence[str]) -> dict[str, bool]:
        name = _name_of(place, self.question.endpoint)
        remedy: Mapping[str, Any] = remedies()["remedies"].get(name, {"action": "drop"})
        items = values
        if remedy["action"] == "take_out":  # from a list, whose values they are
            items = [item for each in values for item in (each if isinstance(each, list) else [each])]
        sent = [each for each in map(spelled, items) if re.fullmatch(rules()["value"], each)]
        if blame.values:
            sent = [each for each in sent if each in blame.values]
            if not sent:
                return {}
        if blame.weak and remedy["action"] != "replace" and name not in rules()["enumerated"]:
            return {}
        if remedy["action"] == "replace":
            return _replaced(name, remedy, blame, sent, allowed)
        if remedy["action"] == "rename":
            return {name: False}
        if blame.company is not None and len(place) == 1:
            others = {each[0] for each in trace(blame.company, self.sent)} - {name}
            if others:
                together = {f"{other}+{name}" for other in others}
                known = {f"{name}+{other}" for other in others} & set(remedies()["remedies"])
                return dict.fromkeys(sorted(known or together), False)
        of_value = any(place_of(row["at"]) == place and "unless" in row for row in rules()["kept"])
        if sent and name in rules()["enumerated"] and (of_value or blame.conditional):
            return {f"{name}:{each}": False for each in sent if each not in allowed}
        spared = {f"{name}:{each}": True for each in allowed if len(values) and each not in sent}
        return {name: False, **(spared if blame.conditional and len(spared) <= 1 else {})}

    def _step(self) -> bool:
        """Go on to the next part of what can be left out; False where nothing is left to try."""
        if self._plans is None:
            everything = self._candidates()
            held = tuple(each for each in self.suspects if each in everything)
            self._plans, self._beyond = _parts(held or everything), everything if held else ()
        if not self._plans:  # it was none of the suspects
            self._plans, self._beyond = _parts(self._beyond), ()
        if not self._plans:
            return False
        self.searched = self._plans.pop(0)
        return True

    def _candidates(self) -> tuple[str, ...]:
        """Every field that can be left out of this request."""
        places = [(name,) for name in self.sent if re.fullmatch(rules()["step"], name)]
        return tuple(
            _name_of(place, self.question.endpoint)
            for place in places
            if place[0] not in rules()["containers"][:3] and not self._why_kept(place, values_at(self.sent, place))
        )


def _parts(held: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What is left out in turn: the first half, the second one, all."""
    half = (len(held) + 1) // 2
    parts = [held[:half], held[half:], held] if len(held) > 1 else [held]
    return [part for part in parts if part]


def _replaced(
    name: str, remedy: Mapping[str, Any], blame: Blame, sent: Sequence[str], allowed: Sequence[str]
) -> dict[str, bool]:
    """What is said of a field whose values have others in their place."""
    values: Mapping[str, Sequence[str]] = remedy["values"]
    if remedy["otherwise"] == "drop" and not blame.conditional:
        return {name: False}
    taken = frozenset(allowed) if not frozenset(allowed).isdisjoint(values) else None
    refused = [each for each in sent if each in values and each not in allowed]
    if taken is not None and remedy["otherwise"] == "drop":
        refused += [each for each in values if each not in taken and each not in refused]
    if not refused and remedy["otherwise"] == "drop":
        return {name: False}
    return {f"{name}:{each}": False for each in refused}


def _name_of(place: Place, endpoint: str) -> str:
    """How a table names the parameter at a place."""
    text = places_text(place)
    named = (name for name in remedies()["remedies"] if text in places_named(name, endpoint) and "+" not in name)
    return next(named, text)


def _rule_of(said: Mapping[str, bool]) -> dict[str, Statement]:
    return {name: Statement(can, LEARNT) for name, can in said.items()}


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), default=repr)
