"""The gateway to talk to, read from the environment: address, key, and a name to file it under."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from conformance.provider.errors import TargetError

#: Pairs of environment variables, the first whose address is set wins.
ENVIRONMENT = (("LITELLM_BASE_URL", "LITELLM_API_KEY"), ("OPENAI_BASE_URL", "OPENAI_API_KEY"))

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """A gateway's address and key.

    `base_url` has no trailing slash and no `/v1`; `api_key` never shows in a repr.
    """

    base_url: str
    api_key: str = field(repr=False)

    @property
    def name(self) -> str:
        """The host, with the port where it is not the scheme's own: `proxy.example`, `localhost-4000`."""
        return gateway_name(self.base_url)

    @property
    def uses_environment(self) -> bool:
        """Whether the environment's proxies hold for it: none leads to this machine itself."""
        return not re.fullmatch(r"localhost|127(\.\d+){3}|::1", urlsplit(self.base_url).hostname or "")

    def url(self, path: str) -> str:
        """The address of an API path such as `/chat/completions`."""
        return f"{self.base_url}/v1{path}"


def gateway_name(base_url: str) -> str:
    """Name a gateway by its address, for folders and for rules that hold on that gateway only."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").replace(":", "-")
    default_port = _DEFAULT_PORTS.get(parts.scheme)
    return host if parts.port in (None, default_port) else f"{host}-{parts.port}"


def target_from_env(environ: Mapping[str, str] | None = None) -> Target | None:
    """The gateway that the environment names, or None where it names none.

    Raises `TargetError` for an address that is no HTTP address, or one without a key.
    """
    environ = os.environ if environ is None else environ
    for url_name, key_name in ENVIRONMENT:
        if environ.get(url_name, "").strip():
            return make_target(environ[url_name], environ.get(key_name, ""), url_name, key_name)
    return None


def make_target(base_url: str, api_key: str, url_name: str = "base_url", key_name: str = "api_key") -> Target:
    """Check and normalise an address and a key; the names are those of the settings they came from."""
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        raise TargetError(f"{url_name} is not a valid address; write it as https://host[:port][/v1]") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not port_is_number:
        raise TargetError(f"{url_name} is not an HTTP address; write it as https://host[:port][/v1]")
    if parts.username or parts.password:
        raise TargetError(f"{url_name} holds credentials; put the key into {key_name} instead")
    if parts.query or parts.fragment:
        raise TargetError(f"{url_name} holds a query or fragment; write it as https://host[:port][/v1]")
    key = api_key.strip()
    if not key:
        raise TargetError(f"{key_name} is not set; it must hold the key for {url_name}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise TargetError(f"{key_name} holds a character that no HTTP header can carry; check it for stray bytes")
    return Target(url.removesuffix("/v1").rstrip("/"), key)
