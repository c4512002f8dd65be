"""The matrix as a spreadsheet's CSV, one of its cells and one of its clients, and as Markdown. Pure."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.errors import first_of
from conformance.matrix.document import Matrix, by_model, counts, disagreements, gateway_from, supported_percent
from conformance.readiness.words import Readiness
from conformance.report import clients
from conformance.report.markdown import Document, code, table
from conformance.report.signs import OF_VERDICT
from conformance.report.terminal import printable
from conformance.text.counting import counted
from conformance.types import STATEMENTS, Verdict

#: Bytes of `matrix.md`: a GitHub step summary holds a mebibyte.
MARKDOWN_LIMIT = 500_000
#: Characters of one CSV field: a spreadsheet's cell holds 32,767.
_FIELD_LIMIT = 30_000
#: Characters of a client's reasons.
_REASONS = 300
#: Parameters named for one model and verdict; the rest is counted.
_NAMED = 20

COLUMNS = (
    "gateway", "software", "version", "measured_at", "model", "route", "endpoint", "mode", "parameter", "fields",
    "verdict", "rejected_by", "supported", "declared", "split", "reason", "evidence",
)  # fmt: skip

CLIENT_COLUMNS = (
    "gateway", "software", "version", "measured_at", "client", "client_version", "captured_at", "model", "route",
    "readiness", "proved", "forecast", "way", "endpoint", "breaks_on", "loses", "not_known", "reason",
)  # fmt: skip

#: What makes a spreadsheet calculate: a sign (also of full width) at the start, or behind half of Europe's separator.
_FORMULA = re.compile(r"(^\s*|;\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_STATES = {True: "yes", False: "no", None: ""}


def as_csv(matrix: Matrix) -> Iterator[str]:
    """Every cell as a line of CSV, for spreadsheets: with a byte order mark, and nothing that would be calculated.

    A text that could be a formula has an apostrophe before its sign.
    """
    yield from _csv(_csv_rows(matrix))


def clients_as_csv(matrix: Matrix) -> Iterator[str]:
    """Every client and model as a line of CSV, written as `as_csv` writes cells."""
    yield from _csv(_client_rows(matrix))


def _csv(rows: Iterable[Sequence[str | None]]) -> Iterator[str]:
    yield "\N{BOM}"
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    for row in rows:
        writer.writerow([_inert(text) for text in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _client_rows(matrix: Matrix) -> Iterator[Sequence[str | None]]:
    yield CLIENT_COLUMNS
    section = matrix.get("clients")
    if section is None:
        return
    told, routes = _measured(matrix), {model["id"]: model["route"] for model in matrix["models"]}
    profiles = {profile["client"]: profile for profile in section["profiles"]}
    for row in section["readiness"]:
        profile, way = profiles.get(row["client"]), row["ways"][0] if row["ways"] else None
        proofs = way.get("proofs", []) if way else []
        yield [
            *told,
            row["client"],
            profile and profile["version"],
            profile and profile["captured_at"],
            row["model"],
            routes.get(row["model"]),
            row["readiness"],
            _STATES[any(proof["verdict"] != Verdict.INCONCLUSIVE.value for proof in proofs)],
            way and way.get("forecast", way["readiness"]),
            row["way"],
            way and way["endpoint"],
            *(" ".join(clients.fields_of(way, each)) if way else "" for each in _WORSE),
            row["reason"],
        ]


#: The readiness that fields may be the cause of, in the order of their columns.
_WORSE = (Readiness.BREAKS, Readiness.LOSES, Readiness.UNKNOWN)


def _measured(matrix: Matrix) -> tuple[str | None, ...]:
    """What was measured, and when."""
    gateway = matrix["gateway"]
    return gateway["name"], gateway["software"], gateway["version"], matrix["run"]["finished_at"]


def _csv_rows(matrix: Matrix) -> Iterator[Sequence[str | None]]:
    yield COLUMNS
    told, routes = _measured(matrix), {model["id"]: model["route"] for model in matrix["models"]}
    for cell in matrix["cells"]:
        split = (f"{deployment}: {verdict}" for deployment, verdict in cell.get("split", {}).items())
        yield [
            *told,
            cell["model"],
            routes.get(cell["model"]),
            cell["endpoint"],
            cell["mode"],
            cell["parameter"],
            " ".join(cell["fields"]),
            cell["verdict"],
            cell["rejected_by"],
            _STATES[STATEMENTS[Verdict(cell["verdict"])]],
            _STATES[cell["declared"]],
            ", ".join(split),
            cell["reason"],
            " ".join(cell["evidence"]),
        ]


@functools.lru_cache(maxsize=4096)  # most texts stand in many rows
def _inert(text: str | None) -> str:
    """A text that a spreadsheet takes for text."""
    return _FORMULA.sub(r"\1'", printable(text, _FIELD_LIMIT)) if text else ""


def as_markdown(matrix: Matrix, limit: int = MARKDOWN_LIMIT) -> str:
    """The matrix as Markdown of at most `limit` bytes: totals, a table of the models, what each refuses and ignores."""
    document = Document(limit)
    document.add(f"# Conformance of {_gateway(matrix)}", "", *_facts(matrix), "")
    _add_clients(document, matrix)
    there = list(counts(matrix))
    header = ["model", "route", "supported", *(f"{OF_VERDICT[verdict].sign} {_words(verdict)}" for verdict in there)]
    routes = {model["id"]: model["route"] for model in matrix["models"]}
    tallies: dict[str, Counter[Verdict]] = {model: Counter() for model in routes}
    lines: list[str] = []
    for model, cells in by_model(matrix):
        tallies[model] = Counter(Verdict(cell["verdict"]) for cell in cells)
        lines += _not_supported(model, cells)
    rows = []
    for model, tally in tallies.items():
        route, counted = routes.get(model), (str(tally[verdict]) for verdict in there)
        rows.append([code(model), code(route) if route else "", _percent(tally), *counted])
    document.add_some(table(header, rows, numbers_from=2), "models", head=2)
    document.add("", "## What each model refuses and ignores", "")
    document.add_some(lines, "lines")
    return document.text


def _add_clients(document: Document, matrix: Matrix) -> None:
    """Add which clients work with which models: a table of signs, and the commonest reasons of each client."""
    found = clients.summaries(matrix)
    if not found:
        return
    legend = ", ".join(f"{shown.sign.sign} {shown.title}" for shown in clients.SHOWN.values())
    only = f" {clients.ONLY} {clients.ONLY_MEANS}." if any(summary.only for summary in found) else ""
    document.add("## Will my agent work?", "", f"{legend}.{only}", "")
    names = [summary.profile["client"] for summary in found]
    rows = []
    for model, row in clients.by_model(matrix):
        rows.append([code(model), *(clients.sign_of(row[name]) if name in row else "" for name in names)])
    document.add_some(table(["model", *map(code, names)], rows), "models", head=2)
    document.add("")
    lines = []
    for summary in found:
        profile, reasons = summary.profile, summary.reasons()
        told = f"{code(profile['title'])} {code(profile['version'])}, captured {code(profile['captured_at'])}"
        lines.append(f"- {told}: {summary.told}{f'; {code(reasons, _REASONS)}' if reasons else ''}")
    document.add_some(lines, "clients")
    document.add("", "## What each model takes", "")


def _gateway(matrix: Matrix) -> str:
    gateway = matrix["gateway"]
    software = gateway_from(gateway).release
    return f"{code(gateway['name'])} ({code(software)})" if software else code(gateway["name"])


def _facts(matrix: Matrix) -> Iterator[str]:
    run, tally = matrix["run"], counts(matrix)
    yield (
        f"{counted(len(matrix['models']), 'model')}, {counted(len(matrix['cells']), 'cell')}, "
        f"{counted(run['requests'], 'request')}, "
        f"measured {code(run['finished_at'][:10])}. Of the cells with an answer, {_percent(tally)} are supported."
    )
    if differing := sum(1 for _ in disagreements(matrix)):
        yield f"What the gateway declares differs from the measurement in {counted(differing, 'cell')}."
    if matrix["gateway"]["simulated"]:
        yield "\n> The upstreams were simulators that follow the vendors' published schemas, not the vendors."
    if not run["complete"]:
        yield "\n> Incomplete: the recording was cut short, or holds only some of these models."


def _not_supported(model: str, cells: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A model's parameters that are refused, ignored or unknown on some endpoint, in some mode."""
    for verdict in (Verdict.REJECTED, Verdict.IGNORED, Verdict.INCONCLUSIVE):
        names = list(dict.fromkeys(cell["parameter"] for cell in cells if cell["verdict"] == verdict))
        if names:
            shown = first_of([code(name, 60) for name in names], _NAMED)
            yield f"- {code(model)} {OF_VERDICT[verdict].sign} {_words(verdict)} on some endpoint or mode: {shown}"


def _percent(tally: Mapping[Verdict, int]) -> str:
    percent = supported_percent(tally)
    return "unknown" if percent is None else f"{percent} %"


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")
