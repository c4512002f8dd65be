"""Puts settings into a document that a user has: nothing of it is removed. Pure.

A document is what a parser made: dictionaries, lists and plain values, or a library's that behave like these.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
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
    """Put an addition into a document, in place. With `keep`, a value that is there stays as it is.

    Where an empty value (`null`) stands for a mapping or a list, it is replaced.
    """
    for name, value in addition.items():
        there = target.get(name)
        if there is None and (name not in target or not keep or isinstance(value, (Mapping, list))):
            if name in target and value is None:
                continue
            target[name] = copy.deepcopy(value)
        elif isinstance(there, MutableMapping) and isinstance(value, Mapping):
            _merge_mapping(target, name, there, value, rules, keep=keep)
        elif isinstance(there, MutableSequence) and isinstance(value, list):
            _merge_lists(there, value, name, rules, keep=keep)
        elif not keep and there != value:
            target[name] = copy.deepcopy(value)


def clash(target: Mapping[str, Any], addition: Mapping[str, Any], rules: Rules, *, keep: bool = False) -> str | None:
    """What in a document is of another kind than what would be merged into it, in words; None where all fits."""
    for name, value in addition.items():
        there, under = target.get(name), ""
        if there is None:
            continue
        if _kind(there) != _kind(value):
            if keep and _kind(value) == _PLAIN:
                continue  # what is there stays
            return f"{name} is {_kind(there)}, where {_kind(value)} belongs"
        if isinstance(value, Mapping):
            found, under = clash(there, value, rules, keep=keep), f"{name}."
        else:
            found = _clash_in_list(there, value, name, rules, keep=keep) if isinstance(value, list) else None
        if found:
            return under + found
    return None


def _clash_in_list(there: Sequence[Any], value: Sequence[Any], name: str, rules: Rules, *, keep: bool) -> str | None:
    key = rules.keys.get(name)
    for item in value if key is not None else ():
        for number, each in enumerate(there):
            if isinstance(each, Mapping) and each.get(key) == item[key]:
                found = clash(each, item, rules, keep=keep)
                if found:
                    return f"{name}[{number}].{found}"
    return None


_PLAIN = "a single value"


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a map"
    return "a list" if isinstance(value, Sequence) and not isinstance(value, str) else _PLAIN


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
