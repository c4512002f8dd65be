"""The atlas page: one self-contained HTML file, made as the compatibility page is, with its style and its bundler."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from conformance import __version__
from conformance.atlas import feed, list_changes, packing
from conformance.atlas.changes import comparisons
from conformance.atlas.history import Atlas, histories, require_releases
from conformance.atlas.honesty import OUTCOMES, shares
from conformance.atlas.published import Published
from conformance.errors import AtlasError
from conformance.files import write_atomically
from conformance.report import legend
from conformance.report.bundling import bundle
from conformance.report.templating import environment, policy_source

#: Where the page goes.
ATLAS_PAGE = "reports/atlas.html"

#: The compatibility page's modules that know nothing of its data, and so serve this page too.
SHARED = frozenset({"elements.js", "packets.js", "showing.js", "text.js", "theme.js"})


#: What a kind of statements is about.
ABOUT = {
    "undeclared": "models for which LiteLLM does not declare the parameter",
    "measured": "one model on its route",
    "family": "a family’s versions on a route",
    "route": "all models of a route",
}


def write_page(path: Path, atlas: Atlas, evidence: packing.Evidence, trust: Published | None = None) -> int:
    """Write the page of an atlas. Returns its size in bytes. Raises `AtlasError` where it cannot be written."""
    text = render_page(atlas, evidence, trust=trust)
    try:
        write_atomically(path, text)
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror}); name another place for it") from None
    return len(text.encode("utf-8"))


def render_page(
    atlas: Atlas,
    evidence: packing.Evidence | None = None,
    *,
    allowance: int = packing.ALLOWANCE,
    trust: Published | None = None,
) -> str:
    """The page as text; without `evidence` it holds none, and without `trust` nothing of how far it can be trusted.

    Raises `AtlasError` for an empty atlas.
    """
    require_releases(atlas)
    axes = packing.axes_of(atlas)
    style, script = _style(), _script()
    return (
        environment(_asset)
        .get_template("atlas.html.j2")
        .render(
            version=__version__,
            style=Markup(style),  # noqa: S704  the project's own file
            script=Markup(script),  # noqa: S704
            style_hash=policy_source(style),
            script_hash=policy_source(script),
            data=packing.data_of(atlas, axes, evidence or packing.NoEvidence(), allowance),
            facts=_facts(atlas, axes),
            simulated=any(row["simulated"] for row in atlas["releases"].values()),
            lists=list_changes.told(atlas),
            newest=axes.releases[-1],
            comparisons=comparisons(atlas),
            headline=feed.headline,
            titles=feed.TITLES,
            shown=feed.SHOWN,
            endpoint_of=feed.endpoint_of,
            share_of=feed.share_of,
            change_of=feed.change_of,
            left_out=feed.left_out,
            verdicts=legend.SHOWN,
            trust=trust,
            shares=shares,
            outcomes=OUTCOMES,
            about=ABOUT,
            answer=packing.ANSWER,
        )
    )


def _facts(atlas: Atlas, axes: packing.Axes) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = list(atlas["releases"].values())
    routes = {row["route"] for row in atlas["models"].values()}
    first, last = axes.releases[0], axes.releases[-1]
    return [
        ("LiteLLM releases", f"{len(axes.releases)}: {first} to {last}" if first != last else first),
        ("Routes", f"{len(routes):,}"),
        ("Models", f"{len(axes.models):,}"),
        ("Cells of each release", f"{sum(1 for _ in histories(atlas)):,}"),
        ("Last measured", max(row["measured_at"] for row in rows)[:10]),
    ]


def _asset(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


def _shared(name: str) -> str:
    return (resources.files("conformance.report") / "templates" / name).read_text(encoding="utf-8")


@functools.cache
def _style() -> str:
    return _shared("page.css") + _asset("atlas.css")


@functools.cache
def _script() -> str:
    return bundle(lambda name: _shared(f"page/{name}") if name in SHARED else _asset(name))
