"""How each cell stands to what is known of the gateway, and the command that accepts what was measured."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import cached_property

import pytest

from conformance.cassettes.folder import OWN_RECORDINGS
from conformance.matrix.document import judgement_from
from conformance.measure.replay import Replay
from conformance.measure.settings import EMBEDDED, Settings, shown
from conformance.provider.table import SupportTable
from conformance.schemas.documents import Cell
from conformance.support.deriving import same_rules
from conformance.support.outcomes import Compared, Standing, compare, knows
from conformance.support.overrides import Overrides
from conformance.types import CellKey, Judgement


class Standings:
    """Compares the judgements of a recording with a table."""

    def __init__(
        self, config: pytest.Config, settings: Settings, replay: Replay, table: SupportTable, overrides: Overrides
    ) -> None:
        """Nothing is compared yet."""
        self._config = config
        self._settings = settings
        self._replay = replay
        self._table = table
        self._overrides = overrides
        self.accept = accepting_command(config, settings)

    def of(self, key: CellKey) -> Compared:
        """How a cell stands to the table."""
        return self._compared(self._replay.judgement(key))

    def of_model(self, model: str) -> list[Compared]:
        """How each cell of a model stands to the table."""
        return [self._compared(judgement) for judgement in self._replay.judgements_of(model)]

    def _compared(self, judgement: Judgement) -> Compared:
        return compare(
            judgement,
            self._table,
            self._overrides,
            self._settings.gateway,
            self.accept,
            model=self._replay.model(judgement.key.model),
            version=self._replay.gateway.version,
            strict=self.strict,
        )

    @cached_property
    def strict(self) -> bool:
        """True where the table is knowledge of this gateway: the user named it, or it holds measurements of it."""
        option = self._config.option
        return bool(option.strict_table or option.table) or knows(self._table, self._settings.gateway)

    def news(self, cells: Iterable[Cell]) -> int:
        """How many cells are other than the table expects of a gateway that it does not know."""
        if self.strict:
            return 0
        return sum(self._compared(judgement_from(row)).standing is Standing.NEWS for row in cells)

    def table_differs(self, derived: SupportTable) -> str | None:
        """How the table differs from the one that was derived from the recording, or None.

        Nothing is said of a table that does not know the gateway.
        """
        if not self.strict or same_rules(self._table, derived):
            return None
        return (
            f"{self._settings.table.name} has {len(self._table.rules)} rules, and not the "
            f"{len(derived.rules)} that the recording and the overrides give\nto mend: {self.accept}"
        )


def accepting_command(config: pytest.Config, settings: Settings) -> str:
    """The command that takes what was measured over into the table."""
    option, command = config.option, ["pytest"]
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        command += ["--pyargs", "conformance.suite"]  # which leads to the suite from anywhere
    if settings.gateway != EMBEDDED:
        command += ["--gateway", settings.gateway]
    if settings.cassettes == settings.reports / OWN_RECORDINGS and not option.cassettes:
        command.append(f"--cassettes={shown(settings.cassettes, config)}")
    for name in ("cassettes", "table", "parameters", "endpoints", "models", "shard"):
        value = getattr(option, name)
        if name == "table" and not value and settings.gateway != EMBEDDED:
            value = f"{settings.gateway}-table.json"  # the shipped table stays what it is
        if value:
            command.append(f"--{name}={value}")
    return shlex.join([*command, "--update-table"])
