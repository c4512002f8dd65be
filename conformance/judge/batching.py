"""Which parameters can travel in one request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.parameters import Context
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


def _clash(one: Parameter, other: Parameter, group: Group) -> bool:
    """Whether two parameters share a field or touch the same part of an answer, themselves or by their contexts."""
    if one.door or other.door:
        return True
    shared = one.context == other.context  # what both stand in is in neither's way

    def taken(parameter: Parameter) -> set[str]:
        around = Context() if shared else group.context(parameter.context)
        fields = {*parameter.bodies[group.endpoint], *around.body}
        return {*fields, *parameter.without, *around.without, *parameter.touches, *around.touches}

    return not taken(one).isdisjoint(taken(other))
