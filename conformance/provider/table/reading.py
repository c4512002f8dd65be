"""Reads a support table from a file, and refuses what is none."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from conformance.provider.errors import NewerTableError, TableError
from conformance.provider.table.declaration import DECLARED, UNDECLARED
from conformance.provider.table.families import UNKNOWN
from conformance.provider.table.rules import SELECTORS, Rule, Statement, SupportTable
from conformance.provider.table.versions import BOUND

SCHEMA_VERSION = 1


def shipped_table_path() -> Path:
    """Where the table that came with this package lies."""
    return Path(str(resources.files("conformance.provider") / "parameter_support.json"))


def load_table(path: str | Path | None = None) -> SupportTable:
    """Load a support table, the shipped one by default. All who load a file get the same table; do not change it.

    Raises `TableError` for a file that cannot be read, is not JSON, does not have the table's
    shape, or was written by a newer version of this package.
    """
    file = shipped_table_path() if path is None else Path(path)
    try:
        state = file.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from None
    table = _loaded(file, state.st_ino, state.st_mtime_ns, state.st_size)
    return table if path is None else replace(table, own=len(table.rules) - 1)


@functools.lru_cache(maxsize=4)
def _loaded(file: Path, *_state: int) -> SupportTable:
    """The table in a file, read once for each state of it: every client of a process asks for the shipped one."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(file, error) from None
    except (ValueError, RecursionError) as error:
        raise TableError(f"the support table {file} is not JSON ({error}); restore it, or make it again") from None
    return parse_table(data, str(file))


def _unreadable(file: Path, error: OSError | ValueError) -> TableError:
    return TableError(f"cannot read the support table {file}: {getattr(error, 'strerror', None) or error}")


def parse_table(data: object, where: str = "the support table") -> SupportTable:
    """Build a table from decoded JSON; `where` names it in errors. Raises `TableError`."""
    if not isinstance(data, dict):
        raise TableError(f"{where} is not a support table: it must be a JSON object")
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NewerTableError(f"{where} has schema_version {version}, newer than {SCHEMA_VERSION}; update this package")
    if version != SCHEMA_VERSION:
        raise TableError(f"{where} has no valid schema_version (expected {SCHEMA_VERSION})")
    sources = _typed(data.get("sources", {}), dict, f"{where}: sources")
    for name, source in sources.items():
        _typed(source, dict, f"{where}: sources[{name!r}]")
    rows = _typed(data.get("rules"), list, f"{where}: rules")
    rules = tuple(_rule(row, f"{where}: rules[{index}]") for index, row in enumerate(rows))
    if not rules or rules[-1].models != ("*",) or any(getattr(rules[-1], name) for name in SELECTORS[1:]):
        raise TableError(f'{where}: the last rule must be the default, with models ["*"] and no other selector')
    return SupportTable(rules, sources)


def _rule(row: object, where: str) -> Rule:
    fields = _typed(row, dict, where)
    unknown = fields.keys() - _RULE_KEYS
    if unknown:
        raise TableError(f"{where} has an unknown key {sorted(unknown)[0]!r}")
    selectors = {name: _strings(fields[name], where, name) for name in SELECTORS if name in fields}
    if not selectors.get("models"):
        raise TableError(f"{where} names no models")
    for name in ("family_versions", "gateway_versions"):
        for bound in selectors.get(name, ()):
            if not BOUND.fullmatch(bound):
                raise TableError(
                    f"{where}.{name}: {bound!r} is not a version bound; write one such as '>=1.80' or '<1.100'"
                )
    for state in selectors.get("declared", ()):
        if state not in _STATES:
            raise TableError(f"{where}.declared: {state!r} is none of {', '.join(_STATES)}")
    statements = _typed(fields.get("statements"), dict, where, "statements")
    return Rule(
        statements={name: _statement(value, where, name) for name, value in statements.items()},
        cassettes=_strings(fields.get("cassettes", []), where, "cassettes"),
        **selectors,
    )


def _statement(value: object, where: str, name: str) -> Statement:
    if isinstance(value, dict) and len(value) == 2:  # nearly always: `supported` and `source`
        supported, source = value.get("supported"), value.get("source")
        if isinstance(supported, bool) and isinstance(source, str):
            return _plain(supported, source)
    where = f"{where}.statements[{name!r}]"
    fields = _typed(value, dict, where)
    if not isinstance(fields.get("supported"), bool) or not isinstance(fields.get("source"), str):
        raise TableError(f"{where} needs 'supported' (true or false) and 'source' (a name)")
    return Statement(
        supported=fields["supported"],
        source=fields["source"],
        rejected_by=_strings(fields.get("rejected_by", []), where, "rejected_by"),
        note=_typed(fields.get("note", ""), str, where, "note"),
    )


@functools.lru_cache(maxsize=4096)  # a table says the same of many parameters
def _plain(supported: bool, source: str) -> Statement:
    return Statement(supported, source)


def _strings(value: object, where: str, name: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):  # nearly always
        return tuple(value)
    items: Iterable[object] = _typed(value, list, where, name)
    return tuple(_typed(item, str, where, name) for item in items)


def _typed(value: object, kind: type[Any], where: str, name: str = "") -> Any:
    if not isinstance(value, kind):
        place = f"{where}.{name}" if name else where
        raise TableError(f"{place} must be a JSON {_JSON_NAMES[kind]}, not {type(value).__name__}")
    return value


#: What a gateway may say of a parameter.
_STATES = (DECLARED, UNDECLARED, UNKNOWN)

#: What a row of a table's rules may have.
_RULE_KEYS = frozenset({*SELECTORS, "statements", "cassettes"})

_JSON_NAMES: Mapping[object, str] = {dict: "object", list: "array", str: "string"}
