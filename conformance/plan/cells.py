"""Models × registry → the cells of a run, grouped by what shares a baseline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from conformance.errors import DiscoveryError, RegistryError, first_of, meant, quoted
from conformance.parameters import BASELINE, Context, EndpointEntry, Registry, joined_headers
from conformance.parameters.joining import joined
from conformance.text.counting import counted
from conformance.text.globs import fits
from conformance.types import CellKey, Endpoint, Mode, Model, Parameter, PlannedCell, Request, digest_of

#: A model whose deployments cannot be asked one by one is asked this often for each, so that all are likely reached.
REPEATS_PER_DEPLOYMENT = 3
MAX_LANES = 9

#: A model whose deployments are known is asked on so many of them; with more, its cells are inconclusive.
MAX_DEPLOYMENTS = 32

#: A request's repetition is below this within one run; the run's number times this is added to it.
RUN_STRIDE = 1_000_000


@dataclass(frozen=True)
class WholeBody:
    """What a client sends, without the model, and the headers beside it that change what a backend takes."""

    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def key(self, endpoint: str) -> str:
        """What it is called by, whoever sends it."""
        return digest_of(endpoint, self.body, 0, self.headers)


#: What clients send whole, as they send it, to a model, on an endpoint, in a mode: each once.
Bodies: TypeAlias = Callable[[str, Endpoint, Mode], Sequence[WholeBody]]


def no_bodies(_model: str, _endpoint: Endpoint, _mode: Mode) -> Sequence[WholeBody]:
    """The bodies of no clients."""
    return ()


@dataclass(frozen=True)
class Lane:
    """One way to reach a model: the name to ask for, and which repetition this is."""

    asked: str
    repeat: int = 0


@dataclass(frozen=True)
class Group:
    """A model, endpoint and mode, reached in one way: all its probes share baselines and controls.

    `bodies` are what clients send there, which is asked as it is sent.
    """

    model: Model
    endpoint: Endpoint
    mode: Mode
    lane: Lane
    parameters: tuple[Parameter, ...]
    registry: Registry = field(repr=False)
    run: int = 0  # the number of the run that asks
    bodies: tuple[WholeBody, ...] = ()

    @property
    def entry(self) -> EndpointEntry:
        """What every request of the group has."""
        return self.registry.endpoints[self.endpoint]

    def context(self, name: str) -> Context:
        """A context as it is on the group's endpoint; the empty name is the plain one's."""
        return self.registry.contexts[name][self.endpoint] if name else Context()

    def prerequisite_of(self, parameter: Parameter) -> Parameter | None:
        """The parameter that has to be accepted before this one can be asked for; None where there is none."""
        after = "" if parameter.after == BASELINE else parameter.after
        return self.registry.by_id.get(after or self.context(parameter.context).parameter)

    def parameters_and_their_sources(self) -> list[Parameter]:
        """The group's parameters, and those that they build on, or are held against."""
        asked = list(self.parameters)
        for parameter in asked:  # which grows: what one builds on may build on another
            named = (self.prerequisite_of(parameter), self.registry.by_id.get(parameter.against))
            asked += [source for source in named if source and source not in asked]
        return asked

    def by_name(self) -> Group | None:
        """The same group, asked for by the model's name; None where it is already."""
        if self.lane.asked == self.model.id:
            return None
        return replace(self, lane=Lane(self.model.id, 1 + lanes(self.model).index(self.lane)))

    def key(self, parameter: Parameter) -> CellKey:
        """The cell of one of the group's parameters."""
        return CellKey(self.model.id, self.endpoint, self.mode, parameter.id)

    def request(
        self,
        *parts: Mapping[str, Any],
        contexts: Iterable[str] = (),
        without: Iterable[str] = (),
        headers: Iterable[Mapping[str, str]] = (),
        door: str = "",
        again: int = 0,
    ) -> Request:
        """The request that the baseline of these contexts becomes with these parts added, for the n-th time.

        The first part is the cap. Those after it are joined: what several say of one tool goes into that tool.
        """
        cap, *probes = parts or ({},)
        company = [self.context(name) for name in contexts]
        body: dict[str, Any] = {"model": self.lane.asked, **self.entry.body, **cap}
        if self.mode is Mode.STREAM:
            body["stream"] = True
        left_out = {*without, *(name for context in company for name in context.without)}
        body = {name: value for name, value in body.items() if name not in left_out}
        for context in company:
            body |= context.body
        added: dict[str, Any] = {}
        for part in probes:
            added |= {name: joined(added[name], value) if name in added else value for name, value in part.items()}
        body |= added
        told = joined_headers([self.entry.headers, *(context.headers for context in company), *headers])
        return Request(self.model.id, self.endpoint, self.mode, body, self._repeat(again), headers=told, door=door)

    def whole(self, sent: WholeBody, again: int = 0) -> Request:
        """The request that asks a client's body as it is sent, for the n-th time."""
        body = {"model": self.lane.asked, **sent.body}
        return Request(self.model.id, self.endpoint, self.mode, body, self._repeat(again), headers=sent.headers)

    def fetch(self, answer: str) -> Request:
        """The request that fetches a stored answer by its id."""
        return Request(self.model.id, self.endpoint, self.mode, {}, self._repeat(0), answer)

    def _repeat(self, again: int) -> int:
        beyond, within = divmod(again, 10)
        return self.run * RUN_STRIDE + beyond * 1000 + self.lane.repeat * 10 + within


@dataclass(frozen=True)
class Plan:
    """All cells of a run in a fixed order, and the groups that settle them."""

    models: tuple[Model, ...]
    groups: tuple[Group, ...]

    @cached_property
    def cells(self) -> tuple[PlannedCell, ...]:
        """Every cell once, however many lanes lead to it."""
        return tuple(
            PlannedCell(key=group.key(parameter), parameter=parameter)
            for group in self._first_lanes()
            for parameter in group.parameters
        )

    @cached_property
    def size(self) -> int:
        """How many cells there are."""
        return sum(len(group.parameters) for group in self._first_lanes())

    def _first_lanes(self) -> Iterator[Group]:
        return (group for group in self.groups if group.lane == lanes(group.model)[0])

    @cached_property
    def groups_of(self) -> Mapping[str, tuple[Group, ...]]:
        """The groups of each model."""
        found: dict[str, list[Group]] = {model.id: [] for model in self.models}
        for group in self.groups:
            found[group.model.id].append(group)
        return {model: tuple(groups) for model, groups in found.items()}


def make_plan(
    models: Iterable[Model],
    registry: Registry,
    parameters: Sequence[Parameter],
    endpoints: Sequence[Endpoint],
    run: int = 0,
    bodies: Bodies = no_bodies,
) -> Plan:
    """Plan every model × endpoint × mode × parameter that applies, for the run of this number, and clients' bodies.

    Raises `RegistryError` where none applies.
    """
    models = tuple(models)
    groups = [group for model in models for group in groups_for(model, registry, parameters, endpoints, run, bodies)]
    if models and not groups:
        raise RegistryError("there is nothing to measure: these parameters are not for these endpoints; name others")
    return Plan(models, tuple(groups))


def groups_for(
    model: Model,
    registry: Registry,
    parameters: Sequence[Parameter],
    endpoints: Sequence[Endpoint],
    run: int = 0,
    bodies: Bodies = no_bodies,
) -> Iterator[Group]:
    """What one model is asked by the run of this number, a group for each endpoint, mode and lane."""
    for endpoint in endpoints:
        for mode in Mode:
            chosen = tuple(p for p in parameters if endpoint in p.bodies and mode in p.modes)
            whole = tuple(bodies(model.id, endpoint, mode)) if chosen else ()
            for lane in lanes(model) if chosen else ():
                yield Group(model, endpoint, mode, lane, chosen, registry, run, whole)


def lanes(model: Model) -> tuple[Lane, ...]:
    """The ways to reach a model: one, or one for each deployment behind it.

    LiteLLM takes a deployment's id for a model's name; where the ids are not known, a
    load-balanced model is asked again and again, and the answers tell who gave them.
    """
    if model.deployments <= 1:
        return (Lane(model.id),)
    if model.deployment_ids:
        return tuple(Lane(name) for name in model.deployment_ids[:MAX_DEPLOYMENTS])
    return tuple(Lane(model.id, n) for n in range(min(MAX_LANES, REPEATS_PER_DEPLOYMENT * model.deployments)))


#: So many ids are looked through for the one that a name was meant to be.
_COMPARED = 10_000


def select_models(models: Sequence[Model], glob: str | None) -> tuple[Model, ...]:
    """The models whose id fits `--models` (a glob, or several separated by commas).

    Raises `DiscoveryError` where none fits.
    """
    if not glob:
        return tuple(models)
    patterns = _patterns(glob)
    chosen = tuple(m for m in models if any(fits(m.id, p) for p in patterns))
    if not chosen:
        raise _fits_none(glob, models)
    return chosen


def refuse_useless_patterns(models: Sequence[Model], glob: str | None) -> None:
    """Raise `DiscoveryError` where one of the patterns of `--models` fits no model, whatever the others fit.

    It is for what a user names: of what was recorded, the gateway may list a part no more.
    """
    for pattern in _patterns(glob or ""):
        if not any(fits(model.id, pattern) for model in models):
            raise _fits_none(pattern, models)


def _patterns(glob: str) -> list[str]:
    return [pattern.strip() for pattern in glob.split(",") if pattern.strip()]


def _fits_none(glob: str, models: Sequence[Model]) -> DiscoveryError:
    known = first_of([repr(m.id) for m in models], 10)
    name = "".join(char for char in glob if char not in "*?[]")
    asked = meant(name, (m.id for m in models[:_COMPARED]))
    return DiscoveryError(f"--models {quoted(glob)} fits none of the {counted(len(models), 'model')}: {known}{asked}")


def select_endpoints(names: str | None) -> tuple[Endpoint, ...]:
    """The endpoints named by `--endpoints`, all by default. Raises `RegistryError` for others."""
    if not names:
        return tuple(Endpoint)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in set(Endpoint)]
    if unknown or not wanted:
        choices = ", ".join(Endpoint)
        name = (unknown or [""])[0]
        raise RegistryError(
            f"--endpoints: {quoted(name)} is not an endpoint; choose from {choices}{meant(name, Endpoint)}"
        )
    return tuple(endpoint for endpoint in Endpoint if endpoint in wanted)
