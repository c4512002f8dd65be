"""Which models two lists of models describe differently. Pure.

LiteLLM decides by a list what many models can do. Each release brings one, and loads today's where it reaches the
network. A model that two lists describe alike is treated alike with both, so it need not be measured again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.atlas.history import Atlas
from conformance.provider.table.families import served_from

#: A list in LiteLLM's format: rows by model name.
ModelList = Mapping[str, Mapping[str, Any]]

#: The one entry that is no model: what holds for models that have no row, or a row without these fields.
_GENERAL = "fallback_generalizations"

#: What decides about no parameter: prices, limits, and where a row comes from.
_ASIDE = re.compile(
    r"cost|uplift|^off_peak_pricing$|^source$|^comment|^metadata$|^deprecation_date$|^supported_regions$"
    r"|^max_|^rpm$|^tpm$|^output_vector_size$|^search_free_requests$|^token_count_model$"
    r"|^tool_use_system_prompt_tokens$|^prompt_cache_min_tokens$|^web_search_billing_unit$"
)

#: What LiteLLM takes from a name when it finds no row for the whole of it: a region, a date, a version.
_REGION = re.compile(r"^(?:us|eu|apac|au|jp|ca|global|us-gov)\.")
_ENDS = re.compile(r"(?:[-@]\d{8}|-\d{4}-\d{2}-\d{2}|-\d+|:\d+|-v\d+:\d+)$")


def described_differently(models: Iterable[str], before: ModelList, now: ModelList) -> list[str]:
    """The models, named as LiteLLM names them, that two lists describe differently in what LiteLLM may decide by."""
    # A release whose own list has no general rules cannot read those of a newer one.
    general = all(_GENERAL in each for each in (before, now))
    was, is_now = (_Described.by(each, general=general) for each in (before, now))

    def differs(model: str) -> bool:
        return any(was.of(name) != is_now.of(name) for name in _looked_up(model, was, is_now))

    return [model for model in models if differs(model)]


def _looked_up(model: str, *lists: _Described) -> Sequence[str]:
    """The names of a model that decide: those that have a row, the whole ones before the shortened ones."""
    whole, shortened = _names(model)
    for names in (whole, shortened):
        listed = [name for name in names if any(name in each.rows for each in lists)]
        if listed:
            return listed
    return [*whole, *shortened]


@dataclass(frozen=True)
class _Rule:
    """A general rule: what it says of names that fit, and for whose rows it fills in what they lack."""

    pattern: re.Pattern[str]
    says: Mapping[str, Any]
    fills: frozenset[str]


@dataclass(frozen=True)
class _Described:
    """What a list says of names in lower case."""

    rows: Mapping[str, Mapping[str, Any]]
    rules: tuple[_Rule, ...]

    @classmethod
    def by(cls, listed: ModelList, *, general: bool) -> _Described:
        """What a list says, with its general rules or without."""
        rows = {name.lower(): row for name, row in listed.items() if name != _GENERAL}
        rules = listed[_GENERAL].get("rules", ()) if general else ()
        return cls(rows, tuple(_rule(each) for each in rules))

    def of(self, name: str) -> Mapping[str, Any]:
        """What LiteLLM may decide by: the row, and what general rules add to it."""
        row = self.rows.get(name)
        provider = row and row.get("litellm_provider")
        found: dict[str, Any] = {}
        for rule in self.rules:
            if rule.pattern.search(name) and (row is None or provider in rule.fills):
                found.update(rule.says)
        found.update(row or {})
        return {field: value for field, value in found.items() if not _ASIDE.search(field)}


def _rule(row: Mapping[str, Any]) -> _Rule:
    pattern = re.compile(row["pattern"], re.IGNORECASE)
    return _Rule(pattern, row["model_info"], frozenset(row.get("fill_missing_for_providers", ())))


def _names(model: str) -> tuple[Sequence[str], Sequence[str]]:
    """The names under which a list may have a model, in lower case: whole ones, and without dates and versions."""
    route = model.partition("/")[0]
    served = served_from(model)
    upstream = (served.upstream if served else model).lower()
    whole = dict.fromkeys((upstream, _REGION.sub("", upstream)))
    shortened = dict.fromkeys(each for name in whole for each in _shortened(name))
    return [model.lower(), *_with_route(whole, route)], _with_route(shortened, route)


def _with_route(names: Iterable[str], route: str) -> list[str]:
    return [each for name in names for each in (name, f"{route}/{name}")]


def _shortened(name: str) -> Iterator[str]:
    """What is left of a name without its dates and versions; a version of Claude's is also written with dashes."""
    if "claude" in name:
        yield name.replace(".", "-")
    while (shorter := _ENDS.sub("", name)) != name:
        name = shorter
        yield name


def told(atlas: Atlas) -> str:
    """Which lists the releases of an atlas were measured with, in a sentence or two."""
    lists = list(dict.fromkeys(row["model_list"] for row in atlas["releases"].values()))
    if len(lists) == 1:
        return (
            f"All releases were measured with the list of models of LiteLLM {lists[0]}. A LiteLLM with network access "
            "loads today's list when it starts. One without goes by its own, and may differ."
        )
    return (
        f"The releases were measured with {len(lists)} different lists of models. So a difference between two releases "
        "may come from the list."
    )
