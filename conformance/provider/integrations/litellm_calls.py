"""What LiteLLM is about to send to a deployment, read as a request that a table speaks of. Pure.

LiteLLM keeps the client's fields and its own in one dictionary. What the client sent is told by the copy of its body
in `proxy_server_request`; nothing else is looked at, and nothing else is changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from conformance.provider.repair.learned import RequestKind, address
from conformance.provider.table import Question
from conformance.provider.table.families import family_of
from conformance.provider.target import gateway_name
from conformance.provider.transport.features import HEADER, with_features
from conformance.provider.transport.request_filter import ENDPOINTS

#: LiteLLM's names for the calls that a table speaks of, and the endpoint of each.
CALLS = {
    "completion": "chat_completions",
    "acompletion": "chat_completions",
    "responses": "responses",
    "aresponses": "responses",
    "anthropic_messages": "messages",
}

#: Where LiteLLM keeps what a request's retries are to be, and the header that only some vendors get.
RETRIES, _VENDORS_HEADERS = "model_group_retry_policy", "provider_specific_header"

#: What LiteLLM itself puts into the copy of the client's body, or reads there: no vendor gets it.
_LITELLMS_OWN = frozenset(
    {"api_base", "api_key", "base_url", "litellm_call_id", "litellm_logging_obj", "litellm_metadata", "litellm_params"}
    | {"model_info", "proxy_server_request", "secret_fields", RETRIES, _VENDORS_HEADERS}
)

#: LiteLLM's names for the errors with which a request is refused.
_REFUSALS = frozenset({"BadRequestError", "InternalServerError", "UnprocessableEntityError", "UnsupportedParamsError"})


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to a deployment: `body` is what the client sent of it, the header of features included.

    `deployment` is its name as the operator has it. `allowed` are the fields that the deployment, or the client, has
    LiteLLM let through; `key` is never told.
    """

    kind: RequestKind
    question: Question
    body: dict[str, Any]
    deployment: str
    allowed: tuple[str, ...]
    key: str

    def is_repeated_by(self, other: Call) -> bool:
        """Whether the other one is the same request to the same deployment."""
        return (self.kind, self.body) == (other.kind, other.body)

    def is_named(self, model: str) -> bool:
        """Whether it goes to this model, by any of its names: an id alone tells little, for clients may choose it."""
        return model == self.question.model or self.deployment.endswith(model)


#: Given what serves a deployment (`azure/gpt-5.2`), the chat parameters that LiteLLM declares for it, sorted; None
#: where that is not known.
Declares: TypeAlias = Callable[[str], "tuple[str, ...] | None"]


def _nothing(_served: str) -> None:
    """Nothing is known."""


class BadRequest(NamedTuple):
    """A refusal of which no more than the words are known."""

    message: str
    status_code: int = 400


class _Door(NamedTuple):
    """The endpoint that a request came to, None where no table speaks of it, and the name of the gateway."""

    endpoint: str | None
    gateway: str


def read_call(
    kwargs: Mapping[str, Any], call_type: str, version: str | None, declares: Declares = _nothing
) -> Call | None:
    """The request in what LiteLLM hands to a hook before it calls a deployment; None where a table says nothing of it.

    `declares` is asked for the chat parameters that LiteLLM declares for the deployment.
    A call that LiteLLM makes to answer another one (a bridge from Responses to Chat Completions) is none: the call
    that it serves was read already.
    """
    endpoint, request = CALLS.get(call_type), kwargs.get("proxy_server_request")
    if endpoint is None or not isinstance(request, Mapping):
        return None
    door, sent = _door(str(request.get("url", ""))), request.get("body")
    model = kwargs.get("model")
    if door.endpoint != endpoint or not isinstance(sent, Mapping) or not isinstance(model, str):
        return None
    served = served_by(model, kwargs.get("custom_llm_provider"), kwargs.get("model_info"))
    mode = "stream" if kwargs.get("stream") is True else "whole"
    name = _group(kwargs) or model
    # LiteLLM declares by a `base_model`, and in some releases decides by the other name.
    declared = None if _has_base_model(kwargs) else declares(served)
    question = Question(name, endpoint, mode, None, door.gateway, version, (served,), declared=declared)
    kind = RequestKind(_reached_at(kwargs.get("api_base"), served), served, endpoint, mode)
    key, allowed = kwargs.get("api_key"), kwargs.get("allowed_openai_params")
    return Call(
        kind,
        question,
        with_features(_body(sent, kwargs), {HEADER: ",".join(_features(kwargs))}),
        model,
        tuple(sorted({each for each in allowed if isinstance(each, str)})) if isinstance(allowed, list) else (),
        key if isinstance(key, str) else "",
    )


def changed(kwargs: Mapping[str, Any], call: Call, made: Mapping[str, Any]) -> dict[str, Any]:
    """What LiteLLM is to send instead, so that the client's part of it is `made`."""
    new = {name: value for name, value in kwargs.items() if name in made or name not in call.body}
    new.update(
        (name, value)
        for name, value in made.items()
        if name != HEADER and (name not in call.body or call.body[name] is not value)
    )
    kept = made.get(HEADER, ())
    if HEADER in call.body and kept != call.body[HEADER]:
        new[_VENDORS_HEADERS] = _with_features(kwargs[_VENDORS_HEADERS], kept)
    return new


def failed_before(kwargs: Mapping[str, Any]) -> str | None:
    """The words of the refusal after which the router tries again, where it tells them.

    It keeps the last errors of all requests in one list, each with what it was about to send.
    """
    owner = kwargs.get("litellm_logging_obj", kwargs)
    for place in ("litellm_metadata", "metadata"):
        told = kwargs.get(place)
        rows = told.get("previous_models") if isinstance(told, Mapping) else None
        for row in reversed(rows) if isinstance(rows, list) else ():
            if isinstance(row, Mapping) and row.get("litellm_logging_obj") is owner:
                words = row.get("exception_string")
                return words if row.get("exception_type") in _REFUSALS and isinstance(words, str) else None
    return None


def served_by(model: str, provider: Any, info: Any) -> str:
    """What serves a model, named as LiteLLM names it: `azure/gpt-5.2`.

    A deployment may have any name at its vendor; where the name tells no family, its `base_model` does.
    """
    route = provider if isinstance(provider, str) and provider else model.partition("/")[0] if "/" in model else None
    if route is None:
        return model
    upstream = model.removeprefix(f"{route}/")
    base = info.get("base_model") if isinstance(info, Mapping) else None
    if isinstance(base, str) and family_of(upstream) is None:
        upstream = base.rpartition("/")[2]
    return f"{route}/{upstream}"


def _has_base_model(kwargs: Mapping[str, Any]) -> bool:
    info = kwargs.get("model_info")
    return bool(kwargs.get("base_model") or (isinstance(info, Mapping) and info.get("base_model")))


def _body(sent: Mapping[str, Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the client sent, as it is now: the other hooks may have changed it."""
    body = {name: kwargs[name] for name in sent if name in kwargs and name not in _LITELLMS_OWN}
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping) and "model_group" in metadata:
        del body["metadata"]  # the client's labels and LiteLLM's own are one there
    return body


def _group(kwargs: Mapping[str, Any]) -> str | None:
    """The name that the client asked for, as the router knows it."""
    for place in ("litellm_metadata", "metadata"):
        told = kwargs.get(place)
        group = told.get("model_group") if isinstance(told, Mapping) else None
        if isinstance(group, str):
            return group
    return None


def _reached_at(base: Any, served: str) -> str:
    """Where a deployment is, for the memory: its address, or the name of its route where LiteLLM knows that itself."""
    if isinstance(base, str) and base.startswith(("http://", "https://")):
        return _address(base)
    return f"https://{served.partition('/')[0]}"


@functools.lru_cache(maxsize=1024)
def _address(url: str) -> str:
    return address(url)


@functools.lru_cache(maxsize=1024)
def _door(url: str) -> _Door:
    path = urlsplit(url).path.rstrip("/")
    endpoint = next((name for ending, name in ENDPOINTS.items() if path.endswith(ending)), None)
    return _Door(endpoint, gateway_name(url))


def _features(kwargs: Mapping[str, Any]) -> list[str]:
    """The values of the header `anthropic-beta`, as LiteLLM keeps them for the vendors that get it."""
    found: dict[str, None] = {}
    for row in _rows(kwargs.get(_VENDORS_HEADERS)):
        for name, value in row["extra_headers"].items():
            if name.lower() == HEADER and isinstance(value, str):
                found.update((each.strip(), None) for each in value.split(",") if each.strip())
    return list(found)


def _rows(held: Any) -> list[Mapping[str, Any]]:
    """The headers for each vendor: older releases hold one row, newer ones a list."""
    rows = held if isinstance(held, list) else [held]
    return [row for row in rows if isinstance(row, Mapping) and isinstance(row.get("extra_headers"), Mapping)]


def _with_features(held: Any, kept: Any) -> Any:
    """The same rows without the values of the header that are not to be sent."""
    readable = _rows(held)
    rows = [_row_with(row, kept) if row in readable else row for row in (held if isinstance(held, list) else [held])]
    return rows if isinstance(held, list) else rows[0]


def _row_with(row: Mapping[str, Any], kept: Any) -> dict[str, Any]:
    headers = dict(row["extra_headers"])
    for name, value in row["extra_headers"].items():
        if name.lower() == HEADER and isinstance(value, str):
            headers[name] = ",".join(each for each in map(str.strip, value.split(",")) if each in kept)
            if not headers[name]:
                del headers[name]
    return {**row, "extra_headers": headers}
