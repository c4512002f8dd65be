"""How vendors say no: the fields that a refusal blames, and who is speaking. Pure.

The shapes are data, in `dialects.json`, which Python and TypeScript read alike. No text makes these
functions raise, and they are bounded in time and memory whatever a server sends.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeGuard

from conformance.provider.refusals.unwrapping import MAX_TEXT, unwrap

#: Where an error object keeps its words.
_MESSAGES = ("error", "detail", "msg", "message")

#: How many blames, and how many values that are allowed, are taken from one refusal.
MAX_BLAMES = 64
MAX_ALLOWED = 32

#: What an `elsewhere` row is about, where it is about who asks, and not about what is asked.
_ASKER = ("key", "budget", "model")

#: A message that refuses what it begins with, which `param` names as well.
_REFUSED = re.compile(
    r"\W?(?P<name>[A-Za-z_][\w.]{0,200})\W? (?:is|are) (?:not (?:supported|permitted|allowed)|unsupported)\b", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of the table: words that refuse, and the offenders they imply where they name none.

    `conditional` words refuse a value, or a parameter in this company, and not the field itself.
    A `container` is where the offender lies that other words of the refusal name. `tried` is what a repair looks for
    in place of what is implied, where that names one field by what each endpoint calls it.
    """

    regex: re.Pattern[str]
    implies: tuple[str, ...]
    conditional: bool
    who: str
    container: bool
    tried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blame:
    """A field that a refusal blames, as it spells it; `company` is what it does not go with.

    What is `weak` may as well say that a value is wrong for every model: it counts where values have names.
    `values` are those that it refuses, where it names them.
    """

    name: str
    conditional: bool
    who: str
    company: str | None = None
    weak: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal says: whom it blames, which values it allows instead, or what else it is about."""

    blames: tuple[Blame, ...]
    allowed: tuple[str, ...] = ()
    elsewhere: str | None = None


@dataclass(frozen=True, slots=True)
class _Tables:
    refusals: tuple[Pattern, ...]
    hints: tuple[Pattern, ...]
    speakers: tuple[tuple[re.Pattern[str], str], ...]
    places: tuple[re.Pattern[str], ...]
    providers: Mapping[str, str]
    elsewhere: tuple[tuple[re.Pattern[str], str], ...]
    allowed: tuple[re.Pattern[str], ...]
    codes: Mapping[str, frozenset[str]]
    bridged: Mapping[str, Sequence[str]]
    wholly_bridged: Mapping[str, str]


def compiled(row: Mapping[str, Any]) -> re.Pattern[str]:
    """The regular expression of a row; the data spells groups as JavaScript does."""
    flags = re.ASCII | (re.IGNORECASE if row.get("ignore_case") else 0)
    return re.compile(row["pattern"].replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"), flags)


@functools.cache
def _tables() -> _Tables:
    data = json.loads((resources.files(__package__) / "dialects.json").read_text(encoding="utf-8"))
    return _Tables(
        refusals=tuple(map(_pattern, data["refusals"])),
        hints=tuple(map(_pattern, data["hints"])),
        speakers=tuple((compiled(row), row["by"]) for row in data["speakers"]),
        places=tuple(map(compiled, data["places"])),
        providers=data["providers"],
        elsewhere=tuple((compiled(row), row["about"]) for row in data["elsewhere"]),
        allowed=tuple(map(compiled, data["allowed"])),
        codes={name: frozenset(codes) for name, codes in data["codes"].items()},
        bridged=data["bridged"],
        wholly_bridged=data["wholly_bridged"],
    )


def _pattern(row: Mapping[str, Any]) -> Pattern:
    implies, conditional = tuple(row.get("implies", ())), row.get("conditional", False)
    tried = tuple(row.get("tried", implies))
    return Pattern(compiled(row), implies, conditional, row["who"], row.get("container", False), tried)


def read_refusal(text: str) -> Refusal:
    """What a refusal says of the request: all that can be tried is in it, also what is too weak for a verdict."""
    tables = _tables()
    shortened = text[:MAX_TEXT]
    about = next((about for regex, about in tables.elsewhere if regex.search(shortened)), None)
    if about is not None:
        return Refusal((), elsewhere=about)
    blames: dict[Blame, None] = {}
    allowed: dict[str, None] = {}
    for value in unwrap(text):
        if len(blames) >= MAX_BLAMES:
            break
        if isinstance(value, Mapping):
            certain, weak = _structured(value), _structured(value, ("hints",))
            conditional = _code_of(value, tables.codes["value"] | tables.codes["hints"]) is not None
            for name in certain or weak:
                blames[Blame(name, conditional, "the error's own fields", weak=not certain)] = None
            continue
        for pattern in (*tables.refusals, *tables.hints):
            if not pattern.container:
                blames.update(dict.fromkeys(_blames(pattern, value)))
        for regex in tables.allowed:
            for match in regex.finditer(value):
                allowed.update(dict.fromkeys(_words(match["allowed"])))
    return Refusal(tuple(blames)[:MAX_BLAMES], tuple(allowed)[:MAX_ALLOWED])


def _blames(pattern: Pattern, text: str) -> Iterable[Blame]:
    for count, match in enumerate(pattern.regex.finditer(text)):
        if count >= MAX_BLAMES:
            return
        company = match.groupdict().get("with")
        values = tuple(_words(match.groupdict().get("values") or ""))
        names = _named(match)
        if len(names) == 2 and pattern.conditional and not company:
            yield Blame(names[1], True, pattern.who, names[0])
            continue
        for name in names[:MAX_BLAMES] or pattern.tried:
            yield Blame(name, pattern.conditional, pattern.who, company, values=values)


def _named(match: re.Match[str]) -> list[str]:
    groups = match.groupdict()
    if groups.get("name"):
        return [groups["name"].rstrip(".")]
    if groups.get("loc"):
        return [".".join(re.findall(r"[\w$-]{1,100}", groups["loc"], re.ASCII))]
    found = re.findall(r"[A-Za-z_][\w.]*", groups.get("names") or "", re.ASCII)
    return [name.rstrip(".") for name in found if name not in ("and", "or")]


def _words(listed: str) -> list[str]:
    found = re.findall(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}", listed, re.ASCII)
    return [word.rstrip(".") for word in found if word not in ("and", "or")]


def offenders(text: str) -> frozenset[str]:
    """The paths of the request fields that a refusal blames, as it writes them (`tools.0.custom.strict`)."""
    found: set[str] = set()
    containers: set[str] = set()
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
                    (containers if pattern.container else found).add(groups["name"].rstrip("."))
                if groups.get("names"):
                    found.update(name.rstrip(".") for name in re.findall(r"[A-Za-z_][\w.]*", groups["names"]))
    inside = {f"{container}.{name}" for container in containers for name in found if "." not in name}
    return frozenset(found | containers | inside)


def refuses_field(text: str) -> bool:
    """True where a refusal is of the fields it names, whatever their value and company."""
    tables = _tables()
    values = list(unwrap(text))
    texts = [value for value in values if isinstance(value, str)]
    found = [pattern for pattern in tables.refusals if any(pattern.regex.search(each) for each in texts)]
    coded = any({value.get("code"), value.get("type")} & tables.codes["field"] for value in values if _is_coded(value))
    return (coded or bool(found)) and not any(pattern.conditional for pattern in found)


def whole_fields(text: str) -> frozenset[str]:
    """Of the offenders that a refusal blames, the request fields and paths of fields, without parts of a list."""
    whole = {snake(name) for name in offenders(text) if re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)*", name)}
    bridged = _tables().wholly_bridged
    return frozenset(whole | {bridged[name] for name in whole & bridged.keys()})


def names_all(text: str, fields: Iterable[str]) -> bool:
    """True where a refusal blames all of several fields: they do not go together."""
    return len(set(fields)) > 1 and {snake(name) for name in offenders(text)} >= set(fields)


def is_elsewhere(text: str) -> bool:
    """True for a refusal that is about the key, its budget or the model's name, and not about what was asked."""
    shortened = text[:MAX_TEXT]
    return any(about in _ASKER and regex.search(shortened) for regex, about in _tables().elsewhere)


def _is_coded(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and all(isinstance(value.get(k), str | None) for k in ("code", "type"))


def _code_of(error: Mapping[str, Any], codes: frozenset[str]) -> str | None:
    told = (error.get("code"), error.get("type"))
    return next((code for code in told if isinstance(code, str) and code in codes), None)


def _structured(error: Mapping[str, Any], kinds: Sequence[str] = ("field", "value")) -> set[str]:
    """The offender that an error object names in fields of its own."""
    known = _tables().codes
    param, message = error.get("param"), error.get("message")
    if not any(_code_of(error, known[kind]) for kind in kinds):
        refused = _REFUSED.match(message) if isinstance(message, str) else None
        return {param} if refused and isinstance(param, str) and refused["name"] == param else set()
    if isinstance(param, str):
        return {param}
    if isinstance(error.get("loc"), list):
        return {".".join(str(step) for step in error["loc"])}
    return set()


def served_from_words(text: str) -> str | None:
    """What LiteLLM says in a refusal of where it asked: a route, a slash, and the model's name there if it tells it."""
    shortened, tables = text[:MAX_TEXT], _tables()
    found = next((match for place in tables.places if (match := place.search(shortened))), None)
    if found is None:
        return None
    told = found.groupdict()
    provider = (told.get("provider") or "").lower()
    route = told.get("route") or tables.providers.get(provider, provider)
    return f"{route}/{(told.get('upstream') or '').rstrip('.')}" if route else None


def spoken_by(text: str, headers: Mapping[str, str]) -> str:
    """`gateway`, `backend` or `unknown`, as far as words and headers tell: `llm_provider-*` are the upstream's own."""
    if any(name.startswith("llm_provider-") for name in headers):
        return "backend"
    shortened = text[:MAX_TEXT]
    return next((by for regex, by in _tables().speakers if regex.search(shortened)), "unknown")


def blames(offender: str, fields: tuple[str, ...]) -> bool:
    """True where an offender, however spelled, is one of these top-level request fields or lies in one."""
    steps = [snake(step) for step in re.split(r"[.\[\]]+", offender) if step and not step.isdecimal()]
    if len(steps) > 1 and steps[0] == "body":
        steps = steps[1:]
    return bool(steps) and not {steps[0], *_tables().bridged.get(steps[0], ())}.isdisjoint(fields)


def ends_in(offender: str, names: Collection[str], *, bridged: bool) -> bool:
    """True where an offender's path ends in one of these fields, however spelled, and not at a place in a list.

    With `bridged`, the name may also be the one that a bridge has for such a field.
    """
    step = snake(re.split(r"[.\[\]]+", offender.rstrip("]"))[-1])
    return step in names or (bridged and not set(_tables().bridged.get(step, ())).isdisjoint(names))


def mentions(text: str, fields: Iterable[str]) -> bool:
    """True where a refusal has one of these fields in it as a word, however spelled."""
    words = {snake(word) for word in re.findall(r"\w{1,200}", text[:MAX_TEXT])}
    return not words.isdisjoint(fields)


def snake(name: str) -> str:
    """A name in small letters with underscores, as request fields are written: `promptCacheKey`."""
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
