"""The matrix as a small grid for the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from conformance.matrix import Matrix, counts, disagreements
from conformance.types import Verdict

#: Each verdict's sign and colour; the sign alone tells them apart.
SIGNS: dict[Verdict, tuple[str, str]] = {
    Verdict.HONOURED: ("✔", "green"),
    Verdict.ACCEPTED: ("+", "green"),
    Verdict.IGNORED: ("~", "yellow"),
    Verdict.REJECTED: ("✘", "red"),
    Verdict.INCONCLUSIVE: ("?", "magenta"),
    Verdict.NOT_APPLICABLE: ("·", "dim"),
}

#: Rows of the grid; the rest is in the files.
MAX_MODELS = 40
#: Columns that a model's id may take.
MODEL_WIDTH = 40


def grid(matrix: Matrix, width: int) -> Group:
    """Models × endpoints and parameters; where the modes differ, both signs (whole, then stream).

    Columns too wide for the terminal are numbered, and the numbers explained below; where even
    those are too many, each model's verdicts are counted instead.
    """
    signs: dict[tuple[str, str, str], dict[str, Verdict]] = defaultdict(dict)
    for cell in matrix["cells"]:
        signs[cell["model"], cell["endpoint"], cell["parameter"]][cell["mode"]] = Verdict(cell["verdict"])
    columns = list(dict.fromkeys((endpoint, parameter) for _, endpoint, parameter in signs))
    models = list(dict.fromkeys(model for model, *_ in signs))
    if len(columns) * 4 + MODEL_WIDTH > width:
        return Group(_tallies(matrix, models), *_below(matrix, len(models)))
    numbered = sum(len(parameter) + 2 for _, parameter in columns) + MODEL_WIDTH > width
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("model", overflow="fold", max_width=MODEL_WIDTH)
    for number, (endpoint, parameter) in enumerate(columns, 1):
        header = str(number) if numbered else f"{_short(endpoint)}\n{parameter}"
        table.add_column(header, justify="center", no_wrap=True)
    for model in models[:MAX_MODELS]:
        cells = [_sign(signs.get((model, *column), {})) for column in columns]
        table.add_row(Text(printable(model)), *cells)
    key = [f"{n} {_short(endpoint)} {parameter}" for n, (endpoint, parameter) in enumerate(columns, 1)]
    explained = [Text(" · ".join(key), "dim")] if numbered else []
    return Group(table, *explained, *_below(matrix, len(models)))


def _tallies(matrix: Matrix, models: Sequence[str]) -> Table:
    """Models × verdicts, counted."""
    tally = Counter((cell["model"], Verdict(cell["verdict"])) for cell in matrix["cells"])
    there = [verdict for verdict in Verdict if any(tally[model, verdict] for model in models)]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("model", overflow="fold", min_width=min(MODEL_WIDTH, max(map(len, models), default=1)))
    for verdict in there:
        table.add_column(Text(*SIGNS[verdict]), justify="right")
    for model in models[:MAX_MODELS]:
        table.add_row(Text(printable(model)), *(str(tally[model, verdict] or "") for verdict in there))
    return table


def _short(endpoint: str) -> str:
    return endpoint.partition("_")[0]


def _below(matrix: Matrix, models: int) -> list[Text]:
    tally = counts(matrix)
    lines = [Text(f"… and {models - MAX_MODELS} more models in the files")] if models > MAX_MODELS else []
    legend = Text()
    for verdict, count in tally.items():
        sign, style = SIGNS[verdict]
        legend.append(f"{sign} ", style).append(f"{count} {verdict.replace('_', ' ')}   ")
    lines.append(legend)
    if matrix["cells"] and matrix["run"]["mode"] == "live":
        per_cell = matrix["run"]["requests"] / len(matrix["cells"])
        lines.append(Text(f"{matrix['run']['requests']} requests, {per_cell:.2f} for each cell"))
    lines += _declared_otherwise(disagreements(matrix))
    if matrix["gateway"]["simulated"]:
        lines.append(Text("The upstreams were simulators that follow the vendors' published schemas, not the vendors."))
    if not matrix["run"]["complete"]:
        lines.append(Text("Incomplete: the recording was cut short, or holds only some of these models.", "magenta"))
    return lines


def _declared_otherwise(differing: Sequence[dict[str, Any]]) -> list[Text]:
    """What the gateway declares and the measurement contradicts: each parameter, and of how many models."""
    if not differing:
        return []
    lines = [Text(f"the gateway declares otherwise of {len(differing)} cells:")]
    for declared, words in ((True, "declared, and refused"), (False, "not declared, and taken")):
        models: dict[str, set[str]] = defaultdict(set)
        for cell in differing:
            if cell["declared"] is declared:
                models[cell["parameter"]].add(cell["model"])
        if models:
            most_first = sorted(models, key=lambda parameter: (-len(models[parameter]), parameter))
            told = ", ".join(f"{parameter} ({_of(models[parameter])})" for parameter in most_first)
            lines.append(Text(f"  {words}: {told}"))
    return lines


def _of(models: Collection[str]) -> str:
    return printable(next(iter(models))) if len(models) == 1 else f"{len(models)} models"


def _sign(modes: dict[str, Verdict]) -> Text:
    verdicts = list(dict.fromkeys(modes.values()))
    return Text.assemble(*(SIGNS[verdict] for verdict in verdicts))


def printable(text: str, limit: int = 60) -> str:
    """A foreign text for people: cut at `limit` characters, without control characters, direction marks, surrogates."""
    shown = text if len(text) <= limit else f"{text[:limit]}…"
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def rendered(matrix: Matrix, width: int, colour: bool) -> str:
    """The grid as text for a terminal of this width."""
    width = max(width, 60)
    console = Console(width=width, force_terminal=colour, color_system="auto" if colour else None)
    with console.capture() as capture:
        console.print(grid(matrix, width))
    return capture.get()
