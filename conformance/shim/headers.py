"""Which headers go on: those of the message, and none of the connection (RFC 9110, section 7.6.1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias
from urllib.parse import quote

from conformance.provider.headers import DROPPED_HEADER

#: Headers as ASGI and httpx have them: names in small letters, one with several values several times.
Pairs: TypeAlias = Sequence[tuple[bytes, bytes]]

DROPPED = DROPPED_HEADER.encode()

#: The headers that hold the key to a gateway.
KEYS = frozenset({b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"x-litellm-api-key"})

#: What belongs to one connection, besides what its `connection` header names. `expect` is answered here.
_HOP = frozenset(
    {b"connection", b"expect", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"}
    | {b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)

#: What the repair can unpack, to read a refusal.
_READABLE = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"})

#: Schemes that stand alone are no key: some clients send them where they have none.
_NO_KEY = frozenset({b"", b"bearer", b"basic"})

_LONGEST_DROPPED = 4000


def end_to_end(headers: Pairs) -> list[tuple[bytes, bytes]]:
    """The headers without those of the connection that they came over."""
    named = {
        each.strip().lower() for name, value in headers if name.lower() == b"connection" for each in value.split(b",")
    }
    return [(name, value) for name, value in headers if (low := name.lower()) not in _HOP and low not in named]


def towards_gateway(headers: Pairs, always: Pairs, own_key: Pairs) -> list[tuple[bytes, bytes]]:
    """A client's headers as the gateway gets them: without the host, and with those that the user has set.

    `always` take the place of the client's; `own_key` is used only where the client sends no key.
    """
    replaced = {name for name, _ in always} | {b"host"}
    kept = [(name, value) for name, value in end_to_end(headers) if name not in replaced]
    if own_key and not _has_key([*kept, *always]):
        kept = [(name, value) for name, value in kept if name not in KEYS] + list(own_key)
    return [*kept, *always]


def towards_client(headers: Pairs, dropped: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """An answer's headers as the client gets them, with a word about what was left out of its request."""
    kept = [(name.lower(), value) for name, value in end_to_end(headers)]
    names = ", ".join(quote(name, safe="!#$&'()*+./:;<=>?@[]^_`{|}~") for name in dropped)
    return [*kept, (DROPPED, names[:_LONGEST_DROPPED].encode())] if names else kept


def as_texts(headers: Pairs) -> dict[str, str]:
    """The headers as the provider has them."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def readable(headers: Pairs) -> list[tuple[bytes, bytes]]:
    """The headers with an `accept-encoding` that asks for nothing the repair cannot unpack; none stays none."""
    return [(name, _readable(value) if name == b"accept-encoding" else value) for name, value in headers]


def _readable(value: bytes) -> bytes:
    tokens = [each.strip() for each in value.split(b",")]
    return b", ".join(each for each in tokens if each.partition(b";")[0].strip().lower() in _READABLE) or b"identity"


def _has_key(headers: Pairs) -> bool:
    return any(name in KEYS and value.strip().lower() not in _NO_KEY for name, value in headers)
