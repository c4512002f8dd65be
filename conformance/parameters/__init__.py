"""The parameter registry: data in `registry.toml`, checked by its schema, loaded here."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from conformance.errors import RegistryError
from conformance.parameters.effects import OBSERVERS
from conformance.schemas import first_error
from conformance.types import Endpoint, Mode, Parameter

Body = Mapping[str, Any]


@dataclass(frozen=True)
class EndpointEntry:
    """What every request to an endpoint has, and the controls that tell what a success is worth.

    `caps` keep answers short, and are tried in order until a baseline passes. `bogus` is a key
    that nobody knows. `channel` is a known field with a value of a wrong type.
    """

    path: str
    body: Body
    caps: tuple[Body, ...]
    bogus: Body
    channel: Body


@dataclass(frozen=True)
class Registry:
    """Every parameter that can be probed, and the baselines and controls that all probes share."""

    parameters: tuple[Parameter, ...]
    endpoints: Mapping[Endpoint, EndpointEntry]
    contexts: Mapping[str, Mapping[Endpoint, Body]]

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
            raise RegistryError(
                f"--parameters: {(unknown or ['an empty list'])[0]!r} is not in the registry; "
                f"choose core, all, or some of {', '.join(p.id for p in self.parameters)}"
            )
        return tuple(p for p in self.parameters if _names(p) & wanted)

    def known(self, ids: Sequence[str]) -> tuple[Parameter, ...]:
        """The parameters with these ids; ids that the registry has no more are passed over."""
        return tuple(p for p in self.parameters if p.id in ids)

    def values_of(self, path: str) -> tuple[str, ...]:
        """The ids of all parameters that stand for values of one request field."""
        return self._values.get(path, ())

    @functools.cached_property
    def _values(self) -> Mapping[str, tuple[str, ...]]:
        paths = {p.path for p in self.parameters}
        return {path: tuple(p.id for p in self.parameters if p.path == path) for path in paths}


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
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(f"{where} is not TOML: {error}") from None
    if problem := first_error("registry", data):
        raise RegistryError(f"{where}: {problem}")
    parameters = tuple(_parameter(row) for row in data["parameters"])
    contexts = {name: _by_endpoint(bodies) for name, bodies in data["contexts"].items()}
    _check(parameters, contexts, where)
    return Registry(
        parameters=parameters,
        endpoints={
            Endpoint(name): EndpointEntry(**{**row, "caps": tuple(row["caps"])})
            for name, row in data["endpoints"].items()
        },
        contexts=contexts,
    )


def _by_endpoint(rows: Mapping[str, Any]) -> dict[Endpoint, Any]:
    return {Endpoint(name): value for name, value in rows.items()}


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
        without=tuple(row.get("without", ())),
        touches=tuple(row.get("touches", ())),
        effects=_by_endpoint(row.get("effects", {})),
        unobservable=row.get("unobservable", ""),
    )


def _check(parameters: Sequence[Parameter], contexts: Mapping[str, Mapping[Endpoint, Body]], where: str) -> None:
    """What the schema cannot say: names that must be known, and ids that must be unique."""
    seen: set[str] = set()
    for parameter in parameters:
        problem = _problem(parameter, contexts)
        if parameter.id in seen:
            problem = "is there twice"
        if problem:
            raise RegistryError(f"{where}: the parameter {parameter.id!r} {problem}")
        seen.add(parameter.id)


def _problem(parameter: Parameter, contexts: Mapping[str, Mapping[Endpoint, Body]]) -> str | None:
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
