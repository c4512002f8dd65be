"""What each LiteLLM release changed, as Markdown that fits a release note. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from conformance.atlas import list_changes
from conformance.atlas.changes import Comparison, Fate, Group, Turn, comparison_of, comparisons, fate_of
from conformance.atlas.history import Atlas
from conformance.errors import AtlasError
from conformance.report.markdown import code, table

#: How many groups of each turn are listed.
SHOWN = 10

#: Up to so many models are named.
_NAMED = 2

#: What each turn is called.
TITLES: Mapping[Turn, str] = {
    Turn.BROKE: "Broke: it could be sent, and is refused now",
    Turn.SILENCED: "Became silent drops: the request succeeds, and the parameter has no effect",
    Turn.MENDED: "Mended: it was refused, and is taken now",
    Turn.HEARD: "No longer dropped silently: it is taken now",
}
#: What is said of one cell, and of several.
_COUNTED: Mapping[Turn, tuple[str, str]] = {
    Turn.BROKE: ("broke", "broke"),
    Turn.SILENCED: ("became a silent drop", "became silent drops"),
    Turn.MENDED: ("was mended", "were mended"),
    Turn.HEARD: ("is no longer dropped silently", "are no longer dropped silently"),
}

_FATES: Mapping[Fate, str] = {
    Fate.TAKEN: "taken",
    Fate.DROPPED: "dropped silently",
    Fate.REFUSED: "refused",
}

_CAVEAT = (
    "The LiteLLM releases are real. Behind them stood simulators that follow the vendors' published schemas, not the "
    "vendors. {lists} A cell is one model, endpoint, mode and parameter. What one of the two releases does not show is "
    "not counted."
)


def caveat(atlas: Atlas) -> str:
    """What has to be known of all of it."""
    return _CAVEAT.format(lists=list_changes.told(atlas))


def as_markdown(atlas: Atlas, release: str | None = None) -> str:
    """The feed: a section for each release, newest first, or only that of `release`.

    Raises `AtlasError` where there is nothing to compare.
    """
    wanted = [comparison_of(atlas, release)] if release else comparisons(atlas)
    if not wanted:
        raise AtlasError(
            f"the atlas has {len(atlas['releases'])} releases, and a feed needs two; "
            "measure them with: python -m conformance atlas"
        )
    lines = [line for comparison in wanted for line in _section(comparison)]
    return "\n".join([*lines, caveat(atlas)]) + "\n"


def headline(comparison: Comparison) -> str:
    """A release in one sentence: what it was compared with, and how many cells changed."""
    counts = {turn: count for turn in Turn if (count := comparison.cells(turn))}
    told: list[str] = []
    for turn, count in counts.items():
        noun = "" if told else f" {_cells(count)}"  # "5 cells broke, 1 was mended"
        told.append(f"{count:,}{noun} {_COUNTED[turn][count > 1]}")
    return f"LiteLLM {comparison.release}, compared with {comparison.before}: {', '.join(told) or 'nothing changed'}"


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"


def _section(comparison: Comparison) -> Iterator[str]:
    yield f"## {headline(comparison)}"
    yield ""
    for turn, groups in comparison.groups.items():
        if groups:
            yield f"### {TITLES[turn]}"
            yield ""
            yield from table(
                ["route", "endpoint", "parameter", "models", "cells", "change"],
                (_row(group) for group in groups[:SHOWN]),
            )
            yield ""
        if left := left_out(groups):
            yield left
            yield ""


def left_out(groups: Sequence[Group]) -> str:
    """What is said of the groups that are not listed; empty where all are."""
    rest = groups[SHOWN:]
    if not rest:
        return ""
    cells = sum(group.cells for group in rest)
    return f"… and {len(rest):,} more {'group' if len(rest) == 1 else 'groups'} with {cells:,} {_cells(cells)}."


def _row(group: Group) -> list[str]:
    return [
        code(group.route),
        endpoint_of(group),
        code(group.parameter),
        _models(group),
        f"{group.cells:,}",
        change_of(group),
    ]


def endpoint_of(group: Group) -> str:
    """A group's endpoint, and its mode where only one changed."""
    name = group.endpoint.replace("_", " ")
    if len(group.modes) > 1:
        return name
    return f"{name}, {'streams' if group.modes[0] == 'stream' else 'whole answers'} only"


def _models(group: Group) -> str:
    count = share_of(group)
    if len(group.models) > _NAMED or len(group.models) == group.of:
        return count
    return f"{count}: {', '.join(code(model) for model in group.models)}"


def share_of(group: Group) -> str:
    """How many of the route's models changed."""
    count = len(group.models)
    return f"all {count}" if count == group.of and count > 1 else f"{count} of {group.of}"


def change_of(group: Group) -> str:
    """What its cells were, and what they became."""
    return f"{_told(group.before)} → {_told(group.after)}"


def _told(states: Iterable[str]) -> str:
    """States as words: who refuses is said where all cells agree on it."""
    fates = dict.fromkeys(_FATES[fate] for state in states if (fate := fate_of(state)))
    speakers = {state.partition(":")[2] for state in states}
    by = f" by the {next(iter(speakers))}" if len(speakers) == 1 and speakers <= {"gateway", "backend"} else ""
    return " or ".join(fates) + by
