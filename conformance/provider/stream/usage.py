"""Tokens and dollars, as the two endpoints tell them and as prices make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from conformance.provider.models.catalogue import number_of
from conformance.provider.stream.events import Usage

if TYPE_CHECKING:
    from conformance.provider.models import Cost

#: Where LiteLLM tells a whole answer's cost. A stream's headers go out before it is known, and say 0.
COST_HEADER = "x-litellm-response-cost"


def usage_of(told: Any) -> Usage:
    """The tokens of an answer, from the SDK's object of either endpoint."""
    fields = _fields(told)
    read = _fields(fields.get("prompt_tokens_details") or fields.get("input_tokens_details"))
    wrote = _fields(fields.get("completion_tokens_details") or fields.get("output_tokens_details"))
    return Usage(
        input=_count(fields, "prompt_tokens", "input_tokens"),
        output=_count(fields, "completion_tokens", "output_tokens"),
        cache_read=_count(read, "cached_tokens"),
        cache_write=_count(read, "cache_write_tokens", "cache_creation_tokens"),
        reasoning=_count(wrote, "reasoning_tokens"),
    )


def cost_told(told: Any) -> float | None:
    """The dollars that LiteLLM has added to the tokens; None where it has not."""
    cost = number_of(_fields(told).get("cost"))
    return None if cost is None else round(cost, 12)


def cost_by_price(usage: Usage, prices: Cost) -> float:
    """Dollars, from tokens and prices. Cached tokens without a price of their own cost as any other."""
    plain = max(0, usage.input - usage.cache_read - usage.cache_write)
    tokens = (
        plain * prices.input
        + usage.cache_read * (prices.cache_read or prices.input)
        + usage.cache_write * (prices.cache_write or prices.input)
        + usage.output * prices.output
    )
    return round(tokens / 1e6, 12)


def cost_in(headers: Mapping[str, str]) -> float | None:
    """The dollars that an answer's headers tell; None where that is nothing."""
    return number_of(headers.get(COST_HEADER)) or None


def _fields(told: Any) -> Mapping[str, Any]:
    fields = told.model_dump(warnings=False) if hasattr(told, "model_dump") else told
    return fields if isinstance(fields, Mapping) else {}


def _count(fields: Mapping[str, Any], *names: str) -> int:
    return next((int(number) for number in (number_of(fields.get(name)) for name in names) if number), 0)
