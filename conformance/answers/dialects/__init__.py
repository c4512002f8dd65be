"""How vendors say no, in the suite's words: the reader and its data are the provider's."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.provider.refusals.dialects import (
    blames,
    ends_in,
    is_elsewhere,
    mentions,
    names_all,
    offenders,
    offenders_in_line,
    one_line,
    refuses_field,
    summary,
    whole_fields,
)
from conformance.provider.refusals.dialects import spoken_by as _spoken_by
from conformance.provider.refusals.unwrapping import MAX_DEPTH, MAX_TEXT, MAX_TEXTS, unwrap
from conformance.types import RejectedBy

__all__ = [
    "MAX_DEPTH",
    "MAX_TEXT",
    "MAX_TEXTS",
    "blames",
    "ends_in",
    "is_elsewhere",
    "mentions",
    "names_all",
    "offenders",
    "offenders_in_line",
    "one_line",
    "refuses_field",
    "spoken_by",
    "summary",
    "unwrap",
    "whole_fields",
]


def spoken_by(text: str, headers: Mapping[str, str]) -> RejectedBy:
    """Who refused, as far as the words and the headers tell: `llm_provider-*` are the upstream's own."""
    return RejectedBy(_spoken_by(text, headers))
