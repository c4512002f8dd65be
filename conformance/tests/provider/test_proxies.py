"""Tests of proxies in the environment that no client can use: one line for each, whoever wants to send something."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from conformance.discover.listing import discover
from conformance.errors import ConformanceError, DiscoveryError
from conformance.exchange.sender import Sender
from conformance.parameters import load_registry
from conformance.provider.errors import GatewayError
from conformance.provider.stream.client import client_of
from conformance.provider.target import Target
from conformance.provider.transport import RequestFilter, async_http_client, http_client
from conformance.shim.server import make_shim
from conformance.shim.settings import Upstream
from conformance.tests.helpers.gateways import KEY
from conformance.tests.helpers.listings import each_way, provider

URL = "https://proxy.example"
TARGET = Target(URL, KEY)
PASSWORD = "a-password"

SOCKS = "is a SOCKS proxy, which needs another package"
NONE = "is no proxy's address; write it as http://host:port, or unset it"
PROXIES: dict[str, tuple[dict[str, str], str]] = {
    "socks": ({"ALL_PROXY": f"socks5://u:{PASSWORD}@127.0.0.1:1080"}, f"^ALL_PROXY {SOCKS}"),
    "another scheme": ({"HTTPS_PROXY": f"ftp://u:{PASSWORD}@x"}, f"^HTTPS_PROXY {NONE}$"),
    "small letters": ({"http_proxy": f"http://u:{PASSWORD}@[::1"}, f"^http_proxy {NONE}$"),
    "a port that is none": ({"HTTP_PROXY": f"u:{PASSWORD}@x:port"}, f"^HTTP_PROXY {NONE}$"),
    "one of two": ({"HTTP_PROXY": "http://x", "ALL_PROXY": "ftp://x"}, f"^ALL_PROXY {NONE}$"),
}
each_proxy = pytest.mark.parametrize("case", PROXIES)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the surrounding environment, and nothing that speaks SOCKS."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(sys.modules, "socksio", None)


def words_for(case: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a case's proxies into the environment; returns what has to be said of them."""
    environ, words = PROXIES[case]
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return words


async def _open() -> None:
    async with Sender(TARGET, load_registry().paths, 1).open():
        pass


CLIENTS: dict[str, Callable[[], object]] = {
    "httpx": lambda: http_client(RequestFilter(), library=httpx),
    "httpx2": lambda: http_client(RequestFilter(), library=httpx2),
    "httpx, async": lambda: async_http_client(RequestFilter(), library=httpx),
    "httpx2, async": lambda: async_http_client(RequestFilter(), library=httpx2),
    "a stream": lambda: client_of(TARGET, RequestFilter()),
    "a live run": lambda: asyncio.run(_open()),
    "the shim": lambda: make_shim(Upstream(TARGET), print),
}


@each_way
@each_proxy
def test_the_list_of_models(case: str, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a proxy that cannot be used, when a provider asks for models, then one line names its variable."""
    with pytest.raises(GatewayError, match=words_for(case, monkeypatch)) as caught:
        ask(provider(URL, tmp_path))

    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@each_proxy
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_every_client(case: str, client: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a proxy that cannot be used, when a client is made, then one line names its variable."""
    with pytest.raises(ConformanceError, match=words_for(case, monkeypatch)) as caught:
        client()

    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@each_proxy
def test_discovery(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a proxy that cannot be used, when a run asks what there is to measure, then one line names its variable."""
    with pytest.raises(DiscoveryError, match=words_for(case, monkeypatch)):
        discover(TARGET)


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a SOCKS proxy, when a client cannot be made, then the line tells what to install."""
    words_for("socks", monkeypatch)
    with pytest.raises(GatewayError, match=r"; `pip install 'httpx2?\[socks\]'`, or unset ALL_PROXY$"):
        http_client(RequestFilter())


def test_an_exception_from_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a host in NO_PROXY that cannot be read, when a client is made, then one line names that variable."""
    monkeypatch.setenv("NO_PROXY", "localhost,a:b")
    with pytest.raises(GatewayError, match=r"^NO_PROXY has a host that cannot be read; correct it, or unset it$"):
        http_client(RequestFilter(), library=httpx)


def test_an_option_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no proxy in the environment, when an option is wrong, then the library says so itself."""
    with pytest.raises(ValueError, match="Unknown scheme"):
        http_client(RequestFilter(), library=httpx, proxy="ftp://x")


def test_this_machine_needs_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a proxy that cannot be used, when the gateway is on this machine, then it is asked all the same."""
    words_for("socks", monkeypatch)
    with pytest.raises(GatewayError, match="connection refused"):
        provider("http://127.0.0.1:1", tmp_path).models()
