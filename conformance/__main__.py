"""The command line: what is no pytest run. `python -m conformance --help` lists it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance import __version__, pi_extension
from conformance.embedded.serve import serve as run_gateway
from conformance.errors import ConformanceError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="litellm-conformance")
def commands() -> None:
    """Measure which request parameters each model behind an LLM gateway supports.

    Measuring is `pytest --live`, replaying is `pytest`; this is the rest.
    """


@commands.command()
@click.option("--litellm-version", metavar="X", help="LiteLLM version to run (default: the pinned one).")
def serve(litellm_version: str | None) -> None:
    """Run the embedded gateway, and print the variables that point a client at it."""
    sys.exit(run_gateway(version=litellm_version))


@commands.group()
def pi() -> None:
    """The extension that shows the Pi coding agent a LiteLLM proxy's models."""


@pi.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Pi's extension folder.")
@click.option("--uninstall", is_flag=True, help="Remove the extension instead.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def install(folder: Path | None, uninstall: bool, dry_run: bool) -> None:
    """Copy the extension to where Pi looks for extensions.

    That is `$PI_CODING_AGENT_DIR/extensions`, or `~/.pi/agent/extensions`, unless `--dir` names
    another folder: `--dir .pi/extensions` installs it for one project.
    """
    act = pi_extension.uninstall if uninstall else pi_extension.install
    click.echo(act(folder, dry_run=dry_run))
    if not uninstall and not dry_run:
        click.echo("set LITELLM_BASE_URL and LITELLM_API_KEY, then check it with: pi --list-models litellm")


def main() -> None:
    """Run a command; whatever a user can cause ends as one line and an exit code."""
    try:
        commands()
    except ConformanceError as error:
        click.echo(f"ERROR: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
