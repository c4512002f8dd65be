"""The statements that a matrix makes, each with its source. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.matrix.document import Matrix, cell_key
from conformance.text.names import cassette_name
from conformance.types import STATEMENTS, CellKey, Verdict


@dataclass(frozen=True, slots=True)
class Fact:
    """What was measured of one cell, and where."""

    supported: bool
    source: str
    rejected_by: frozenset[str] = frozenset()
    cassette: str | None = None
    differs_from: str = ""


def source_of(matrix: Matrix) -> str:
    """The name under which a matrix's statements are filed: gateway and version."""
    gateway = matrix["gateway"]
    return f"{gateway['name']}-{gateway['version'] or 'unversioned'}"


def facts_of(matrix: Matrix) -> Iterator[tuple[CellKey, Fact]]:
    """Every statement that a matrix makes, with its cell; cells that say nothing are left out."""
    source = source_of(matrix)
    for cell in matrix["cells"]:
        supported = STATEMENTS[Verdict(cell["verdict"])]
        if supported is not None:
            yield (
                cell_key(cell),
                Fact(
                    supported,
                    source,
                    _blamed(cell["rejected_by"]),
                    cassette_name(cell["model"]) if cell["evidence"] else None,
                ),
            )


@functools.cache  # one set for all facts: a fleet has a hundred thousand
def _blamed(by: str | None) -> frozenset[str]:
    return frozenset() if by is None else frozenset({by})


def measured_source(matrix: Matrix) -> dict[str, dict[str, Any]]:
    """The row that describes a matrix in the `sources` of a table."""
    gateway = matrix["gateway"]
    return {
        source_of(matrix): {
            "kind": "measured",
            "gateway": gateway["name"],
            "software": gateway["software"],
            "version": gateway["version"],
            "simulated": gateway["simulated"],
            "cassettes": f"cassettes/{gateway['name']}",
        }
    }
