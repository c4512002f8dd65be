"""Small atlases by hand: a few cells with a state for each release, and evidence for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.atlas.history import Atlas, History
from conformance.types import Endpoint, Exchange, Mode, Request, Response

RELEASES = ("1.81.16", "1.82.6", "1.90.7", "1.99.4", "1.100.5")

#: The cell that most rules are tried on, and what may become of it.
CHANNEL, PARAMETER = "chat_completions/whole", "seed"
TAKEN, REFUSED, BY_BACKEND = "accepted", "rejected:gateway", "rejected:backend"

#: A state by one letter, as tests write histories: `gaii?`.
STATES: Mapping[str, str] = {
    "h": "honoured",
    "a": "accepted",
    "i": "ignored",
    "g": "rejected:gateway",
    "b": "rejected:backend",
    "r": "rejected:unknown",
    "?": "inconclusive",
    "n": "not_applicable",
    ".": "not_measured",
}


def atlas_of(cells: Mapping[tuple[str, str, str], str], releases: Sequence[str] = RELEASES) -> Atlas:
    """An atlas of these cells: a letter for each release, by model, endpoint/mode and parameter."""
    return atlas_from({cell: history_of(letters, releases) for cell, letters in cells.items()}, releases)


def atlas_of_one(
    releases: Sequence[str],
    models: Mapping[str, Mapping[str, str]],
    channels: Sequence[str] = (CHANNEL,),
    declared: Mapping[str, Mapping[str, list[str] | None]] | None = None,
) -> Atlas:
    """An atlas of one parameter: by model its history, the same on each channel, and what is declared for it."""
    cells = {(model, channel, PARAMETER): dict(each) for model, each in models.items() for channel in channels}
    atlas = atlas_from(cells, releases)
    for model, each in (declared or {}).items():
        atlas["models"][model]["declared"] = dict(each)
    return atlas


def atlas_from(cells: Mapping[tuple[str, str, str], History], releases: Sequence[str]) -> Atlas:
    """An atlas of these histories, by model, endpoint/mode and parameter."""
    row = {"measured_at": "2026-11-29T00:00:00Z", "cells": 1, "requests": 1, "seconds": 1, "simulated": True}
    newest = releases[-1] if releases else ""
    atlas: Atlas = {
        "schema_version": 1,
        "releases": {release: {**row, "model_list": newest} for release in releases},
        "models": {model: {"route": model.partition("/")[0], "declared": {}} for model, _, _ in cells},
        "cells": {},
    }
    for (model, channel, parameter), history in cells.items():
        atlas["cells"].setdefault(model, {}).setdefault(channel, {})[parameter] = history
    return atlas


def history_of(letters: str, releases: Sequence[str] = RELEASES) -> History:
    """A history from a letter for each release; a state is written where it begins."""
    history, last = {}, "."
    for release, letter in zip(releases, letters, strict=True):
        if letter != last:
            history[release] = STATES[letter]
        last = letter
    return history


#: What may be published of an atlas.
TRUST: Mapping[str, Any] = {
    "schema_version": 1,
    "atlas": "0" * 64,
    "clients": [
        {
            "declarations": declarations,
            "left_out": {
                name: {"right": 1234, "wrong": 5, "silent": 678, "taken": 9012} for name in ("model", "release")
            },
        }
        for declarations in (True, False)
    ],
    "statements": [
        {"how": "undeclared", "count": 3, "models": [1, 8], "releases": [1, 30]},
        {"how": "family", "count": 1234, "models": [2, 2], "releases": [5, 5]},
    ],
}


def fleet_of(*models: str) -> Mapping[str, Any]:
    """A fleet of these models."""
    return {"deployment": [{"name": model} for model in models]}


def request_of(model: str, channel: str, parameter: str) -> Request:
    """What is asked about a cell."""
    endpoint, mode = channel.split("/")
    return Request(model, Endpoint(endpoint), Mode(mode), {"model": model, "asked": parameter})


class Shown:
    """Evidence of each state of an atlas. Answers are long, and say at which release they came."""

    def __init__(self, atlas: Atlas, noise: int = 0) -> None:
        """`noise` characters that cannot be packed are in each answer."""
        self._atlas, self._noise = atlas, noise

    def row(self, release: str, model: str, channel: str, parameter: str) -> Mapping[str, Any] | None:
        """The row of a state, as the archives have it."""
        state = self._atlas["cells"][model][channel][parameter].get(release)
        if state is None or state == "not_measured":
            return None
        digest = request_of(model, channel, parameter).digest
        return {"reason": f"the reason of {state} <b>.", "evidence": ["0" * 16, digest], "roles": ["baseline", "probe"]}

    def exchanges(self, release: str, model: str) -> Mapping[str, Exchange]:
        """The exchange of each of a model's cells."""
        found = {}
        for channel, parameters in self._atlas["cells"][model].items():
            for parameter in parameters:
                request = request_of(model, channel, parameter)
                noise = hashlib.shake_128(f"{release} {request.digest}".encode()).hexdigest(self._noise)
                body = f'{{"from": "{release} of {parameter}", "noise": "{noise}", "long": "{"x" * 600}'.encode()
                found[request.digest] = Exchange(request, Response(status=400, body=body))
        return found
