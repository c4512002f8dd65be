"""Read what a gateway lists and declares: `/v1/models`, `/model_group/info`, `/model/info`. No I/O.

The suite's discovery and the provider's model list both stand on this. Hostile or broken answers are
expected: rows of any type, ids and prices of any type. What cannot be read is left out. If an answer
lists nothing, one line says what to do next.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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

#: What makes LiteLLM decide otherwise than it declares.
_SET_BY_OPERATORS = ("base_model", "allowed_openai_params")

#: The longest id that the provider offers, in characters.
_MAX_ID = 512

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Listed:
    """One model as its gateway lists it.

    `declared` holds what it declares under LiteLLM's own names (`max_input_tokens`,
    `supports_vision`, `input_cost_per_token`, …), numbers and booleans only; `route` is the
    provider path it is served by, where that is one and known. `served_by` names the deployments
    behind it as LiteLLM names them (`azure/gpt-5.2`), or their routes alone (`azure/`). `parameters` are the chat
    parameters that are declared for it, sorted; None where that is not known.
    """

    id: str
    declared: Mapping[str, Any] = field(default_factory=dict)
    route: str | None = None
    served_by: tuple[str, ...] = ()
    parameters: tuple[str, ...] | None = None


#: What a status of `GET /v1/models` means, and what to do.
_STATUS_HELP: Mapping[int, str] = {
    401: "refuses the key (401); check the API key",
    403: "does not let this key list models (403); use a key with that right",
    404: "has no /v1/models (404); give the address without /v1",
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
        raise GatewayError(f"{base} redirects ({status}), and the key is not sent elsewhere; give the final address")
    if not 200 <= status < 300:
        raise GatewayError(f"{base}/v1/models answers {status}; check the address and the gateway's log")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        what = "HTML" if content[:200].lstrip()[:1] == b"<" else "something that is not JSON"
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
            f"{base}/v1/models lists {len(rows)} rows, but no `id` is a string; is this an OpenAI-compatible gateway?"
        )
    return valid


def object_in(content: bytes) -> dict[str, Any]:
    """The JSON object that an answer is; empty if it is none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def data_rows(content: bytes) -> list[dict[str, Any]]:
    """The rows of any other answer with a `data` list; none where it has none."""
    rows = object_in(content).get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


@dataclass(frozen=True)
class ModelRows:
    """One id of `/v1/models`, with every row about it: its own, its group's, and one for each deployment."""

    id: str
    row: Row
    group: Row = field(default_factory=dict)
    deployments: tuple[Row, ...] = ()

    @property
    def mode(self) -> str | None:
        """The mode that is declared first; None if no row declares one."""
        modes = (each.get("mode") for each in (self.row, *self.infos, self.group))
        return next((mode for mode in modes if mode and isinstance(mode, str)), None)

    @property
    def left_out(self) -> str | None:
        """Why nobody can chat with it: its mode, or `wildcard` for a name such as `openai/*`. None if one can."""
        if "*" in self.id:
            return "wildcard"
        return None if self.mode is None or self.mode in CHAT_MODES else self.mode

    @property
    def offered(self) -> bool:
        """Whether the provider offers it to a user: the id has to be short and printable.

        The suite measures the other ids, too. A gateway may well serve them, and the matrix says what it serves.
        """
        return self.left_out is None and len(self.id) <= _MAX_ID and self.id.isprintable()

    @property
    def infos(self) -> list[Row]:
        """What `/model/info` declares of each deployment."""
        return [info for info in (each.get("model_info") for each in self.deployments) if isinstance(info, dict)]

    @property
    def models(self) -> list[object]:
        """The `model` of each deployment, as its gateway calls it: `azure/gpt-5`. It may be of any type."""
        params = [each.get("litellm_params") for each in self.deployments]
        return [each.get("model") if isinstance(each, dict) else None for each in params]

    @property
    def served_by(self) -> tuple[str, ...]:
        """What the deployments run, sorted; if none tells it, the group's providers, as `azure/`."""
        return tuple(sorted(_texts(self.models) or {f"{name}/" for name in _texts(self.group.get("providers"))}))

    @property
    def route(self) -> str | None:
        """The provider path behind the id; None if there are several, or none is declared."""
        names = {name.partition("/")[0] for name in self.served_by if "/" in name} - {""}
        names = names or _texts(self.group.get("providers"))
        return names.pop() if len(names) == 1 else None

    @property
    def claimed(self) -> tuple[str, ...] | None:
        """The chat parameters that its group declares, sorted; None where it declares none.

        LiteLLM's empty list says that it does not know: it stands for a name that no deployment has, such as a team's.
        """
        told = self.group.get("supported_openai_params")
        return tuple(sorted(_texts(told))) or None if isinstance(told, list) else None

    @property
    def parameters(self) -> tuple[str, ...] | None:
        """The chat parameters that LiteLLM declares for what is behind the id, sorted; None where they tell nothing.

        It declares of a group what it declares of one deployment, so they are nobody's if those differ. With a
        `base_model` it declares by that one, and decides by the other in some releases. And an operator can have it let
        through more than it declares (`allowed_openai_params`).
        """
        served = self.served_by
        if len(served) != 1 or served[0].endswith("/"):
            return None
        settings = [each.get("litellm_params") for each in self.deployments]
        rows = [row for row in (*settings, *self.infos) if isinstance(row, dict)]
        return None if any(row.get(name) for row in rows for name in _SET_BY_OPERATORS) else self.claimed

    @property
    def declared(self) -> dict[str, Any]:
        """Limits, prices and abilities under LiteLLM's own names."""
        # LiteLLM's group rows say false also of what it does not know: then the rules know better.
        of_group = {name: fact for name, fact in declared_by([self.group]).items() if fact is not False}
        return {**declared_by([self.row]), **of_group, **declared_by(self.infos)}


def model_rows(rows: Iterable[Row], groups: Iterable[Row] = (), deployments: Iterable[Row] = ()) -> Iterator[ModelRows]:
    """Every id that is listed, in the gateway's order. If an id is listed twice, the first row counts.

    `rows` come from `/v1/models`, `groups` from `/model_group/info`, `deployments` from `/model/info`.
    """
    grouped = {row["model_group"]: row for row in groups if isinstance(row.get("model_group"), str)}
    deployed: dict[str, list[Row]] = {}
    for row in deployments:
        if isinstance(row.get("model_name"), str):
            deployed.setdefault(row["model_name"], []).append(row)
    seen: set[str] = set()
    for row in rows:
        model = row.get("id")
        if model and isinstance(model, str) and model not in seen:
            seen.add(model)
            yield ModelRows(model, row, grouped.get(model, {}), tuple(deployed.get(model, ())))


def catalogue(rows: Iterable[Row], groups: Iterable[Row] = (), deployments: Iterable[Row] = ()) -> tuple[Listed, ...]:
    """The models that the provider offers, in the gateway's order, with all that is declared about each."""
    found = (entry for entry in model_rows(rows, groups, deployments) if entry.offered)
    same: dict[tuple[str, ...] | None, tuple[str, ...] | None] = {}  # of ten thousand models most have the same
    listed = []
    for entry in found:
        told = entry.parameters
        listed.append(Listed(entry.id, entry.declared, entry.route, entry.served_by, same.setdefault(told, told)))
    return tuple(listed)


def none_chats(base: str, count: int) -> GatewayError:
    """The error for a list of models with no chat model."""
    return GatewayError(
        f"{base} lists {count} models, but no chat model; give the key access to one, or try another key"
    )


def _texts(values: object) -> set[str]:
    return {value for value in values if value and isinstance(value, str)} if isinstance(values, list) else set()


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
