"""What a matrix says that a configuration can use: what each model refuses, ignores and takes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.matrix.document import Matrix
from conformance.parameters import Registry
from conformance.provider.table import split_parameter
from conformance.schemas.documents import Cell, ModelRow
from conformance.text.globs import fits
from conformance.types import Verdict

_TAKEN = (Verdict.HONOURED, Verdict.ACCEPTED)
#: What the fields of a client's request are that tell something of it.
_TELLING = (Verdict.REJECTED, Verdict.IGNORED, Verdict.INCONCLUSIVE, "not_measured")


@dataclass(frozen=True)
class Said:
    """What the cells of one model, endpoint and parameter say: the verdict of each mode, and who refuses."""

    endpoint: str
    parameter: str
    group: str
    fields: tuple[str, ...]
    verdicts: Mapping[str, str]
    by: str | None = None

    @property
    def refused(self) -> bool:
        """True where a mode refuses it."""
        return Verdict.REJECTED in self.verdicts.values()

    @property
    def taken(self) -> bool:
        """True where a mode takes it, with or without a sign of it."""
        return any(each in _TAKEN for each in self.verdicts.values())

    @property
    def ignored(self) -> bool:
        """True where no mode refuses it, and it does nothing."""
        return not self.refused and not self.taken and Verdict.IGNORED in self.verdicts.values()

    @property
    def unknown(self) -> bool:
        """True where nothing is known of it."""
        return not (self.refused or self.taken or self.ignored)

    @property
    def path(self) -> str:
        """The parameter without its value."""
        return split_parameter(self.parameter)[0]


@dataclass
class ModelFacts:
    """One model: what serves it, and what was said of each parameter on each endpoint."""

    id: str
    served_by: tuple[str, ...] = ()
    said: dict[tuple[str, str], Said] = field(default_factory=dict)

    def on(self, endpoint: str) -> Iterator[Said]:
        """All that was said on one endpoint."""
        return (each for each in self.said.values() if each.endpoint == endpoint)

    def refuses(self, endpoint: str, parameter: str) -> bool:
        """True where this parameter is refused, or every value that was asked about of this path."""
        found = self.said.get((endpoint, parameter))
        if found is not None:
            return found.refused
        values = [each for each in self.on(endpoint) if each.path == parameter]
        return bool(values) and all(each.refused for each in values)

    def takes(self, endpoint: str, parameter: str) -> bool:
        """True where this parameter, or a value of this path, was seen to be taken."""
        found = self.said.get((endpoint, parameter))
        if found is not None:
            return found.taken and not found.refused
        return any(each.taken and not each.refused for each in self.on(endpoint) if each.path == parameter)

    def refused(self, endpoints: Collection[str]) -> list[Said]:
        """All that is refused on these endpoints."""
        return [each for each in self.said.values() if each.refused and each.endpoint in endpoints]


@dataclass(frozen=True)
class Limit:
    """How many tokens a model reads, and writes."""

    context: int
    output: int


@dataclass(frozen=True)
class Facts:
    """All models of a gateway. `source` says for people what they come from.

    `url` is empty where nobody knows the address; `url_said` is true where the user said it for this export.
    `limits` are what the gateway declares, where it was asked. `readiness` holds, by client and model, what each way
    of the client sends that is refused, does nothing, or is not known.
    """

    gateway: str
    url: str
    version: str | None
    measured_at: str | None
    simulated: bool
    source: str
    models: Mapping[str, ModelFacts]
    readiness: Mapping[tuple[str, str], Mapping[str, Sequence[Said]]] = field(default_factory=dict)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    url_said: bool = False


def facts_of(
    matrix: Matrix,
    registry: Registry,
    source: str,
    models: Sequence[str] = ("*",),
    modes: Collection[str] = ("whole", "stream"),
) -> Facts:
    """The facts of a matrix in these modes, about the models whose ids one of the patterns fits.

    An id that cannot be shown is in no file of settings; the provider does not offer it either.
    """
    found = {
        row["id"]: ModelFacts(row["id"], _served(row))
        for row in matrix["models"]
        if row["id"].isprintable() and any(fits(row["id"], pattern) for pattern in models)
    }
    groups = {parameter.id: parameter.group for parameter in registry.parameters}
    cells: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in matrix["cells"]:
        if cell["model"] in found and cell["mode"] in modes:
            cells[cell["model"], cell["endpoint"], cell["parameter"]].append(cell)
    for (model, endpoint, parameter), rows in cells.items():
        found[model].said[endpoint, parameter] = _said(rows, groups.get(parameter, ""))
    gateway, run = matrix["gateway"], matrix["run"]
    return Facts(
        gateway=gateway["name"],
        url=gateway["url"],
        version=gateway["version"],
        measured_at=run["finished_at"] or None,
        simulated=gateway["simulated"],
        source=source,
        models={name: facts for name, facts in found.items() if facts.said},
        readiness=_readiness(matrix, found),
    )


def _served(row: ModelRow) -> tuple[str, ...]:
    return tuple(row["served_by"])


def _said(rows: Sequence[Cell], group: str) -> Said:
    first = rows[0]
    by = {row["rejected_by"] for row in rows if row["rejected_by"]}
    return Said(
        endpoint=first["endpoint"],
        parameter=first["parameter"],
        group=group,
        fields=tuple(first["fields"]),
        verdicts={row["mode"]: row["verdict"] for row in rows},
        by=by.pop() if len(by) == 1 else "unknown" if by else None,
    )


def _readiness(matrix: Matrix, models: Mapping[str, ModelFacts]) -> dict[tuple[str, str], dict[str, list[Said]]]:
    """For each client and model, and each way of the client, the fields that do not simply work."""
    found: dict[tuple[str, str], dict[str, list[Said]]] = {}
    section = matrix.get("clients")
    for row in section["readiness"] if section else ():
        if row["model"] not in models:
            continue
        ways = found.setdefault((row["client"], row["model"]), {})
        for way in row["ways"]:
            ways[way["way"]] = [
                Said(
                    endpoint=each["endpoint"],
                    parameter=each["parameter"] or each["field"],
                    group="",
                    fields=(),
                    verdicts={each["mode"]: each["verdict"]},
                    by=each["rejected_by"],
                )
                for each in way["fields"]
                if each["verdict"] in _TELLING and not each["unsent"]
            ]
    return found
