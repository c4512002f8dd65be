"""The table that holds for a client: the user's rules first, then the shipped ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from conformance.provider.errors import TableError
from conformance.provider.files import at_home
from conformance.provider.table import Rule, Statement, SupportTable, load_table

#: The environment variable that names the user's table.
TABLE_VARIABLE = "LITELLM_SUPPORT_TABLE"

#: What may stand for a table: a file, whose rules go over the shipped ones, or a table that holds alone.
Table: TypeAlias = SupportTable | str | Path


def layered_table(table: Table | None = None) -> SupportTable:
    """The rules of a user's file over the shipped ones; the shipped ones alone where there is no file.

    The defaults, each table's last rule, come after all others: what a user's table says of models
    that it does not know must not hide what is known of them.
    The file is `table`, else what `LITELLM_SUPPORT_TABLE` names. A table that is loaded already is
    the answer as it is. Raises `TableError`.
    """
    if isinstance(table, SupportTable):
        return table
    shipped, named = load_table(), table or os.environ.get(TABLE_VARIABLE, "").strip()
    if not named:
        return shipped
    own = load_table(at_home(named, TableError))
    rules = (*own.rules[:-1], *shipped.rules[:-1], own.rules[-1], shipped.rules[-1])
    return SupportTable(rules, {**shipped.sources, **own.sources}, own=len(own.rules) - 1)


def by_deployment(table: SupportTable) -> SupportTable:
    """What holds where it is known what serves a model: without the shipped guesses by its name, which may be any."""
    kept = (rule for rule in table.rules[table.own :] if rule.models == ("*",) or rule.gateways)
    return SupportTable((*table.rules[: table.own], *kept), table.sources, own=table.own)


def with_learnt(table: SupportTable, said: Mapping[str, bool]) -> SupportTable:
    """A table with what refusals have taught about one kind of requests: under the user's own rules, over the rest."""
    rule = Rule(("*",), {name: Statement(can, "learnt") for name, can in said.items()})
    sources = {**table.sources, "learnt": {"kind": "learnt"}}
    return SupportTable((*table.rules[: table.own], rule, *table.rules[table.own :]), sources, own=table.own)
