"""What is known of requests of each kind: the table, and what refusals have taught. Whoever sends them keeps one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.provider.filter import Filtered, filter_request
from conformance.provider.repair import Repair, RepairMode
from conformance.provider.repair.learned import Memory, RequestKind
from conformance.provider.table import Question, SupportTable, split_parameter
from conformance.provider.table.layers import with_learnt

#: Of the requests that something learnt would change, each of this number is sent as if nothing had been learnt.
TRY_AGAIN_EVERY = 200

#: How many pairs of model and parameter are remembered as reported, and how many tables are kept, before that starts
#: anew.
MAX_KEPT = 4096


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
        self._counts: dict[RequestKind, int] = {}
        self._suspects: dict[RequestKind, tuple[str, ...]] = {}
        self._unfinished: dict[RequestKind, dict[str, bool]] = {}

    def begin(
        self,
        kind: RequestKind,
        body: dict[str, Any],
        question: Question,
        key: str = "",
        allowed: tuple[str, ...] = (),
    ) -> Begun:
        """What may be sent of a request. What is `allowed` is sent whatever the shipped table says of it."""
        base = self._base(allowed)
        table = self._table(kind, base, allowed)
        begun = self._unfinished.pop(kind, {})
        table = with_learnt(table, begun) if begun else table
        found = filtered(body, question, table)
        tried_again: tuple[str, ...] = ()
        if table is not base and not begun and self._is_to_try_again(kind, body, question, found, base):
            bare = filtered(body, question, base)
            tried_again = tuple(name for name in found.dropped if name not in bare.dropped)
            found, table = bare, base
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
            taken = {split_parameter(name)[0] for name in tried_again}
            taken -= {split_parameter(name)[0].rpartition("+")[2] for name in repair.said}
            self.memory.forget(lambda each, name: each == kind and _leaves_out(name, taken))

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
            _make_room(self._bases)
            found = self._bases[allowed] = with_learnt(self.table, dict.fromkeys(allowed, True))
        return found

    def _table(self, kind: RequestKind, base: SupportTable, allowed: tuple[str, ...]) -> SupportTable:
        """The table for requests of a kind, with what was learnt about them."""
        if self.repair == "off":
            return base
        self.memory.look()
        kept = self._tables.get((kind, allowed))
        if kept is not None and kept[0] == self.memory.generation:
            return kept[1]
        said = self.memory.known(kind)
        table = with_learnt(base, said) if said else base
        _make_room(self._tables)
        self._tables[kind, allowed] = self.memory.generation, table
        return table

    def _is_to_try_again(
        self, kind: RequestKind, body: dict[str, Any], asked: Question, found: Filtered, base: SupportTable
    ) -> bool:
        """Whether it is time to see what is taken again; only what something learnt changes counts."""
        if not found.dropped:
            return False
        count = self._counts.get(kind, 0) + 1
        if count >= TRY_AGAIN_EVERY and set(found.dropped) - set(filtered(body, asked, base).dropped):
            count = 0
        _make_room(self._counts)
        self._counts[kind] = count
        return count == 0


def filtered(body: dict[str, Any], asked: Question, table: SupportTable) -> Filtered:
    """What a table lets through of a request that a question is about."""
    return filter_request(
        body,
        asked.model,
        asked.endpoint,
        table=table,
        route=asked.route,
        gateway=asked.gateway,
        gateway_version=asked.gateway_version,
        served_by=asked.served_by,
    )


def _make_room(kept: dict[Any, Any] | set[Any]) -> None:
    """Start anew where as much is kept as may be."""
    if len(kept) >= MAX_KEPT:
        kept.clear()


def _leaves_out(name: str, paths: set[str]) -> bool:
    """Whether something learnt is about one of these paths, whatever its value and company."""
    return split_parameter(name)[0].rpartition("+")[2] in paths
