"""Take secrets out of everything that is written. Pure; idempotent.

Two nets: the key of this run, in each spelling it may be echoed in, and whatever looks like
somebody's credential.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

REPLACEMENT = "[scrubbed]"
ADDRESS = "[gateway]"

#: Response headers worth keeping as evidence; all others, cookies and spend among them, are left out.
KEPT_HEADERS = re.compile(
    r"content-type|retry-after|x-request-id|server"
    r"|x-litellm-(?:version|model-id|model-name|model-group|model-api-base|attempted-\w+|response-duration-ms)"
    r"|(?:llm_provider-)?(?:retry-after|x-ratelimit-[\w-]+)"
    r"|llm_provider-(?:content-type|x-request-id|server)"
)

#: Of those, the ones whose value names an internal address or differs in every run.
DROPPED_HEADERS = frozenset({"x-litellm-model-api-base", "x-litellm-response-duration-ms"})

#: Shorter keys are the placeholders that local servers ask for (`x`, `none`, `EMPTY`), and ordinary words.
SHORTEST_SECRET = 8

_CREDENTIALS = re.compile(
    r"""
      (?<=Bearer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?:\b|(?<=\\[nrt]))(?:  # a line of JSON text begins behind an escape
          sk-[A-Za-z0-9_-]{8,}
        | dapi[0-9a-f]{16,}
        | (?:AKIA|ASIA)[0-9A-Z]{16}\b
        | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
        | AIza[0-9A-Za-z_-]{30,}
        | ya29\.[0-9A-Za-z_.-]{20,}
        | gsk_[0-9A-Za-z]{20,}
        | xai-[0-9A-Za-z]{20,}
        | hf_[0-9A-Za-z]{20,}
        | gh[oprsu]_[0-9A-Za-z]{20,}
      )
    | (?<=Basic\ )[A-Za-z0-9+/=]{16,}
    | (?<=api-key:\ )[A-Za-z0-9_-]{16,}
    | (?<=Key\ Hash\ \(Token\)\ =)\s*[0-9a-f]{32,}
    """,
    re.VERBOSE,
)


class Scrubber:
    """Takes the secrets it was made with, and anything that looks like one, out of texts."""

    def __init__(self, secrets: Iterable[str] = (), addresses: Iterable[str] = ()) -> None:
        """Scrub these secrets in each spelling they may turn up in; placeholders are passed over.

        `addresses` are taken out of what servers say, but are no secrets.
        """
        self._addresses = tuple(addresses)
        real = (secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
        spellings = {spelling for secret in real for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
        self._own = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """What a server said, without secrets and addresses."""
        for address in self._addresses:
            text = text.replace(address, ADDRESS)
        return self.credentials(text)

    def credentials(self, text: str) -> str:
        """The text without secrets."""
        if self._own is not None:
            text = self._own.sub(REPLACEMENT, text)
        return _CREDENTIALS.sub(REPLACEMENT, text)

    def body(self, body: bytes) -> bytes:
        """The body without secrets; bytes that are no UTF-8 pass through unchanged around them."""
        text = body.decode("utf-8", "surrogateescape")
        cleaned = self.text(text)
        return body if cleaned == text else cleaned.encode("utf-8", "surrogateescape")

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that are evidence, without secrets, by lower-case name."""
        return {
            name: self.text(value)
            for name, value in sorted((name.lower(), value) for name, value in headers.items())
            if KEPT_HEADERS.fullmatch(name) and name not in DROPPED_HEADERS
        }

    def holds_secret(self, text: str) -> bool:
        """True where one of this run's own secrets stands in the text."""
        return self._own is not None and self._own.search(text) is not None


def _spellings(secret: str) -> set[str]:
    """The ways in which an echo may write a secret: as it is, escaped, percent-encoded, in base64."""
    escaped = [secret]
    for _ in range(3):  # JSON inside JSON inside JSON
        escaped.append(json.dumps(escaped[-1])[1:-1])
    return {
        *escaped,
        escaped[1].replace("/", "\\/"),
        quote(secret, safe=""),
        quote_plus(secret),
        *_in_base64(secret.encode()),
    }


def _in_base64(secret: bytes) -> Iterator[str]:
    """A secret in base64: alone, and at each of the three places it can have inside a longer text."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret).decode().rstrip("=")
        for before in range(3):
            text = encode(bytes(before) + secret).decode()
            yield text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]  # what neighbours cannot change
