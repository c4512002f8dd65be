"""Which parameters can travel in one request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.parameters.joining import agree
from conformance.plan.cells import Group
from conformance.types import Parameter


def batches(parameters: Sequence[Parameter], group: Group) -> Iterator[list[Parameter]]:
    """Put parameters that do not get in each other's way into one batch each, the first ones first."""
    while parameters:
        batch: list[Parameter] = []
        left: list[Parameter] = []
        for parameter in parameters:
            fits = not any(_clash(parameter, other, group) for other in batch)
            (batch if fits else left).append(parameter)
        yield batch
        parameters = left


def crowds(parameters: Sequence[Parameter], group: Group) -> dict[str, int]:
    """With how many parameters, itself among them, each wants the same, by its id and its context aside."""
    wanted = {parameter.id: _wanted(parameter, group) for parameter in parameters}
    return {one: sum(not each.isdisjoint(other) for other in wanted.values()) for one, each in wanted.items()}


def _clash(one: Parameter, other: Parameter, group: Group) -> bool:
    """Whether two parameters get in each other's way, themselves or by their contexts.

    They do where they touch the same, and where they send one field, unless that is a list or an object which can be
    what both want: two properties of one tool.
    """
    if any(each.door or each.unknown_id or each.alone for each in (one, other)):
        return True
    wanted = _wanted(one, group), _wanted(other, group)
    if one.context != other.context:  # what both stand in is in neither's way
        return not (wanted[0] | _around(one, group)).isdisjoint(wanted[1] | _around(other, group))
    common = wanted[0] & wanted[1]
    return bool(common) and not all(_can_be_both(name, one, other, group) for name in common)


def _can_be_both(name: str, one: Parameter, other: Parameter, group: Group) -> bool:
    """Whether a name is a field that two parameters send, and can be joined."""
    if name in {*one.touches, *other.touches, *one.without, *other.without}:
        return False
    values = [parameter.bodies[group.endpoint][name] for parameter in (one, other)]
    return isinstance(values[0], Mapping | list) and agree(*values)


def _wanted(parameter: Parameter, group: Group) -> set[str]:
    """The fields that a parameter sends or leaves out, and what it touches."""
    return {*parameter.bodies[group.endpoint], *parameter.without, *parameter.touches}


def _around(parameter: Parameter, group: Group) -> set[str]:
    """The same of the context that it stands in."""
    around = group.context(parameter.context)
    return {*around.body, *around.without, *around.touches}
