"""The command line: what is no pytest run. `python -m conformance --help` lists it."""

from __future__ import annotations

import sys

import click

from conformance import __version__
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


def main() -> None:
    """Run a command; whatever a user can cause ends as one line and an exit code."""
    try:
        commands()
    except ConformanceError as error:
        click.echo(f"ERROR: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
