"""The header that names features of a request, seen as a field of its body, so that it is filtered and mended alike.

Anthropic's clients name there what a field of theirs needs (`context-management-2025-06-27`), and a backend that does
not know one of its values refuses the request because of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The header, and what tables and refusals call it.
HEADER = "anthropic-beta"


def with_features(body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """A body with the header's values as a list; the same body where there is no such header."""
    named = headers.get(HEADER)
    if not named or HEADER in body:
        return body
    return {**body, HEADER: [each.strip() for each in named.split(",") if each.strip()]}


def apart(seen: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, str]]:
    """The body and the header that say what `seen` says; `sent` is the body as the client made it."""
    if HEADER in sent:
        return seen, {}
    body = {name: value for name, value in seen.items() if name != HEADER}
    return body, {HEADER: ",".join(seen.get(HEADER, ()))}
