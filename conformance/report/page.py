"""The compatibility page: one self-contained HTML file from a matrix and its recordings.

The text is made by jinja2, which escapes it; the grid is drawn by the page's own script from data
in a JSON element. A content-security policy lets nothing else run, and nothing leave.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from conformance import __version__
from conformance.cassettes.folder import Folder
from conformance.errors import ReportError
from conformance.export.clients import load_clients
from conformance.export.mends import mend_of
from conformance.files import write_atomically
from conformance.matrix.comparison import TITLES, Change, Comparison, Kind, compare_matrices
from conformance.matrix.document import Matrix, by_model, counts, disagreements
from conformance.parameters import Registry, load_registry
from conformance.report import clients, evidence, legend, overview
from conformance.report.bundling import bundle
from conformance.report.changed import sections_of
from conformance.report.fault_words import fault_words
from conformance.report.grid import Axes, axes_of, planes_of
from conformance.report.signs import OF_VERDICT
from conformance.report.templating import environment, policy_source, quoted
from conformance.types import CellKey, Exchange


def write_page(
    path: Path, matrix: Matrix, folder: Folder, *, baseline: Matrix | None = None, registry: Registry | None = None
) -> None:
    """Write the page of a matrix, with the evidence that lies in `folder`; `baseline` is an older matrix.

    Raises `ReportError` where the file cannot be written, `CassetteError` where a recording is damaged.
    """
    text = render_page(matrix, folder.read_model, baseline=baseline, registry=registry)
    try:
        write_atomically(path, text)
    except OSError as error:
        raise ReportError(f"cannot write {path} ({error.strerror}); name another place for it") from None


def render_page(
    matrix: Matrix,
    recorded: evidence.Recorded | None = None,
    *,
    baseline: Matrix | None = None,
    registry: Registry | None = None,
    allowance: int = evidence.ALLOWANCE,
) -> str:
    """The page as text. `recorded` gives a model's exchanges by digest; without it the page holds none."""
    registry = registry or load_registry()
    axes = axes_of(matrix, registry)
    comparison = compare_matrices(baseline, matrix) if baseline else None
    data = _data(matrix, axes, registry, comparison)
    data["evidence"] = _packets(matrix, axes, recorded or _nothing, comparison, allowance)
    style, script = _asset("page.css"), _script()
    return template().render(
        matrix=matrix,
        version=__version__,
        style=Markup(style),  # noqa: S704  the project's own file
        script=Markup(script),  # noqa: S704
        style_hash=policy_source(style),
        script_hash=policy_source(script),
        data=data,
        facts=overview.facts(matrix, axes),
        routes=overview.by_route(matrix, axes),
        models=overview.by_model(matrix, axes),
        counts=counts(matrix),
        verdicts=legend.SHOWN,
        signs=OF_VERDICT,
        no_route=overview.NO_ROUTE,
        differing=sum(1 for _ in disagreements(matrix)),
        agents=clients.summaries(matrix),
        readiness=clients.SHOWN,
        only_means=clients.ONLY_MEANS,
        comparison=comparison,
        changed=sections_of(comparison) if comparison else [],
        limits={"body": f"{evidence.FULL_BODY:,}", "total": f"{evidence.ALLOWANCE // 1_000_000} MB"},
    )


def cell_fragment(key: CellKey) -> str:
    """The part of the page's address, from the `#` on, that opens one cell."""
    parts = (key.endpoint.value, key.mode.value, key.parameter, key.model)
    return "#cell=" + "/".join(quoted(part) for part in parts)


def _nothing(_model: str) -> Mapping[str, Exchange]:
    return {}


def _data(matrix: Matrix, axes: Axes, registry: Registry, comparison: Comparison | None) -> dict[str, Any]:
    """All that the page's script draws from, but for the evidence."""
    changes = comparison.changes if comparison else ()
    return {
        "verdicts": legend.for_page(),
        "models": [
            {"id": m["id"], "route": m["route"], "served_by": m["served_by"], "deployments": m.get("deployments", 1)}
            for m in axes.models
        ],
        "parameters": list(axes.parameters),
        "planes": [plane.as_json() for plane in planes_of(matrix, axes, changes)],
        "kinds": [{"id": kind.value, "title": TITLES[kind]} for kind in Kind] if comparison else [],
        "mends": _mends(matrix, axes),
        "paths": {endpoint.value: path for endpoint, path in registry.paths.items()},
        "gateway": matrix["gateway"],
        "faults": fault_words(),
        "exports": {client.id: client.title for client in load_clients().values()},
        "no_route": overview.NO_ROUTE,
        "clients": clients.for_page(matrix, [model["id"] for model in axes.models]),
    }


def _mends(matrix: Matrix, axes: Axes) -> dict[str, dict[str, Any]]:
    """How to mend each parameter on each endpoint that it was asked on."""
    groups = {parameter["id"]: parameter["group"] for parameter in axes.parameters}
    fields = {(cell["parameter"], cell["endpoint"]): cell["fields"] for cell in matrix["cells"]}
    mends: dict[str, dict[str, Any]] = defaultdict(dict)
    for (parameter, endpoint), names in fields.items():
        mends[parameter][endpoint] = {**mend_of(parameter, groups[parameter], endpoint, names), "fields": names}
    return mends


def _packets(
    matrix: Matrix,
    axes: Axes,
    recorded: evidence.Recorded,
    comparison: Comparison | None,
    allowance: int,
) -> list[str]:
    changes: dict[str, list[Change]] = defaultdict(list)
    for change in comparison.changes if comparison else ():
        changes[change.key.model].append(change)
    packer = evidence.Packer(axes, recorded, allowance)
    readiness = dict(clients.by_model(matrix))
    packets = {
        model: packer.packet(model, cells, changes[model], readiness.get(model)) for model, cells in by_model(matrix)
    }
    return [packets.get(m["id"]) or packer.packet(m["id"], []) for m in axes.models]


@functools.cache
def template() -> jinja2.Template:
    """The page's template, compiled once."""
    return environment(_asset).get_template("index.html.j2")


def _asset(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    return bundle(lambda name: _asset(f"page/{name}"))
