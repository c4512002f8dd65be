"""A cell by its name, and from its recorded exchanges the request that shows its fault. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.answers.reading import read_answer
from conformance.errors import ReportError, first_of, meant, quoted
from conformance.judge.verdicts import says_no
from conformance.matrix.document import Matrix, evidence_of
from conformance.parameters import Registry
from conformance.schemas.documents import Cell
from conformance.text.names import cassette_name
from conformance.types import Endpoint, Exchange, Mode, Parameter, Request, Role, Verdict

#: The verdicts that are worth a report.
FAULTS = (Verdict.REJECTED, Verdict.IGNORED)

#: How a cell is named, as in the tests' names: the model may hold slashes of its own.
_NAME = re.compile(rf"(?P<model>.+)/(?P<endpoint>{'|'.join(Endpoint)})/(?P<mode>{'|'.join(Mode)})/(?P<parameter>.+)")

#: A test's own name around that of its cell.
_TEST = re.compile(r"(?:.*::)?test_cell\[(.*)\]")

#: The roles of exchanges that show a fault.
_SHOWING = frozenset({Role.PROBE, Role.SAME_FIELD, None})


@dataclass(frozen=True)
class Fault:
    """What is wrong with a cell: the request that shows it, and what came back.

    `alone` says that the parameter was asked for without others. `request` is the one to repeat: where the parameter
    was asked for with others, it is what remains without them, and was not asked in this form. `baseline` is what was
    sent without the parameter, None where the recording has it no more.
    """

    cell: Cell
    parameter: Parameter
    request: Request
    shown_by: Exchange
    alone: bool
    baseline: Exchange | None

    @property
    def is_ignored(self) -> bool:
        """Whether the field does nothing; else it is refused."""
        return Verdict(self.cell["verdict"]) is Verdict.IGNORED

    @property
    def own_fields(self) -> tuple[str, ...]:
        """The top-level fields that the parameter adds, or changes."""
        return tuple(self.parameter.bodies[self.request.endpoint])


def name_of(cell: Mapping[str, Any]) -> str:
    """What a cell is called: `claude-haiku-4-5/responses/whole/prompt_cache_key`."""
    return f"{cell['model']}/{cell['endpoint']}/{cell['mode']}/{cell['parameter']}"


def find_cell(matrix: Matrix, name: str) -> Cell:
    """The cell of this name, which may also be a test's. Raises `ReportError` where none has it, or it has no fault."""
    test = _TEST.fullmatch(name.strip())
    found = _NAME.fullmatch(test[1] if test else name.strip())
    if found is None:
        raise ReportError(f"{quoted(name)} names no cell; write it as MODEL/ENDPOINT/MODE/PARAMETER")
    models = [row["id"] for row in matrix["models"]]
    model = next((each for each in models if found["model"] in (each, cassette_name(each).removesuffix(".json"))), None)
    if model is None:
        gateway = quoted(matrix["gateway"]["name"])
        raise ReportError(
            f"the matrix of gateway {gateway} has no model {quoted(found['model'])}{meant(found['model'], models)}; "
            "for one of another gateway, replay its recording first: pytest conformance/suite --gateway=NAME"
        )
    there = [
        cell
        for cell in matrix["cells"]
        if (cell["model"], cell["endpoint"], cell["mode"]) == (model, found["endpoint"], found["mode"])
    ]
    cell = next((each for each in there if each["parameter"] == found["parameter"]), None)
    if cell is None:
        known = [each["parameter"] for each in there]
        values = [each for each in known if each.partition(":")[0] == found["parameter"]]
        told = f"; it has {first_of(values)}" if values else meant(found["parameter"], known)
        raise ReportError(
            f"the matrix has no cell for {quoted(found['parameter'])} of {model} there, "
            f"on {found['endpoint']}, {found['mode']}{told}"
        )
    if Verdict(cell["verdict"]) not in FAULTS:
        raise ReportError(
            f"{name_of(cell)} is {cell['verdict']}, so there is no fault to report; name a rejected or an ignored cell"
        )
    return cell


def fault_of(cell: Cell, exchanges: Mapping[str, Exchange], registry: Registry) -> Fault:
    """What shows a cell's fault, given the exchanges of its model by digest.

    Raises `ReportError` where the recording or the registry does not have it any more.
    """
    parameter = registry.by_id.get(cell["parameter"])
    endpoint = Endpoint(cell["endpoint"])
    if parameter is None or endpoint not in parameter.bodies:
        raise ReportError(
            f"the registry has no {quoted(cell['parameter'])} on {endpoint} any more; measure the model again"
        )
    shown = [(role and Role(role), exchanges.get(ref.rpartition("#")[2])) for role, ref in evidence_of(cell)]
    probes = [each for role, each in shown if each is not None and role in _SHOWING and _shows(cell, each)]
    if not probes:
        raise ReportError(
            f"the recording does not hold the exchanges behind {name_of(cell)}; name its folder with --cassettes, or "
            "measure the model again"
        )
    baseline = next((each for role, each in shown if each is not None and role is Role.BASELINE), None)
    telling = min(probes, key=lambda each: len(each.request.content))
    request = without_company(telling.request, parameter, registry, baseline)
    return Fault(cell, parameter, request, telling, request.body == telling.request.body, baseline)


def _shows(cell: Mapping[str, Any], exchange: Exchange) -> bool:
    answer = read_answer(exchange.request, exchange.response)
    return says_no(answer) if Verdict(cell["verdict"]) is Verdict.REJECTED else answer.ok


def without_company(request: Request, parameter: Parameter, registry: Registry, baseline: Exchange | None) -> Request:
    """The request that asks for a parameter alone, as one that asked for others at once, or instead, has it."""
    endpoint = request.endpoint
    context = registry.contexts[parameter.context][endpoint].body if parameter.context else {}
    stays = {"model", *registry.endpoints[endpoint].body, *context, *parameter.bodies[endpoint]}
    if request.mode is Mode.STREAM:
        stays.add("stream")
    stays |= set(baseline.request.body) if baseline else set()
    own = {*context, *parameter.bodies[endpoint]}
    before = baseline.request.body if baseline else {}
    # Another parameter may have brought a prompt of its own.
    body = {
        name: before.get(name, value) if name not in own else value
        for name, value in request.body.items()
        if name in stays
    }
    if not parameter.after:  # the request may be that of another value of the field
        body |= parameter.bodies[endpoint]
    return Request(
        request.model, endpoint, request.mode, body, fetch=request.fetch, headers=request.headers, door=request.door
    )
