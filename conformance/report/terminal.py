"""The matrix as a small grid for the terminal."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from conformance.matrix.document import Matrix, by_model, counts, disagreements
from conformance.readiness.words import Readiness
from conformance.report.clients import SHOWN, summaries
from conformance.report.signs import OF_VERDICT
from conformance.text.counting import counted
from conformance.types import Verdict

#: Rows of the grid; the rest is in the files.
MAX_MODELS = 40
#: Columns that a model's id may take.
MODEL_WIDTH = 40
#: Characters of a client's reasons.
_REASONS = 160
#: Where the names are that `--clients` takes.
_NAMES = "The names: python -m conformance clients list"


def grid(matrix: Matrix, width: int) -> Group:
    """Models × endpoints and parameters; where the modes differ, both signs (whole, then stream).

    Columns too wide for the terminal are numbered, and the numbers explained below; where even
    those are too many, each model's verdicts are counted instead.
    """
    columns = list(dict.fromkeys((cell["endpoint"], cell["parameter"]) for cell in matrix["cells"]))
    shown = dict(itertools.islice(by_model(matrix), MAX_MODELS))
    below = _below(matrix)
    if len(columns) * 4 + MODEL_WIDTH > width:
        return Group(_tallies(shown), *below)
    numbered = sum(len(parameter) + 2 for _, parameter in columns) + MODEL_WIDTH > width
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("model", overflow="fold", max_width=MODEL_WIDTH)
    for number, (endpoint, parameter) in enumerate(columns, 1):
        header = str(number) if numbered else f"{_short(endpoint)}\n{parameter}"
        table.add_column(header, justify="center", no_wrap=True)
    for model, cells in shown.items():
        signs: dict[tuple[str, str], dict[str, Verdict]] = defaultdict(dict)
        for cell in cells:
            signs[cell["endpoint"], cell["parameter"]][cell["mode"]] = Verdict(cell["verdict"])
        table.add_row(Text(printable(model)), *(_sign(signs.get(column, {})) for column in columns))
    key = [f"{n} {_short(endpoint)} {parameter}" for n, (endpoint, parameter) in enumerate(columns, 1)]
    explained = [Text(" · ".join(key), "dim")] if numbered else []
    return Group(table, *explained, *below)


def _tallies(models: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Models × verdicts, counted."""
    tallies = {model: Counter(Verdict(cell["verdict"]) for cell in cells) for model, cells in models.items()}
    there = [verdict for verdict in Verdict if any(tally[verdict] for tally in tallies.values())]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("model", overflow="fold", min_width=min(MODEL_WIDTH, max(map(len, models), default=1)))
    for verdict in there:
        table.add_column(Text(*OF_VERDICT[verdict]), justify="right")
    for model, tally in tallies.items():
        table.add_row(Text(printable(model)), *(str(tally[verdict] or "") for verdict in there))
    return table


def clients(matrix: Matrix) -> Group | Table | Text | None:
    """Clients × readiness, counted, with the commonest reasons; None where the matrix tells of no clients."""
    found = summaries(matrix)
    if not any(summary.known for summary in found):
        told = (
            "Will my agent work? This run measured too little to tell; --live --clients=NAME measures what one needs. "
            f"{_NAMES}"
        )
        return Text(told) if found else None
    there = [each for each in SHOWN if any(summary.tally[each] for summary in found)]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("will my agent work?", overflow="fold", max_width=MODEL_WIDTH)
    for each in there:
        table.add_column(Text(*SHOWN[each].sign), justify="right")
    table.add_column("what limits it, and with how many models", overflow="fold")
    for summary in found:
        title = printable(f"{summary.profile['title']} {summary.profile['version']}")
        counted = (str(summary.tally[each] or "") for each in there)
        reasons = "; ".join(filter(None, (summary.limits, summary.reasons())))
        table.add_row(Text(title), *counted, Text(printable(reasons, _REASONS), "dim"))
    if Readiness.UNKNOWN not in there:
        return table
    hint = f"--live --clients=NAME measures what a client needs, and asks its whole requests. {_NAMES}"
    return Group(table, Text(hint, "dim"))


def _short(endpoint: str) -> str:
    return endpoint.partition("_")[0]


def _below(matrix: Matrix) -> list[Text]:
    tally, models = counts(matrix), len(matrix["models"])
    lines = [Text(f"… and {models - MAX_MODELS} more models in the files")] if models > MAX_MODELS else []
    legend = Text()
    for verdict, count in tally.items():
        sign, style = OF_VERDICT[verdict]
        legend.append(f"{sign} ", style).append(f"{count} {verdict.replace('_', ' ')}   ")
    lines.append(legend)
    if matrix["cells"] and matrix["run"]["mode"] == "live":
        per_cell = matrix["run"]["requests"] / len(matrix["cells"])
        lines.append(Text(f"{counted(matrix['run']['requests'], 'request')}, {per_cell:.2f} for each cell"))
    lines += _declared_otherwise(disagreements(matrix))
    if matrix["gateway"]["simulated"]:
        lines.append(Text("The upstreams were simulators that follow the vendors' published schemas, not the vendors."))
    if not matrix["run"]["complete"]:
        lines.append(Text("Incomplete: the recording was cut short, or holds only some of these models.", "magenta"))
    return lines


def _declared_otherwise(differing: Iterable[Mapping[str, Any]]) -> list[Text]:
    """What the gateway declares and the measurement contradicts: each parameter, and of how many models."""
    count, found = 0, {declared: defaultdict[str, set[str]](set) for declared in (True, False)}
    for cell in differing:
        count += 1
        found[cell["declared"]][cell["parameter"]].add(cell["model"])
    lines = (
        [Text(f"what the gateway declares differs from the measurement in {counted(count, 'cell')}:")] if count else []
    )
    for declared, words in ((True, "declared, but rejected"), (False, "not declared, but accepted")):
        if models := found[declared]:
            most_first = sorted(models, key=lambda parameter: (-len(models[parameter]), parameter))
            told = ", ".join(f"{parameter} ({_of(models[parameter])})" for parameter in most_first)
            lines.append(Text(f"  {words}: {told}"))
    return lines


def _of(models: Collection[str]) -> str:
    return printable(next(iter(models))) if len(models) == 1 else counted(len(models), "model")


def news(count: int, keep: str) -> Iterator[str]:
    """What to say of cells that differ from a table without this gateway; `keep` is the command that keeps them."""
    if count:
        cells = "1 cell differs" if count == 1 else f"{count} cells differ"
        yield f"NEWS {cells} from the shipped table, which does not know this gateway; no test fails because of that"
        yield f"  to keep what was measured: {keep}"


def _sign(modes: dict[str, Verdict]) -> Text:
    verdicts = list(dict.fromkeys(modes.values()))
    return Text.assemble(*(OF_VERDICT[verdict] for verdict in verdicts))


def printable(text: str, limit: int = 60) -> str:
    """A foreign text for people: cut at `limit` characters, without control characters, direction marks, surrogates."""
    shown = text if len(text) <= limit else f"{text[:limit]}…"
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def rendered(matrix: Matrix, width: int, colour: bool) -> str:
    """The clients and the grid as text for a terminal of this width."""
    width = max(width, 60)
    console = Console(width=width, force_terminal=colour, color_system="auto" if colour else None)
    with console.capture() as capture:
        if (told := clients(matrix)) is not None:
            console.print(told, "")
        console.print(grid(matrix, width))
    return capture.get()
