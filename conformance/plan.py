"""Models × registry → the cells of a run, and the requests that their verdicts need. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from conformance.errors import DiscoveryError, RegistryError
from conformance.parameters import Registry
from conformance.types import CellKey, Endpoint, Mode, Model, Parameter, PlannedCell, Request

#: A model served by several deployments is asked this often per deployment, so that each is likely reached.
REPEATS_PER_DEPLOYMENT = 3
MAX_REPEATS = 9


@dataclass(frozen=True)
class Group:
    """The requests that share one baseline: a model, endpoint and mode. Baselines go first."""

    baselines: tuple[Request, ...]
    others: tuple[Request, ...]
    cells: tuple[PlannedCell, ...]

    @property
    def model(self) -> str:
        """The model that the group asks."""
        return self.baselines[0].model


@dataclass(frozen=True)
class Plan:
    """All cells of a run in a fixed order, and the requests to send, grouped."""

    models: tuple[Model, ...]
    cells: tuple[PlannedCell, ...]
    groups: tuple[Group, ...] = field(repr=False)

    @property
    def requests(self) -> int:
        """How many requests the whole plan makes."""
        return sum(len(group.baselines) + len(group.others) for group in self.groups)


def make_plan(
    models: Iterable[Model],
    registry: Registry,
    parameters: Sequence[Parameter],
    endpoints: Sequence[Endpoint],
) -> Plan:
    """Plan every model × endpoint × mode × parameter that applies."""
    models = tuple(models)
    cells: list[PlannedCell] = []
    groups: list[Group] = []
    for model in models:
        for endpoint in endpoints:
            for mode in Mode:
                chosen = [p for p in parameters if endpoint in p.endpoints and mode in p.modes]
                if chosen:
                    group_cells, group = _plan_group(model, endpoint, mode, registry, chosen)
                    cells += group_cells
                    groups.append(group)
    return Plan(models, tuple(cells), tuple(groups))


def _plan_group(
    model: Model, endpoint: Endpoint, mode: Mode, registry: Registry, parameters: Sequence[Parameter]
) -> tuple[list[PlannedCell], Group]:
    def ask(extra: Mapping[str, Any]) -> tuple[Request, ...]:
        body = {"model": model.id, **registry.baselines[endpoint], **extra}
        if mode is Mode.STREAM:
            body["stream"] = True
        return tuple(Request(model.id, endpoint, mode, body, repeat) for repeat in range(repeats(model)))

    baselines, bogus = ask({}), ask(registry.control)
    cells = [
        PlannedCell(
            key=CellKey(model.id, endpoint, mode, parameter.id),
            parameter=parameter,
            baselines=baselines,
            probes=ask(parameter.body),
            bogus=bogus,
            wrong=ask(parameter.wrong) if parameter.wrong else (),
        )
        for parameter in parameters
    ]
    asked = (*bogus, *(request for cell in cells for request in (*cell.probes, *cell.wrong)))
    once = {request.digest: request for request in asked}  # controls are shared
    return cells, Group(baselines, tuple(once.values()), tuple(cells))


def repeats(model: Model) -> int:
    """How often each request to a model is made."""
    return 1 if model.deployments <= 1 else min(MAX_REPEATS, REPEATS_PER_DEPLOYMENT * model.deployments)


def select_models(models: Sequence[Model], glob: str | None) -> tuple[Model, ...]:
    """The models whose id fits `--models` (a glob, or several separated by commas).

    Raises `DiscoveryError` where none fits.
    """
    if not glob:
        return tuple(models)
    patterns = [pattern.strip() for pattern in glob.split(",") if pattern.strip()]
    chosen = tuple(m for m in models if any(m.id == p or fnmatchcase(m.id, p) for p in patterns))
    if not chosen:
        known = ", ".join(repr(m.id) for m in models[:10]) + (", …" if len(models) > 10 else "")
        raise DiscoveryError(f"--models {glob!r} fits none of the {len(models)} models: {known}")
    return chosen


def select_endpoints(names: str | None) -> tuple[Endpoint, ...]:
    """The endpoints named by `--endpoints`, all by default. Raises `RegistryError` for others."""
    if not names:
        return tuple(Endpoint)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in set(Endpoint)]
    if unknown or not wanted:
        choices = " and ".join(Endpoint)
        raise RegistryError(f"--endpoints: {(unknown or [''])[0]!r} is no endpoint; there are {choices}")
    return tuple(endpoint for endpoint in Endpoint if endpoint in wanted)
