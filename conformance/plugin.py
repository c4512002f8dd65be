"""pytest plugin: options, live recording, header, terminal summary, matrix.

The controller process measures (with `--live`) before the first test starts; every process
then judges the recording. Nothing happens in runs that do not collect the suite.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance.errors import ConformanceError, NewerTableError, NothingShownError, StoppedError, TableError
from conformance.measure import outputs
from conformance.measure.guard import guarded
from conformance.measure.run import Run
from conformance.measure.settings import is_worker, settings_of, shown, told_by_controller
from conformance.measure.standings import accepting_command
from conformance.provider.table import load_table
from conformance.report import PAGE
from conformance.report import terminal as summary
from conformance.report.allure import faults as allure_faults
from conformance.report.allure import results as allure_results
from conformance.text.counting import counted


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options."""
    group = parser.getgroup("conformance", "LLM gateway conformance")
    add = group.addoption
    add(
        "--live",
        action="store_true",
        help="measure a gateway: the one that the environment names, else an embedded one",
    )
    add(
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="send this header too; repeat the option for more. LITELLM_HEADERS keeps it off the command line",
    )
    add("--ca-bundle", metavar="FILE", help="trust the certificates in this PEM file instead of the public ones")
    add(
        "--gateway",
        metavar="NAME",
        help="name of the gateway and of its recordings (the host's name for your own gateway, else embedded)",
    )
    add("--models", metavar="GLOB", help="only models whose id matches; separate several patterns with commas")
    add("--shard", metavar="I/N", help="only the I-th of N parts of the models, to share the work among machines")
    add("--concurrency", metavar="N", type=int, default=8, help="how many requests are sent at the same time (8)")
    add("--parameters", metavar="SET", help="core, all, or a list (core; in replays, what was recorded)")
    add("--endpoints", metavar="LIST", help="chat_completions, responses, messages (all; in replays, as recorded)")
    add(
        "--clients",
        metavar="LIST",
        help="only what these clients need, and with --live their whole requests too: codex, pi, …, or all",
    )
    add("--exhaustive", action="store_true", help="test each parameter in a request of its own")
    add(
        "--resume",
        action="store_true",
        help="continue a recording that was cut short; what was answered is not asked again",
    )
    add("--fresh", action="store_true", help="replace the recording; without this, a run adds to it")
    add("--budget-requests", metavar="N", type=int, help="send at most N requests; --resume continues")
    add(
        "--budget-usd",
        metavar="X",
        type=float,
        help="stop before the run costs more than X dollars, at the prices that the gateway declares",
    )
    add("--max-age", metavar="DAYS", type=float, help="warn of evidence that is older than this")
    add("--test-per", choices=("cell", "model"), help="what one test judges (cell; model for more than 20,000 cells)")
    add("--cassettes", metavar="DIR", help="folder of the recordings (cassettes)")
    add("--reports", metavar="DIR", help="folder for the reports (reports)")
    add("--table", metavar="FILE", help="support table to compare with (the shipped one)")
    add(
        "--strict-table",
        action="store_true",
        help="also fail a test if a table that does not know this gateway expects another verdict (exit code 1)",
    )
    add("--update-table", action="store_true", help="write what this run measured into the table")
    add("--litellm-version", metavar="X", help="run this LiteLLM version in the embedded gateway")


RUN = pytest.StashKey[Run]()
_FAILED = pytest.StashKey[str]()


def _wants_suite(config: pytest.Config) -> bool:
    """True where the arguments lead to the suite, as paths or as package names."""
    suite = Path(__file__).resolve().parent / "suite"
    for argument in config.args:
        name = str(argument).partition("[")[0].partition("::")[0]
        if config.option.pyargs and name.partition(".")[0] == "conformance":
            if name in ("conformance", "conformance.suite") or name.startswith("conformance.suite."):
                return True
            continue
        path = (config.invocation_params.dir / name).resolve()
        if path == suite or suite in path.parents or path in suite.parents:
            return True
    return False


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Point a live run at the suite, and write Allure results as if `--alluredir` had been given."""
    if is_worker(config):
        allure_results.follow(config, told_by_controller(config).get("allure", ""))
    if config.option.live and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(Path(__file__).resolve().parent / "suite")]  # and not at the suite's own tests
    if config.option.live and not is_worker(config) and not config.option.collectonly:
        reports = config.option.reports
        folder = config.invocation_params.dir / reports if reports else config.rootpath / "reports"
        try:
            outputs.prepare(folder)
            allure_results.switch_on(config, folder)
        except ConformanceError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Measure, where asked to, and read the recording before anything is collected."""
    config = session.config
    if not _wants_suite(config):
        if config.option.live:
            raise pytest.UsageError(
                "--live measures for the conformance suite, but these arguments name other tests; add conformance/suite"
            )
        return
    try:
        run = Run(config, settings_of(config))
        config.stash[RUN] = run
        if run.settings.live and not is_worker(config):
            settings = run.settings
            _refuse_useless_table(run)
            with guarded(run.watch, settings.cassettes / settings.gateway, settings.reports, _say(config)):
                _measure(run, config)
                allure_results.clear(config)
        run.replay  # noqa: B018  read now, so that an error is one line and exit code 4
        if run.settings.update_table and not is_worker(config) and not config.option.collectonly:
            run.update_table()
        run.table  # noqa: B018
        run.labels  # noqa: B018  from the first result on
        if not is_worker(config) and not config.option.collectonly:
            run.matrix  # noqa: B018  it reads every cassette
    except NewerTableError as error:
        raise pytest.UsageError(str(error)) from None
    except TableError as error:
        raise pytest.UsageError(f"{error}; to mend: {accepting_command(config, run.settings)}") from None
    except ConformanceError as error:
        raise pytest.UsageError(str(error)) from None


def _refuse_useless_table(run: Run) -> None:
    """Raise where the table cannot be read, before anything is sent and paid for."""
    try:
        load_table(run.settings.table)
    except NewerTableError:
        raise
    except TableError as error:
        if not run.settings.update_table:  # which makes it anew
            raise ConformanceError(f"{error}; name another table, or make this one with --update-table") from None


def _measure(run: Run, config: pytest.Config) -> None:
    run.interruption.listen()
    config.add_cleanup(run.interruption.restore)
    with _uncaptured(config):
        console = Console(soft_wrap=True)
        try:
            run.measure(console)
        except NothingShownError:
            raise
        except (KeyboardInterrupt, ConformanceError) as stop:
            if run.traffic.requests:
                _tell_what_is_kept(run, console)
            elif isinstance(stop, KeyboardInterrupt):
                console.print("interrupted before anything was sent; nothing was written")
            if isinstance(stop, StoppedError):
                pytest.exit(f"{stop}; {stop.way_on}", returncode=stop.exit_code)
            if isinstance(stop, KeyboardInterrupt):
                pytest.exit("interrupted", returncode=pytest.ExitCode.INTERRUPTED)
            raise


def _tell_what_is_kept(run: Run, console: Console) -> None:
    """Judge what a recording held when it stopped."""
    try:
        told = f"{run.write_reports()} (complete: false); continue with --resume"
    except ConformanceError as error:
        told = f"{run.folder.path}; it has no matrix, because {error}"
    console.print(f"stopped; what was measured is kept: {told}", highlight=False, markup=False)


def _say(config: pytest.Config) -> Callable[[str], None]:
    def say(line: str) -> None:
        with _uncaptured(config):
            sys.stderr.write(f"{line}\n")

    return say


@contextlib.contextmanager
def _uncaptured(config: pytest.Config) -> Iterator[None]:
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each xdist worker which recording to judge."""
    run = node.config.stash.get(RUN, None)
    if run is not None:
        node.workerinput["conformance"] = run.for_workers()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from an xdist worker which Allure results it could not write."""
    allure_faults.heed(node.config, getattr(node, "workeroutput", {}))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the garbage collector that plan and tests stay, and need no searching."""
    if RUN in session.config.stash:
        gc.collect()
        gc.freeze()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is judged."""
    run = config.stash.get(RUN, None)
    if run is None:
        return []
    gateway, plan = run.replay.gateway, run.replay.plan
    told = gateway.release or "unknown software"
    stand_in = ", simulated upstreams" if gateway.simulated else ""
    verb = "measured" if run.settings.live else "replaying"
    size = f"{counted(len(plan.models), 'model')}, {counted(plan.size, 'cell')}"
    return [
        f"conformance: {verb} {gateway.name} ({told}{stand_in}), {size}",
        f"table: {shown(run.settings.table, config)}",
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the matrix and the page, in the controller."""
    config = session.config
    run = config.stash.get(RUN, None)
    if run is not None and not is_worker(config) and not config.option.collectonly:
        run.interruption.ignore()
        try:
            run.write_reports()
        except ConformanceError as error:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            config.stash[_FAILED] = str(error)


@pytest.hookimpl(specname="pytest_sessionfinish", wrapper=True, trylast=True)
def pytest_sessionfinish_checked(session: pytest.Session) -> Iterator[None]:
    """Search what was written for the key, when everybody else has written and before the summary is printed."""
    yield
    run = session.config.stash.get(RUN, None)
    if run is not None and not is_worker(session.config):
        try:
            run.watch.check(run.settings.reports)
        except ConformanceError as error:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            session.config.stash[_FAILED] = str(error)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the matrix as a small grid, and where the files are."""
    run = config.stash.get(RUN, None)
    if run is None or config.option.collectonly:
        return
    writer = terminalreporter._tw
    terminalreporter.section("conformance")
    terminalreporter.write(summary.rendered(run.matrix, writer.fullwidth, writer.hasmarkup))
    if _FAILED in config.stash:
        terminalreporter.line(f"ERROR: {config.stash[_FAILED]}")
        return
    for line in summary.news(run.standings.news(run.matrix["cells"]), run.standings.accept):
        terminalreporter.line(line)
    for note in run.replay.notes(config.option.max_age):
        terminalreporter.line(f"NOTE {note}")
    terminalreporter.line(f"page: {shown(run.settings.reports / PAGE, config)}")
    terminalreporter.line(f"matrix: {shown(run.settings.reports / 'matrix.json', config)}")
    folder = run.settings.cassettes / run.settings.gateway
    terminalreporter.line(f"evidence: {shown(folder, config)}")
    if run.settings.update_table:
        terminalreporter.line(f"table updated: {shown(run.settings.table, config)}")
    if run.table_kept:
        kept = shown(run.table_kept, config)
        terminalreporter.line(
            f"NOTE the old table could not be read; it was kept as {kept}, with its rules for other gateways"
        )
