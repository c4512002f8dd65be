"""Read what a gateway lists and declares: `/v1/models`, `/model_group/info`, `/model/info`. No I/O.

Hostile or broken answers are expected: rows that are no rows, ids that are no texts, prices that
are no numbers. Whatever cannot be read is left out, and an answer that lists nothing is one line
that says what to do next.
"""

from __future__ import annotations

import json
import math
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from conformance.provider.errors import GatewayError, KeyRefusedError

#: Modes that answer on the chat or responses endpoint. A model that declares no mode is kept.
CHAT_MODES = frozenset({"chat", "completion", "responses"})

#: How one value is made of what several deployments behind one name declare: what holds for all of them.
_LIMITS = ("max_input_tokens", "max_output_tokens", "max_tokens")
_PRICES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
)
_ABILITIES = ("supports_reasoning", "supports_vision")

#: An id longer than this is no name.
_MAX_ID = 512


@dataclass(frozen=True)
class Listed:
    """One model as its gateway lists it.

    `declared` holds what it declares under LiteLLM's own names (`max_input_tokens`,
    `supports_vision`, `input_cost_per_token`, …), numbers and booleans only; `route` is the
    provider path it is served by, where that is one and known.
    """

    id: str
    declared: Mapping[str, Any] = field(default_factory=dict)
    route: str | None = None


#: What a status of `GET /v1/models` means, and what to do.
_STATUS_HELP: Mapping[int, str] = {
    401: "refuses the key (401); check the API key",
    403: "does not let this key list models (403); use a key with that right",
    404: "has no /v1/models (404); give the address up to, but without, /v1",
    429: "limits the rate of requests (429); try again later",
}


def listed_rows(status: int, content: bytes, base: str) -> list[dict[str, Any]]:
    """The rows of an answer to `GET {base}/v1/models` that have an id.

    Raises `GatewayError` for every other answer, and `KeyRefusedError` where it is the key's fault.
    """
    if status in (401, 403):
        raise KeyRefusedError(f"{base} {_STATUS_HELP[status]}")
    if status in _STATUS_HELP:
        raise GatewayError(f"{base} {_STATUS_HELP[status]}")
    if status == 400 and b"No connected db" in content:
        raise KeyRefusedError(
            f"{base} refuses the key (without a database it takes only its master key); check the API key"
        )
    if 300 <= status < 400:
        raise GatewayError(f"{base} redirects ({status}), which is not followed with a key; give the final address")
    if not 200 <= status < 300:
        raise GatewayError(f"{base}/v1/models answers {status}; check the address and the gateway's log")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        what = "HTML" if content[:200].lstrip()[:1] == b"<" else "no JSON"
        raise GatewayError(
            f"{base}/v1/models answers with {what}; is this the API's address, not a web page's?"
        ) from None
    rows = document.get("data") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise GatewayError(
            f"{base}/v1/models answers JSON without a `data` list; is this an OpenAI-compatible gateway?"
        )
    if not rows:
        raise GatewayError(f"{base} lists no models; give the key access to some, or add models to the gateway")
    valid = [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"]]
    if not valid:
        raise GatewayError(
            f"{base}/v1/models lists {len(rows)} rows, none with a text `id`; is this an OpenAI-compatible gateway?"
        )
    return valid


def data_rows(content: bytes) -> list[dict[str, Any]]:
    """The rows of any other answer with a `data` list; none where it has none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return []
    rows = document.get("data") if isinstance(document, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def catalogue(
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]] = (),
    deployments: Sequence[Mapping[str, Any]] = (),
) -> tuple[Listed, ...]:
    """The models that chat, in the gateway's order, each once, with all that is declared about it.

    `rows` come from `/v1/models`, `groups` from `/model_group/info`, `deployments` from `/model/info`.
    """
    grouped = {row["model_group"]: row for row in groups if isinstance(row.get("model_group"), str)}
    deployed: dict[str, list[Mapping[str, Any]]] = {}
    for row in deployments:
        if isinstance(row.get("model_name"), str):
            deployed.setdefault(row["model_name"], []).append(row)
    found: dict[str, Listed] = {}
    for row in rows:
        model = row.get("id")
        if not _is_id(model) or model in found:
            continue
        group, behind = grouped.get(model, {}), deployed.get(model, [])
        infos = [info for info in (each.get("model_info") for each in behind) if isinstance(info, dict)]
        modes = [mode for mode in (each.get("mode") for each in (row, *infos, group)) if isinstance(mode, str)]
        if modes and modes[0] not in CHAT_MODES:
            continue
        # LiteLLM's group rows say false also of what nobody knows: then the rules know better.
        grouped_facts = {name: fact for name, fact in declared_by([group]).items() if fact is not False}
        declared = {**declared_by([row]), **grouped_facts, **declared_by(infos)}
        found[model] = Listed(model, declared, _route(group, behind))
    return tuple(found.values())


def _is_id(model: object) -> TypeGuard[str]:
    """Whether this can be a model's name; `*` stands for many models, and can be asked by nobody."""
    return isinstance(model, str) and 0 < len(model) <= _MAX_ID and model.isprintable() and "*" not in model


def _route(group: Mapping[str, Any], deployments: Sequence[Mapping[str, Any]]) -> str | None:
    """The provider path behind a name, where there is one only."""
    behind = [params for params in (each.get("litellm_params") for each in deployments) if isinstance(params, dict)]
    routes = _texts([params.get("model", "") for params in behind])
    names = {route.partition("/")[0] for route in routes if "/" in route} or _texts(group.get("providers"))
    return names.pop() if len(names) == 1 else None


def _texts(values: object) -> set[str]:
    return {value for value in values if isinstance(value, str)} if isinstance(values, list) else set()


def declared_by(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What these rows declare together: the smallest limit, the highest price, and what each of them can."""
    facts: dict[str, Any] = {}
    for name in _LIMITS:
        limits = [number for number in (number_of(row.get(name)) for row in rows) if number and number >= 1]
        facts |= {name: int(min(limits))} if limits else {}
    for name in _PRICES:
        prices = [number for number in (number_of(row.get(name)) for row in rows) if number is not None]
        facts |= {name: max(prices)} if prices else {}
    for name in _ABILITIES:
        said = [row[name] for row in rows if isinstance(row.get(name), bool)]
        facts |= {name: all(said)} if said else {}
    return facts


def number_of(value: object) -> float | None:
    """A finite number that is not negative, also where it is written as a text; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number < 1e12 else None


def why_no_connection(error: BaseException) -> str:
    """What the cause at the bottom of a connection error means to a user."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror):
            return "no such host; check the name in the address"
        if isinstance(seen, ssl.SSLError):
            reason = getattr(seen, "verify_message", "") or seen.reason or "handshake failed"
            return f"TLS failed ({reason}); check https or http, and trust the certificate (SSL_CERT_FILE)"
        if isinstance(seen, ConnectionRefusedError):
            return "connection refused; is the gateway running, and is the port right?"
        seen = seen.__cause__ or seen.__context__
    return f"no connection ({error}); check the address and the network"
