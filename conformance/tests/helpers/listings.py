"""Gateways that list models for the provider's tests, and both ways to ask them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from conformance.embedded.loopback import serving
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models import Model
from conformance.tests.helpers.gateways import KEY

#: Both ways to ask for the models.
ASKING: dict[str, Callable[..., tuple[Model, ...]]] = {
    "sync": lambda provider, **how: provider.models(**how),
    "async": lambda provider, **how: asyncio.run(provider.amodels(**how)),
}
each_way = pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)

GROUP = {
    "model_group": "claude-haiku-4-5",
    "providers": ["databricks"],
    "max_input_tokens": 200000.0,
    "max_output_tokens": 64000.0,
    "input_cost_per_token": 1e-7,
    "output_cost_per_token": 5e-06,
    "supports_vision": True,
    "supports_reasoning": True,
    "mode": "chat",
}


@contextmanager
def listing(
    rows: Any = ({"id": "m"},), groups: Any = None, infos: Any = None, seen: list[Request] | None = None
) -> Iterator[str]:
    """A gateway that lists and declares this; a route without an answer is 404, a `Response` is given as it is."""

    def route(answer: Any) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            if seen is not None:
                seen.append(request)
            if answer is None:
                return PlainTextResponse("no such route", 404)
            return answer if isinstance(answer, Response) else JSONResponse({"data": list(answer)})

        return respond

    paths = {"/v1/models": rows, "/model_group/info": groups, "/model/info": infos}
    with serving(Starlette(routes=[Route(path, route(answer)) for path, answer in paths.items()])) as url:
        yield url


def provider(url: str, folder: Path, key: str = KEY) -> LiteLLMProvider:
    """A provider for this address that keeps its lists here."""
    return LiteLLMProvider(url, key, cache_folder=folder)
