"""The parameter registry: data in `registry.toml`, checked by its schema, loaded here."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from conformance.errors import RegistryError
from conformance.parameters.effects import OBSERVERS, SINGLE_FIELD
from conformance.schemas import first_error
from conformance.types import Endpoint, Mode, Parameter


@dataclass(frozen=True)
class Registry:
    """Every parameter that can be probed, and the baseline and control that all probes share."""

    parameters: tuple[Parameter, ...]
    paths: Mapping[Endpoint, str]
    baselines: Mapping[Endpoint, Mapping[str, Any]]
    control: Mapping[str, Any]

    def select(self, choice: str) -> tuple[Parameter, ...]:
        """The parameters named by a set (`core`, `all`) or a comma-separated list of ids or paths.

        Raises `RegistryError` for a name that fits nothing.
        """
        wanted = [name.strip() for name in choice.split(",") if name.strip()]
        known = {"all", *(name for p in self.parameters for name in (p.id, p.path, *p.sets))}
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted:
            raise RegistryError(
                f"--parameters: {(unknown or ['an empty list'])[0]!r} is not in the registry; "
                f"choose core, all, or some of {', '.join(p.id for p in self.parameters)}"
            )
        return tuple(p for p in self.parameters if {"all", p.id, p.path, *p.sets} & set(wanted))

    def known(self, ids: Sequence[str]) -> tuple[Parameter, ...]:
        """The parameters with these ids; ids that the registry has no more are passed over."""
        return tuple(p for p in self.parameters if p.id in ids)

    def values_of(self, path: str) -> tuple[str, ...]:
        """The ids of all parameters that stand for values of one request field."""
        return tuple(p.id for p in self.parameters if p.path == path)


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
    _check(parameters, where)
    return Registry(
        parameters=parameters,
        paths={Endpoint(name): row["path"] for name, row in data["endpoints"].items()},
        baselines={Endpoint(name): row["baseline"] for name, row in data["endpoints"].items()},
        control=data["control"]["body"],
    )


def _parameter(row: Mapping[str, Any]) -> Parameter:
    return Parameter(
        id=row["id"],
        body=row["body"],
        endpoints=tuple(Endpoint(name) for name in row["endpoints"]),
        modes=tuple(Mode(name) for name in row["modes"]),
        sets=tuple(row["sets"]),
        standard=row["standard"],
        why=row["why"],
        wrong=row.get("wrong", {}),
        effects={Endpoint(name): observer for name, observer in row.get("effects", {}).items()},
    )


def _check(parameters: Sequence[Parameter], where: str) -> None:
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.id in seen:
            raise RegistryError(f"{where}: the parameter {parameter.id!r} is there twice")
        seen.add(parameter.id)
        for observer in parameter.effects.values():
            if observer not in OBSERVERS:
                raise RegistryError(f"{where}: {parameter.id!r} names an unknown effect {observer!r}")
            if observer in SINGLE_FIELD and len(parameter.body) != 1:
                raise RegistryError(f"{where}: the effect {observer!r} of {parameter.id!r} needs a body of one field")
        if parameter.wrong and set(parameter.wrong) != set(parameter.body):
            raise RegistryError(f"{where}: `wrong` of {parameter.id!r} must have the fields of its `body`")
