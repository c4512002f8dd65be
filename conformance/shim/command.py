"""`python -m conformance shim`: run the shim until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
from pathlib import Path
from typing import Any

import click

from conformance.errors import ShimError

_HOST = "127.0.0.1"
_PORT = 4100
_EXTRA = ("httpx", "starlette", "uvicorn")


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=_PORT, help=f"The port; 0 takes a free one ({_PORT}).")
@click.option("--base-url", metavar="URL", help="The gateway, with or without /v1 (LITELLM_BASE_URL, OPENAI_BASE_URL).")
@click.option("--table", metavar="FILE", type=click.Path(path_type=Path), help="Your table, over the shipped one.")
@click.option("--repair", type=click.Choice(["named", "search", "off"]), help="What is mended (named).")
@click.option("--header", metavar="'NAME: VALUE'", multiple=True, help="Send this with every request. Repeat it.")
@click.option("--ca-bundle", metavar="FILE", help="Trust the certificates in this PEM file, not the public ones.")
@click.option("--use-my-key", is_flag=True, help="Send LITELLM_API_KEY where a client sends no key.")
def shim(port: int, base_url: str | None, table: Path | None, repair: Any, use_my_key: bool, **options: Any) -> None:
    """Filter and mend between any client and a gateway, on 127.0.0.1.

    Clients keep their own keys. It prints the variables that point them at it, and passes on every request. It leaves
    out what a model refuses, and says so once, here and in an answer's header. No web page can use it.
    """
    require_extra()
    # Imported here: they need the extra `shim`, and take a tenth of a second.
    from conformance.shim.server import make_shim, run, server_of
    from conformance.shim.settings import refuse_itself, upstream_of

    upstream = upstream_of(
        os.environ, base_url, options["header"], use_my_key=use_my_key, ca_bundle=options["ca_bundle"]
    )
    made = make_shim(upstream, _say, table=table, repair=repair)
    with listening(port) as listener:
        own = listener.getsockname()[1]
        refuse_itself(upstream.target, own)
        click.echo(f"export OPENAI_BASE_URL=http://{_HOST}:{own}/v1")
        click.echo(f"export ANTHROPIC_BASE_URL=http://{_HOST}:{own}")
        _say(f"passing on to {upstream.target.base_url}; Ctrl-C stops it")
        with contextlib.suppress(KeyboardInterrupt):  # which comes before the server listens to signals
            asyncio.run(run(made, server_of(made), listener))


def require_extra() -> None:
    """Raise `ShimError` unless everything in the extra `shim` is installed."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ShimError(
            f"the shim needs {', '.join(missing)}, which is not installed; "
            "install it with: pip install 'litellm-conformance[shim]'"
        )


def listening(port: int) -> socket.socket:
    """A socket that listens on loopback. Raises `ShimError` where the port cannot be had."""
    from conformance.embedded.loopback import listener  # it needs the extra `shim`

    try:
        return listener(port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)  # for Python adds the address to the words
        raise ShimError(f"port {port} cannot be used ({why}); give another one with --port") from None


def _say(line: str) -> None:
    """Tell the terminal; one that is gone breaks no request."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(line, err=True)
