"""Runs the shim: the client that it sends through, the server that listens, and their end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from conformance.embedded.loopback import Server
from conformance.exchange.receiving import set_location_aside
from conformance.provider.models.fetching import CONNECT_SECONDS
from conformance.provider.repair import RepairMode
from conformance.provider.table.layers import Table
from conformance.provider.tls import verification
from conformance.provider.transport import async_http_client
from conformance.provider.transport.request_filter import RequestFilter
from conformance.shim.app import Shim
from conformance.shim.headers import as_texts
from conformance.shim.lists import Lists
from conformance.shim.settings import Upstream
from conformance.shim.telling import Telling

#: Seconds for which a connection is kept that nobody uses: of clients as long as they like, and of the gateway a little
#: less than servers do by default, so that no request meets a connection that is just being closed.
_KEPT_FOR_CLIENTS, _KEPT_TO_GATEWAY = 600, 4.0

#: Connections to the gateway that are kept for the next request. httpcore looks at each of them for each request: with
#: 64, a request costs half as much again.
_KEPT = 16


class _Server(Server):
    """A server whose end waits for nobody: streams that run are broken off."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End every connection and what is done for it."""
        for server in self.servers:
            server.close()
        for connection in [*self.server_state.connections]:
            connection.transport.abort()
        waiting = [*self.server_state.tasks]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def make_shim(
    upstream: Upstream,
    say: Callable[[str], None],
    *,
    table: Table | None = None,
    repair: RepairMode | None = None,
    asks_lists: bool = True,
) -> Shim:
    """The application for a gateway. `say` takes a line for the terminal. With `asks_lists` it asks the gateway for its
    models, with each client's key.

    Raises `ConformanceError` for a table, a repair mode, certificates or a proxy that cannot be used.
    """
    telling, target = Telling(say), upstream.target
    rules = RequestFilter(
        table=table, base_url=target.base_url, repair=repair, on_drop=telling.dropped, on_repair=telling.repaired
    )
    client = async_http_client(
        rules,
        library=httpx,
        verify=verification(target.ca_bundle),
        trust_env=target.uses_environment,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_keepalive_connections=_KEPT, keepalive_expiry=_KEPT_TO_GATEWAY),
        follow_redirects=False,
        event_hooks={"response": [set_location_aside]},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # a cookie is its client's alone
    )
    keyless = replace(target, api_key="", headers=as_texts(upstream.always))
    lists = Lists(keyless, rules.whereabouts) if asks_lists else None
    return Shim(target.base_url, client, rules, telling, upstream.always, upstream.own_key, lists)


def server_of(shim: Shim) -> Server:
    """A server for the application; nothing of a request is logged, and no header of its own is added."""
    return _Server(
        shim,
        http="h11",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEPT_FOR_CLIENTS,
    )


async def run(shim: Shim, server: Server, listener: socket.socket) -> None:
    """Serve until the server is told to end."""
    async with shim.client:
        await server.serve(sockets=[listener])
