"""The matrix as a spreadsheet's CSV, and as Markdown. Pure."""

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
from conformance.report.markdown import Document, code, table
from conformance.report.signs import OF_VERDICT
from conformance.report.terminal import printable
from conformance.types import STATEMENTS, Verdict

#: Bytes of `matrix.md`: a GitHub step summary holds a mebibyte.
MARKDOWN_LIMIT = 500_000
#: Characters of one CSV field: a spreadsheet's cell holds 32,767.
_FIELD_LIMIT = 30_000
#: Parameters named for one model and verdict; the rest is counted.
_NAMED = 20

COLUMNS = (
    "gateway", "software", "version", "measured_at", "model", "route", "endpoint", "mode", "parameter", "fields",
    "verdict", "rejected_by", "supported", "declared", "split", "reason", "evidence",
)  # fmt: skip

#: What makes a spreadsheet calculate: a sign (also of full width) at the start, or behind half of Europe's separator.
_FORMULA = re.compile(r"(^\s*|;\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_STATES = {True: "yes", False: "no", None: ""}


def as_csv(matrix: Matrix) -> Iterator[str]:
    """Every cell as a line of CSV, for spreadsheets: with a byte order mark, and nothing that would be calculated.

    A text that could be a formula has an apostrophe before its sign.
    """
    yield "\N{BOM}"
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    for row in _csv_rows(matrix):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _csv_rows(matrix: Matrix) -> Iterator[Sequence[str]]:
    yield COLUMNS
    gateway, routes = matrix["gateway"], {model["id"]: model["route"] for model in matrix["models"]}
    told = [gateway["name"], gateway["software"], gateway["version"], matrix["run"]["finished_at"]]
    for cell in matrix["cells"]:
        split = (f"{deployment}: {verdict}" for deployment, verdict in cell.get("split", {}).items())
        row = [
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
        yield [_inert(text) for text in row]


@functools.lru_cache(maxsize=4096)  # most texts stand in many rows
def _inert(text: str | None) -> str:
    """A text that a spreadsheet takes for text."""
    return _FORMULA.sub(r"\1'", printable(text, _FIELD_LIMIT)) if text else ""


def as_markdown(matrix: Matrix, limit: int = MARKDOWN_LIMIT) -> str:
    """The matrix as Markdown of at most `limit` bytes: totals, a table of the models, what each refuses and ignores."""
    document = Document(limit)
    document.add(f"# Conformance of {_gateway(matrix)}", "", *_facts(matrix), "")
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


def _gateway(matrix: Matrix) -> str:
    gateway = matrix["gateway"]
    software = gateway_from(gateway).release
    return f"{code(gateway['name'])} ({code(software)})" if software else code(gateway["name"])


def _facts(matrix: Matrix) -> Iterator[str]:
    run, tally = matrix["run"], counts(matrix)
    yield (
        f"{len(matrix['models']):,} models, {len(matrix['cells']):,} cells, {run['requests']:,} requests, "
        f"measured {code(run['finished_at'][:10])}. Of the cells with an answer, {_percent(tally)} are supported."
    )
    if differing := sum(1 for _ in disagreements(matrix)):
        yield f"What the gateway declares differs from the measurement in {differing:,} cells."
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
