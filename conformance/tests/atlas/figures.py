"""Writes into the documents what is published of the shipped atlas. `.ci/figures` runs it.

A new release changes these figures, and nothing else that people wrote. Where they have written the words around a
figure anew, its place is not found, and the figure's pattern below has to follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from conformance.atlas import SHIPPED
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Atlas
from conformance.atlas.honesty import OUTCOMES, shares
from conformance.atlas.published import Published, published
from conformance.tests.helpers.running import CHECKOUT

README, PAGE = Path("README.md"), Path("conformance", "docs", "atlas.md")
#: How the page calls what was left out.
LEFT_OUT = {"model": "each model", "family": "each family on a route", "release": "each release"}
#: How the page calls the clients, in the order in which they are published.
CLIENTS = ("A client that may\nread what the gateway declares:", "A client that may not:")


class Figure(NamedTuple):
    """A place in a document: a pattern that is found there once, and what each of its groups is to say."""

    document: Path
    pattern: str
    says: tuple[str, ...]


def figures_of(atlas: Atlas, document: Published) -> Iterator[Figure]:
    """All that the documents tell of an atlas, and of what is published of it."""
    releases = list(atlas["releases"])
    minors = [each.rpartition(".")[0] for each in (releases[0], releases[-1])]
    fleet = (str(len(atlas["models"])), str(len({row["route"] for row in atlas["models"].values()})))
    told = (str(len(releases)), *minors, *fleet)
    yield Figure(README, r"(\d+) releases from ([\d.]+) to ([\d.]+), (\d+) models on (\d+) routes", told)
    yield Figure(PAGE, r"(\d+) models on (\d+) routes\)", fleet)
    readers, others = (_shares(client["left_out"]["model"]) for client in document["clients"])
    yield Figure(README, r"leaves out ([\d.]+ %) of what the model takes, and knows (\d+ %) of its refusals", readers)
    yield Figure(README, r"\n([\d.]+ %) and (\d+ %) if the key may not read", others)
    for heading, client in zip(CLIENTS, document["clients"], strict=True):
        for name, counts in client["left_out"].items():
            row = " | ".join([*(f"{counts[each]:,}" for each in OUTCOMES), _shares(counts)[0]])
            yield Figure(PAGE, rf"(?s){re.escape(heading)}.*?\n\| {LEFT_OUT[name]} \| ([^\n]*) \|\n", (row,))


def with_figures(text: str, figure: Figure) -> str:
    """A document with a figure in it. Raises `ValueError` where its place is not found once."""
    found = list(re.finditer(figure.pattern, text))
    if len(found) != 1:
        raise ValueError(f"{figure.document} has {len(found)} places for {figure.pattern!r}, and should have one")
    for group, said in reversed(list(enumerate(figure.says, start=1))):
        start, end = found[0].span(group)
        text = text[:start] + said + text[end:]
    return text


def main() -> None:
    """Write all figures of the shipped atlas."""
    document = published(AtlasFolder(SHIPPED))
    assert document is not None, "nothing is published of this atlas: python -m conformance atlas"
    for figure in figures_of(AtlasFolder(SHIPPED).read(), document):
        path = CHECKOUT / figure.document
        path.write_text(with_figures(path.read_text(encoding="utf-8"), figure), encoding="utf-8")


def _shares(counts: Mapping[str, int]) -> tuple[str, str]:
    """How much of what is taken would be left out, and how many refusals are foretold."""
    found = shares(counts)
    return f"{100 * found['wrong']:.2f} %", f"{100 * found['foretold']:.0f} %"


if __name__ == "__main__":
    main()
