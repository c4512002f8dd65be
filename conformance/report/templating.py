"""What our pages are made with: jinja2, which escapes what it is given, and a policy that lets nothing else run.

A page is one file that loads nothing. Its content-security policy names its script and its style by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup


def environment(read: Callable[[str], str]) -> jinja2.Environment:
    """The templates that `read` gives by their names."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    # Compact; jinja2's own escapes of `<`, `>`, `&` and `'` follow, and surrogates stay escaped.
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    made.filters["hash_value"] = quoted
    return made


def quoted(text: str) -> str:
    """Percent-encoded as a browser's `encodeURIComponent` does; lone surrogates have no encoding."""
    return quote(re.sub("[\ud800-\udfff]", "\ufffd", text), safe="!'()*")


def policy_source(text: str) -> str:
    """A content-security policy's source for exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _printable(value: Any) -> Any:
    """A text without what HTML cannot hold: control characters as pictures of themselves, no lone surrogates."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNPRINTABLE.sub(_pictured, value)


_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def _pictured(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"
