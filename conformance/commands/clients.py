"""Commands around clients: Pi's extension, the captured clients, and what refusals have taught the provider."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance import pi_extension
from conformance.clients.profiles import shipped_profiles
from conformance.errors import ClientError
from conformance.measure.interruption import Interruption
from conformance.provider.repair.learned import Memory
from conformance.report import learnt as learning


@click.group()
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


@click.group()
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


@click.group()
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
