"""Take secrets out of everything that is written. Pure; idempotent.

Three nets: the key of this run, in each spelling it may be echoed in; whatever looks like somebody's
credential, by its form or by the name before it; and addresses that only a private network knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from conformance.secrets.spellings import spellings
from conformance.secrets.split import without_split

REPLACEMENT = "[scrubbed]"
ADDRESS = "[gateway]"
INTERNAL = "[internal]"

#: Response headers worth keeping as evidence; all others, cookies and spend among them, are left out.
KEPT_HEADERS = re.compile(
    r"content-type|retry-after|x-request-id|server|location"  # of a redirect, without its query
    r"|x-litellm-(?:version|model-id|model-name|model-group|model-api-base|attempted-\w+|response-duration-ms)"
    r"|(?:llm_provider-)?(?:retry-after|x-ratelimit-[\w-]+)"
    r"|llm_provider-(?:content-type|x-request-id|server)"
)

#: Of those, the ones whose value names an internal address or differs in every run.
DROPPED_HEADERS = frozenset({"x-litellm-model-api-base", "x-litellm-response-duration-ms"})

#: Shorter keys are the placeholders that local servers ask for (`x`, `none`, `EMPTY`), and ordinary words.
SHORTEST_SECRET = 8

#: Credentials that are told by their form. A run that failed to fit must not be searched again from its middle:
#: that would take time quadratic in its length.
_CREDENTIALS = re.compile(
    r"""
      (?<=[Bb]earer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?:\b|(?<=\\[nrt]))(?:  # a line of JSON text begins behind an escape
          sk-[A-Za-z0-9_-]{8,}
        | dapi[0-9a-f]{16,}
        | (?:AKIA|ASIA)[0-9A-Z]{16}\b
        | AIza[0-9A-Za-z_-]{30,}
        | ya29\.[0-9A-Za-z_.-]{20,}
        | gsk_[0-9A-Za-z]{20,}
        | xai-[0-9A-Za-z]{20,}
        | hf_[0-9A-Za-z]{20,}
        | gh[oprsu]_[0-9A-Za-z]{20,}
      )
    | (?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | (?<=[Bb]asic\ )[A-Za-z0-9+/=]{16,}
    | (?<=Key\ Hash\ \(Token\)\ =)\s{0,9}[0-9a-f]{32,}
    """,
    re.VERBOSE,
)

#: What a text must hold, for such a credential to stand in it: a look for these is many times faster than the search.
_CREDENTIAL_SIGNS = (
    *("sk-", "dapi", "eyJ", "earer ", "asic ", "AKIA", "ASIA", "AIza", "ya29.", "gsk_", "xai-", "hf_", "Key Hash"),
    *("gho_", "ghp_", "ghr_", "ghs_", "ghu_"),
)

#: Between a name and its value, in JSON, escaped JSON, a header line, a form, a Python repr.
_IS = r"""\\{0,7}["']?\s{0,9}[:=,]\s{0,9}b?\\{0,7}["']?"""

#: Credentials that are told by the name before them, which stays: signs of the name in lower case, and the search.
_NAMED = tuple(
    (signs, re.compile(rf"((?<![A-Za-z])(?:{names}){_IS})(?:{value})", re.IGNORECASE))
    for signs, names, value in (
        (
            ("secret", "session", "security-token", "access", "refresh", "api_key", "api-key", "apikey", "password"),
            r"aws_?secret_?access_?key|secret_?access_?key|(?:aws_?)?session_?token|x-amz-security-token"
            r"|client_?secret|access_?token|refresh_?token|(?:x-)?api[_-]?key|password",
            r"(?!\[)[A-Za-z0-9/+_=.~-]{16,}",
        ),
        (("cookie",), r"(?:set-)?cookie", r"[\w.$-]{1,99}=[^\"'\\\r\n]+"),
        (("x-litellm-",), r"x-litellm-(?:key-[\w-]{1,40}|response-cost[\w-]{0,40})", r"[0-9.][0-9.eE+-]*"),
    )
)

#: Where only a private network leads: addresses reserved for such, host names of such, a vendor's names for a customer.
_INTERNAL = re.compile(
    r"""
      (?<=://)(?!(?:localhost|gateway)(?![\w.-]))(?:  # nor the name that recordings give it
          [\w.-]{1,253}\.(?:internal|intranet|intra|local|localdomain|lan|corp|svc|home\.arpa)
        | [\w.-]{1,253}\.(?:azuredatabricks\.net|cloud\.databricks\.com|openai\.azure\.com)
        | [A-Za-z][\w-]{0,62}(?=[:/]|["'\\\s]|$)  # a name without dots, as containers have
      )(?::\d{1,5})?(?![\w.-])
    | (?<![\w.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}
        |169\.254(?:\.\d{1,3}){2})(?::\d{1,5})?(?![\w.])
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Scrubber:
    """Takes the secrets it was made with, and anything that looks like one, out of texts."""

    def __init__(self, secrets: Iterable[str] = (), addresses: Iterable[str] = ()) -> None:
        """Scrub these secrets in each spelling they may turn up in; placeholders are passed over.

        `addresses` are taken out of what servers say, but are no secrets.
        """
        self._addresses = tuple(addresses)
        real = (secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
        written = {spelling for secret in real for spelling in spellings(secret)}
        longest_first = sorted(written, key=lambda spelling: (-len(spelling), spelling))
        self._own = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """What a server said, without secrets and addresses."""
        for address in self._addresses:
            text = text.replace(address, ADDRESS)
        return _INTERNAL.sub(INTERNAL, self.credentials(text))

    def credentials(self, text: str) -> str:
        """The text without secrets."""
        if self._own is not None:
            text = self._own.sub(REPLACEMENT, text)
        if any(sign in text for sign in _CREDENTIAL_SIGNS):
            text = _CREDENTIALS.sub(REPLACEMENT, text)
        lowered = text.lower()
        for signs, pattern in _NAMED:
            if any(sign in lowered for sign in signs):
                text = pattern.sub(rf"\1{REPLACEMENT}", text)
        return text

    def body(self, body: bytes) -> bytes:
        """The body without secrets, also those in pieces; bytes that are no UTF-8 stay around them."""
        text = body.decode("utf-8", "surrogateescape")
        # First what is in pieces: a piece that is scrubbed alone would hide that the next belongs to it.
        cleaned = self.text(without_split(text, self._found, REPLACEMENT))
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

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where secrets stand in a text that was joined from pieces; no two places overlap."""
        own = self._own.finditer(text) if self._own is not None else ()
        found: list[tuple[int, int]] = []
        for start, end in sorted(match.span() for match in (*own, *_CREDENTIALS.finditer(text))):
            if found and start < found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((start, end))
        return found
