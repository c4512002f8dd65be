"""Which HTTP library there is, and what keeps it from making a client.

httpx and httpx2 are served alike, and neither is needed before a request is sent.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from conformance.provider.errors import ConformanceError, GatewayError


def http_library() -> ModuleType:
    """httpx2 where it is installed, else httpx; raises `ConformanceError` where neither is."""
    for name in ("httpx2", "httpx"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ConformanceError("neither httpx2 nor httpx is installed; install `litellm-conformance[provider]`")


@contextmanager
def usable_proxies() -> Iterator[None]:
    """Make clients within it: where the environment has a proxy that they cannot use, it raises `GatewayError`."""
    try:
        yield
    except Exception as error:
        trouble = _with_a_proxy(error)
        if trouble is None:
            raise
        raise trouble from None


def _with_a_proxy(error: Exception) -> GatewayError | None:
    """The setting that kept a client from being made, or None; its value may hold a password, and is not told."""
    invalid = type(error).__name__ == "InvalidURL"  # httpx and httpx2 each have their own
    if not (invalid or isinstance(error, ImportError | ValueError)):
        return None
    from urllib.request import getproxies  # which both libraries ask, and which takes a while to load

    library, proxies = http_library(), getproxies()
    for scheme in ("http", "https", "all"):
        proxy = proxies.get(scheme)
        if not proxy:
            continue
        name = _variable(f"{scheme}_proxy")
        try:
            library.HTTPTransport(verify=False, proxy=proxy if "://" in proxy else f"http://{proxy}")
        except ImportError:
            install = f"`pip install '{library.__name__}[socks]'`"
            return GatewayError(f"{name} is a SOCKS proxy, which needs another package; {install}, or unset {name}")
        except Exception:
            return GatewayError(f"{name} is no proxy's address; write it as http://host:port, or unset it")
    if invalid and proxies.get("no"):
        return GatewayError(f"{_variable('no_proxy')} has a host that cannot be read; correct it, or unset it")
    return None


def _variable(name: str) -> str:
    """A variable's name as the environment spells it: in small letters it goes before others."""
    spelt = [each for each in os.environ if each.lower() == name and os.environ[each]]
    return name if name in spelt or not spelt else spelt[0]
