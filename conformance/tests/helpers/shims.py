"""A shim on a free port of this process, before whatever a test takes for a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from conformance.provider.repair import RepairMode
from conformance.provider.table import SupportTable
from conformance.shim.command import listening
from conformance.shim.server import make_shim, run, server_of
from conformance.shim.settings import upstream_of
from conformance.tests.helpers.mending import NOTHING


@dataclass
class RunningShim:
    """Where it is, and what it has told the terminal."""

    base_url: str
    said: list[str] = field(default_factory=list)


@contextlib.contextmanager
def shim_before(
    base_url: str,
    *,
    table: SupportTable = NOTHING,
    repair: RepairMode | None = None,
    headers: tuple[str, ...] = (),
    ca_bundle: str | None = None,
    key: str | None = None,
    asks_lists: bool = False,
) -> Iterator[RunningShim]:
    """Run a shim for as long as the block runs; with `key`, clients without one use this one.

    Unless it `asks_lists`, the gateway gets clients' requests and no others.
    """
    environ: Mapping[str, str] = {} if key is None else {"LITELLM_API_KEY": key}
    upstream = upstream_of(environ, base_url, headers, use_my_key=key is not None, ca_bundle=ca_bundle)
    running = RunningShim("")
    made = make_shim(upstream, running.said.append, table=table, repair=repair, asks_lists=asks_lists)
    server = server_of(made)
    with listening(0) as listener:
        running.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=lambda: asyncio.run(run(made, server, listener)), daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.end()
            thread.join(10)
            assert not thread.is_alive(), "the shim did not end"
