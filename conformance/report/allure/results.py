"""Allure results: what was measured, in every cell's result; its exchanges where its test fails.

allure-pytest writes one result for each test. Before it does, a `Teller` makes the cell's out of it:
a suite for each gateway, model and endpoint, and an identity that is the same from run to run.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import allure
import allure_commons
import pytest
from allure_commons.model2 import Label, Link, Parameter, StatusDetails, TestResult
from allure_commons.utils import md5

from conformance.answers.dialects import one_line
from conformance.errors import ReportError
from conformance.files import prove_writable, write_atomically
from conformance.matrix.document import Matrix, counts, gateway_from
from conformance.report import PAGE
from conformance.report.allure import faults
from conformance.report.markdown import code
from conformance.report.terminal import printable
from conformance.text.counting import counted
from conformance.types import (
    DEVIATION,
    Endpoint,
    Exchange,
    Gateway,
    Judgement,
    PlannedCell,
    RejectedBy,
    Verdict,
    opening_of,
    told_of,
)

#: Where results go by default, inside the reports folder.
FOLDER = "allure-results"

_OURS = pytest.StashKey[str]()

#: Characters of a line of evidence in a test's report, and of each text in a request.
_MOST, _LONG = 300, 40

#: Where a cell's result leads: Allure's report lies in a folder of its own beside the page.
_PAGE_FROM_REPORT = f"../{PAGE}"

#: The tag of what differs from a table that does not know the gateway.
_NEWS = Label("tag", "news")

#: What Allure sorts results by: name, test status, and how the message begins that the suite gives such a test.
_CATEGORIES = (
    ("The table says otherwise", "failed", DEVIATION),
    ("Rejected by the gateway", "passed", opening_of(Verdict.REJECTED, RejectedBy.GATEWAY)),
    ("Rejected by the backend", "passed", opening_of(Verdict.REJECTED, RejectedBy.BACKEND)),
    ("Rejected, nobody knows by whom", "passed", opening_of(Verdict.REJECTED, RejectedBy.UNKNOWN)),
    ("Silently ignored", "passed", opening_of(Verdict.IGNORED, None)),
    ("Inconclusive", "skipped", opening_of(Verdict.INCONCLUSIVE, None)),
    ("Not applicable", "skipped", opening_of(Verdict.NOT_APPLICABLE, None)),
)


def _beginning_with(text: str) -> str:
    """A pattern for messages that begin so, which Java and JavaScript read alike; pytest names a failure's kind first.

    Allure matches categories by nothing but the status and this.
    """
    escaped = re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", text)
    return f"((Failed|Skipped): )?{escaped}[\\s\\S]*"


#: The same as Allure's versions 2 and 3 read it.
CATEGORIES = [
    {"name": name, "matchedStatuses": [status], "messageRegex": _beginning_with(opening)}
    for name, status, opening in _CATEGORIES
]


def switch_on(config: pytest.Config, reports: Path) -> None:
    """Write results into the reports folder, as if `--alluredir` had been given.

    Called before allure-pytest configures itself, and does nothing where the user chose a folder
    or switched the plugin off. Earlier results stay until `clear`.
    """
    if config.pluginmanager.hasplugin("allure_pytest") and not config.option.allure_report_dir:
        folder = reports / FOLDER
        try:
            prove_writable(folder)
        except OSError as error:
            raise ReportError(
                f"cannot write Allure results to {folder} ({error.strerror}); name another folder with --reports"
            ) from None
        config.option.allure_report_dir = config.stash[_OURS] = str(folder)


def follow(config: pytest.Config, folder: str) -> None:
    """Write a worker's results where the controller's go, if it sees that folder: no option of its own tells it."""
    wanted = config.pluginmanager.hasplugin("allure_pytest") and not config.option.allure_report_dir
    if wanted and folder and Path(folder).is_dir():
        config.option.allure_report_dir = folder


def clear(config: pytest.Config) -> None:
    """Take the results of an earlier run away, but for those in a folder that the user chose.

    Raises `ReportError` where one cannot be removed: this run's would lie among them.
    """
    if _OURS not in config.stash:
        return
    try:
        for path in Path(config.stash[_OURS]).iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    except OSError as error:
        raise ReportError(
            f"cannot remove {error.filename} ({error.strerror}); name another folder with --reports. "
            "What was measured is recorded: judge it without --live"
        ) from None


def folder_of(config: pytest.Config) -> Path | None:
    """Where this run's Allure results go, or None where it writes none."""
    named = getattr(config.option, "allure_report_dir", None)
    return config.invocation_params.dir / named if named else None


def attend(config: pytest.Config, gateway: Gateway) -> Teller | None:
    """Have a `Teller` finish this process's results to the end of the run; None where none are written."""
    if folder_of(config) is None:
        return None
    teller = Teller(gateway)
    allure_commons.plugin_manager.register(teller)
    config.add_cleanup(functools.partial(allure_commons.plugin_manager.unregister, teller))
    faults.bear(config)
    return teller


class Teller:
    """Makes a cell's result, or a model's, out of the one that allure-pytest is about to write."""

    def __init__(self, gateway: Gateway) -> None:
        """Nothing is told yet."""
        self._gateway = gateway
        self._finish: Callable[[TestResult], None] | None = None

    def tell(self, cell: PlannedCell, judgement: Judgement, route: str | None, *, news: bool = False) -> None:
        """Say which cell the running test is about; `news` where a table without this gateway expects otherwise."""
        self._finish = functools.partial(
            finish, gateway=self._gateway, cell=cell, judgement=judgement, route=route, news=news
        )

    def tell_model(self, model: str, route: str | None, *, news: int = 0) -> None:
        """Say which model the running test is about, all its cells; `news` counts those that are news."""
        self._finish = functools.partial(finish_model, gateway=self._gateway, model=model, route=route, news=news)

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: TestResult) -> None:
        """Finish the result of the test that just ended."""
        # Reports are published, and this machine's name is nobody's business.
        result.labels = [label for label in result.labels if label.name != "host"]
        if self._finish is not None:
            self._finish(result)
            self._finish = None


def finish(
    result: TestResult,
    gateway: Gateway,
    cell: PlannedCell,
    judgement: Judgement,
    route: str | None,
    news: bool = False,
) -> None:
    """Turn a test's result into its cell's.

    Its identity is gateway, model, endpoint, mode and parameter, and not where the suite was started.
    """
    from conformance.report.page import cell_fragment  # here, because only these runs need it

    key = cell.key
    place = {"gateway": gateway.name, "model": key.model, "endpoint": key.endpoint.value, "mode": key.mode.value}
    place = {name: _held(value) for name, value in (place | {"parameter": key.parameter}).items()}
    result.name = f"{place['parameter']} ({place['mode']})"
    _identify(result, place, [gateway.name, *dataclasses.astuple(key)], above=3)
    page = f"{_PAGE_FROM_REPORT}{cell_fragment(key)}"
    result.links = [Link("link", page, "this cell on the compatibility page")]
    # Again in the text, because Allure 3 follows no relative link but there.
    result.description = f"{_description(gateway, cell, judgement, route)} · [This cell on the page](<{page}>)"
    if result.status == "passed":
        opening = opening_of(judgement.verdict, judgement.rejected_by)
        result.statusDetails = StatusDetails(message=f"{opening}{_held(judgement.reason)}")
    result.labels += [Label(name, value) for name, value in _labels(place, cell, judgement, route)]
    if news:
        result.description += "\n\n**News**: this differs from the table, which does not know this gateway."
        result.labels.append(_NEWS)


def finish_model(result: TestResult, gateway: Gateway, model: str, route: str | None, news: int = 0) -> None:
    """Turn a test's result into its model's, of the same identity from run to run."""
    place = {"gateway": _held(gateway.name), "model": _held(model)}
    result.name = place["model"]
    _identify(result, place, [gateway.name, model], above=1)
    result.links = [Link("link", _PAGE_FROM_REPORT, "the compatibility page")]
    told = {"parentSuite": place["gateway"], "suite": place["model"], "story": place["model"], **place}
    result.labels += [Label(name, value) for name, value in (told | ({"route": _held(route)} if route else {})).items()]
    if news:
        result.description = (
            f"**News**: the table does not know this gateway, and expects otherwise of {counted(news, 'cell')}."
        )
        result.labels.append(_NEWS)


def _identify(result: TestResult, place: Mapping[str, str], identity: Sequence[str], above: int) -> None:
    """Say where a result belongs, and make that its identity; the first `above` of its place stand over it."""
    result.fullName = f"conformance: {', '.join(place.values())}"
    result.titlePath = list(place.values())[:above]
    result.testCaseId = result.historyId = md5(json.dumps(identity))  # type: ignore[no-untyped-call]
    result.parameters = [Parameter(name=name, value=value) for name, value in place.items()]
    chosen = {"parentSuite", "suite", "subSuite", "tag"}
    result.labels = [label for label in result.labels if label.name not in chosen]


def _labels(
    place: Mapping[str, str], cell: PlannedCell, judgement: Judgement, route: str | None
) -> Iterator[tuple[str, str]]:
    yield from zip(("parentSuite", "suite", "subSuite"), list(place.values())[:3], strict=True)
    yield from (("epic", cell.parameter.group), ("feature", place["parameter"]), ("story", place["model"]))
    yield "severity", _severity(cell)
    yield from place.items()
    yield from (("verdict", judgement.verdict.value), ("tag", judgement.verdict.value))
    if judgement.rejected_by:
        yield "rejected_by", judgement.rejected_by.value
    if judgement.cause:
        yield "cause", judgement.cause.value
    if judgement.split:
        yield "tag", "split"
    if route:
        yield "route", _held(route)


def _severity(cell: PlannedCell) -> str:
    """How much hangs on it: what agents send first of all, other fields, single values of a field."""
    if "core" in cell.parameter.sets:
        return "critical"
    return "minor" if cell.parameter.value else "normal"


def _description(gateway: Gateway, cell: PlannedCell, judgement: Judgement, route: str | None) -> str:
    """The verdict with its reason, what was asked of whom, and why anybody asks: as Markdown."""
    key, software = cell.key, gateway.release
    by = f" on route {code(route)}" if route else ""
    through = f"{code(gateway.name)}{f' ({code(software)})' if software else ''}"
    simulated = "\n\nA simulator stood in for the vendor." if gateway.simulated else ""
    split = "".join(f"\n\nDeployment {code(name)}: {verdict.value}." for name, verdict in judgement.split.items())
    return (
        f"**{_verdict(judgement)}**: {code(judgement.reason, 2000)}{split}\n\n"
        f"{code(key.parameter)} on {key.endpoint.value}, {key.mode.value}, of {code(key.model)}{by}, through {through}."
        f"{simulated}\n\n{cell.parameter.why} [What it is]({cell.parameter.standard_on(key.endpoint)})"
    )


def _verdict(judgement: Judgement) -> str:
    return told_of(judgement.verdict.value, judgement.rejected_by)


def _held(text: str) -> str:
    """A text that a UTF-8 file can hold: one lone surrogate would end the whole run."""
    return text.encode("utf-8", "replace").decode()


def write_run(matrix: Matrix, folder: Path) -> None:
    """Write what the results have in common: the environment, and the categories.

    Raises `ReportError` where the folder cannot be written.
    """
    try:
        write_atomically(folder / "environment.properties", _properties(environment(matrix)))
        write_atomically(folder / "categories.json", json.dumps(CATEGORIES, indent=1) + "\n")
    except OSError as error:
        raise ReportError(f"cannot write Allure results to {folder} ({error.strerror}); name another folder") from None


def environment(matrix: Matrix) -> dict[str, str]:
    """What was measured, where and when, as Allure shows it: name and value."""
    gateway, run = matrix["gateway"], matrix["run"]
    return {
        "gateway": gateway["name"],
        "software": gateway_from(gateway).release or "unknown",
        "upstreams": "simulators that follow the vendors' published schemas" if gateway["simulated"] else "the vendors",
        "measured": f"{run['started_at']} to {run['finished_at']}",
        "models": str(len(matrix["models"])),
        "cells": ", ".join(f"{count} {verdict.value}" for verdict, count in counts(matrix).items()),
        "requests": str(run["requests"]),
        "complete": "yes" if run["complete"] else "no",
    }


def _properties(values: Mapping[str, str]) -> str:
    """A Java properties file, which is ASCII."""
    return "".join(f"{name} = {_escaped(printable(value, 300))}\n" for name, value in values.items())


def _escaped(value: str) -> str:
    units = re.sub(r"[\\=:#!]", r"\\\g<0>", value).encode("utf-16-be")
    codes = (int.from_bytes(units[n : n + 2], "big") for n in range(0, len(units), 2))
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)


def attach(exchanges: Iterable[Exchange], paths: Mapping[Endpoint, str]) -> None:
    """Attach recorded exchanges, which hold no secrets, to the running test; `paths` are the endpoints'."""
    for exchange in exchanges:
        request, response = exchange.request, exchange.response
        outcome = response.status or response.error or "no answer"
        name = printable(f"{outcome}: {', '.join(request.body)} ({request.digest})", 120)
        allure.attach(_as_http(exchange, paths), name=name, attachment_type=allure.attachment_type.TEXT)


def _as_http(exchange: Exchange, paths: Mapping[Endpoint, str]) -> str:
    """An exchange as one would see it on the wire, its JSON indented."""
    request, response = exchange.request, exchange.response
    headers = "".join(f"{name}: {value}\n" for name, value in response.headers.items())
    told = "".join(f"{name}: {value}\n" for name, value in request.headers.items())
    asked = f"POST {paths[request.endpoint]}{request.door}\n{told}\n{json.dumps(request.body, indent=2)}"
    if request.fetch:
        asked = f"GET {paths[request.endpoint]}/{request.fetch}"
    text = (
        f"{asked}\n\n"
        f"--- {response.status or response.error}, after {response.elapsed_ms} ms, recorded {exchange.recorded_at}\n"
        f"{headers}\n{_indented(response.body.decode('utf-8', 'replace'))}\n"
    )
    return _held(text)


def _indented(body: str) -> str:
    try:
        value: Any = json.loads(body)
        return json.dumps(value, indent=2)
    except (ValueError, RecursionError):
        return body


def as_text(exchanges: Iterable[Exchange]) -> str:
    """Exchanges for a test's report: two lines for each, and no long text in them."""
    return "\n".join(map(_told, exchanges))


def _told(exchange: Exchange) -> str:
    request, response = exchange.request, exchange.response
    sent = json.dumps({"fetch": request.fetch} if request.fetch else _shortened(request.body), ensure_ascii=False)
    body = one_line(response.body.decode("utf-8", "replace"), _MOST)
    return f"  > {one_line(sent, _MOST)}\n  < {response.status or response.error} {body}"


def _shortened(value: Any) -> Any:
    """A request's value with its long texts cut: of the probe's prompt nobody wants more than the beginning."""
    if isinstance(value, Mapping):
        return {name: _shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    return printable(value, _LONG) if isinstance(value, str) else value
