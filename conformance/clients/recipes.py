"""How each client is installed and run: `clients.toml` as objects, and its placeholders filled in.

A placeholder is `${name}`, in a command, in a variable's value, or in a file. These are known:
`base_url` (without `/v1`), `key`, `model`, `prompt`, `home`, `work`, and what a way of the client adds.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from conformance.errors import ClientError, first_of, meant, quoted

_SECONDS = 60


@dataclass(frozen=True)
class Recipe:
    """One client. `ways` are the manners in which it is run for each model, by name.

    `setup` says for people what a user of the client sets to get each of them. `call` names the tool that the
    gateway's first answer calls, and `arguments` what it is given.
    """

    name: str
    title: str
    installer: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]
    ways: Mapping[str, Mapping[str, str]]
    call: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seconds: int = _SECONDS
    setup: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version of the client: that of its first package."""
        return self.packages[0].replace("==", "@").rpartition("@")[2]

    def filled(self, values: Mapping[str, str]) -> Recipe:
        """The same with every placeholder filled in. Raises `ClientError` for one that is unknown."""

        def fill(text: str) -> str:
            try:
                return string.Template(text).substitute(values)
            except (KeyError, ValueError) as error:
                raise ClientError(f"clients.toml: {self.name} has a placeholder that is not known: {error}") from None

        return replace(
            self,
            command=tuple(map(fill, self.command)),
            environment={name: fill(value) for name, value in self.environment.items()},
            files={fill(name): fill(text) for name, text in self.files.items()},
            arguments=_filled(self.arguments, fill),
        )


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts filled in."""
    if isinstance(value, dict):
        return {name: _filled(each, fill) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, fill) for each in value]
    return fill(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Recipes:
    """All clients, the models that each is asked for, by family, and what they are asked."""

    prompt: str
    families: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]
    clients: Mapping[str, Recipe]

    def chosen(self, names: Iterable[str]) -> list[Recipe]:
        """The clients with these names, each once, or all where none is named. Raises `ClientError` for other names."""
        wanted = list(dict.fromkeys(names))
        unknown = [name for name in wanted if name not in self.clients]
        if unknown:
            name = unknown[0]
            asked = meant(name, self.clients) or f"; choose from {first_of(list(self.clients), 30)}"
            raise ClientError(f"no client is called {quoted(name)}{asked}")
        return [self.clients[name] for name in wanted] or list(self.clients.values())


def load_recipes() -> Recipes:
    """The recipes of `clients.toml`."""
    text = resources.files("conformance.clients").joinpath("clients.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    clients = {name: _recipe(name, row) for name, row in data["client"].items()}
    return Recipes(data["prompt"], data["families"], data["files"], clients)


def _recipe(name: str, row: Mapping[str, Any]) -> Recipe:
    call = row.get("call", {})
    return Recipe(
        name=name,
        title=row["title"],
        installer=row["installer"],
        packages=tuple(row["packages"]),
        command=tuple(row["command"]),
        environment=row.get("environment", {}),
        files=row.get("files", {}),
        ways=row.get("ways", {"default": {}}),
        call=call.get("name"),
        arguments=call.get("arguments", {}),
        seconds=row.get("seconds", _SECONDS),
        setup=row["setup"],
    )
