"""One pytest run: its settings, the recording it judges, and the table it compares with.

There is one `Run` in each process. The controller's measures and writes; all judge.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pytest
from rich.console import Console

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import shipped_profiles
from conformance.errors import ReportError
from conformance.exchange.sender import Traffic
from conformance.matrix.document import Matrix
from conformance.measure import outputs
from conformance.measure.interruption import Interruption
from conformance.measure.job import job_from
from conformance.measure.labels import Labels
from conformance.measure.live import run_live
from conformance.measure.replay import Replay
from conformance.measure.settings import Settings, digest_of_recording
from conformance.measure.standings import Standings
from conformance.parameters import Registry, load_registry
from conformance.plan.cells import select_endpoints
from conformance.provider.table import SupportTable, load_table
from conformance.readiness.section import with_clients
from conformance.readiness.whole import needed_by, reached, select_clients
from conformance.report.allure import faults as allure_faults
from conformance.report.allure import results as allure_results
from conformance.schemas.documents import GatewayDocument, ProfilesDocument
from conformance.secrets.leaks import Watch
from conformance.support.deriving import derive
from conformance.support.overrides import Overrides, load_overrides
from conformance.types import PlannedCell, Verdict

#: Up to so many cells each has a test of its own, unless `--test-per` says otherwise.
MOST_TESTS = 20_000


class Run:
    """What a run judges with: the recording, the table, the overrides. One per process."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Nothing is read or sent yet."""
        self.settings = settings
        self._config = config
        self._document: GatewayDocument | None = None
        self.traffic = Traffic()
        self.interruption = Interruption()
        self.folder = Folder(settings.cassettes / settings.gateway)
        self.watch = Watch()
        self.table_kept: Path | None = None

    @cached_property
    def registry(self) -> Registry:
        """The parameter registry."""
        return load_registry()

    @cached_property
    def replay(self) -> Replay:
        """The recording that is judged: as much of it as was recorded, unless options say otherwise."""
        option = self._config.option
        parameters = self.registry.select(option.parameters) if option.parameters else None
        if parameters is None and option.clients and not self.settings.live:
            parameters = needed_by(self.profiles, self.registry)
        return Replay(
            self.folder,
            self._document or self.folder.read_gateway(),
            self.registry,
            parameters,
            select_endpoints(option.endpoints) if option.endpoints else None,
            selection=self.settings.selection,
            mode="live" if self.settings.live else "replay",
            shard=self.settings.shard,
        )

    @cached_property
    def profiles(self) -> ProfilesDocument:
        """What the clients send that this run tells about. Raises `ClientError` where it can tell about none."""
        option = self._config.option
        profiles = select_clients(shipped_profiles(), option.clients)
        if option.clients and option.endpoints:
            reached(profiles, select_endpoints(option.endpoints))
        return profiles

    @cached_property
    def overrides(self) -> Overrides:
        """The human rules."""
        return load_overrides()

    @cached_property
    def table(self) -> SupportTable:
        """The table that the run compares with."""
        return load_table(self.settings.table)

    @cached_property
    def matrix(self) -> Matrix:
        """Every planned cell with its verdict, and which clients work with which models."""
        return with_clients(self.replay.matrix(), self.registry, self.profiles, self.replay.proofs)

    @cached_property
    def standings(self) -> Standings:
        """How the cells stand to the table."""
        return Standings(self._config, self.settings, self.replay, self.table, self.overrides)

    @cached_property
    def labels(self) -> Labels:
        """What the tests of this process say in Allure's results."""
        return Labels(self._config, self.replay, self.registry)

    def measure(self, console: Console) -> None:
        """Record anew, in the controller of a live run."""
        job = job_from(self._config, self.settings, self.registry, self.folder, self.interruption)
        self._document = run_live(job, console, self.traffic, self.watch)

    def for_workers(self) -> dict[str, str]:
        """What each worker has to know: where to find what is judged, and how to tell that it is the same."""
        settings = self.settings
        return {
            "gateway": settings.gateway,
            "cassettes": str(settings.cassettes.absolute()),
            "table": str(settings.table.absolute()),
            "allure": str(allure_results.folder_of(self._config) or ""),
            "digest": digest_of_recording(settings.cassettes / settings.gateway, settings.table),
        }

    def update_table(self) -> None:
        """Write the table that this run gives; one that cannot be read is made anew, and kept aside."""
        self.table_kept = outputs.update_table(self.settings.table, self.derived_table)

    def derived_table(self, previous: SupportTable | None) -> SupportTable:
        """The table that the matrix, the overrides and the table before give."""
        return derive(self.matrix, self.overrides, previous, self.registry.values_of)

    def write_reports(self) -> Path:
        """Write the matrix and what is made from it; returns where the matrix is.

        Raises `ReportError` where something cannot be written, at its end also for results that could not be.
        """
        reports, allure = self.settings.reports, allure_results.folder_of(self._config)
        fault = allure_faults.fault_of(self._config)
        if fault:  # a part of the results would mislead, and on a full disk it takes the place of the matrix
            allure_results.clear(self._config)
        path = outputs.write_matrix(self.matrix, reports)
        outputs.write_reports(self.matrix, reports, self.replay.folder, self.registry, None if fault else allure)
        if fault:
            raise ReportError(f"cannot write Allure results to {allure} ({fault}); name another folder")
        return path

    @property
    def a_test_per_model(self) -> bool:
        """True where each test judges all cells of a model, and not one: pytest keeps 5 kB of each test."""
        chosen: str | None = self._config.option.test_per
        return chosen == "model" or (chosen is None and self.replay.plan.size > MOST_TESTS)

    def evidence(self, cell: PlannedCell) -> str:
        """The exchanges behind a verdict, shortened."""
        return allure_results.as_text(self.replay.exchanges(cell))

    def nothing_shown(self) -> str | None:
        """Why the recording shows nothing at all, or None."""
        cells = self.matrix["cells"]
        if any(Verdict(cell["verdict"]) is not Verdict.INCONCLUSIVE for cell in cells):
            return None
        return f"all {len(cells)} cells are inconclusive; the first says: {cells[0]['reason']}"
