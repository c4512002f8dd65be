"""The parameter registry: data in `registry.toml`, checked by its schema, loaded here."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, TypeAlias

from conformance.errors import RegistryError, meant, quoted
from conformance.parameters.effects import OBSERVERS
from conformance.schemas import toml_document
from conformance.types import Endpoint, Mode, Parameter

Body = Mapping[str, Any]

#: What `after` calls the plain baseline.
BASELINE = "baseline"


@dataclass(frozen=True)
class EndpointEntry:
    """What every request to an endpoint has, and the controls that tell what a success is worth.

    `caps` keep answers short, and are tried in order until a baseline passes. `bogus` is a key
    that nobody knows. `channel` is a known field with a value of a wrong type, where answers
    repeat what was sent. `headers` are those that every request to it has besides the key.
    """

    path: str
    body: Body
    caps: tuple[Body, ...]
    bogus: Body
    channel: Body = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a parameter builds on: the body and the headers that it adds to, what that goes without and touches.

    `parameter` is the id of the one that has to be accepted before; its success is the baseline.
    The plain context is empty, and nobody's.
    """

    body: Body = field(default_factory=dict)
    without: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    parameter: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


_Contexts: TypeAlias = Mapping[str, Mapping[Endpoint, Context]]


@dataclass(frozen=True)
class Registry:
    """Every parameter that can be probed, and the baselines and controls that all probes share."""

    parameters: tuple[Parameter, ...]
    endpoints: Mapping[Endpoint, EndpointEntry]
    contexts: _Contexts

    @functools.cached_property
    def by_id(self) -> Mapping[str, Parameter]:
        """Every parameter by its id."""
        return {p.id: p for p in self.parameters}

    @property
    def paths(self) -> Mapping[Endpoint, str]:
        """The API path of each endpoint."""
        return {endpoint: entry.path for endpoint, entry in self.endpoints.items()}

    def select(self, choice: str) -> tuple[Parameter, ...]:
        """The parameters named by sets (`core`, `all`), ids and paths, separated by commas.

        Raises `RegistryError` for a name that fits nothing.
        """
        wanted = {name.strip() for name in choice.split(",") if name.strip()}
        known = {name for p in self.parameters for name in _names(p)}
        unknown = sorted(wanted - known)
        if unknown or not wanted:
            groups = dict.fromkeys(p.group for p in self.parameters)
            name = (unknown or ["an empty list"])[0]
            raise RegistryError(
                f"--parameters: {quoted(name)} is not in the registry; choose core, all, or some of the groups "
                f"{', '.join(groups)} and of the ids, which `python -m conformance parameters` lists"
                f"{meant(name, sorted(known))}"
            )
        return tuple(p for p in self.parameters if _names(p) & wanted)

    def known(self, ids: Sequence[str]) -> tuple[Parameter, ...]:
        """The parameters with these ids; ids that the registry has no more are passed over."""
        return tuple(p for p in self.parameters if p.id in ids)

    def values_of(self, path: str, endpoint: str) -> tuple[str, ...]:
        """The ids of all parameters that stand for values of one request field on an endpoint."""
        return self._values.get((path, endpoint), ())

    @functools.cached_property
    def _values(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        found: dict[tuple[str, str], list[str]] = {}
        for parameter in self.parameters:
            for endpoint in parameter.bodies:
                found.setdefault((parameter.path, endpoint.value), []).append(parameter.id)
        return {place: tuple(ids) for place, ids in found.items()}


def _names(parameter: Parameter) -> frozenset[str]:
    """What `--parameters` may call a parameter by."""
    return frozenset({parameter.id, parameter.path, parameter.group, "all", *parameter.sets})


@functools.cache
def load_registry() -> Registry:
    """Load the registry that comes with the package. Raises `RegistryError` where it is malformed."""
    text = (resources.files(__name__) / "registry.toml").read_text(encoding="utf-8")
    return parse_registry(text, "registry.toml")


def parse_registry(text: str, where: str) -> Registry:
    """Build a registry from TOML; `where` names it in errors. Raises `RegistryError`."""
    data = toml_document("registry", text, where, RegistryError)
    parameters = tuple(_parameter(row) for row in data["parameters"])
    _check(parameters, data["contexts"], where)
    return Registry(
        parameters=parameters,
        endpoints={
            Endpoint(name): EndpointEntry(**{**row, "caps": tuple(row["caps"])})
            for name, row in data["endpoints"].items()
        },
        contexts=_contexts(data["contexts"], parameters),
    )


def joined_headers(sources: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The headers of several as those of one request: what one name is given by several, it lists, each value once."""
    found: dict[str, dict[str, None]] = {}
    for name, value in (item for source in sources for item in source.items()):
        found.setdefault(name, {}).update(dict.fromkeys(value.split(",")))
    return {name: ",".join(values) for name, values in found.items()}


def _by_endpoint(rows: Mapping[str, Any]) -> dict[Endpoint, Any]:
    return {Endpoint(name): value for name, value in rows.items()}


def _contexts(rows: Mapping[str, Mapping[str, Any]], parameters: Sequence[Parameter]) -> _Contexts:
    """Every context on each of its endpoints; one that builds on another holds that one's body too."""
    named = {p.id: p for p in parameters}

    def context(name: str, endpoint: Endpoint) -> Context:
        row = rows[name][endpoint]
        if not isinstance(row, str):
            return Context(row["body"], parameter=row["needs"])
        owner = named[row]
        below = context(owner.context, endpoint) if owner.context else Context()
        body = {**below.body, **owner.bodies[endpoint]}
        without, touches = (*below.without, *owner.without), (*below.touches, *owner.touches)
        return Context(body, without, touches, owner.id, joined_headers([below.headers, owner.headers]))

    return {name: {endpoint: context(name, endpoint) for endpoint in map(Endpoint, rows[name])} for name in rows}


def _parameter(row: Mapping[str, Any]) -> Parameter:
    return Parameter(
        id=row["id"],
        group=row["group"],
        bodies=_by_endpoint(row["bodies"]),
        modes=tuple(Mode(name) for name in row["modes"]),
        sets=tuple(row["sets"]),
        standard=row["standard"],
        why=row["why"],
        context=row.get("context", ""),
        after=row.get("after", ""),
        against=row.get("against", ""),
        without=tuple(row.get("without", ())),
        touches=tuple(row.get("touches", ())),
        effects=_by_endpoint(row.get("effects", {})),
        unobservable=row.get("unobservable", ""),
        headers=row.get("headers", {}),
        door=row.get("door", ""),
        unknown_id=row.get("unknown_id", ""),
        alone=row.get("alone", False),
        standards={Endpoint(name): address for name, address in row.get("standards", {}).items()},
    )


def _check(parameters: Sequence[Parameter], contexts: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """What the schema cannot say: names that must be known, and ids that must be unique."""
    probes = {(p.id, endpoint) for p in parameters for endpoint in p.bodies}
    for name, rows in contexts.items():
        for endpoint, row in rows.items():
            needed = row if isinstance(row, str) else row["needs"]
            if (needed, endpoint) not in probes:
                raise RegistryError(f"{where}: the context {name!r} needs {needed!r}, which is not asked on {endpoint}")
            if any(p.id == needed and p.context == name for p in parameters):
                raise RegistryError(f"{where}: the context {name!r} needs {needed!r}, which needs it in turn")
    seen: set[str] = set()
    for parameter in parameters:
        problem = _problem(parameter, contexts)
        for named in {parameter.after, parameter.against} - {"", BASELINE}:
            if not {(named, endpoint) for endpoint in parameter.bodies} <= probes:
                problem = f"comes after {named!r}, which is not asked on each of its endpoints"
        if parameter.id in seen:
            problem = "is there twice"
        if problem:
            raise RegistryError(f"{where}: the parameter {parameter.id!r} {problem}")
        seen.add(parameter.id)


def _problem(parameter: Parameter, contexts: Mapping[str, Mapping[str, Any]]) -> str | None:
    endpoints = set(parameter.bodies)
    if parameter.context and not endpoints <= set(contexts.get(parameter.context, {})):
        return f"needs a context {parameter.context!r} on each of its endpoints"
    unknown = sorted(set(parameter.effects.values()) - set(OBSERVERS))
    if unknown:
        return f"names an unknown effect {unknown[0]!r}"
    if not set(parameter.effects) <= endpoints:
        return "has an effect on an endpoint that it has no body for"
    if not parameter.unobservable and set(parameter.effects) != endpoints:
        return "has neither an effect on each endpoint nor a reason why it is unobservable"
    return None
