"""Read a rate limit out of an error, and say what to do about it. Pure but for the clock.

Reactive only: nothing is limited in advance, what the backend says is explained. The patterns
and words are data, in `rate_limits.json`, and mean the same in Python and in JavaScript.

An error is read as text in which all quotes are unescaped, however often they were escaped: so
JSON inside a message inside JSON, Python's repr of bytes and of dicts look alike at any depth.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

#: How deep an error that is no text is read, and how many of its values.
_MAX_DEPTH = 16
_MAX_VALUES = 2000

_MAX_NAME = 100

#: The status by which Anthropic says that its servers have no room.
_OVERLOADED = 529


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What an error tells of a rate limit; None where it does not tell.

    `limit_type` is a name such as `input_tokens_per_minute`, `limit` and `current` count in its
    unit, `retry_after` is in seconds. `cooldown` marks LiteLLM's own refusal while it lets a
    deployment rest after failures, and `overloaded` a vendor who has no room for anybody (529):
    both are no limit of the user's, and pass in the same way.
    """

    model: str | None = None
    limit_type: str | None = None
    limit: float | None = None
    current: float | None = None
    retry_after: float | None = None
    cooldown: bool = False
    overloaded: bool = False


def parse_rate_limit_error(
    error: str | bytes | Mapping[str, Any] | BaseException,
    *,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> RateLimit | None:
    """The rate limit that an error tells of, or None where it is another error. Never raises.

    `error` is a body (of which the first 48 and the last 16 KiB are read), a message, or a
    client's exception, whose status and headers are read where none are given. `retry-after`
    as a date counts from the answer's `date`, else from now.
    """
    if isinstance(error, BaseException):
        response = getattr(error, "response", None)
        status = status or _status_of(error) or _status_of(response)
        headers = headers if headers is not None else getattr(response, "headers", None)
    text = _text(error)
    rules = _rules()
    known = status if isinstance(status, int) and not isinstance(status, bool) else _stated_status(text)
    flat = _flat(text)
    if not _is_limit(flat, known, rules):
        return None
    told = _lowered(headers)
    cooldown = _has(rules.cooldown, flat) and not _has(rules.vendor, flat)
    found = {name: _first(patterns, flat) for name, patterns in rules.fields.items()}
    retry_after = _duration(found["retry_after"])
    if retry_after is None:
        retry_after = _retry_after(told)
    if cooldown:
        return RateLimit(model=found["model"], retry_after=retry_after, cooldown=True)
    if known == _OVERLOADED or (known != 429 and _has(rules.overloaded, flat)):
        return RateLimit(model=found["model"], retry_after=retry_after, overloaded=True)
    limit_type, most, current = _exhausted(flat, rules) or (
        found["limit_type"] or next((name for regex, name in rules.limit_types if regex.search(flat)), None),
        _number(found["limit"]),
        _number(found["current"]),
    )
    return _with_headers(RateLimit(found["model"], limit_type, most, current, retry_after), told)


def named_wait(error: str | bytes, *, headers: Mapping[str, str] | None = None, budgets: bool = True) -> float | None:
    """The seconds that a failure says to wait, whatever failure it is; None where it names no time. Never raises.

    The text is read first, then `retry-after` and its kin, then, with `budgets`, when the budget that
    the headers call used up is full again.
    """
    told = _lowered(headers)
    wait = _duration(_first(_rules().fields["retry_after"], _flat(_text(error)))) if error else None
    if wait is None:
        wait = _retry_after(told)
    return _with_headers(RateLimit(), told).retry_after if wait is None and budgets else wait


def format_rate_limit_error(limit: RateLimit, *, model: str | None = None) -> str:
    """One line for a user: the model, what limit, how long to wait, and what to do.

    `model` is what the user calls it, by default the name that the error gave. The line keeps
    the words "rate limit", by which agents know that trying again helps.
    """
    words = _rules().message
    name = _printable(model or limit.model or "") or words["no_model"]
    figures = {"limit_type": (limit.limit_type or "").replace("_", " "), "limit": limit.limit, "current": limit.current}
    details = [
        words["detail"][key].replace(f"{{{key}}}", value if isinstance(value, str) else _shown(value))
        for key, value in figures.items()
        if value not in (None, "")
    ]
    wait = words["told_wait"] if limit.retry_after is None else max(1, math.ceil(limit.retry_after))
    kind = "cooldown" if limit.cooldown else "overloaded" if limit.overloaded else "limit"
    said = words[kind].replace("{model}", name)
    if details and kind == "limit":
        said += words["details"].replace("{details}", ", ".join(details))
    advice = "; ".join(words["advice" if kind == "limit" else f"{kind}_advice"])
    rest = words["retry_unknown" if limit.retry_after is None else "retry_after"]
    rest += words["what_to_do"].replace("{advice}", advice)
    return f"{said}{rest.replace('{seconds}', _shown(wait))}"


@dataclass(frozen=True, slots=True)
class _Rules:
    first: int
    last: int
    unescape: tuple[tuple[re.Pattern[str], str], ...]
    leading: re.Pattern[str]
    own_code: re.Pattern[str]
    never: tuple[re.Pattern[str], ...]
    vendor: tuple[re.Pattern[str], ...]
    cooldown: tuple[re.Pattern[str], ...]
    overloaded: tuple[re.Pattern[str], ...]
    evidence: tuple[re.Pattern[str], ...]
    other_errors: tuple[re.Pattern[str], ...]
    fields: Mapping[str, tuple[re.Pattern[str], ...]]
    limit_types: tuple[tuple[re.Pattern[str], str], ...]
    counters: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]
    headers: Mapping[str, Any]
    durations: Mapping[str, Any]
    message: Mapping[str, Any]


@functools.cache
def _rules() -> _Rules:
    data = json.loads((resources.files(__package__) / "rate_limits.json").read_text(encoding="utf-8"))
    return _Rules(
        first=data["read"]["first"],
        last=data["read"]["last"],
        unescape=tuple((_regex(row["pattern"]), row["with"].replace("$1", r"\g<1>")) for row in data["unescape"]),
        leading=_regex(data["status"]["leading"]),
        own_code=_regex(data["status"]["own_code"]),
        fields={name: tuple(map(_regex, patterns)) for name, patterns in data["fields"].items()},
        limit_types=tuple((_regex(row["pattern"]), row["limit_type"]) for row in data["limit_types"]),
        counters=tuple((row["limit_type"], _regex(row["current"]), _regex(row["limit"])) for row in data["counters"]),
        headers=data["headers"],
        durations=data["durations"],
        message=data["message"],
        **{
            name: tuple(map(_regex, data[name]))
            for name in ("never", "vendor", "cooldown", "overloaded", "evidence", "other_errors")
        },
    )


def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)  # what JavaScript means by /…/i


def _has(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


def _first(patterns: Sequence[re.Pattern[str]], text: str) -> str | None:
    return next((match[1] for match in (pattern.search(text) for pattern in patterns) if match), None)


def _exhausted(flat: str, rules: _Rules) -> tuple[str | None, float | None, float | None] | None:
    """Of an error that tells several counters, the one that is used up; None where it tells none."""
    counted = False
    for name, now, most in rules.counters:
        current, limit = (pattern.search(flat) for pattern in (now, most))
        if current and limit:
            counted = True
            if int(current[1]) >= int(limit[1]):
                return name, int(limit[1]), int(current[1])
    return (None, None, None) if counted else None


def _is_limit(flat: str, status: int | None, rules: _Rules) -> bool:
    """Whether an error is a rate limit: by its status, else by words that only a rate limit has.

    A refusal of another kind may repeat any words, its prompt's above all; its status counts.
    """
    if _has(rules.never, flat):
        return False
    if status in (429, _OVERLOADED):
        return True
    if status is not None and 400 <= status < 500:
        return False
    told = any(_has(patterns, flat) for patterns in (rules.vendor, rules.cooldown, rules.overloaded))
    if status is None or status < 400:  # an error inside a stream comes with a 200
        told = told or _has(rules.evidence, flat)
    return told and not _has(rules.other_errors, flat)


def _text(error: object) -> str:
    """An error as text, of bounded length."""
    if isinstance(error, BaseException):
        parts = []
        for read in (str, lambda each: each.body, lambda each: each.response.text):
            with contextlib.suppress(Exception):  # somebody else's exception: it may have none, or do anything
                parts.append(_text(read(error)))
        return _cut("\n".join(parts))
    if isinstance(error, bytes | bytearray):
        rules = _rules()
        if len(error) > rules.first + rules.last:
            error = error[: rules.first] + b"\n" + error[-rules.last :]
        return bytes(error).decode("utf-8", "replace")
    if isinstance(error, str):
        return _cut(error)
    if isinstance(error, Mapping | list):
        return _cut(json.dumps(_bounded(error, [_MAX_VALUES])))
    return ""


def _cut(text: str) -> str:
    rules = _rules()
    return text if len(text) <= rules.first + rules.last else f"{text[: rules.first]}\n{text[-rules.last :]}"


def _bounded(value: Any, budget: list[int], depth: int = 0) -> Any:
    """A value that is cheap to write as JSON, whatever was decoded."""
    budget[0] -= 1
    if depth > _MAX_DEPTH or budget[0] < 0:
        return None
    if isinstance(value, Mapping):
        return {_cut(str(key)): _bounded(each, budget, depth + 1) for key, each in list(value.items())[:_MAX_VALUES]}
    if isinstance(value, list):
        return [_bounded(each, budget, depth + 1) for each in value[:_MAX_VALUES]]
    if isinstance(value, str):
        return _cut(value)
    return value if isinstance(value, bool | int | float) else None


def _status_of(holder: object) -> int | None:
    status = getattr(holder, "status_code", None)
    return status if isinstance(status, int) else None


def _stated_status(text: str) -> int | None:
    """The status that an error states itself, before its text or as its own `code`."""
    rules = _rules()
    if leading := rules.leading.search(text):
        return int(leading[1])
    codes = [match[1] for match in rules.own_code.finditer(text)]
    return int(codes[-1]) if codes else None  # LiteLLM writes its own after what it wraps


def _flat(text: str) -> str:
    for regex, put in _rules().unescape:
        text = regex.sub(put, text)
    return text


def _number(text: str | None) -> float | None:
    """A figure as errors write it, `30,000` or `0.5`."""
    value = float(text.replace(",", "")) if text else None
    return int(value) if value is not None and value.is_integer() else value


def _duration(text: str | None) -> float | None:
    """Seconds, of a text that begins with a time such as `15`, `1.5s`, `6m0s` or `2 minutes`."""
    rules = _rules().durations
    total, rest = None, text or ""
    while match := re.search(rules["pattern"], rest, re.ASCII | re.IGNORECASE):
        if total is not None and match[2] is None:
            break
        total = (total or 0) + float(match[1]) * rules["units"][(match[2] or "s").lower()]
        rest = rest[match.end() :]
        if match[2] is None:
            break
    return _seconds(total)


def _seconds(value: float | None) -> float | None:
    """Rounded to the millisecond; None for what nobody would wait for."""
    if value is None or not 0 <= value <= _rules().durations["longest"]:
        return None
    rounded = math.floor(value * 1000 + 0.5) / 1000
    return int(rounded) if rounded.is_integer() else rounded


def _lowered(headers: object) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value)[:200] for name, value in headers.items()}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    rules = _rules().headers
    for prefix in rules["prefixes"]:
        for name in rules["retry_after_ms"]:
            if (milliseconds := _figure(headers.get(prefix + name))) is not None:
                return _seconds(milliseconds / 1000)
        for name in rules["retry_after"]:
            if (wait := _until(headers.get(prefix + name, "").strip(), headers)) is not None:
                return wait
    return None


def _until(text: str, headers: Mapping[str, str]) -> float | None:
    """Seconds, of a header that holds a time to wait, or the point in time until when."""
    rules = _rules().durations
    then, figure = _date(text), _figure(text)
    if then is None and figure is not None and figure >= rules["epoch"]:
        then = figure / 1000 if figure >= rules["epoch_ms"] else figure
    return _duration(text) if then is None else _seconds(max(0.0, then - _now(headers)))


def _figure(text: str | None) -> float | None:
    return _number(text) if text and re.fullmatch(r"[0-9]{1,15}(?:[.][0-9]{1,6})?", text) else None


def _now(headers: Mapping[str, str]) -> float:
    then = _date(headers.get("date", "").strip())
    return time.time() if then is None else then


def _date(text: str) -> float | None:
    """A date of HTTP's or of RFC 3339's as seconds since 1970."""
    rules = _rules().durations
    if match := re.search(rules["date"], text, re.ASCII):
        day, name, year, *clock = match.groups()
        if name.lower() not in rules["months"]:
            return None
        month = rules["months"].index(name.lower()) + 1
    elif match := re.search(rules["timestamp"], text, re.ASCII):
        year, month, day, *clock = match.groups()
    else:
        return None
    hour, minute, second = map(int, clock)
    days = date(int(year), int(month), 1).toordinal() - date(1970, 1, 1).toordinal() + int(day) - 1
    return float(((days * 24 + hour) * 60 + minute) * 60 + second)


def _with_headers(limit: RateLimit, headers: Mapping[str, str]) -> RateLimit:
    """What the body did not say, from the first budget of the headers that is used up."""
    rules = _rules().headers
    for prefix in rules["prefixes"]:
        for family in rules["families"]:
            if _figure(headers.get(prefix + family["remaining"])) != 0:
                continue
            if limit.limit_type not in (None, family["limit_type"]):
                continue
            most = _figure(headers.get(prefix + family["limit"])) if limit.limit is None else limit.limit
            reset = headers.get(prefix + family["reset"], "").strip()
            wait = _until(reset, headers) if limit.retry_after is None else limit.retry_after
            current = most if limit.current is None else limit.current
            return RateLimit(limit.model, family["limit_type"], most, current, wait)
    return limit


def _shown(value: float) -> str:
    """A figure in a message: whole, or with two decimals at most; none that reads as a server's status."""
    rounded = math.floor(value * 100 + 0.5) / 100 if value < 100 else math.floor(value + 0.5)
    text = str(int(rounded)) if rounded == math.floor(rounded) else str(rounded)
    return str(_rules().message["spelled"].get(text, text))


def _printable(name: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", name[:_MAX_NAME])
