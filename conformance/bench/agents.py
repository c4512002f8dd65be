"""What real agents send to models, and whether it gets through: for benchmarks, and for tests of what filters it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import httpx

from conformance.clients.profiles import shipped_profiles
from conformance.parameters import load_registry
from conformance.readiness.families import requests_to
from conformance.types import Endpoint


class Asked(NamedTuple):
    """One request of an agent."""

    endpoint: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it goes, behind `/v1`."""
        return load_registry().paths[Endpoint(self.endpoint)]

    @property
    def kind(self) -> tuple[str, str, bool]:
        """What its model takes depends on: the model, the endpoint, and whether it is streamed."""
        return self.body["model"], self.endpoint, self.body.get("stream") is True


def asked_of(models: Iterable[str]) -> Iterator[Asked]:
    """What all agents send to models of these names, each once for a model."""
    profiles = shipped_profiles()
    for model in models:
        for each in requests_to(profiles, model):
            yield Asked(each["endpoint"], each.get("headers", {}), {**each["body"], "model": model})


def wrong_with(answer: httpx.Response) -> str | None:
    """The text of an answer that is an error, or holds one; None where a request got through."""
    text = answer.text
    held = '"error":' in text.replace('"error":null', "").replace('"error": null', "")
    return text if answer.status_code != httpx.codes.OK or held else None
