"""What a recording turned out to hold, once it is judged, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from conformance.cassettes.folder import Folder
from conformance.cassettes.format import PART
from conformance.errors import first_of
from conformance.types import Exchange


class Inventory:
    """Counts the exchanges of a recording, and knows which of its files lack something.

    `whole` is false as soon as a cell was not recorded. `times` are when exchanges were made.
    """

    def __init__(self, folder: Folder, listed: Iterable[str]) -> None:
        """`listed` are the ids of all models that the recording lists."""
        self.exchanges = 0
        self.times: set[str] = set()
        self.whole = True
        self._folder = folder
        self._unused = folder.unused(listed)
        self._lacking: list[str] = []
        self._oldest: dict[str, str] = {}

    def add(self, model: str, exchanges: Iterable[Exchange]) -> None:
        """Count exchanges of a model, and keep when they were made."""
        times = [exchange.recorded_at for exchange in exchanges]
        self.exchanges += len(times)
        self.times.update(times)
        if times:
            file = self.file_of(model)
            self._oldest[file] = min([*times, self._oldest.get(file, times[0])])

    def note_gap(self, model: str) -> None:
        """Note that a model's cassette lacks exchanges of its run."""
        self._lacking.append(self.file_of(model))

    def file_of(self, model: str) -> str:
        """The name of the file that holds a model's exchanges."""
        return self._folder.evidence_path(model).name

    def notes(self, planned: Iterable[str], max_age: float | None) -> Iterator[str]:
        """What is odd, a line for each kind, with what to do; `planned` are the ids of the models that are judged."""
        unfinished = [name for name in self._lacking if name.endswith(PART)]
        if unfinished:
            yield f"unfinished: {first_of(unfinished)}; go on with --live --resume"
        again = [self.file_of(model) for model in planned if self._folder.is_measured_again(model)]
        if again:
            yield f"judged as they were before they were measured again: {first_of(again)}; go on with --live --resume"
        if other := [name for name in self._lacking if not name.endswith(PART)]:
            yield f"recorded for another plan than gateway.json holds: {first_of(other)}; record again with --live"
        if self._unused:
            yield f"unused, of no model in gateway.json: {first_of(self._unused)}; delete them, or measure their models"
        if max_age is not None:
            yield from self._old(max_age)

    def _old(self, days: float) -> Iterator[str]:
        limit = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if old := sorted((time, name) for name, time in self._oldest.items() if time < limit):
            named = first_of([f"{name} ({time[:10]})" for time, name in old])
            yield f"older than {days:g} days: {named}; record again with --live"
