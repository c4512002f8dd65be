"""Commands around a measurement: the embedded gateway, merging, and what can be asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from conformance.embedded.serve import serve as run_gateway
from conformance.measure import merging
from conformance.parameters import load_registry
from conformance.text.counting import counted


@click.command()
@click.option("--litellm-version", metavar="X", help="LiteLLM version to run (default: the pinned one).")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="The port (default: a free one).")
def serve(litellm_version: str | None, port: int) -> None:
    """Run the embedded gateway, and print the variables that point a client at it.

    The key is a new one each time. A port of your own keeps the address, and so the name of recordings.
    """
    sys.exit(run_gateway(version=litellm_version, port=port))


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--into", required=True, type=click.Path(path_type=Path), help="The folder to make, such as cassettes/NAME."
)
@click.option("--partial", is_flag=True, help="Merge even if models or cells are missing. The result says so.")
def merge(folders: tuple[Path, ...], into: Path, partial: bool) -> None:
    """Join the recordings of several machines, each made with `pytest --live --shard I/N`.

    FOLDERS are the folders that hold a gateway.json, such as `shard-1/cassettes/proxy.example`.
    """
    merged = merging.merge(folders, into, partial=partial)
    run = merged.matrix["run"]
    click.echo(
        f"{counted(merged.recordings, 'recording')}, {counted(merged.models, 'model')}, "
        f"{counted(len(merged.matrix['cells']), 'cell')}, "
        f"complete: {'true' if run['complete'] else 'false'}"
    )
    click.echo(f"merged: {into}; judge it with: pytest --gateway={into.name} --cassettes={into.parent}")


@click.command()
def parameters() -> None:
    """List what --parameters takes: each parameter's id, its group, and its sets."""
    table = Table("id", "group", "sets", box=None)
    for parameter in load_registry().parameters:
        table.add_row(parameter.id, parameter.group, ", ".join(parameter.sets))
    Console(highlight=False).print(table)
