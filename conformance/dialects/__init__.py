"""Vendors' error shapes: unwrap a refusal, name the parameters it blames, tell who is speaking. Pure.

The shapes are data, in `dialects.toml`. No text makes these functions raise, and they are
bounded in time and memory whatever a server sends.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeGuard

from conformance.types import RejectedBy

#: What is read of a refusal: characters, levels of nesting, texts.
MAX_TEXT = 65_536
MAX_DEPTH = 16
MAX_TEXTS = 200

#: Codes and types of an error whose `param` (or `loc`) names a refused parameter.
_STRUCTURED = {"unknown_parameter", "unsupported_parameter", "unsupported_value", "extra_forbidden", "literal_error"}

#: Where an error object keeps its words.
_MESSAGES = ("error", "detail", "msg", "message")

#: Of those, the ones that refuse the field itself, and not one value of it.
_FIELD = {"unknown_parameter", "unsupported_parameter", "extra_forbidden"}

#: A message that refuses what it begins with, which `param` names as well.
_REFUSED = re.compile(
    r"\W?(?P<name>[A-Za-z_][\w.]{0,200})\W? (?:is|are) (?:not (?:supported|permitted|allowed)|unsupported)\b"
)

_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of the table: words that refuse, and the offenders they imply where they name none.

    `conditional` words refuse a value, or a parameter in this company, and not the field itself.
    """

    regex: re.Pattern[str]
    implies: tuple[str, ...]
    conditional: bool


@dataclass(frozen=True, slots=True)
class _Tables:
    refusals: tuple[Pattern, ...]
    speakers: tuple[tuple[re.Pattern[str], RejectedBy], ...]
    elsewhere: tuple[re.Pattern[str], ...]
    bridged: Mapping[str, str]
    wholly_bridged: frozenset[str]


@functools.cache
def _tables() -> _Tables:
    data = tomllib.loads((resources.files(__name__) / "dialects.toml").read_text(encoding="utf-8"))
    return _Tables(
        refusals=tuple(
            Pattern(re.compile(row["pattern"]), tuple(row.get("implies", ())), row.get("conditional", False))
            for row in data["refusals"]
        ),
        speakers=tuple((re.compile(row["pattern"]), RejectedBy(row["by"])) for row in data["speakers"]),
        elsewhere=tuple(re.compile(row["pattern"]) for row in data["elsewhere"]),
        bridged=data["bridged"],
        wholly_bridged=frozenset(data["wholly_bridged"]),
    )


def offenders(text: str) -> frozenset[str]:
    """The paths of the request fields that a refusal blames, as it writes them (`tools.0.custom.strict`)."""
    found: set[str] = set()
    refusals = _tables().refusals
    for value in unwrap(text):
        if isinstance(value, Mapping):
            found |= _structured(value)
            continue
        for pattern in refusals:
            for match in pattern.regex.finditer(value):
                groups = match.groupdict()
                found.update(pattern.implies)
                if groups.get("name"):
                    found.add(groups["name"].rstrip("."))
                if groups.get("names"):
                    found.update(name.rstrip(".") for name in re.findall(r"[A-Za-z_][\w.]*", groups["names"]))
    return frozenset(found)


def is_elsewhere(text: str) -> bool:
    """True for a refusal that is about the key, its budget or the model's name, and not about what was asked."""
    shortened = text[:MAX_TEXT]
    return any(regex.search(shortened) for regex in _tables().elsewhere)


def refuses_field(text: str) -> bool:
    """True where a refusal is of the fields it names, whatever their value and company."""
    refusals = _tables().refusals
    values = list(unwrap(text))
    texts = [value for value in values if isinstance(value, str)]
    found = [pattern for pattern in refusals if any(pattern.regex.search(each) for each in texts)]
    coded = any({value.get("code"), value.get("type")} & _FIELD for value in values if _is_coded(value))
    return (coded or bool(found)) and not any(pattern.conditional for pattern in found)


def whole_fields(text: str) -> frozenset[str]:
    """Of the offenders that a refusal blames, the request fields and paths of fields, without parts of a list."""
    whole = {_snake(name) for name in offenders(text) if re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)*", name)}
    tables = _tables()
    return frozenset(whole | {tables.bridged[name] for name in whole & tables.wholly_bridged})


def names_all(text: str, fields: Iterable[str]) -> bool:
    """True where a refusal blames all of several fields: they do not go together."""
    return len(set(fields)) > 1 and {_snake(name) for name in offenders(text)} >= set(fields)


def _is_coded(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and all(isinstance(value.get(k), str | None) for k in ("code", "type"))


def _structured(error: Mapping[str, Any]) -> set[str]:
    """The offender that an error object names in fields of its own."""
    codes = {code for code in (error.get("code"), error.get("type")) if isinstance(code, str)}
    param, message = error.get("param"), error.get("message")
    if not codes & _STRUCTURED:
        refused = _REFUSED.match(message) if isinstance(message, str) else None
        return {param} if refused and isinstance(param, str) and refused["name"] == param else set()
    if isinstance(param, str):
        return {param}
    if isinstance(error.get("loc"), list):
        return {".".join(str(step) for step in error["loc"])}
    return set()


def spoken_by(text: str, headers: Mapping[str, str]) -> RejectedBy:
    """Who refused, as far as the words and the headers tell: `llm_provider-*` are the upstream's own."""
    if any(name.startswith("llm_provider-") for name in headers):
        return RejectedBy.BACKEND
    speakers = _tables().speakers
    shortened = text[:MAX_TEXT]
    return next((by for regex, by in speakers if regex.search(shortened)), RejectedBy.UNKNOWN)


def blames(offender: str, fields: tuple[str, ...]) -> bool:
    """True where an offender, however spelled, is one of these top-level request fields or lies in one."""
    steps = [_snake(step) for step in re.split(r"[.\[\]]+", offender) if step and not step.isdecimal()]
    if len(steps) > 1 and steps[0] == "body":
        steps = steps[1:]
    return bool(steps) and (steps[0] in fields or _tables().bridged.get(steps[0]) in fields)


def mentions(text: str, fields: Iterable[str]) -> bool:
    """True where a refusal has one of these fields in it as a word, however spelled."""
    words = {_snake(word) for word in re.findall(r"\w{1,200}", text[:MAX_TEXT])}
    return not words.isdisjoint(fields)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0]}", name).lower()


def summary(text: str, limit: int = 300) -> str:
    """The innermost message of a refusal, on one printable line: the one that blames, if any does."""
    values = list(unwrap(text))
    blaming = [value for value in values if isinstance(value, str) and offenders_in_line(value)]
    messages = [
        value[name]
        for value in values
        if isinstance(value, Mapping)
        for name in _MESSAGES
        if isinstance(value.get(name), str) and value[name].strip()
    ]
    return one_line((blaming or messages or [text[:MAX_TEXT]])[-1], limit)


def one_line(text: str, limit: int = 300) -> str:
    """What a server said, on one printable line of bounded length."""
    line = " ".join(text[:MAX_TEXT].split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def offenders_in_line(text: str) -> bool:
    """True where this text itself, not one wrapped inside it, matches a refusal."""
    refusals = _tables().refusals
    return any(pattern.regex.search(text) for pattern in refusals)


def unwrap(text: str) -> Iterator[str | Mapping[str, Any]]:
    """Every text and every error object inside a refusal, outermost first.

    Looks into JSON, JSON inside texts, and Python's repr of bytes.
    """
    budget = MAX_TEXTS
    queue: list[tuple[Any, int]] = [(text[:MAX_TEXT], 0)]
    while queue and budget:
        value, depth = queue.pop(0)
        budget -= 1
        if isinstance(value, str):
            yield value
            inner = list(_embedded(value)) if depth < MAX_DEPTH else []
        elif isinstance(value, Mapping):
            yield value
            inner = list(value.values())
        else:
            inner = list(value) if isinstance(value, list) else []
        queue.extend((part, depth + 1) for part in inner if isinstance(part, str | dict | list))


def _embedded(text: str) -> Iterator[Any]:
    """The JSON values and Python literals that a text holds, found from left to right."""
    position, tries = 0, 20
    while tries and (match := _OPENING.search(text, position)):
        tries -= 1
        value, position = _literal(text, match)
        if value is not None:
            yield value


_OPENING = re.compile(r"""b(?=['"])|[{\[]|"(?=\s*[{\[])""")
#: Bytes as `repr` writes them, and only so: other escapes would make Python warn.
_BYTES = re.compile(
    r"""b(?:'(?:[^'\\\x00-\x1f\x7f-\U0010ffff]|\\(?:x[0-9a-f]{2}|[\\'nrt]))*'"""
    r"""|"(?:[^"\\\x00-\x1f\x7f-\U0010ffff]|\\(?:x[0-9a-f]{2}|[\\nrt]))*")"""
)


def _literal(text: str, opening: re.Match[str]) -> tuple[Any, int]:
    start = opening.start()
    if opening[0] == "b":
        if found := _BYTES.match(text, start):
            try:
                return ast.literal_eval(found[0]).decode("utf-8", "replace"), found.end()
            except (ValueError, SyntaxError, MemoryError):
                return None, start + 1
        return None, start + 1
    try:
        value, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1
    return (value, end) if isinstance(value, str | dict | list) else (None, start + 1)
