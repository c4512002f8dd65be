"""Puts settings into a document that a user has: nothing of it is removed. Pure.

A document is what a parser made: dictionaries, lists and plain values, or a library's that behave like these.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rules:
    """How the lists of a format are merged.

    `keys` names the field that tells the items of a list apart, by the list's name. `fixed` are such lists that get
    no new items. `unions` are lists of plain values that only grow; others are replaced.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    unions: frozenset[str] = frozenset()


def merge(target: MutableMapping[str, Any], addition: Mapping[str, Any], rules: Rules, *, keep: bool = False) -> None:
    """Put an addition into a document, in place. With `keep`, a value that is there stays as it is."""
    for name, value in addition.items():
        there = target.get(name)
        if there is None and (name not in target or not keep):
            if name in target and value is None:
                continue
            target[name] = copy.deepcopy(value)
        elif isinstance(there, MutableMapping) and isinstance(value, Mapping):
            _merge_mapping(target, name, there, value, rules, keep=keep)
        elif isinstance(there, MutableSequence) and isinstance(value, list):
            _merge_lists(there, value, name, rules, keep=keep)
        elif not keep and there != value:
            target[name] = copy.deepcopy(value)


def _merge_mapping(
    target: MutableMapping[str, Any],
    name: str,
    there: MutableMapping[str, Any],
    value: Mapping[str, Any],
    rules: Rules,
    *,
    keep: bool,
) -> None:
    """Merge into a mapping. One that YAML shares between several places (`*alias`) becomes one of this place alone."""
    anchor = getattr(there, "anchor", None)
    if anchor is None or not getattr(anchor, "value", None):
        merge(there, value, rules, keep=keep)
        return
    own = copy.deepcopy(there)
    merge(own, value, rules, keep=keep)
    if own != there:
        own.anchor.value = None  # type: ignore[attr-defined]  # of ruamel.yaml's mappings
        target[name] = own


def _merge_lists(there: MutableSequence[Any], value: list[Any], name: str, rules: Rules, *, keep: bool) -> None:
    key = rules.keys.get(name)
    if key is not None:
        for item in value:
            same = [each for each in there if isinstance(each, MutableMapping) and each.get(key) == item[key]]
            for each in same:
                merge(each, item, rules, keep=keep)
            if not same and name not in rules.fixed:
                there.append(copy.deepcopy(item))
    elif name in rules.unions:
        for each in value:
            if each not in there:
                there.append(each)
    elif not keep and list(there) != value:
        there[:] = copy.deepcopy(value)
