"""What the terminal is told: one short line for each thing, once, and never a key or a word of a prompt."""

from __future__ import annotations

from collections.abc import Callable

from conformance.provider.refusals.dialects import one_line
from conformance.provider.repair import RepairEvent
from conformance.shim.faults import Fault

#: So many things are remembered as told, before that starts anew.
_MAX_TOLD = 4096


class Telling:
    """Tells what was left out, for each model and field, and what went wrong."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Nothing is told yet; `say` takes a line."""
        self._say, self._told = say, set[tuple[str, str]]()

    def dropped(self, model: str, _endpoint: str, parameter: str) -> None:
        """A field was left out because the table, or a refusal before, says so."""
        if self._is_new(model, parameter):
            self._say(f"{one_line(model, 100)}: {one_line(parameter, 100)} is not sent")

    def repaired(self, event: RepairEvent) -> None:
        """A refusal was mended."""
        for parameter in event.parameters:
            if self._is_new(event.model, parameter):
                instead = event.instead.get(parameter)
                done = f"{one_line(instead, 100)} is sent instead" if instead else "it is not sent"
                self._say(f"{one_line(event.model, 100)}: {one_line(parameter, 100)} was refused; {done}")

    def failed(self, fault: Fault) -> None:
        """A request was answered by the shim itself."""
        if self._is_new(fault.code, fault.message):
            self._say(f"{fault.status}: {fault.message}")

    def cut(self, base_url: str, why: str) -> None:
        """The gateway broke off in the middle of an answer."""
        if self._is_new("cut", why):
            self._say(f"{base_url} broke off an answer ({why}); the client was told the same")

    def _is_new(self, *what: str) -> bool:
        known = (what[0], what[1])
        if known in self._told:
            return False
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        self._told.add(known)
        return True
