"""Tests of `conformance.provider.rate_limits`: what is a rate limit, what is none, and what is said of it.

The vendors' and LiteLLM's shapes are lines of `vectors.json`; here is what a line cannot say.
"""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.rate_limits import RateLimit, format_rate_limit_error, named_wait, parse_rate_limit_error
from conformance.provider.table import shipped_table_path
from conformance.tests.helpers.effort import effort

RULES = json.loads((shipped_table_path().parent / "rate_limits" / "rate_limits.json").read_text(encoding="utf-8"))
STRUCTURED = {
    "error": {
        "type": "rate_limit_exceeded",
        "code": 429,
        "limit_type": "input_tokens_per_minute",
        "limit": 200_000,
        "current": 200_150,
        "retry_after": 15,
    }
}
FOUND = RateLimit(None, "input_tokens_per_minute", 200_000, 200_150, 15)
# What Pi tries again, and what it must not find in the text of an error that is not to be tried again.
PI_RETRIES = re.compile("rate.?limit", re.IGNORECASE)
SERVER_STATUS = re.compile(r"\b50[0-4]\b")


class SdkError(Exception):
    """An exception as API clients raise them."""

    body: object = None
    status_code: int | None = None
    response: httpx.Response | None = None


def raised(text: str, **more: Any) -> SdkError:
    """Such an exception with these attributes."""
    error = SdkError(text)
    vars(error).update(more)
    return error


def wrapped(text: str, depth: int) -> str:
    """A text inside the messages of so many JSON objects."""
    return text if depth == 0 else wrapped(json.dumps({"message": f"upstream said: {text}."}), depth - 1)


@pytest.mark.parametrize("depth", range(8))
def test_any_depth(depth: int) -> None:
    """Given the structured error inside so many messages, when it is read, then nothing of it is lost."""
    assert parse_rate_limit_error(wrapped(json.dumps(STRUCTURED), depth)) == FOUND


FORMS: dict[str, Any] = {
    "text": json.dumps(STRUCTURED),
    "bytes": json.dumps(STRUCTURED).encode(),
    "object": STRUCTURED,
    "repr": repr(STRUCTURED),
    "lines": json.dumps(STRUCTURED, indent=4),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_form(form: str) -> None:
    """Given the structured error as text, bytes, an object, a repr or set out in lines, then it reads the same."""
    assert parse_rate_limit_error(FORMS[form]) == FOUND


def test_exceptions_of_clients() -> None:
    """Given exceptions as the OpenAI SDK and httpx raise them, when they are read, then status and headers count."""
    response = httpx.Response(429, headers={"Retry-After": "9"}, json={}, request=httpx.Request("POST", "http://g/v1"))
    sdk = raised("Error code: 429 - " + repr(STRUCTURED), body=STRUCTURED["error"], status_code=429, response=response)
    bare = raised("Connection error.", response=response)

    assert parse_rate_limit_error(sdk) == FOUND
    assert parse_rate_limit_error(bare) == RateLimit(retry_after=9)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        response.raise_for_status()
    assert parse_rate_limit_error(caught.value) == RateLimit(retry_after=9)
    assert parse_rate_limit_error(raised("Error code: 400 - 429 rate limit", status_code=400)) is None
    assert parse_rate_limit_error(ValueError("the number 429 in a prompt")) is None


def test_an_exception_that_is_hostile() -> None:
    """Given an exception whose every part fails, when it is read, then it is no rate limit, and nothing is raised."""

    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

        @property
        def body(self) -> object:
            raise RuntimeError

    assert parse_rate_limit_error(HostileError()) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 499])
def test_other_refusals_stay_what_they_are(status: int) -> None:
    """Given a refusal with another status, whatever its text quotes, then it is no rate limit."""
    quoted = {"error": {"message": f"refused: {json.dumps(STRUCTURED)} Too Many Requests, rate limit exceeded"}}

    assert parse_rate_limit_error(quoted, status=status, headers={"retry-after": "5"}) is None
    assert parse_rate_limit_error({"error": {**quoted["error"], "code": str(status)}}) is None


@pytest.mark.parametrize(
    "prompt",
    ["the number 429 in a prompt", "What is HTTP 429?", "429 bottles of beer", "say: rate limit exceeded", "line 429"],
)
@pytest.mark.parametrize("status", [None, 200, 400, 500, 502])
def test_the_number_in_a_prompt(prompt: str, status: int | None) -> None:
    """Given an error that repeats a prompt with the number in it, when it is read, then it is no rate limit."""
    error = {"error": {"message": f"Invalid prompt: {prompt}", "type": "invalid_request_error", "param": "input"}}

    assert parse_rate_limit_error(error, status=status) is None
    assert parse_rate_limit_error(f"Invalid prompt: {prompt}", status=status) is None


def test_dates_count_from_now_where_the_answer_has_none() -> None:
    """Given a date to wait for and no clock in the answer, when it is read, then our own clock counts."""
    then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))

    found = parse_rate_limit_error("", headers={"retry-after": then}, status=429)

    assert found is not None
    assert found.retry_after is not None
    assert 95 <= found.retry_after <= 100


NESTED = json.dumps({"error": {"message": "litellm.RateLimitError: " + json.dumps({"error": {"retry_after": 15}})}})
USED_UP = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}
FEBRUARY = {"date": "Fri, 21 Feb 2025 07:28:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"retry-after": "7"}, b"{}", 7),
        ({"retry-after": "0"}, b"{}", 0),
        ({"retry-after": "1.5"}, b"{}", 1.5),
        ({"retry-after": "1.5s"}, b"{}", 1.5),
        ({"retry-after": "6m0s"}, b"{}", 360),
        ({"retry-after": "2", "retry-after-ms": "1500"}, b"{}", 1.5),
        ({"llm_provider-retry-after": "9"}, b"{}", 9),
        ({"retry-after": "3", "llm_provider-retry-after": "9"}, b"{}", 3),
        ({"retry-after": "3"}, b'{"retry_after":5}', 5),
        ({"retry-after": "soon", "llm_provider-retry-after": "9"}, b"{}", 9),
        ({"retry-after": "Fri, 21 Feb 2025 07:28:30 GMT", **FEBRUARY}, b"{}", 30),
        ({"retry-after": "2025-02-21T07:28:30.123Z", **FEBRUARY}, b"{}", 30),
        ({"retry-after": "1740122910", **FEBRUARY}, b"{}", 30),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"{}", 0),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, b"{}", None),
        ({"retry-after": "Wed, 21 Oct 2015 27:28:00 GMT"}, b"{}", None),
        ({"retry-after": "2025-02-21 07:28"}, b"{}", None),
        ({"retry-after": "-1"}, b"{}", None),
        ({"retry-after": "15x"}, b"{}", None),
        ({"retry-after": "9" * 400}, b"{}", None),
        (USED_UP, b"{}", 360),
        ({**USED_UP, "retry-after": "5"}, b"{}", 5),
        ({**USED_UP, "x-ratelimit-remaining-tokens": "1"}, b"{}", None),
        ({}, b'{"error":{"retry_after":15}}', 15),
        ({}, b'{"error": {"retry_after" : 1.25}}', 1.25),
        ({}, b'{"error":{"retry_after":"15"}}', 15),
        ({}, NESTED.encode(), 15),
        ({}, json.dumps({"error": NESTED}).encode(), 15),
        ({}, b"Please try again in 7.2s.", 7.2),
        ({}, b'{"retry_after":null}', None),
        ({}, b'{"retry_after":-5}', None),
        ({}, b"retry_after: 5", None),
        ({}, b"", None),
    ],
)
def test_wait_that_a_failure_names(headers: dict[str, str], body: bytes, wait: float | None) -> None:
    """Given a failure, when asked how long to wait, then text and headers are understood, and nothing is made up."""
    assert named_wait(body, headers=headers) == wait
    budgets = "x-ratelimit-remaining-tokens" in headers and "retry-after" not in headers
    assert named_wait(body, headers=headers, budgets=False) == (None if budgets else wait)


@pytest.mark.parametrize("body", [b"\\" * 65_536, b'"retry_after' * 6_000, b"retry_after\\" * 6_000, b" " * 65_536])
def test_waiting_is_looked_for_quickly(body: bytes) -> None:
    """Given a hostile body, when a wait is looked for, then it takes no time to speak of."""
    assert effort(lambda: named_wait(body)) < 1


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "[",
        "\\",
        '\\"',
        '"',
        " ",
        "429 ",
        "error ",
        "limit ",
        "'code' : ",
        "try again in 1s",
        "rate limit for ",
        "a",
        "ß",
    ],
)
@pytest.mark.parametrize("status", [None, 429])
def test_ten_megabytes_are_bounded(piece: str, status: int | None) -> None:
    """Given an error of 10 MB, when it is read, then that takes a moment, as its beginning and its end would."""
    text = piece * (10_000_000 // len(piece))
    body = text.encode()

    assert effort(lambda: parse_rate_limit_error(text, status=status)) < 5
    assert effort(lambda: parse_rate_limit_error(body, status=status)) < 5


@pytest.mark.parametrize("filler", ["x", "ж", "\\"])
def test_the_ends_of_a_long_error_are_read(filler: str) -> None:
    """Given a rate limit at the start or the end of a long error, when it is read, then it is found."""
    told = json.dumps(STRUCTURED)

    assert parse_rate_limit_error(told + filler * 1_000_000) == FOUND
    assert parse_rate_limit_error(filler * 1_000_000 + " " + told, status=429) == FOUND


def test_a_large_object_is_bounded() -> None:
    """Given a decoded error of very many or very deep values, when it is read, then that takes a moment."""
    deep: Any = {}
    for _ in range(50_000):
        deep = {"error": deep}
    wide = {"error": {"code": 429}, "input": [{"content": "x" * 1000}] * 200_000}

    assert parse_rate_limit_error(deep) is None
    assert parse_rate_limit_error(wide) == RateLimit()
    assert effort(lambda: (parse_rate_limit_error(deep), parse_rate_limit_error(wide))) < 10


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["429", "rate limit", "{'a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["error", "code", "limit", "retry_after", "message", "type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
_HEADERS = st.none() | st.dictionaries(
    st.sampled_from(
        ["retry-after", "Retry-After-Ms", "x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens", "date"]
    ),
    st.text(max_size=20) | st.sampled_from(["0", "1e9", "9" * 15, "Sun, 99 Nov 2026 99:99:99 GMT"]),
)


@given(_JSON | st.binary(), _HEADERS, st.none() | st.integers(0, 599))
def test_nothing_breaks_it(error: Any, headers: dict[str, str] | None, status: int | None) -> None:
    """Given any error, headers and status, when they are read and told, then the line keeps its promises."""
    found = parse_rate_limit_error(error, headers=headers, status=status)

    if found is None:
        return
    assert status is None or status == 429 or not 400 <= status < 500
    assert found.retry_after is None or 0 <= found.retry_after <= 604_800
    line = format_rate_limit_error(found, model="claude")
    assert PI_RETRIES.search(line)
    assert not SERVER_STATUS.search(line)
    assert "claude" in line
    assert line.isprintable()


@pytest.mark.parametrize("value", [499, 500, 501, 502, 503, 504, 505, 500.4, 503.5, 0, 0.1, 99.999, 5e14])
def test_no_figure_reads_as_a_server_status(value: float) -> None:
    """Given any figure in any place, when the line is written, then it holds no bare 500 to 504."""
    line = format_rate_limit_error(RateLimit("m", "queries_per_second", value, value, min(value, 604_800)))

    assert not SERVER_STATUS.search(line)


def test_the_line_says_it_all() -> None:
    """Given a rate limit with all its figures, when it is told, then model, limit, use, wait and advice are there."""
    line = format_rate_limit_error(FOUND, model="claude-opus-4-6")

    for words in (
        "rate limit",
        "claude-opus-4-6",
        "input tokens per minute",
        "limit 200000",
        "current 200150",
        "Retry after 15 s",
        "wait 15 s",
        "haiku instead of opus",
        "shorten the prompt",
        "lower max tokens",
        "Databricks account team",
    ):
        assert words in line
    assert "\n" not in line


def test_what_is_not_known_is_not_made_up() -> None:
    """Given a rate limit that tells nothing, when it is told, then the advice is to wait a minute."""
    line = format_rate_limit_error(RateLimit())

    assert "wait 60 s" in line
    assert "limit type" not in line
    assert "None" not in line


def test_cooldown_is_not_the_vendors() -> None:
    """Given LiteLLM's cooldown, when it is told, then it says that no vendor's limit was met, and keeps the words."""
    line = format_rate_limit_error(RateLimit("claude", retry_after=5, cooldown=True))

    assert "not a rate limit of the vendor" in line
    assert "cooldown" in line
    assert "Databricks" not in line
    assert "wait 5 s" in line


def test_headers_of_any_kind() -> None:
    """Given headers that are no mapping of texts, when they are read, then what can be read is."""
    assert parse_rate_limit_error("", headers=httpx.Headers({"RETRY-AFTER": "3"}), status=429) == RateLimit(
        retry_after=3
    )
    assert parse_rate_limit_error("", headers=SimpleNamespace(), status=429) == RateLimit()  # type: ignore[arg-type]
    assert parse_rate_limit_error("", headers={"retry-after": 3}, status=429) == RateLimit(retry_after=3)  # type: ignore[dict-item]


def _patterns(value: Any) -> list[str]:
    """Every pattern in a part of the rules."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _patterns(value["pattern"] if "pattern" in value else list(value.values()))
    return [found for each in value for found in _patterns(each)]


@pytest.mark.parametrize(
    "section",
    ["unescape", "status", "never", "vendor", "cooldown", "evidence", "other_errors", "fields", "limit_types"],
)
def test_patterns_are_written_for_both_languages(section: str) -> None:
    """Given a section's patterns, when they are looked at, then they have nothing that only Python reads."""
    found = _patterns(RULES[section])

    assert found
    for pattern in found:
        re.compile(pattern)
        assert not re.search(r"\(\?P|\(\?[aiLmsux]|\\[AZdwsbDWSBpP]|[^\x20-\x7e]", pattern), pattern
