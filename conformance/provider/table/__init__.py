"""The parameter-support table: load it, look a statement up. Pure but for `reading`.

The table is an ordered list of rules. A rule matches by the selectors it states (`models`,
`endpoints`, `modes`, `routes`, `upstreams`, `families`, `family_versions`, `gateways`,
`gateway_versions`, `declared`); a selector never matches what the caller does not know, unless it names
just that: `unknown`. The first matching rule with a statement for the parameter decides,
and the last rule is a default that matches every model: unknown models fail open.

A parameter is named by its path in the request body (`store`, `stream_options.include_usage`),
optionally with one value (`store:true`). A statement for `store` speaks for every value that
has no statement of its own in the same rule.
"""

from conformance.provider.table.reading import SCHEMA_VERSION, load_table, parse_table, shipped_table_path
from conformance.provider.table.rules import (
    SELECTORS,
    Question,
    Rule,
    Statement,
    Support,
    SupportTable,
    model_matches,
    names_of,
    split_parameter,
)
from conformance.provider.table.versions import version_fits

__all__ = [
    "SCHEMA_VERSION",
    "SELECTORS",
    "Question",
    "Rule",
    "Statement",
    "Support",
    "SupportTable",
    "load_table",
    "model_matches",
    "names_of",
    "parse_table",
    "shipped_table_path",
    "split_parameter",
    "version_fits",
]
