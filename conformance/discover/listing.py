"""Ask a gateway what it serves: `GET /v1/models`, and what it declares about each model.

Whatever goes wrong is one line that says what to do next. The key is never part of it.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from conformance.errors import DiscoveryError
from conformance.exchange.budget import Price, price_from
from conformance.exchange.receiving import ACCEPT_ENCODING, UnbearableError, pieces
from conformance.exchange.sender import user_agent
from conformance.provider.errors import GatewayError
from conformance.provider.models.catalogue import CHAT_MODES, data_rows, listed_rows, why_no_connection
from conformance.provider.target import Target
from conformance.provider.tls import verification
from conformance.types import Gateway, Model

#: Bounds of each answer: seconds of silence, seconds in all, bytes. `/model/info` of 10,000 deployments
#: takes LiteLLM a minute and 20 MB.
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
TOTAL_TIMEOUT = 120.0
MAX_BODY = 64 * 1024 * 1024

#: The longest id that is asked for, in characters: every request and every cell holds it.
LONGEST_ID = 16_384

_LONGEST_VERSION = 100


@dataclass(frozen=True)
class Discovered:
    """The gateway, the models to measure in a fixed order, and those left out with their mode.

    `prices` are what the gateway declares that a token costs, by model.
    """

    gateway: Gateway
    models: tuple[Model, ...]
    left_out: tuple[tuple[str, str], ...]
    prices: Mapping[str, Price] = field(default_factory=dict)


def discover(target: Target, name: str | None = None, *, simulated: bool = False) -> Discovered:
    """List a gateway's models. Raises `DiscoveryError`, one line, where that cannot be done."""
    return asyncio.run(_discover(target, name, simulated))


async def _discover(target: Target, name: str | None, simulated: bool) -> Discovered:
    async with httpx.AsyncClient(
        headers={
            "user-agent": user_agent(),
            **target.request_headers,
            "accept-encoding": ACCEPT_ENCODING,
        },
        timeout=TIMEOUT,
        verify=verification(target.ca_bundle),
        trust_env=target.uses_environment,
        follow_redirects=False,
    ) as client:
        response = await _get(client, target.url("/models"), target)
        ids, modes = _listed(response, target)
        declared = await _declared(client, target)
        version = _shown(response.headers.get("x-litellm-version", "")) or await _ready_version(client, target)
    models, left_out = _models(ids, modes, declared)
    if not models:
        raise DiscoveryError(
            f"{target.base_url} lists {len(ids)} models, but none that chats; "
            "give the key access to a chat model, or try another key"
        )
    gateway = Gateway(
        name=name or target.name,
        url=target.base_url,
        software="litellm" if version or declared else None,
        version=version,
        simulated=simulated,
    )
    prices = {model.id: price for model in models if (price := declared.get(model.id, _Declared()).price)}
    return Discovered(gateway, models, left_out, prices)


async def _read(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """An answer, whole, as long as it is of bearable size and comes in bearable time."""
    async with asyncio.timeout(TOTAL_TIMEOUT), client.stream("GET", url) as response:
        body = bytearray()
        async for piece in pieces(response, MAX_BODY):
            body += piece
        # As bytes: what a header holds need not be ASCII.
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))


#: Headers that are true of an answer as it came, and not of what was unpacked.
_OF_THE_WIRE = frozenset({b"content-encoding", b"content-length"})


async def _get(client: httpx.AsyncClient, url: str, target: Target) -> httpx.Response:
    base = target.base_url
    try:
        return await _read(client, url)
    except UnbearableError as error:
        raise DiscoveryError(f"{base}/v1/models cannot be read: {error}; check the address") from None
    except (TimeoutError, httpx.TimeoutException):
        raise DiscoveryError(f"{base} did not answer in time; is the gateway up, and is the address right?") from None
    except httpx.ConnectError as error:
        raise DiscoveryError(f"{base}: {why_no_connection(error)}") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise DiscoveryError(f"{base} cannot be read ({type(error).__name__}); check the address") from None


def _listed(response: httpx.Response, target: Target) -> tuple[list[str], dict[str, str]]:
    """The ids in `/v1/models`, and the modes that it declares. Raises for every other answer."""
    try:
        valid = listed_rows(response.status_code, response.content, target.base_url)
    except GatewayError as error:
        raise DiscoveryError(str(error)) from None
    modes = {row["id"]: row["mode"] for row in valid if isinstance(row.get("mode"), str)}
    return sorted({row["id"] for row in valid}), modes


@dataclass(frozen=True)
class _Declared:
    """What a gateway declares of one model: what serves it, an id for each of those, the parameters it claims."""

    served_by: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    deployments: int = 1
    mode: str | None = None
    parameters: tuple[str, ...] | None = None
    price: Price | None = None


async def _declared(client: httpx.AsyncClient, target: Target) -> dict[str, _Declared]:
    """What `/model/info` and `/model_group/info` declare; empty where the key may read neither."""
    deployments: dict[str, list[tuple[object, object, object]]] = defaultdict(list)
    for row in await _rows(client, f"{target.base_url}/model/info"):
        if isinstance(row.get("model_name"), str):
            params, info = _mapping(row.get("litellm_params")), _mapping(row.get("model_info"))
            deployments[row["model_name"]].append((params.get("model"), info.get("id"), info.get("mode")))
    groups = {
        row["model_group"]: row
        for row in await _rows(client, f"{target.base_url}/model_group/info")
        if isinstance(row.get("model_group"), str)
    }
    return {name: _joined(deployments.get(name, ()), groups.get(name, {})) for name in {*deployments, *groups}}


def _joined(rows: Sequence[tuple[object, object, object]], group: Mapping[str, Any]) -> _Declared:
    served_by = _texts(model for model, _, _ in rows) or tuple(f"{name}/" for name in _texts(group.get("providers")))
    # Ten regions of one deployment are one thing to measure: support belongs to what is served.
    known = sorted((model, name) for model, name, _ in rows if isinstance(model, str) and isinstance(name, str))
    one_of_each = dict(reversed(known))
    modes = _texts([*(mode for _, _, mode in rows), group.get("mode")])
    parameters = group.get("supported_openai_params")
    return _Declared(
        served_by=tuple(sorted(set(served_by))),
        ids=tuple(one_of_each[model] for model in sorted(one_of_each)) if len(known) == len(rows) else (),
        deployments=max(1, len(set(served_by))),
        mode=modes[0] if modes else None,
        parameters=tuple(sorted(_texts(parameters))) if isinstance(parameters, list) else None,
        price=price_from(group),
    )


def _texts(values: object) -> tuple[str, ...]:
    """The texts among some values; none of what is no collection."""
    return (
        tuple(v for v in values if isinstance(v, str) and v)
        if isinstance(values, Iterable) and not isinstance(values, str)
        else ()
    )


#: Where LiteLLM tells its version, for its model list does not; the second is that of older releases.
_VERSION_ROUTES = ("/health/readiness/details", "/health/readiness")


async def _ready_version(client: httpx.AsyncClient, target: Target) -> str | None:
    for route in _VERSION_ROUTES:
        version = _mapping(await _json(client, f"{target.base_url}{route}")).get("litellm_version")
        if isinstance(version, str) and re.fullmatch(r"[\w.+-]{1,40}", version):
            return version
    return None


def _shown(version: str) -> str | None:
    """A version as a header tells it, which terminals show; None for what none can."""
    return version if version.isprintable() and 0 < len(version) <= _LONGEST_VERSION else None


async def _rows(client: httpx.AsyncClient, url: str) -> Sequence[dict[str, Any]]:
    response = await _welcome(client, url)
    return [] if response is None else data_rows(response.content)


async def _welcome(client: httpx.AsyncClient, url: str) -> httpx.Response | None:
    """A route's answer, or None: what a gateway declares is welcome, never needed."""
    try:
        response = await _read(client, url)
    except (httpx.HTTPError, UnbearableError, TimeoutError, ValueError):
        return None
    return response if response.status_code == 200 else None


async def _json(client: httpx.AsyncClient, url: str) -> Any:
    response = await _welcome(client, url)
    try:
        return None if response is None else response.json()
    except (ValueError, RecursionError):
        return None


def _models(
    ids: Sequence[str], modes: Mapping[str, str], declared: Mapping[str, _Declared]
) -> tuple[tuple[Model, ...], tuple[tuple[str, str], ...]]:
    models, left_out = [], []
    for model_id in ids:
        known = declared.get(model_id, _Declared())
        mode = modes.get(model_id) or known.mode
        if "*" in model_id:  # a route for many models, and no model that could be asked
            mode = "wildcard"
        if len(model_id) > LONGEST_ID:
            left_out.append((f"{model_id[:60]}…", "id too long"))
            continue
        if mode is not None and mode not in CHAT_MODES:
            left_out.append((model_id, mode))
            continue
        routes = {name.partition("/")[0] for name in known.served_by if "/" in name}
        models.append(
            Model(
                id=model_id,
                mode=mode,
                route=min(routes) if len(routes) == 1 else None,
                served_by=known.served_by,
                deployments=known.deployments,
                deployment_ids=known.ids if known.deployments > 1 else (),
                declared=known.parameters,
            )
        )
    return tuple(models), tuple(left_out)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
