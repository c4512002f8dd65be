"""What the page says above its grid: what was measured, and what each route's models take. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conformance.matrix.document import Matrix, gateway_from, supported_percent
from conformance.report.grid import Axes
from conformance.types import Verdict

#: What a route is called where the gateway does not say, or where a model has several.
NO_ROUTE = "no single route"


@dataclass(frozen=True, slots=True)
class Affected:
    """A parameter that has a verdict somewhere on a route: which values of it, and with how many of its models."""

    path: str
    values: tuple[str, ...]
    models: int


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """One route: cells by verdict, which core parameters are refused on it, and what silently vanishes there."""

    route: str | None
    models: int
    cells: int
    tally: Mapping[Verdict, int]
    refused: tuple[Affected, ...]
    vanishes: tuple[Affected, ...]

    @property
    def supported(self) -> int | None:
        """The percentage of the cells with an answer that are honoured or accepted, rounded down; None without any."""
        return supported_percent(self.tally)


def facts(matrix: Matrix, axes: Axes) -> list[tuple[str, str]]:
    """What was measured, where, when, how completely: label and value, in the order of the page's head."""
    gateway, run = matrix["gateway"], matrix["run"]
    software = gateway_from(gateway).release or "unknown software"
    selection = f", selected by {run['selection']}" if run["selection"] else ""
    return [
        ("Gateway", f"{gateway['name']}: {software}"),
        ("Measured", _period(run["started_at"], run["finished_at"])),
        ("Models", f"{len(axes.models):,}{selection}"),
        ("Parameters", f"{len(axes.parameters):,}"),
        ("Cells", f"{len(matrix['cells']):,}"),
        ("Requests", f"{run['requests']:,}"),
        ("Complete", "yes" if run["complete"] else "no: cut short, or only some of the models were recorded"),
    ]


def _period(start: str, end: str) -> str:
    """A span of time in UTC, to the minute; text that is no time stays as it is."""
    try:
        begun, ended = (datetime.fromisoformat(text) for text in (start, end))
    except ValueError:
        return start if start == end else f"{start} – {end}"
    day = f"{begun.day} {begun:%B %Y}"
    if begun.date() != ended.date():
        return f"{day} – {ended.day} {ended:%B %Y}"
    times = f"{begun:%H:%M}" if f"{begun:%H:%M}" == f"{ended:%H:%M}" else f"{begun:%H:%M}–{ended:%H:%M}"
    return f"{day}, {times} UTC"


def by_route(matrix: Matrix, axes: Axes) -> list[RouteSummary]:
    """A summary of each route, in the grid's order."""
    routes = {model["id"]: model["route"] for model in axes.models}
    core = {parameter["id"] for parameter in axes.parameters if parameter["core"]}
    tallies: dict[str | None, Counter[Verdict]] = defaultdict(Counter)
    affected: dict[tuple[str | None, Verdict], dict[str, list[tuple[str, str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for cell in matrix["cells"]:
        route, verdict = routes[cell["model"]], Verdict(cell["verdict"])
        tallies[route][verdict] += 1
        if verdict is Verdict.IGNORED or (verdict is Verdict.REJECTED and cell["parameter"] in core):
            path, _, value = cell["parameter"].partition(":")
            affected[route, verdict][path].append((value, cell["model"]))

    def listed(route: str | None, verdict: Verdict) -> tuple[Affected, ...]:
        found = [
            Affected(path, tuple(dict.fromkeys(value for value, _ in seen if value)), len({model for _, model in seen}))
            for path, seen in affected[route, verdict].items()
        ]
        return tuple(sorted(found, key=lambda each: -each.models))

    return [
        RouteSummary(
            route=route,
            models=sum(1 for each in routes.values() if each == route),
            cells=tallies[route].total(),
            tally=tallies[route],
            refused=listed(route, Verdict.REJECTED),
            vanishes=listed(route, Verdict.IGNORED),
        )
        for route in dict.fromkeys(routes.values())
    ]


def by_model(matrix: Matrix, axes: Axes) -> list[tuple[Mapping[str, Any], Mapping[Verdict, int]]]:
    """Each model with its cells by verdict, in the grid's order: the table for those without scripts."""
    tallies: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for cell in matrix["cells"]:
        tallies[cell["model"]][Verdict(cell["verdict"])] += 1
    return [(model, tallies[model["id"]]) for model in axes.models]
