"""The spellings in which an echo may write a secret. Pure.

Covered: as it is; escaped for JSON, also inside JSON inside JSON; every or every odd character as
`\\u002d`, `\\x2d`; escaped for HTML; percent-encoded once or twice; hexadecimal; base64 in both
alphabets, at any place inside a longer text. Not covered: what is hashed, encrypted, compressed,
reversed, or put into base64 twice.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def spellings(secret: str) -> frozenset[str]:
    """Every spelling of a secret that is known here; none is ever empty for a secret that is not."""
    return frozenset(
        {
            *_escaped(secret),
            *_by_code(secret),
            *_percent_encoded(secret),
            *_in_base64(secret.encode()),
            html.escape(secret),
            html.escape(secret, quote=False),
        }
    )


def _escaped(secret: str) -> Iterator[str]:
    text = secret
    yield text
    for _ in range(3):  # JSON inside JSON inside JSON
        text = json.dumps(text)[1:-1]
        yield text
    yield json.dumps(secret)[1:-1].replace("/", "\\/")


def _by_code(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield raw.hex()
    yield raw.hex().upper()
    for width, letter in (("02x", "x"), ("02X", "x"), ("04x", "u"), ("04X", "u")):
        for depth in range(4):  # each JSON text around it doubles the backslashes
            codes = [f"{chr(92) * 2**depth}{letter}{ord(char):{width}}" for char in secret]
            yield "".join(codes)
            yield "".join(char if char.isalnum() else code for char, code in zip(secret, codes, strict=True))


def _percent_encoded(secret: str) -> Iterator[str]:
    every = "".join(f"%{byte:02X}" for byte in secret.encode())
    for text in (quote(secret, safe=""), quote_plus(secret), every):
        for encoded in (text, quote(text, safe="")):
            yield encoded
            yield _small_digits(encoded)


def _small_digits(encoded: str) -> str:
    """Percent-encoded text with its hexadecimal digits in lower case."""
    first, *rest = encoded.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _in_base64(secret: bytes) -> Iterator[str]:
    """A secret in base64: alone, and at each of the three places it can have inside a longer text."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret).decode().rstrip("=")
        for before in range(3):
            text = encode(bytes(before) + secret).decode()
            inner = text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]  # what neighbours cannot change
            yield inner
            yield inner.replace("/", "\\/")
