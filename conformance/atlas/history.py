"""What was measured over the releases: each cell as the releases at which its state began. Pure.

One document holds all: see `schemas/atlas.schema.json`. A cell is a route's model (named as LiteLLM names it),
an endpoint with a mode, and a parameter. Its history is an object from releases to states, oldest first: a state
holds from its release to the one before the next. What did not change is so written once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

from conformance.errors import AtlasError
from conformance.matrix.document import Matrix
from conformance.types import STATEMENTS, Verdict

SCHEMA_VERSION = 1

T = TypeVar("T")

#: The state of a cell that a release was not asked about.
ABSENT = "not_measured"

#: Releases and the states that began with them, oldest first.
History: TypeAlias = dict[str, str]

#: An atlas document: `releases`, `models`, and `cells` by model, endpoint/mode and parameter.
Atlas: TypeAlias = dict[str, Any]


class Place(NamedTuple):
    """Where a history stands: `model` as LiteLLM names it, `channel` is endpoint/mode."""

    model: str
    channel: str
    parameter: str


def state_of(verdict: str, rejected_by: str | None) -> str:
    """A verdict as one word, with who refused: `honoured`, `rejected:gateway`."""
    return f"{verdict}:{rejected_by}" if rejected_by else verdict


@functools.lru_cache(maxsize=64)  # there are twenty states, and millions of questions
def supported(state: str) -> bool | None:
    """Whether a parameter can be sent in this state; None where nothing is known."""
    return STATEMENTS[Verdict(state.partition(":")[0])]


def empty() -> Atlas:
    """An atlas that knows nothing."""
    return {"schema_version": SCHEMA_VERSION, "releases": {}, "models": {}, "cells": {}}


def require_releases(atlas: Atlas) -> None:
    """Raise `AtlasError` for an atlas in which nothing was measured yet."""
    if not atlas["releases"]:
        raise AtlasError("the atlas has no releases; measure some with: python -m conformance atlas")


def release_of(atlas: Atlas, name: str) -> str:
    """The measured release that a name stands for: itself, or the newest of a minor version. Raises `AtlasError`."""
    wanted, releases = name.removeprefix("v"), list(atlas["releases"])
    newest = (each for each in reversed(releases) if each.startswith(f"{wanted}."))
    found = wanted if wanted in releases else next(newest, None)
    if found is None:
        raise AtlasError(f"the atlas has no release {wanted}; it has {', '.join(releases) or 'nothing'}")
    return found


def spelled_out(history: Mapping[str, str], releases: Iterable[str]) -> dict[str, str]:
    """The state that a history has at each release, oldest first; `ABSENT` before its first."""
    return _spelled_out(history, releases, ABSENT)


def declared_at(atlas: Atlas, model: str) -> dict[str, list[str] | None]:
    """The chat parameters that each release declares for a model; None where it declares none."""
    return _spelled_out(atlas["models"][model]["declared"], atlas["releases"], None)


def _spelled_out(history: Mapping[str, T], releases: Iterable[str], first: T) -> dict[str, T]:
    state, spelled = first, {}
    for release in releases:
        state = history.get(release, state)
        spelled[release] = state
    return spelled


def states(matrix: Matrix) -> dict[Place, str]:
    """The state of each cell of a matrix."""
    return {
        Place(cell["model"], f"{cell['endpoint']}/{cell['mode']}", cell["parameter"]): state_of(
            cell["verdict"], cell["rejected_by"]
        )
        for cell in matrix["cells"]
    }


def histories(atlas: Atlas) -> Iterator[tuple[Place, History]]:
    """Every cell's history."""
    for model, channels in atlas["cells"].items():
        for channel, parameters in channels.items():
            for parameter, history in parameters.items():
                yield Place(model, channel, parameter), history


def snapshot(atlas: Atlas, version: str) -> dict[Place, str]:
    """All states at one release; none where the atlas has not that release."""
    releases = list(atlas["releases"])
    if version not in releases:
        return {}
    known = ((place, spelled_out(history, releases)[version]) for place, history in histories(atlas))
    return {place: state for place, state in known if state != ABSENT}


def models_at(atlas: Atlas, version: str) -> frozenset[str]:
    """The models that were measured at a release; none where the atlas has not that release."""
    return frozenset(place.model for place in snapshot(atlas, version))


def with_release(
    atlas: Atlas, version: str, matrix: Matrix, row: Mapping[str, Any], releases: Iterable[str]
) -> tuple[Atlas, set[Place]]:
    """The atlas with one release more, or with models of one measured anew, and the places whose state begins there.

    `row` describes the run. `releases` are all that the atlas then has, oldest first, `version` among them. What the
    release is known for of models that the matrix has not stays.
    """
    ordered = list(releases)
    order = {each: place for place, each in enumerate(ordered)}
    new, measured = states(matrix), {row["id"] for row in matrix["models"]}
    before = {place: spelled_out(history, [*atlas["releases"]]) for place, history in histories(atlas)}
    cells: dict[str, dict[str, dict[str, History]]] = {}
    begun = set()
    for place in sorted({*before, *new}):
        each = dict(before.get(place, {}))
        if place.model in measured or version not in each:
            each[version] = new.get(place, ABSENT)
        history = _folded(each, ordered, ABSENT)
        if history:
            cells.setdefault(place.model, {}).setdefault(place.channel, {})[place.parameter] = history
        if place in new and history.get(version, ABSENT) != ABSENT:
            begun.add(place)
    models = dict(atlas["models"])
    for model in matrix["models"]:
        told = declared_at(atlas, model["id"]) if model["id"] in models else {}
        told[version] = model.get("parameters")
        models[model["id"]] = {"route": model["route"], "declared": _folded(told, ordered, None)}
    return {
        "schema_version": SCHEMA_VERSION,
        "releases": {
            each: dict(row) if each == version else atlas["releases"][each]
            for each in sorted(order, key=order.__getitem__)
        },
        "models": dict(sorted(models.items())),
        "cells": cells,
    }, begun


def _folded(each: Mapping[str, T], ordered: list[str], absent: T) -> dict[str, T]:
    """The releases at which a state begins."""
    history: dict[str, T] = {}
    last = absent
    for version in ordered:
        state = each.get(version, absent)
        if state != last:
            history[version] = state
        last = state
    return history
