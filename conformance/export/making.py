"""One export after another: which builder makes which client's. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.errors import ExportError, meant, quoted
from conformance.export import agents, libraries, litellm_config
from conformance.export.choosing import choices
from conformance.export.clients import Client, load_clients
from conformance.export.facts import Facts
from conformance.export.outputs import Output


@dataclass(frozen=True)
class Wishes:
    """What a user chose: the gateway's name in clients' files, endpoints (none: all), what to let through."""

    provider: str = "litellm"
    endpoints: tuple[str, ...] = ()
    let_through: bool = False


def client_named(name: str) -> Client:
    """The client of this name. Raises `ExportError` for another."""
    known = load_clients()
    if name not in known:
        asked = meant(name, known) or f"; choose from {', '.join(known)}"
        raise ExportError(f"there is no export for {quoted(name)}{asked}")
    return known[name]


def made(client: Client, facts: Facts, wishes: Wishes, there: Mapping[str, Any] | None = None) -> list[Output]:
    """The files of one client, its own first; `there` is what is in the user's.

    Raises `ExportError` where nothing that is known is about an endpoint that the client speaks.
    """
    endpoints: Collection[str] = wishes.endpoints or client.endpoints
    spoken = [each for each in client.endpoints if each in endpoints]
    if not spoken:
        raise ExportError(f"{client.title} speaks {' and '.join(client.endpoints)}; name one of these with --endpoint")
    if client.id == "litellm":
        return [litellm_config.config(client, facts, spoken, there, let_through=wishes.let_through)]
    found = choices(client, facts, spoken)
    if not found:
        raise ExportError(f"nothing is known of models on {' or '.join(spoken)}, which {client.title} speaks")
    build = {**agents.BUILDERS, **libraries.BUILDERS}[client.id]
    return build(client, facts, found, wishes.provider, there or {})
