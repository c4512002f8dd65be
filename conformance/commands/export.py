"""The command that writes what was measured as the configuration of a client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conformance.errors import ExportError
from conformance.export.clients import load_clients
from conformance.export.command import Request, export_all, export_one
from conformance.export.making import Wishes, client_named
from conformance.types import Endpoint


@click.command("export")
@click.option("--for", "client", metavar="CLIENT", help=f"Whose configuration: {', '.join(load_clients())}.")
@click.option("--all", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Every client's, into a folder.")
@click.option("--matrix", metavar="FILE", help="The matrix (reports/matrix.json, if it is there).")
@click.option("--table", metavar="FILE", help="A support table instead; its rules come before the shipped ones.")
@click.option("--base-url", metavar="URL", help="The gateway (LITELLM_BASE_URL). Its key: LITELLM_API_KEY.")
@click.option("--models", metavar="GLOB", multiple=True, help="Only models whose id fits. Repeat it for several.")
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    type=click.Choice([each.value for each in Endpoint]),
    help="Only this endpoint. Repeat it for several (all that the client speaks).",
)
@click.option("--provider", default="litellm", metavar="NAME", help="What clients call the gateway (litellm).")
@click.option("--let-through", is_flag=True, help="LiteLLM: let through what LiteLLM itself refuses.")
@click.option("--into", metavar="FILE", type=click.Path(path_type=Path), help="The file to merge into (the usual one).")
@click.option(
    "--write", "to_write", is_flag=True, help="Write the file, after a copy of it; else only show the result."
)
def export_settings(
    client: str | None,
    folder: Path | None,
    provider: str,
    endpoints: tuple[str, ...],
    into: Path | None,
    *,
    let_through: bool,
    to_write: bool,
    **known: Any,
) -> None:
    """Write what was measured as the configuration of LiteLLM, or of a client: each model with what it takes.

    A file that is there is merged into: its comments stay, and nothing of it is removed. Without --write, the result
    is shown, and what changes in the file. docs/export.md says what each client can be set to.
    """
    if (client is None) is (folder is None):
        raise ExportError("name one client with --for, or a folder for all with --all")
    if client is not None:
        client_named(client)  # a wrong name is told before anything is read
    if folder is not None and into is not None:
        raise ExportError("--all writes into its folder, and --into names one client's file; leave one out")
    if let_through and client not in (None, "litellm"):
        raise ExportError(
            "--let-through is for LiteLLM's own configuration; use it with --for litellm, or leave it out"
        )
    if not provider.strip() or not provider.isprintable():
        raise ExportError("--provider is empty, or cannot be shown; name the gateway as clients are to call it")
    # Imported here: it loads an HTTP library.
    from conformance.exporting import facts_for

    request = Request(facts_for(**known), Wishes(provider, endpoints, let_through), into, to_write)
    if folder is not None:
        export_all(folder, request, _aside)
    else:
        export_one(str(client), request, click.echo, _aside)


def _aside(line: str) -> None:
    click.echo(line, err=True)
