"""What a support table says of a gateway's models, as the matrix of a run that nobody has made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.matrix.document import cell_row, make_matrix
from conformance.parameters import Registry
from conformance.provider.table import Question, SupportTable
from conformance.schemas.documents import Cell, Matrix
from conformance.types import CellKey, Endpoint, Gateway, Judgement, Model, Parameter, RejectedBy, Verdict

#: What a statement that says yes has to come from, so that it counts as seen.
_SEEN = ("measured", "atlas")


def foretold(gateway: Gateway, models: Sequence[Model], table: SupportTable, registry: Registry) -> Matrix:
    """A cell for each parameter of these models: inconclusive where the table is silent. Times are empty."""
    cells: list[Cell] = []
    simulated = False
    for model in models:
        for judgement, source in _judgements(gateway, model, table, registry):
            cells.append(cell_row(judgement, model.declared, ""))
            simulated = simulated or bool(table.sources.get(source, {}).get("simulated"))
    run = {"mode": "replay", "started_at": "", "finished_at": "", "complete": False, "requests": 0, "selection": None}
    return make_matrix(replace(gateway, simulated=simulated), run, models, cells)  # type: ignore[arg-type]


def named_in(table: SupportTable) -> list[Model]:
    """The models that a table names outright."""
    names = dict.fromkeys(name for rule in table.rules for name in rule.models if "*" not in name)
    return [Model(id=name) for name in names]


def _judgements(
    gateway: Gateway, model: Model, table: SupportTable, registry: Registry
) -> Iterator[tuple[Judgement, str]]:
    """What the table says of each parameter, each with the source that says so (empty: nothing says anything)."""
    for endpoint in Endpoint:
        for parameter in registry.parameters:
            if endpoint not in parameter.bodies:
                continue
            for mode in parameter.modes:
                question = Question(
                    model.id,
                    endpoint,
                    mode,
                    model.route,
                    gateway.name,
                    gateway.version,
                    model.served_by,
                    declared=model.parameters,
                )
                yield _judgement(CellKey(model.id, endpoint, mode, parameter.id), parameter, question, table)


def _judgement(key: CellKey, parameter: Parameter, question: Question, table: SupportTable) -> tuple[Judgement, str]:
    """What the table says of one cell. Its silence is no word of support, nor of refusal: nothing is known then."""
    fields = tuple(parameter.bodies[key.endpoint])
    found = table.lookup(question, parameter.id)
    if found is None or (found.supported and table.sources.get(found.source, {}).get("kind") not in _SEEN):
        silence = "the support table says nothing of it."
        return Judgement(key=key, fields=fields, verdict=Verdict.INCONCLUSIVE, reason=silence), ""
    verdict = Verdict.ACCEPTED if found.supported else Verdict.REJECTED
    by = RejectedBy(found.rejected_by[0]) if len(found.rejected_by) == 1 else RejectedBy.UNKNOWN
    reason, refuser = "the support table says so.", None if found.supported else by
    return Judgement(key=key, fields=fields, verdict=verdict, reason=reason, rejected_by=refuser), found.source
