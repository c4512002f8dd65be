"""The command line, for everything that is not a pytest run. `python -m conformance --help` lists it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance import __version__, pi_extension
from conformance.atlas import SHIPPED, feed
from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import require_releases
from conformance.atlas.honesty import OUTCOMES, honesty, shares
from conformance.atlas.rendering import ATLAS_PAGE
from conformance.atlas.rendering import write_page as write_atlas_page
from conformance.cassettes.folder import OWN_RECORDINGS, Folder
from conformance.clients.profiles import shipped_profiles
from conformance.embedded.serve import serve as run_gateway
from conformance.errors import CassetteError, ClientError, ConformanceError, ExportError
from conformance.export.command import Request, export_all, export_one
from conformance.export.making import Wishes
from conformance.matrix.comparison import compare_matrices
from conformance.matrix.document import Matrix
from conformance.measure import merging
from conformance.measure.interruption import Interruption
from conformance.measure.runs import made_in
from conformance.parameters import load_registry
from conformance.provider.repair.learned import Memory
from conformance.report import PAGE, difference
from conformance.report import learnt as learning
from conformance.report.matrix_file import matrix_path, read_matrix
from conformance.report.page import write_page
from conformance.report.shapes import write_all
from conformance.text.counting import counted
from conformance.types import Endpoint


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="litellm-conformance")
def commands() -> None:
    """Measure which request parameters each model behind an LLM gateway supports.

    `pytest --live` measures, and `pytest` replays. These commands do the rest.
    """


@commands.command()
@click.option("--litellm-version", metavar="X", help="LiteLLM version to run (default: the pinned one).")
def serve(litellm_version: str | None) -> None:
    """Run the embedded gateway, and print the variables that point a client at it."""
    sys.exit(run_gateway(version=litellm_version))


@commands.command()
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


@commands.command()
@click.option("--matrix", metavar="FILE", default="reports/matrix.json", help="The matrix (reports/matrix.json).")
@click.option("--cassettes", metavar="DIR", help="The folder of the recordings (cassettes, or beside the matrix).")
@click.option("--baseline", metavar="FILE", help="An older matrix, to show what changed since.")
@click.option("--out", metavar="FILE", help="Where the page goes (index.html beside the matrix).")
@click.option("--allure", is_flag=True, help="Also make Allure's report, beside the page.")
@click.option("--allure-command", metavar="CMD", default="allure", help="The command that runs Allure (allure).")
def report(
    matrix: str, cassettes: str | None, baseline: str | None, out: str | None, allure: bool, allure_command: str
) -> None:
    """Make the compatibility page from a matrix and its recordings, and all other reports."""
    found = read_matrix(matrix)
    older = read_matrix(baseline) if baseline else None
    target = Path(out) if out else matrix_path(matrix).parent / PAGE
    folder = Folder(Path(cassettes) / found["gateway"]["name"]) if cassettes else _recording_of(found, matrix)
    if not folder.path.is_dir():
        click.echo(
            f"no recordings in {folder.path}, so the page has no evidence; name their folder with --cassettes", err=True
        )
    write_page(target, found, folder, baseline=older)
    write_all(found, target.parent)
    click.echo(f"page: {target}")
    if allure:
        # Imported here: pytest and Allure take a fifth of a second.
        from conformance.report.allure.command import REPORT, make_report
        from conformance.report.allure.results import FOLDER

        made = target.parent / REPORT
        make_report(target.parent / FOLDER, made, allure_command)
        click.echo(f"allure: {made}")


def _recording_of(matrix: Matrix, place: str) -> Folder:
    """The recording that a matrix was made from: one that lies beside it, if it is that, else the usual one."""
    beside, usual = (
        Folder(folder / matrix["gateway"]["name"])
        for folder in (matrix_path(place).parent / OWN_RECORDINGS, Path("cassettes"))
    )
    try:
        return beside if made_in(beside.read_gateway(), matrix) else usual
    except CassetteError:
        return usual


@commands.command()
@click.argument("old")
@click.argument("new")
@click.option("--markdown", "form", flag_value="markdown", help="As Markdown that fits a pull request's comment.")
@click.option("--json", "form", flag_value="json", help="As JSON, with every cell.")
def diff(old: str, new: str, form: str | None) -> None:
    """Show what changed between two matrices, or folders that hold one.

    Exit code 0: nothing got worse. 1: something that was safe to send is now rejected. 4: a matrix
    cannot be read.
    """
    comparison = compare_matrices(read_matrix(old), read_matrix(new))
    if form == "json":
        click.echo(json.dumps(comparison.as_json(), indent=1))
    elif form == "markdown":
        click.echo(difference.as_markdown(comparison).encode("utf-8"), nl=False)
    else:
        Console(highlight=False).print(difference.as_renderable(comparison))
    sys.exit(1 if comparison.breaks else 0)


@commands.command()
@click.option("--versions", metavar="LIST", help="LiteLLM releases, separated by commas (the last of each minor one).")
@click.option("--models", metavar="GLOB", help="Only models of the wide fleet that fit, such as 'databricks/*'.")
@click.option("--parameters", "wanted", metavar="LIST", default="core", help="As pytest's --parameters (core).")
@click.option("--again", is_flag=True, help="Also measure releases that the atlas has already.")
@click.option("--into", metavar="DIR", type=click.Path(path_type=Path), help="The atlas to add to (the shipped one).")
def atlas(versions: str | None, models: str | None, wanted: str, again: bool, into: Path | None) -> None:
    """Measure LiteLLM releases over the wide fleet, one after the other, and add each to the atlas.

    A release that is there already is left out. What is stopped goes on where it was. Each release is installed in an
    environment of its own, which is removed again when the release is done.
    """
    # Imported here: it needs the extra `embedded`.
    from conformance.atlas.command import add_releases

    add_releases(versions, models, wanted, into, again=again)


_ATLAS = click.option(
    "--atlas", "place", metavar="DIR", type=click.Path(path_type=Path), help="The atlas to read (the shipped one)."
)


@commands.command("atlas-feed")
@click.option("--release", metavar="X", help="Only what this LiteLLM release changed (all, newest first).")
@_ATLAS
def atlas_feed(release: str | None, place: Path | None) -> None:
    """Print what each LiteLLM release of the atlas changed against the one before it, as Markdown."""
    text = feed.as_markdown(AtlasFolder(place or SHIPPED).read(), release)
    click.echo(text.encode("utf-8"), nl=False)


@commands.command("atlas-page")
@click.option(
    "--out", metavar="FILE", default=ATLAS_PAGE, type=click.Path(path_type=Path), help=f"The page ({ATLAS_PAGE})."
)
@_ATLAS
def atlas_page(out: Path, place: Path | None) -> None:
    """Make the atlas page: one file that shows what each LiteLLM release takes on each route."""
    folder = AtlasFolder(place or SHIPPED)
    size = write_atlas_page(out, folder.read(), Archives(folder.path))
    click.echo(f"page: {out} ({size / 1e6:.2f} MB)")


@commands.command("atlas-honesty")
@_ATLAS
def atlas_honesty(place: Path | None) -> None:
    """Foretell each model, family and release of the atlas from the rest, and count how often that is right."""
    table = Table("left out", "right", "wrong", "silent", "taken", "wrong, of what is taken", box=None)
    measured = AtlasFolder(place or SHIPPED).read()
    require_releases(measured)
    for name, counts in honesty(measured).items():
        table.add_row(name, *(f"{counts[each]:,}" for each in OUTCOMES), f"{shares(counts)['wrong']:.2%}")
    Console(highlight=False).print(table)


@commands.command()
def parameters() -> None:
    """List what --parameters takes: each parameter's id, its group, and its sets."""
    table = Table("id", "group", "sets", box=None)
    for parameter in load_registry().parameters:
        table.add_row(parameter.id, parameter.group, ", ".join(parameter.sets))
    Console(highlight=False).print(table)


@commands.group()
def pi() -> None:
    """The extension that shows the Pi coding agent a LiteLLM proxy's models."""


@pi.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Pi's extension folder.")
@click.option("--uninstall", is_flag=True, help="Remove the extension instead.")
@click.option("--dry-run", is_flag=True, help="Print what the command would do, and do nothing.")
def install(folder: Path | None, uninstall: bool, dry_run: bool) -> None:
    """Copy the extension to where Pi looks for extensions.

    That is `$PI_CODING_AGENT_DIR/extensions`, or `~/.pi/agent/extensions`, unless `--dir` names
    another folder: `--dir .pi/extensions` installs it for one project.
    """
    act = pi_extension.uninstall if uninstall else pi_extension.install
    click.echo(act(folder, dry_run=dry_run))
    if not uninstall and not dry_run:
        click.echo("set LITELLM_BASE_URL and LITELLM_API_KEY, then check it with: pi --list-models litellm")


@commands.group()
def clients() -> None:
    """Real clients, and what each puts on the wire."""


@clients.command("list")
def list_clients() -> None:
    """List what --clients takes: each captured client, its version, the day of its capture, and its endpoints.

    Below that are the ways in which each was run, and what a user sets in the client to get them.
    """
    table = Table("name", "client", "version", "captured", "endpoints", box=None)
    for profile in shipped_profiles()["profiles"]:
        endpoints = ", ".join(dict.fromkeys(request["endpoint"] for request in profile["requests"]))
        table.add_row(profile["client"], profile["title"], profile["version"], profile["captured_at"], endpoints)
    ways = Table("name", "way", "what to set in the client", box=None)
    for profile in shipped_profiles()["profiles"]:
        for way, setup in profile.get("setup", {}).items():
            ways.add_row(profile["client"], way, Text(setup))
    Console(highlight=False).print(table, "", ways)


@clients.command()
@click.option("--only", metavar="NAME", multiple=True, help="Only this client. Repeat it for several.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Where the profiles go (the package's).")
def capture(only: tuple[str, ...], out: Path | None) -> None:
    """Run real clients against a gateway that records them, and renew their profiles.

    Each client is installed once, in an environment of its own in the user's cache folder. A client
    that cannot be installed or run keeps the profile that it had, and is named. Exit code 4 then.
    Ctrl-C and SIGTERM end the client that runs, and keep what was captured. Exit code 2 then.
    """
    # Imported here: it needs the extra `embedded`.
    from conformance.clients.capture import FILE
    from conformance.clients.capture import capture as run_clients

    interruption = Interruption()
    interruption.listen()
    try:
        missed = run_clients(out or FILE, only, click.echo)
    finally:
        interruption.restore()
    if missed:
        raise ClientError(f"not captured: {', '.join(missed)}; the lines above say why")


@commands.group()
def learned() -> None:
    """What refusals have taught the provider on this machine. The provider forgets it after 30 days."""


_GATEWAY = click.option("--gateway", default="*", metavar="GLOB", help="Only gateways whose address or name matches.")
_MODELS = click.option("--models", default="*", metavar="GLOB", help="Only models whose id matches.")


@learned.command("list")
@_GATEWAY
@_MODELS
def list_learned(gateway: str, models: str) -> None:
    """List what was learnt, one line for each parameter."""
    memory = Memory()
    found = learning.selected(memory.entries(), gateway, models)
    for line in learning.lines(found):
        click.echo(line)
    if not found:
        known = (
            "nothing that was learnt matches" if memory.entries() else "nothing was learnt yet, or it cannot be read"
        )
        click.echo(f"{known}; the file is {memory.file}", err=True)


@learned.command()
@_GATEWAY
@_MODELS
def forget(gateway: str, models: str) -> None:
    """Forget what was learnt: all of it, or what matches."""
    memory = Memory()
    count = memory.forget(lambda kind, _: learning.concerns(kind, gateway, models))
    click.echo(f"forgotten: {count} in {memory.file}")


@learned.command()
@_GATEWAY
@_MODELS
@click.option("--report", "form", flag_value="report", help="As Markdown, to send to the gateway's operator.")
def export(gateway: str, models: str, form: str | None) -> None:
    """Print what was learnt as a support table, which LITELLM_SUPPORT_TABLE can name."""
    found = learning.selected(Memory().entries(), gateway, models)
    if form == "report":
        click.echo(learning.as_report(found).encode("utf-8"), nl=False)
    else:
        click.echo(learning.as_json(learning.as_rules(found)))


@commands.command("export")
@click.option("--for", "client", metavar="CLIENT", help="Whose configuration: litellm, pi, opencode, codex and others.")
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
    # Imported here: it loads an HTTP library.
    from conformance.exporting import facts_for

    request = Request(facts_for(**known), Wishes(provider, endpoints, let_through), into, to_write)
    if folder is not None:
        export_all(folder, request, _aside)
    else:
        export_one(str(client), request, click.echo, _aside)


def _aside(line: str) -> None:
    click.echo(line, err=True)


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
