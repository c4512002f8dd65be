"""The command line, for everything that is not a pytest run. `python -m conformance --help` lists it."""

from __future__ import annotations

import io
import sys

import click

from conformance import __version__
from conformance.commands import atlas, clients, export, measuring, reporting
from conformance.errors import ConformanceError
from conformance.shim.command import shim

#: Click has 2, which says here that a run can go on.
click.UsageError.exit_code = ConformanceError.exit_code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="litellm-conformance")
def commands() -> None:
    """Measure which request parameters each model behind an LLM gateway supports.

    `pytest --live` measures, and `pytest` replays. These commands do the rest.
    """


for _command in (
    *(measuring.serve, measuring.merge, measuring.parameters),
    *(reporting.report, reporting.reproduce, reporting.diff),
    *(atlas.atlas, atlas.atlas_feed, atlas.atlas_page, atlas.atlas_honesty),
    *(clients.pi, clients.clients, clients.learned, export.export_settings, shim),
):
    commands.add_command(_command)


def main() -> None:
    """Run a command; whatever a user can cause ends as one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs shows question marks
    try:
        commands()
    except ConformanceError as error:
        click.echo(f"ERROR: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
