"""Which gateway is behind the shim, and which headers go to it: from options and the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from conformance.errors import ShimError, TargetError
from conformance.provider.headers import VARIABLE, checked_headers, parse_headers, split_header
from conformance.provider.target import ENVIRONMENT, Target, make_target, target_from_env
from conformance.shim.headers import KEYS, Pairs

_OWN_URL, _OWN_KEY = ENVIRONMENT[0]


@dataclass(frozen=True)
class Upstream:
    """The gateway, the headers that every request gets, and those that one without a key gets."""

    target: Target
    always: Pairs = field(default=(), repr=False)
    own_key: Pairs = field(default=(), repr=False)


def upstream_of(
    environ: Mapping[str, str],
    base_url: str | None = None,
    headers: Sequence[str] = (),
    *,
    use_my_key: bool = False,
    ca_bundle: str | None = None,
) -> Upstream:
    """The gateway that the options or else the environment name.

    A key of the environment, in a variable of its own or among LITELLM_HEADERS, is read only with `use_my_key`, for
    all programs of this machine could use it. Raises `ShimError` where no gateway is named, and `TargetError`.
    """
    given = checked_headers(map(split_header, headers), "--header")
    target = _target(environ, base_url, keyless=not use_my_key)
    if use_my_key and not target.api_key and not any(name.encode() in KEYS for name in target.headers):
        raise ShimError("--use-my-key finds no key; set it in LITELLM_API_KEY")
    theirs = {name: value for name, value in target.headers.items() if name.encode() not in KEYS}
    keys = {name: value for name, value in target.request_headers.items() if name.encode() in KEYS}
    return Upstream(replace(target, ca_bundle=ca_bundle), _pairs(theirs | given), _pairs(keys if use_my_key else {}))


def _target(environ: Mapping[str, str], base_url: str | None, *, keyless: bool) -> Target:
    if base_url is None:
        target = target_from_env(environ, keyless=keyless)
        if target is None:
            raise ShimError(f"no gateway is named; give --base-url, or set {_OWN_URL} (or {ENVIRONMENT[1][0]})")
        return target
    key, text = "" if keyless else environ.get(_OWN_KEY, ""), environ.get(VARIABLE, "")
    target = make_target(base_url, key, "--base-url", _OWN_KEY, headers=parse_headers(text), keyless=True)
    named = environ.get(_OWN_URL, "").strip()
    if (key.strip() or text.strip()) and named and not _same(named, target):
        raise TargetError(
            f"--base-url is another gateway than {_OWN_URL}, whose key and headers are not sent to strangers; "
            f"unset {VARIABLE}, or set {_OWN_URL} instead of giving --base-url"
        )
    return target


def _same(named: str, target: Target) -> bool:
    return make_target(named, "", keyless=True).base_url == target.base_url


def _pairs(headers: Mapping[str, str]) -> Pairs:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def refuse_itself(target: Target, port: int) -> None:
    """Raise `ShimError` where the gateway's address is the shim's own: `OPENAI_BASE_URL` may point there already."""
    if not target.uses_environment and urlsplit(target.base_url).port == port:
        raise ShimError(
            f"{target.base_url} is the shim's own address; name the gateway in --base-url or LITELLM_BASE_URL"
        )
