"""What the atlas page's script draws from: all histories as letters, and a packet for each model. Pure.

A history is a letter for each release. The same history is written once, and cells name it by its number. A packet
holds the reasons of a model's states, deflated and in base64, and for changes also what was asked and answered on
either side. All packets share one allowance: where they take more, those that are largest have less evidence.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.atlas.changes import FATES, NO_ROUTE, Turn, turns_of
from conformance.atlas.history import ABSENT, Atlas, History, spelled_out
from conformance.provider.table.families import family_of, served_from
from conformance.report import legend
from conformance.report.packets import Numbered, packed
from conformance.types import Exchange, Role, Verdict

#: What all packets may take, in characters of base64.
ALLOWANCE = 2_000_000

#: How hard a packet is deflated: the page is made once for a release.
_LEVEL = 9

#: How much of an answer's body is kept, and of a request's, in characters.
ANSWER, REQUEST = 300, 1500

#: Of which changes the exchanges are kept; what fits is tried from the first on.
_DEPTHS: Sequence[frozenset[Turn]] = (frozenset(Turn), frozenset({Turn.BROKE, Turn.SILENCED}), frozenset())

#: Which exchange shows best what became of a parameter.
_BEST = (Role.PROBE, Role.SAME_FIELD, Role.PREREQUISITE, Role.DROPPED)


class Evidence(Protocol):
    """Where reasons and exchanges come from: `archives.Archives`."""

    def row(self, release: str, model: str, channel: str, parameter: str) -> Mapping[str, Any] | None:
        """The reason and the exchanges of a state that began with a release."""

    def exchanges(self, release: str, model: str) -> Mapping[str, Exchange]:
        """A model's exchanges by digest."""


class NoEvidence:
    """There is no evidence."""

    def row(self, release: str, model: str, channel: str, parameter: str) -> Mapping[str, Any] | None:
        """Nothing."""
        return None

    def exchanges(self, release: str, model: str) -> Mapping[str, Exchange]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Axes:
    """The order of all that the page names by numbers."""

    releases: tuple[str, ...]
    models: tuple[str, ...]
    channels: tuple[str, ...]
    parameters: Mapping[str, tuple[str, ...]]  # by channel


def axes_of(atlas: Atlas) -> Axes:
    """The axes of an atlas."""
    parameters: dict[str, dict[str, None]] = {}
    for channels in atlas["cells"].values():
        for channel, each in channels.items():
            parameters.setdefault(channel, {}).update(dict.fromkeys(each))
    return Axes(
        tuple(atlas["releases"]),
        tuple(model for model in atlas["models"] if model in atlas["cells"]),
        tuple(sorted(parameters, key=_whole_first)),
        {channel: tuple(sorted(each)) for channel, each in parameters.items()},
    )


def _whole_first(channel: str) -> tuple[str, bool]:
    """Whole answers are easier to read than streams, so the page shows their evidence first."""
    endpoint, _, mode = channel.partition("/")
    return endpoint, mode == "stream"


def data_of(atlas: Atlas, axes: Axes, evidence: Evidence, allowance: int = ALLOWANCE) -> dict[str, Any]:
    """All that the script draws from."""
    numbered = Numbered()
    cells = [
        [
            [
                numbered.number(letters_of(atlas["cells"][model].get(channel, {}).get(parameter, {}), axes.releases))
                for parameter in axes.parameters[channel]
            ]
            for channel in axes.channels
        ]
        for model in axes.models
    ]
    return {
        "releases": axes.releases,
        "models": [_model(model, atlas["models"][model]["route"]) for model in axes.models],
        "channels": [
            dict(zip(("endpoint", "mode"), channel.split("/"), strict=True), parameters=axes.parameters[channel])
            for channel in axes.channels
        ],
        "verdicts": legend.for_page(),
        "fates": dict(FATES),
        "histories": numbered.values,
        "cells": cells,
        "packets": _packets(atlas, axes, evidence, allowance),
    }


def _model(model: str, route: str | None) -> dict[str, str]:
    served = served_from(model)
    family = family_of(served.upstream if served else model)
    return {"id": model, "route": route or NO_ROUTE, "family": family.name if family else ""}


def letters_of(history: History, releases: Sequence[str]) -> str:
    """A history as a letter for each release."""
    return "".join(map(_letter, spelled_out(history, releases).values()))


def _letter(state: str) -> str:
    if state == ABSENT:
        return legend.ABSENT
    verdict, _, by = state.partition(":")
    letters = legend.SHOWN[Verdict(verdict)].letters
    return letters[by or (None if None in letters else "unknown")]


def _packets(atlas: Atlas, axes: Axes, evidence: Evidence, allowance: int) -> list[str]:
    """A packet for each model. While all take too much, the largest ones lose evidence, a depth at a time."""

    def packet(model: str, kept: frozenset[Turn]) -> str:
        exchanged = _remembering(evidence, model)
        return packed(_packet(model, atlas["cells"][model], axes, evidence, exchanged, kept), _LEVEL)

    packets = {model: packet(model, _DEPTHS[0]) for model in axes.models}
    total = sum(map(len, packets.values()))
    for kept in _DEPTHS[1:]:
        for model in sorted(packets, key=lambda model: -len(packets[model])):
            if total <= allowance:
                break
            total -= len(packets[model])
            packets[model] = packet(model, kept)
            total += len(packets[model])
    return list(packets.values())


def _remembering(evidence: Evidence, model: str) -> Callable[[str], Mapping[str, Exchange]]:
    """A model's exchanges by release; each archive is read once for a packet."""
    return functools.cache(lambda release: evidence.exchanges(release, model))


def _packet(
    model: str,
    channels: Mapping[str, Mapping[str, History]],
    axes: Axes,
    evidence: Evidence,
    exchanged: Callable[[str], Mapping[str, Exchange]],
    kept: frozenset[Turn],
) -> dict[str, Any]:
    """One model's reasons, and the exchanges on either side of the changes that are `kept`."""
    reasons, asked, answers, digests = Numbered(), Numbered(), Numbered(), Numbered()
    rows: list[list[list[list[int]]]] = [[[] for _ in axes.parameters[channel]] for channel in axes.channels]
    for channel, parameters in channels.items():
        for parameter, history in parameters.items():
            turns = list(turns_of(history, axes.releases))
            sides = {release for *both, _ in turns for release in both}
            shown = {release for *both, turn in turns if turn in kept for release in both}
            place = axes.parameters[channel].index(parameter)
            for release in history:
                row = evidence.row(release, model, channel, parameter)
                if row is None:
                    continue
                line = [axes.releases.index(release), reasons.number(row["reason"])]
                if release in sides and (digest := _best(row)):
                    line.append(digests.number(digest))
                    found = exchanged(release).get(digest) if release in shown else None
                    line += [asked.number(_asked(found)), answers.number(_answer(found))] if found else []
                rows[axes.channels.index(channel)][place].append(line)
    return {
        "reasons": reasons.values,
        "asked": asked.values,
        "answers": answers.values,
        "digests": digests.values,
        "rows": rows,
    }


def _best(row: Mapping[str, Any]) -> str | None:
    """The digest of the exchange that shows best what became of a parameter."""
    shown, roles = row["evidence"], row.get("roles") or ()
    by_role = dict(reversed(list(zip(roles, shown, strict=False))))
    return next((by_role[role] for role in _BEST if role in by_role), shown[0] if shown else None)


def _asked(exchange: Exchange) -> tuple[str, int]:
    """A request's body, and how many characters were left out."""
    sent = exchange.request.content.decode("ascii")
    return sent[:REQUEST], max(0, len(sent) - REQUEST)


def _answer(exchange: Exchange) -> tuple[int | None, str, int, str]:
    """An answer's status, the beginning of its body, how many characters were left out, and what broke it."""
    response = exchange.response
    body = response.body.decode("utf-8", "replace")
    return response.status, body[:ANSWER], max(0, len(body) - ANSWER), response.error or ""
