"""Commands of the atlas: measure releases, and show what they changed."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from conformance.atlas import SHIPPED, feed
from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import require_releases
from conformance.atlas.honesty import OUTCOMES, honesty, shares
from conformance.atlas.published import published
from conformance.atlas.rendering import ATLAS_PAGE
from conformance.atlas.rendering import write_page as write_atlas_page


@click.command()
@click.option("--versions", metavar="LIST", help="LiteLLM releases, separated by commas (the last of each minor one).")
@click.option("--models", metavar="GLOB", help="Only models of the wide fleet that fit, such as 'databricks/*'.")
@click.option("--parameters", "wanted", metavar="LIST", default="core", help="As pytest's --parameters (core).")
@click.option("--again", is_flag=True, help="Also measure releases that the atlas has already.")
@click.option("--todays-list", is_flag=True, help="Also measure again what the newest list of models describes anew.")
@click.option("--into", metavar="DIR", type=click.Path(path_type=Path), help="The atlas to add to (the shipped one).")
def atlas(
    versions: str | None, models: str | None, wanted: str, again: bool, todays_list: bool, into: Path | None
) -> None:
    """Measure LiteLLM releases over the wide fleet, one after the other, and add each to the atlas.

    A release that is there already is left out. What is stopped goes on where it was. Each release is installed in an
    environment of its own, which is removed again when the release is done.
    """
    # Imported here: it needs the extra `embedded`.
    from conformance.atlas.command import add_releases

    if todays_list and models:
        raise click.UsageError("--todays-list is about all models of a release; leave --models out")
    add_releases(versions, models, wanted, into, again=again, todays_list=todays_list)


_ATLAS = click.option(
    "--atlas", "place", metavar="DIR", type=click.Path(path_type=Path), help="The atlas to read (the shipped one)."
)


@click.command("atlas-feed")
@click.option("--release", metavar="X", help="Only what this LiteLLM release changed (all, newest first).")
@_ATLAS
def atlas_feed(release: str | None, place: Path | None) -> None:
    """Print what each LiteLLM release of the atlas changed against the one before it, as Markdown."""
    text = feed.as_markdown(AtlasFolder(place or SHIPPED).read(), release)
    click.echo(text.encode("utf-8"), nl=False)


@click.command("atlas-page")
@click.option(
    "--out", metavar="FILE", default=ATLAS_PAGE, type=click.Path(path_type=Path), help=f"The page ({ATLAS_PAGE})."
)
@_ATLAS
def atlas_page(out: Path, place: Path | None) -> None:
    """Make the atlas page: one file that shows what each LiteLLM release takes on each route."""
    folder = AtlasFolder(place or SHIPPED)
    size = write_atlas_page(out, folder.read(), Archives(folder.path), published(folder))
    click.echo(f"page: {out} ({size / 1e6:.2f} MB)")


@click.command("atlas-honesty")
@_ATLAS
def atlas_honesty(place: Path | None) -> None:
    """Foretell each model, family and release of the atlas from the rest, and count how often that is right."""
    measured, console = AtlasFolder(place or SHIPPED).read(), Console(highlight=False)
    require_releases(measured)
    for declarations, whose in ((True, "a client that may read"), (False, "a client that may not read")):
        table = Table("left out", *OUTCOMES, "wrong, of what is taken", "foretold, of what is refused", box=None)
        for name, counts in honesty(measured, declarations=declarations).items():
            shown = (f"{shares(counts)[each]:.2%}" for each in ("wrong", "foretold"))
            table.add_row(name, *(f"{counts[each]:,}" for each in OUTCOMES), *shown)
        console.print(f"{whose} what the gateway declares:", table, sep="\n")
