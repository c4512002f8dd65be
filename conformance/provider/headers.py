"""Headers that a gateway wants beside its key: read from a text, checked, and known as secrets.

A text is a JSON object, or one `Name: value` a line. An error names the place of a malformed header and never its
text: the value is a secret, and a line that is no header may be nothing but a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance.provider.errors import TargetError

#: The environment variable that holds such a text, for the gateway that LITELLM_BASE_URL names.
VARIABLE = "LITELLM_HEADERS"

#: The header of an answer that says what was left out of its request: of the shim's answers and of the hook's.
DROPPED_HEADER = "x-litellm-conformance-dropped"

#: Values that are this short are ordinary words, as with keys.
_SHORTEST_SECRET = 8

#: Headers whose values everybody may read.
_OPEN = frozenset(
    {
        "accept",
        "accept-language",
        "anthropic-beta",
        "anthropic-version",
        "openai-beta",
        "origin",
        "referer",
        "user-agent",
    }
)

#: Headers that belong to the connection or to the body, and that the HTTP client sets itself.
_CLIENTS_OWN = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"}
    | {"keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]+")

#: Names inside a value of JSON or `name=value` pairs whose own values are secrets.
_TELLING = re.compile(r"key|token|secret|passw|auth|credential|session|cookie", re.IGNORECASE)


def parse_headers(text: str, where: str = VARIABLE) -> dict[str, str]:
    """The headers in a text, by lower-case name; of two with one name the last counts.

    `where` names the setting in errors. Raises `TargetError`, which never repeats the text.
    """
    text = text.strip(_BLANK)
    if not text.startswith("{"):
        lines = (line.strip(_BLANK) for line in text.split("\n"))
        return checked_headers([split_header(line) for line in lines if line], where)
    try:
        found: Any = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise TargetError(f"{where} begins like a JSON object, but is not valid JSON; write one, or {_FORM}") from None
    return checked_headers(found.items(), where)


_BLANK = " \t\r\n"
_FORM = "one 'Name: value' on each line"


def _no_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python alone takes for JSON."""
    raise ValueError(name)


def split_header(line: str) -> tuple[str, str]:
    """A line's name and value; without a colon the name is empty, which no name may be."""
    name, colon, value = line.partition(":")
    return (name if colon else ""), value


def checked_headers(pairs: Iterable[tuple[str, Any]], where: str) -> dict[str, str]:
    """These headers, by lower-case name. Raises `TargetError` for one that no request can carry."""
    headers: dict[str, str] = {}
    for number, (name, value) in enumerate(pairs, 1):
        place = f"{where}: header {number}"
        if not _NAME.fullmatch(name):
            raise TargetError(f"{place} has no valid name; write {_FORM}")
        if not isinstance(value, str) or not _VALUE.fullmatch(value.strip(_BLANK)):
            raise TargetError(f"{place} ({name}) needs a value of printable ASCII characters on one line")
        if name.lower() in _CLIENTS_OWN:
            raise TargetError(f"{place} ({name}) is one that the client sets itself; leave it out")
        headers[name.lower()] = value.strip(_BLANK)
    return headers


def secrets_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """All that must not be told of these headers: their values, and the keys inside them."""
    found = (each for name, value in headers.items() if name not in _OPEN for each in (value, *_inside(value)))
    return tuple(dict.fromkeys(each for each in found if len(each) >= _SHORTEST_SECRET))


def _inside(value: str) -> Iterator[str]:
    """The keys inside a value: behind a scheme such as Bearer, in a cookie, in a JSON object."""
    scheme, space, credentials = value.partition(" ")
    if space and scheme.isalpha():
        yield credentials.strip()
    for pair in value.split(";"):
        name, equals, content = pair.partition("=")
        if equals and _NAME.fullmatch(name.strip()):
            yield content.strip().strip('"')
    if value.startswith(("{", "[")):
        try:
            yield from _telling(json.loads(value))
        except (ValueError, RecursionError):
            return


def _telling(value: Any, *, told: bool = False) -> Iterator[str]:
    """The texts in a JSON value that stand under a name such as `api_key`."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _telling(each, told=told or bool(_TELLING.search(name)))
    elif isinstance(value, list):
        for each in value:
            yield from _telling(each, told=told)
    elif isinstance(value, str) and told:
        yield value
