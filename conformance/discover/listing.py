"""Ask a gateway what it serves: `GET /v1/models`, and what it declares about each model.

The provider reads the rows, and says what went wrong. What the suite adds: it bounds each answer as it
bounds all others, it measures every id that chats, and it asks for the gateway's version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from conformance.errors import DiscoveryError
from conformance.exchange.budget import Price, price_from
from conformance.exchange.receiving import ACCEPT_ENCODING, UnbearableError, pieces, set_location_aside
from conformance.exchange.sender import user_agent
from conformance.provider.errors import GatewayError
from conformance.provider.http_library import usable_proxies
from conformance.provider.models.catalogue import ModelRows, model_rows, none_chats
from conformance.provider.models.fetching import Asking, Reading
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
    """List a gateway's models. Raises `DiscoveryError`, one line, if that cannot be done."""
    try:
        return asyncio.run(_discover(target, name, simulated))
    except GatewayError as error:
        raise DiscoveryError(str(error)) from None


async def _discover(target: Target, name: str | None, simulated: bool) -> Discovered:
    asking = Asking(target, seconds=TOTAL_TIMEOUT, max_body=MAX_BODY)
    with usable_proxies():
        client = httpx.AsyncClient(
            headers={
                "user-agent": user_agent(),
                **target.request_headers,
                "accept-encoding": ACCEPT_ENCODING,
            },
            timeout=TIMEOUT,
            verify=verification(target.ca_bundle),
            trust_env=target.uses_environment,
            follow_redirects=False,
            event_hooks={"response": [set_location_aside]},
        )
    async with client:
        for reading in asking:
            await _read(client, reading)
        version = asking.version
    listed = sorted(model_rows(asking.rows, asking.groups, asking.deployments), key=lambda entry: entry.id)
    measured = [entry for entry in listed if _why_not(entry) is None]
    if not measured:
        raise none_chats(target.base_url, len(listed))
    declares = any("model_group" in row or "model_name" in row for row in (*asking.groups, *asking.deployments))
    gateway = Gateway(
        name=name or target.name,
        url=target.base_url,
        software="litellm" if version or declares else None,
        version=version,
        simulated=simulated,
    )
    return Discovered(
        gateway,
        tuple(map(_model, measured)),
        tuple((_short(entry.id), why) for entry in listed if (why := _why_not(entry))),
        {entry.id: price for entry in measured if (price := price_from(entry.declared))},
    )


async def _read(client: httpx.AsyncClient, reading: Reading) -> None:
    """Fill a reading, which keeps what goes wrong."""
    with reading:
        async with asyncio.timeout(reading.seconds), client.stream("GET", reading.url) as response:
            reading.begin(response.status_code, response.headers)
            try:
                async for piece in pieces(response, reading.max_body):
                    reading.add(piece)
            except UnbearableError as error:
                reading.give_up(f"cannot be read: {error}; check the address")


def _why_not(entry: ModelRows) -> str | None:
    """Why the suite leaves a model out, or None. It measures ids that the provider would not offer."""
    return "id too long" if len(entry.id) > LONGEST_ID else entry.left_out


def _short(model_id: str) -> str:
    return f"{model_id[:60]}…" if len(model_id) > LONGEST_ID else model_id


def _model(entry: ModelRows) -> Model:
    different = max(1, len(entry.served_by))
    return Model(
        id=entry.id,
        mode=entry.mode,
        route=entry.route,
        served_by=entry.served_by,
        deployments=different,
        deployment_ids=_one_of_each(entry) if different > 1 else (),
        declared=entry.claimed,
        parameters=entry.parameters,
    )


def _one_of_each(entry: ModelRows) -> tuple[str, ...]:
    """A deployment's id for each different thing that is served; empty unless all deployments have one.

    Ten regions of one deployment are one thing to measure: support belongs to what is served.
    """
    infos = [info if isinstance(info := row.get("model_info"), dict) else {} for row in entry.deployments]
    pairs = zip(entry.models, (info.get("id") for info in infos), strict=True)
    known = sorted((model, name) for model, name in pairs if isinstance(model, str) and isinstance(name, str))
    if len(known) != len(entry.deployments):
        return ()
    first = dict(reversed(known))
    return tuple(first[model] for model in sorted(first))


def _texts(values: Iterable[object]) -> Iterable[str]:
    return (value for value in values if value and isinstance(value, str))
