"""What is known of requests of each kind: the table, and what refusals have taught. Whoever sends them keeps one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from conformance.provider.filter import Filtered, filter_asked
from conformance.provider.repair import Repair, RepairMode
from conformance.provider.repair.learned import Memory, RequestKind
from conformance.provider.table import Question, SupportTable, split_parameter
from conformance.provider.table.layers import with_learnt

#: Of the requests that something learnt would change, each of this number is sent with one of the fields it would miss.
TRY_AGAIN_EVERY = 200

#: How many kinds of requests, and pairs of model and parameter, are remembered before that starts anew.
MAX_KEPT = 4096

#: The same for tables. Each may take 100 kB, and a client of a hooked proxy can ask for as many as it likes.
MAX_TABLES = 256


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that was made ready: what may be sent of it, and what mends it; `repair` is None where nothing does."""

    found: Filtered
    #: What was learnt and is sent all the same, to see whether it is taken again.
    tried_again: tuple[str, ...] = ()
    repair: Repair | None = None


class Account:
    """The table with what was learnt, and the repairs that have not come to their end."""

    def __init__(self, table: SupportTable, repair: RepairMode, memory: Memory) -> None:
        """Nothing is looked up yet."""
        self.table, self.repair, self.memory = table, repair, memory
        self._reported: set[tuple[str, str]] = set()
        self._bases: dict[tuple[str, ...], SupportTable] = {(): table}
        self._tables: dict[tuple[RequestKind, tuple[str, ...]], tuple[int, SupportTable]] = {}
        #: Requests that something learnt has changed since one was tried again, and how often that was.
        self._counts: dict[RequestKind, tuple[int, int]] = {}
        self._suspects: dict[RequestKind, tuple[str, ...]] = {}
        self._unfinished: dict[RequestKind, dict[str, bool]] = {}

    def begin(
        self,
        kind: RequestKind,
        body: dict[str, Any],
        question: Question,
        key: str = "",
        allowed: tuple[str, ...] = (),
        *,
        may_try_again: bool = True,
    ) -> Begun:
        """What may be sent of a request. What is `allowed` is sent whatever the shipped table says of it.

        `may_try_again` says whether a refusal of what is tried again would be mended before the caller sees it.
        """
        allowed = tuple(name for name in allowed if name in self._spoken_of)
        base = self._base(allowed)
        table = self._table(kind, base, allowed)
        found = filter_asked(body, question, table)
        begun = self._begun(kind, body, question, table, found)
        tried_again: tuple[str, ...] = ()
        if begun:
            table = with_learnt(table, begun)
            found = filter_asked(body, question, table)
        elif table is not base and may_try_again:
            tried_again = self._to_try_again(kind, body, question, found, base)
            if tried_again:
                known = self.memory.known(kind)
                others = {name: can for name, can in known.items() if _field(name) not in tried_again}
                table = with_learnt(base, others) if others else base
                found = filter_asked(body, question, table)
        if self.repair == "off":
            return Begun(found, tried_again)
        suspects = self._suspects.get(kind, ())
        repair = Repair(body, found.body, question, table, self.repair, suspects, key, dict(begun))
        return Begun(found, tried_again, repair)

    def answered(
        self, kind: RequestKind, repair: Repair, tried_again: tuple[str, ...] = (), version: str | None = None
    ) -> None:
        """Keep what the answer to a request has taught; `version` is the gateway's."""
        taught = self.memory.version(kind)
        if version and taught and taught != version:
            self.memory.forget(lambda each, _: each == kind)
        if repair.said:
            self._suspects.pop(kind, None)
            if repair.suspected:
                _make_room(self._suspects)
                self._suspects[kind] = repair.suspected
            self.memory.learn(kind, version, repair.learnt, repair.said_by)
        if tried_again:
            taken = {*tried_again} - {_field(name) for name in repair.said}
            self.memory.forget(lambda each, name: each == kind and _field(name) in taken)

    def unfinished(self, kind: RequestKind, said: dict[str, bool]) -> None:
        """Let the next request of the kind go on with what this one's refusals said; nothing of it is proven yet."""
        self._unfinished.pop(kind, None)
        if said:
            _make_room(self._unfinished)
            self._unfinished[kind] = said

    def is_news(self, model: str, parameter: str) -> bool:
        """Whether it was not told yet that a model does not take a parameter; from now on it was."""
        if (model, parameter) in self._reported:
            return False
        _make_room(self._reported)
        self._reported.add((model, parameter))
        return True

    def _base(self, allowed: tuple[str, ...]) -> SupportTable:
        """The table that holds where nothing was learnt."""
        found = self._bases.get(allowed)
        if found is None:
            _make_room(self._bases, MAX_TABLES)
            found = self._bases[allowed] = with_learnt(self.table, dict.fromkeys(allowed, True))
        return found

    def _table(self, kind: RequestKind, base: SupportTable, allowed: tuple[str, ...]) -> SupportTable:
        """The table for requests of a kind, with what was learnt about them."""
        if self.repair == "off":
            return base
        self.memory.look()
        generation = self.memory.generation  # before it is read: another thread may learn meanwhile
        kept = self._tables.get((kind, allowed))
        if kept is not None and kept[0] == generation:
            return kept[1]
        said = self.memory.known(kind)
        table = with_learnt(base, said) if said else base
        _make_room(self._tables, MAX_TABLES)
        self._tables[kind, allowed] = generation, table
        return table

    def _begun(
        self, kind: RequestKind, body: dict[str, Any], question: Question, table: SupportTable, found: Filtered
    ) -> dict[str, bool]:
        """What an unfinished request has said that holds for this one. The rest stays for those that it is about.

        An answer proves what was left out of its request, and nothing else.
        """
        left = self._unfinished.get(kind, {})

        def changes(name: str) -> bool:
            return filter_asked(body, question, with_learnt(table, {name: left[name]})).body != found.body

        begun: dict[str, bool] = {name: can for name, can in left.items() if not can and changes(name)}
        if not begun:
            return {}
        paths = {split_parameter(name)[0] for name in begun}
        begun.update({name: can for name, can in left.items() if can and split_parameter(name)[0] in paths})
        self.unfinished(kind, {name: can for name, can in left.items() if name not in begun})
        return begun

    @functools.cached_property
    def _spoken_of(self) -> frozenset[str]:
        """Every parameter that the table has a word about."""
        return frozenset(_field(name) for rule in self.table.rules for name in rule.statements)

    def _to_try_again(
        self, kind: RequestKind, body: dict[str, Any], question: Question, found: Filtered, base: SupportTable
    ) -> tuple[str, ...]:
        """Of what was learnt and changes a request, the one field that is sent all the same; most often none.

        Each has its turn: of several at once, each would have to be refused anew before the request is answered.
        """
        if not found.dropped:
            return ()
        count, turns = self._counts.get(kind, (0, 0))
        fields: list[str] = []
        if count + 1 >= TRY_AGAIN_EVERY:
            anyway = filter_asked(body, question, base).dropped
            fields = sorted({_field(name) for name in found.dropped if name not in anyway})
        _make_room(self._counts)
        self._counts[kind] = (0, turns + 1) if fields else (count + 1, turns)
        return (fields[turns % len(fields)],) if fields else ()


def _make_room(kept: dict[Any, Any] | set[Any], most: int = MAX_KEPT) -> None:
    """Start anew where as much is kept as may be."""
    if len(kept) >= most:
        kept.clear()


def _field(name: str) -> str:
    """The field that a statement is about, whatever its value and company."""
    return split_parameter(name)[0].rpartition("+")[2]
