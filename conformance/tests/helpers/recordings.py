"""Small cassettes for the tests: written, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.cassettes.folder import Folder
from conformance.parameters import load_registry
from conformance.secrets.scrubbing import Scrubber
from conformance.tests.helpers.building import CHAT, WHOLE, exchanged
from conformance.types import Endpoint, Exchange, Mode, Request, Response

PATHS = load_registry().paths


def an_exchange(
    body: bytes = b"{}",
    *,
    model: str = "m",
    endpoint: Endpoint = CHAT,
    mode: Mode = WHOLE,
    repeat: int = 0,
    **response: Any,
) -> Exchange:
    """An exchange with this body in its response."""
    request = Request(model, endpoint, mode, {"model": model, "messages": []}, repeat)
    return exchanged(request, Response(**{"status": 200, "body": body, **response}))


def written(folder: Path, *exchanges: Exchange, secrets: tuple[str, ...] = ()) -> Path:
    """The cassette of these exchanges, which are of one model."""
    return Folder(folder, Scrubber(secrets)).write_model(exchanges[0].request.model, exchanges, PATHS)


def read(folder: Path, model: str = "m") -> list[Exchange]:
    """A model's exchanges, read back."""
    return list(Folder(folder).read_model(model).values())
