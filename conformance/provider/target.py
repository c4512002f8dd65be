"""The gateway to talk to, read from the environment: address, key, further headers, and a name to file it under."""

from __future__ import annotations

import ipaddress
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from conformance.provider.errors import TargetError
from conformance.provider.headers import VARIABLE, checked_headers, parse_headers, secrets_in, split_header
from conformance.provider.tls import verification

#: Pairs of environment variables, the first whose address is set wins.
ENVIRONMENT = (("LITELLM_BASE_URL", "LITELLM_API_KEY"), ("OPENAI_BASE_URL", "OPENAI_API_KEY"))

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """A gateway's address, its key, and the headers that it wants besides, by lower-case name.

    `base_url` has no trailing slash and no `/v1`. `api_key` and `headers` never show in a repr; the key is empty where
    headers alone open the gateway. `ca_bundle` names the certificates to trust in place of the public ones.
    """

    base_url: str
    api_key: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    ca_bundle: str | None = None

    @property
    def request_headers(self) -> dict[str, str]:
        """What opens the gateway: the key as Bearer, unless a header takes its place, and the headers."""
        bearer = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return bearer | dict(self.headers)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that nobody may be told: the key, and what the headers hold."""
        return tuple(dict.fromkeys(each for each in (self.api_key, *secrets_in(self.headers)) if each))

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


def target_from_env(
    environ: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None, keyless: bool = False
) -> Target | None:
    """The gateway that the environment names, or None where it names none; `headers` go before its own.

    `keyless` leaves the key unread: for who passes on the keys of others. `LITELLM_HEADERS` belongs to
    `LITELLM_BASE_URL`, as the key does: no secret goes to a stranger. Raises `TargetError` for an address that is no
    HTTP address, one without a key or headers, and malformed headers.
    """
    environ = os.environ if environ is None else environ
    (own, _), *_ = ENVIRONMENT
    for url_name, key_name in ENVIRONMENT:
        if environ.get(url_name, "").strip():
            text = environ.get(VARIABLE, "")
            if text.strip() and url_name != own:
                raise TargetError(f"{VARIABLE} is set, and {own} is not; set {own} to the gateway of these headers")
            every = parse_headers(text) | dict(headers or {})
            key = "" if keyless else environ.get(key_name, "")
            return make_target(environ[url_name], key, url_name, key_name, headers=every, keyless=keyless)
    return None


def target_from_options(headers: Iterable[str], ca_bundle: str | None) -> Target | None:
    """The gateway that the environment names, with what `--header` and `--ca-bundle` say besides; None without one.

    Raises `TargetError` as `target_from_env` does, for headers without a gateway, and for certificates that cannot
    be read.
    """
    more = checked_headers(map(split_header, headers), "--header")
    target = target_from_env(headers=more)
    if target is None:
        if more:
            raise TargetError("--header is for a gateway of your own; name it in LITELLM_BASE_URL")
        return None
    verification(ca_bundle)
    return replace(target, ca_bundle=ca_bundle)


def make_target(
    base_url: str,
    api_key: str,
    url_name: str = "base_url",
    key_name: str = "api_key",
    *,
    headers: Mapping[str, str] | None = None,
    keyless: bool = False,
) -> Target:
    """Check and normalise an address, a key and headers; the names are those of the settings they came from.

    With `keyless`, nothing has to open the gateway. Raises `TargetError`.
    """
    checked = checked_headers((headers or {}).items(), "headers")
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        parts = None
    if parts is None or not url.isprintable():
        raise TargetError(f"{url_name} is not a valid address; write it as https://host[:port][/v1]")
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not port_is_number:
        raise TargetError(f"{url_name} is not an HTTP address; write it as https://host[:port][/v1]")
    if parts.username or parts.password:
        raise TargetError(f"{url_name} holds credentials; put the key into {key_name} instead")
    if not _can_be(parts.hostname, literal=parts.netloc.rpartition("@")[2].startswith("[")):
        raise TargetError(f"{url_name} names a host that cannot be; check it, and write it as https://host[:port][/v1]")
    if parts.query or parts.fragment:
        raise TargetError(f"{url_name} holds a query or fragment; write it as https://host[:port][/v1]")
    key = api_key.strip()
    if not key and not checked and not keyless:
        raise TargetError(f"{key_name} is not set; it must hold the key for {url_name}")
    if key and (not key.isascii() or not key.isprintable() or " " in key):
        raise TargetError(f"{key_name} holds a character that an HTTP header cannot carry; check it for stray bytes")
    return Target(url.removesuffix("/v1").rstrip("/"), key, checked)


def _can_be(host: str, *, literal: bool) -> bool:
    """Whether a host can be found; `literal` is an address in brackets. Names may have `_`: those of containers do."""
    try:
        if literal:
            return bool(ipaddress.IPv6Address(host))
        if re.fullmatch(r"\d+(\.\d+){3}", host):
            return bool(ipaddress.IPv4Address(host))
        host.encode("idna")  # as whoever connects does it
    except ValueError:
        return False
    return all(sign.isalnum() or sign in "-._" or unicodedata.category(sign).startswith("M") for sign in host)
