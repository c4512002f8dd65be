"""Badges: how much of what was asked is supported, by a gateway and each model; with how many models a client works.
Pure.

Each is made twice: as an SVG image, and as the JSON that a shields endpoint badge reads.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

import jinja2

from conformance.matrix.document import Matrix, gateway_from, supported_percent
from conformance.report.clients import ClientSummary, summaries
from conformance.report.terminal import printable
from conformance.text.names import cassette_name
from conformance.types import Verdict

#: The gateway's badge; no model's file is called so.
GATEWAY_BADGE = "gateway"

#: The folder of the clients' badges, beside those of models.
CLIENTS = "clients"

#: From how many percent on a badge has a colour, by shields' names and as they look.
_COLOURS = (
    (90, "brightgreen", "#4c1"),
    (75, "green", "#97ca00"),
    (60, "yellowgreen", "#a4a61d"),
    (40, "yellow", "#dfb317"),
    (0, "orange", "#fe7d37"),
)
_UNKNOWN = ("lightgrey", "#9f9f9f")

#: Widths of 11-pixel Verdana in pixels; the image stretches its text to the sum.
_NARROW, _MIDDLE, _WIDE, _DOUBLE = 4, 7, 9, 12


@dataclass(frozen=True, slots=True)
class Badge:
    """What one badge says, left and right. `percent` is how good that is, None where nothing is known."""

    label: str
    message: str
    percent: int | None

    def as_endpoint(self) -> str:
        """The badge as a shields endpoint's JSON."""
        name, _ = _colour(self.percent)
        return json.dumps({"schemaVersion": 1, "label": self.label, "message": self.message, "color": name}) + "\n"

    def as_svg(self) -> str:
        """The badge as an image."""
        _, colour = _colour(self.percent)
        left, right = _width(self.label), _width(self.message)
        return _template().render(badge=self, colour=colour, left=left, right=right)


def badges_of(matrix: Matrix) -> dict[str, Badge]:
    """All badges by their file's name without its ending: the gateway's, each model's, each client's."""
    tallies: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for cell in matrix["cells"]:
        tallies[cell["model"]][Verdict(cell["verdict"])] += 1
    gateway, models = matrix["gateway"], dict.fromkeys(model["id"] for model in matrix["models"])
    told = gateway_from(gateway).release or gateway["name"]
    badges = {GATEWAY_BADGE: _badge(told, sum(tallies.values(), Counter()))}
    for model in models:
        badges[_file_of(model)] = _badge(model, tallies[model])
    for summary in summaries(matrix):
        badges[f"{CLIENTS}/{_file_of(summary.profile['client'])}"] = _client_badge(summary)
    return badges


def _file_of(name: str) -> str:
    return cassette_name(name).removesuffix(".json")


def files_of(matrix: Matrix) -> Iterator[tuple[str, str]]:
    """Each badge's files: name and text."""
    for name, badge in badges_of(matrix).items():
        yield f"{name}.json", badge.as_endpoint()
        yield f"{name}.svg", badge.as_svg()


def _badge(label: str, tally: Mapping[Verdict, int]) -> Badge:
    supported = supported_percent(tally)
    message = "unknown" if supported is None else f"{supported}% supported"
    return Badge(printable(label, 60), message, supported)


def _client_badge(summary: ClientSummary) -> Badge:
    """With how many models a client works. What is not known makes it neither better nor worse."""
    percent = 100 * summary.working // summary.known if summary.known else None
    return Badge(printable(summary.profile["client"], 60), summary.told, percent)


def _colour(percent: int | None) -> tuple[str, str]:
    if percent is None:
        return _UNKNOWN
    return next((name, shown) for least, name, shown in _COLOURS if percent >= least)


def _width(text: str) -> int:
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.east_asian_width(char) in "WF":
        return _DOUBLE
    if char in "fijlrtI.,:;'!|()[]/ -":
        return _NARROW
    return _WIDE if char in "mwMWGOQ%@" else _MIDDLE


@functools.cache
def _template() -> jinja2.Template:
    text = (resources.files(__package__) / "templates" / "badge.svg.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
