"""One pytest run: its settings, the recording it judges, and the table it compares with.

There is one `Run` in each process. The controller's measures and writes; all judge.
"""

from __future__ import annotations

import itertools
import shlex
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance.cassettes.folder import OWN_RECORDINGS, Folder
from conformance.cassettes.format import GATEWAY_FILE
from conformance.errors import CassetteError, NewerTableError, ReportError, TableError
from conformance.exchange.sender import Traffic
from conformance.files import write_atomically
from conformance.matrix.document import Matrix, dump_matrix, judgement_from
from conformance.measure.interruption import Interruption
from conformance.measure.live import EMBEDDED, Job, run_live
from conformance.measure.replay import Replay
from conformance.measure.settings import Settings, digest_of_recording, shown
from conformance.parameters import Registry, load_registry
from conformance.plan.cells import select_endpoints
from conformance.plan.shards import shard_from
from conformance.provider.table import SupportTable, load_table
from conformance.report import PAGE
from conformance.report.allure import results as allure_results
from conformance.schemas.documents import GatewayDocument
from conformance.secrets.leaks import Watch
from conformance.support.deriving import derive, same_rules
from conformance.support.outcomes import Compared, Standing, compare, knows
from conformance.support.overrides import Overrides, load_overrides
from conformance.support.writing import dump_table
from conformance.types import CellKey, Judgement, PlannedCell, Verdict

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
        return Replay(
            self.folder,
            self._document or self.folder.read_gateway(),
            self.registry,
            self.registry.select(option.parameters) if option.parameters else None,
            select_endpoints(option.endpoints) if option.endpoints else None,
            selection=self.settings.selection,
            mode="live" if self.settings.live else "replay",
            shard=self.settings.shard,
        )

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
        """Every planned cell with its verdict."""
        return self.replay.matrix()

    def measure(self, console: Console) -> None:
        """Record anew, in the controller of a live run."""
        option = self._config.option
        recorded = self._recorded()
        resume = option.resume and recorded is not None
        before: Mapping[str, Any] = recorded["run"] if resume and recorded else {}
        shard, was = self.settings.shard, shard_from(before.get("shard"))
        if resume and shard and shard != was:
            raise CassetteError(
                f"the recording in {self.folder.path} is {f'shard {was}' if was else 'of all models'}, and not shard "
                f"{shard}; leave --shard out, or record into another folder with --cassettes"
            )
        chosen = option.parameters or ",".join(before.get("parameters", ())) or "core"
        job = Job(
            target=self.settings.target,
            gateway=self.settings.gateway,
            cassettes=self.settings.cassettes,
            registry=self.registry,
            parameters=self.registry.select(chosen),
            endpoints=select_endpoints(option.endpoints or ",".join(before.get("endpoints", ()))),
            selection=self.settings.selection or before.get("selection"),
            shard=shard or was,
            concurrency=option.concurrency,
            exhaustive=option.exhaustive or before.get("exhaustive", False),
            litellm_version=option.litellm_version,
            send=not option.collectonly,
            budget_requests=option.budget_requests,
            budget_usd=option.budget_usd,
            recorded=recorded,
            resume=resume,
            fresh=option.fresh,
            interruption=self.interruption,
        )
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

    def _recorded(self) -> GatewayDocument | None:
        """The recording that a run goes on with or adds to; None where there is none, or it is to be replaced."""
        if self._config.option.fresh or not (self.folder.path / GATEWAY_FILE).exists():
            return None
        try:
            return self.folder.read_gateway()
        except CassetteError as error:
            if self._config.option.resume:
                raise
            raise CassetteError(f"{error.args[0]}; or replace it with --fresh") from None

    def update_table(self) -> None:
        """Write the table that this run gives; one that cannot be read is made anew, and kept aside."""
        path, previous, damaged = self.settings.table, None, False
        try:
            previous = load_table(path)
        except NewerTableError:
            raise
        except TableError:
            damaged = path.is_file()
        text = dump_table(self._derived(previous))
        try:
            if damaged:
                self.table_kept = _free_name(path)
                shutil.copyfile(path, self.table_kept)
            write_atomically(path, text)
        except OSError as error:
            raise TableError(f"cannot write the table {self.settings.table} ({error.strerror})") from None

    def _derived(self, previous: SupportTable | None) -> SupportTable:
        return derive(self.matrix, self.overrides, previous, self.registry.values_of)

    def write_matrix(self) -> Path:
        """Write `matrix.json` and say where."""
        path = self.settings.reports / "matrix.json"
        try:
            write_atomically(path, dump_matrix(self.matrix))
        except OSError as error:
            raise ReportError(f"cannot write {path} ({error.strerror}); name another folder with --reports") from None
        return path

    def write_page(self) -> Path:
        """Write the compatibility page and say where."""
        # Imported here: it takes a tenth of a second, and most processes need none of it.
        from conformance.report.page import write_page

        path = self.settings.reports / PAGE
        write_page(path, self.matrix, self.replay.folder, registry=self.registry)
        return path

    def write_shapes(self) -> None:
        """Write the matrix's other shapes, and what GitHub's step summary and Allure's results need of it."""
        from conformance.report import shapes  # here, as above

        shapes.write_all(self.matrix, self.settings.reports)
        shapes.write_step_summary(self.matrix)
        if folder := allure_results.folder_of(self._config):
            allure_results.write_run(self.matrix, folder)

    @property
    def a_test_per_model(self) -> bool:
        """True where each test judges all cells of a model, and not one: pytest keeps 5 kB of each test."""
        chosen: str | None = self._config.option.test_per
        return chosen == "model" or (chosen is None and self.replay.plan.size > MOST_TESTS)

    def outcome(self, key: CellKey) -> Compared:
        """How a cell stands to the table."""
        return self._compared(self.replay.judgement(key))

    def outcomes(self, model: str) -> list[Compared]:
        """How each cell of a model stands to the table."""
        return [self._compared(judgement) for judgement in self.replay.judgements_of(model)]

    def _compared(self, judgement: Judgement) -> Compared:
        return compare(
            judgement,
            self.table,
            self.overrides,
            self.settings.gateway,
            self.accept,
            route=self.replay.route(judgement.key.model),
            version=self.replay.gateway.version,
            strict=self.strict,
        )

    @cached_property
    def strict(self) -> bool:
        """True where the table is knowledge of this gateway: the user named it, or it holds measurements of it."""
        option = self._config.option
        return bool(option.strict_table or option.table) or knows(self.table, self.settings.gateway)

    def news(self) -> int:
        """How many cells are other than the table expects of a gateway that it does not know."""
        if self.strict:
            return 0
        rows = map(judgement_from, self.matrix["cells"])
        return sum(self._compared(judgement).standing is Standing.NEWS for judgement in rows)

    @cached_property
    def accept(self) -> str:
        """The command that takes the measurement over into the table."""
        option, command = self._config.option, ["pytest"]
        if self._config.args_source is pytest.Config.ArgsSource.ARGS:
            command += ["--pyargs", "conformance.suite"]  # which leads to the suite from anywhere
        if self.settings.gateway != EMBEDDED:
            command += ["--gateway", self.settings.gateway]
        if self.settings.cassettes == self.settings.reports / OWN_RECORDINGS and not option.cassettes:
            command.append(f"--cassettes={shown(self.settings.cassettes, self._config)}")
        for name in ("cassettes", "table", "parameters", "endpoints", "models", "shard"):
            value = getattr(option, name)
            if name == "table" and not value and self.settings.gateway != EMBEDDED:
                value = f"{self.settings.gateway}-table.json"  # the shipped table stays what it is
            if value:
                command.append(f"--{name}={value}")
        return shlex.join([*command, "--update-table"])

    def evidence(self, cell: PlannedCell) -> str:
        """The exchanges behind a verdict, shortened."""
        return allure_results.as_text(self.replay.exchanges(cell))

    def label_model(self, model: str, outcomes: Iterable[Compared]) -> None:
        """Say in the model's Allure result, where one is written, what was measured."""
        if self.allure:
            news = sum(outcome.standing is Standing.NEWS for outcome in outcomes)
            self.allure.tell_model(model, self.replay.route(model), news=news)

    def label(self, cell: PlannedCell, outcome: Compared) -> None:
        """Say in the cell's Allure result, where one is written, what was measured."""
        if self.allure:
            route, news = self.replay.route(cell.key.model), outcome.standing is Standing.NEWS
            self.allure.tell(cell, self.replay.judgement(cell.key), route, news=news)

    def attach_evidence(self, cell: PlannedCell) -> None:
        """Attach the exchanges behind a verdict to the cell's Allure result, where one is written."""
        if self.allure:
            allure_results.attach(self.replay.exchanges(cell), self.registry.paths)

    @cached_property
    def allure(self) -> allure_results.Teller | None:
        """What finishes this process's Allure results, where any are written."""
        return allure_results.attend(self._config, self.replay.gateway)

    def table_differs(self) -> str | None:
        """What is wrong with the table as a whole, or None; of a gateway that it does not know, nothing can be."""
        if not self.strict:
            return None
        derived = self._derived(self.table)
        if same_rules(self.table, derived):
            return None
        return (
            f"{self.settings.table.name} has {len(self.table.rules)} rules, and not the "
            f"{len(derived.rules)} that the recording and the overrides give\nto mend: {self.accept}"
        )

    def nothing_shown(self) -> str | None:
        """Why the recording shows nothing at all, or None."""
        cells = self.matrix["cells"]
        if any(Verdict(cell["verdict"]) is not Verdict.INCONCLUSIVE for cell in cells):
            return None
        return f"all {len(cells)} cells are inconclusive; the first says: {cells[0]['reason']}"


def _free_name(path: Path) -> Path:
    """A name beside a damaged file that nothing has yet."""
    names = (path.with_name(f"{path.name}.damaged{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())
