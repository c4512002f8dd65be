"""Tests of `conformance.answers.dialects`: who is blamed, in which words, by whom, and at what cost."""

from __future__ import annotations

import json
import tomllib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers.dialects import blames, offenders, spoken_by, summary, unwrap
from conformance.answers.reading import read_answer
from conformance.parameters import load_registry
from conformance.tests.helpers.effort import effort
from conformance.types import Endpoint, Mode, RejectedBy, Request, Response

REFUSALS = tomllib.loads((Path(__file__).parents[1] / "data" / "refusals.toml").read_text(encoding="utf-8"))
NAMED = [pytest.param(row, id=row["who"]) for row in REFUSALS["named"]]
NAMELESS = [pytest.param(row, id=row["who"]) for row in REFUSALS["nameless"]]

#: Fields that agents send and backends refuse, for what must never be blamed.
FIELDS = ("store", "prompt_cache_key", "stream_options", "tools", "messages", "user", "model", "metadata")

Row = Mapping[str, Any]


def _by_litellm(body: str) -> str:
    message = (
        f"litellm.BadRequestError: DatabricksException - {body}. "
        "Received Model Group=claude\nAvailable Model Group Fallbacks=None"
    )
    return json.dumps({"error": {"message": message, "type": None, "param": None, "code": "400"}})


def _json_in_json_in_text(body: str) -> str:
    return f"Error code: 400 - {json.dumps({'message': json.dumps({'detail': body})})} (request 1)"


def _bytes_repr(body: str) -> str:
    message = f"litellm.BadRequestError: AnthropicException - {body.encode()!r}"
    return json.dumps({"error": {"message": message, "code": "400"}})


def _chat_event(body: str) -> str:
    return _refusal_in_stream(Endpoint.CHAT_COMPLETIONS, {"error": {"message": body, "code": 400}})


def _responses_event(body: str) -> str:
    error = {"code": "400", "message": body}
    return _refusal_in_stream(Endpoint.RESPONSES, {"type": "response.failed", "response": {"error": error}})


def _refusal_in_stream(endpoint: Endpoint, event: object) -> str:
    stream = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
    answer = read_answer(Request("m", endpoint, Mode.STREAM, {}), Response(status=200, body=stream))
    assert answer.status == 400
    assert answer.refusal is not None
    return answer.refusal


WRAPPINGS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "litellm": _by_litellm,
    "json_in_json_in_text": _json_in_json_in_text,
    "bytes_repr": _bytes_repr,
    "chat_event": _chat_event,
    "responses_event": _responses_event,
    "litellm_twice": lambda body: _by_litellm(_by_litellm(body)),
}
WRAPPED = pytest.mark.parametrize("wrap", [pytest.param(w, id=name) for name, w in WRAPPINGS.items()])


@WRAPPED
@pytest.mark.parametrize("row", NAMED)
def test_names_the_offenders(row: Row, wrap: Callable[[str], str]) -> None:
    """Given a vendor's refusal, however wrapped, when it is read, then it names exactly its offenders."""
    assert offenders(wrap(row["body"])) == set(row["offenders"])


@WRAPPED
@pytest.mark.parametrize("row", NAMED)
def test_blames_the_right_fields(row: Row, wrap: Callable[[str], str]) -> None:
    """Given a vendor's refusal, when fields are held against it, then its own are blamed and no other."""
    named = offenders(wrap(row["body"]))
    candidates = {*FIELDS, *row["fields"]}

    blamed = {field for field in candidates if any(blames(name, (field,)) for name in named)}

    assert blamed == set(row["fields"])


@WRAPPED
@pytest.mark.parametrize("row", NAMELESS)
def test_blames_nobody(row: Row, wrap: Callable[[str], str]) -> None:
    """Given an error that is about no parameter, when it is read, then it names no offender."""
    assert offenders(wrap(row["body"])) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "Unsupported parameter: store.",
        "Unsupported parameter(s): `store`. Please ask the user to leave it out.",
        "Unrecognized request argument supplied: store. Please contact user support, model team",
        "Unrecognized request argument supplied: store Received Model Group=claude",
        "400: Extra inputs are not permitted, field: 'store', value: 'x'",
        "error: Extra inputs are not permitted, field: 'store', value: 'x'",
    ],
)
def test_words_around_a_name_are_no_names(text: str) -> None:
    """Given a refusal with other words beside the name, when it is read, then the name alone is blamed."""
    assert offenders(text) == {"store"}


@pytest.mark.parametrize(
    ("offender", "fields", "blamed"),
    [
        ("store", ("store",), True),
        ("store", ("metadata", "store"), True),
        ("body.store", ("store",), True),
        ("body", ("body",), True),
        ("promptCacheKey", ("prompt_cache_key",), True),
        ("stream_options.include_usage", ("stream_options",), True),
        ("messages[0].role", ("messages",), True),
        ("tools.0.custom.strict", ("tools",), True),
        ("0.store", ("store",), True),
        ("metadata.store", ("store",), False),
        ("tools.0.custom.strict", ("strict",), False),
        ("storey", ("store",), False),
        ("prompt_cache_key_2", ("prompt_cache_key",), False),
        ("", ("store",), False),
        ("...", ("store",), False),
        ("[0]", ("0",), False),
        ("store", (), False),
    ],
)
def test_blames_top_level_fields(offender: str, fields: tuple[str, ...], blamed: bool) -> None:
    """Given an offender's path, when it is held against a probe's fields, then its first step decides."""
    assert blames(offender, fields) is blamed


@pytest.mark.parametrize(
    ("text", "headers", "speaker"),
    [
        ("litellm.UnsupportedParamsError: databricks does not support …", {}, RejectedBy.GATEWAY),
        ("litellm.BadRequestError: DatabricksException - {}", {}, RejectedBy.BACKEND),
        (
            "litellm.APIConnectionError: APIConnectionError: DeepseekException - Invalid response object",
            {},
            RejectedBy.GATEWAY,
        ),
        ("store: Extra inputs are not permitted", {"llm_provider-server": "x"}, RejectedBy.BACKEND),
        ("store: Extra inputs are not permitted", {"x-litellm-version": "1"}, RejectedBy.UNKNOWN),
        ("", {}, RejectedBy.UNKNOWN),
    ],
)
def test_tells_who_speaks(text: str, headers: Mapping[str, str], speaker: RejectedBy) -> None:
    """Given a refusal's words and headers, when asked who refused, then only what they carry is told."""
    assert spoken_by(text, headers) is speaker


@WRAPPED
def test_summary_is_the_message_that_refuses(wrap: Callable[[str], str]) -> None:
    """Given a refusal in many layers, when it is summed up, then the innermost message stands alone."""
    body = '{"error_code":"BAD_REQUEST","message":"{\\"message\\":\\"store: Extra inputs are not permitted\\"}"}'

    assert summary(wrap(body)) == "store: Extra inputs are not permitted"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error":{"message":"No connected db.","type":"no_db_connection","code":"400"}}', "No connected db."),
        ('{"message":"{\\"message\\":\\"deep\\"}"}', "deep"),
        ('{"detail":"gone"}', "gone"),
        ("Internal\n  Server\tError", "Internal Server Error"),
        ("", ""),
    ],
)
def test_summary_of_other_errors(text: str, words: str) -> None:
    """Given an error that names nothing, when it is summed up, then its innermost message is told."""
    assert summary(text) == words


def test_summary_is_short() -> None:
    """Given a long message, when it is summed up, then it is cut with a mark."""
    assert summary("x" * 500, limit=20) == "x" * 20 + "…"


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "\ud800", '{"message":"\\ud800\\u0007"}'])
def test_summary_can_be_shown_anywhere(hostile: str) -> None:
    """Given control characters and lone surrogates, when summed up, then they reach no terminal or file."""
    words = summary(hostile)

    assert words.isprintable()
    assert words.encode("utf-8")


def test_odd_escapes_warn_nobody() -> None:
    """Given bytes that Python would never write so, when they are read, then nothing is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(unwrap(r"""Exception - b'\d \q \8 \N{DASH}' b"\400" """))

    assert caught == []


def test_every_registry_field_is_blamed_by_name() -> None:
    """Given each parameter of the registry, when a vendor refuses it, then its probe is blamed."""
    for parameter in load_registry().parameters:
        for body in parameter.bodies.values():
            for field in body:
                [name] = offenders(f"{field}: Extra inputs are not permitted")
                assert blames(name, tuple(body))


_PIECES = st.sampled_from(
    [
        *'[]{}":,\\',
        "b'",
        'b"',
        '\\"',
        '{"a":',
        '{"message":"',
        "\\u0000",
        "\ud800",
        "1e999",
        "store: Extra inputs are not permitted",
        "Unsupported parameter(s): `",
        "does not support parameters: [",
        " ",
        "\n",
        "é",
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "code", "type", "param", "loc", "message"]), inner, max_size=4)
    ),
    max_leaves=12,
)
_HOSTILE = st.text(st.characters(categories=["C", "L", "P", "N", "S", "Z"]), max_size=200) | st.lists(
    _PIECES, max_size=60
).map("".join)


def _read_all_ways(text: str) -> None:
    named = offenders(text)
    summary(text)
    spoken_by(text, {})
    list(unwrap(text))
    for name in named:
        blames(name, FIELDS)


@given(_HOSTILE)
def test_no_text_is_too_odd(text: str) -> None:
    """Given any text, lone surrogates among them, when it is read, then nothing raises."""
    _read_all_ways(text)


@given(_JSON)
def test_no_json_is_too_odd(value: object) -> None:
    """Given any JSON value as an error, when it is read, then nothing raises."""
    _read_all_ways(json.dumps(value))
    _read_all_ways(_by_litellm(json.dumps(value)))


def _nested(text: str, times: int = 7) -> str:
    for _ in range(times):
        text = json.dumps({"message": text})
    return text


HUGE: Mapping[str, str] = {
    "brackets": "[" * 1_000_000,
    "closed-brackets": "[" * 900 + "]" * 900,
    "objects": '{"a":' * 200_000,
    "quotes": '"' * 1_000_000,
    "escaped-quotes": '\\"' * 500_000,
    "backslashes": "\\" * 1_000_000,
    "bytes": "b'" * 500_000,
    "bytes-backslashes": "b'" + "\\\\" * 500_000,
    "quote-brace": '"{' * 500_000,
    "letters": "a" * 1_000_000,
    "path": "a." * 500_000,
    "indexes": "a[" * 500_000,
    "spaces": " " * 1_000_000,
    "newlines": "\n" * 1_000_000,
    "surrogates": "\ud800" * 1_000_000,
    "digits": "[" + "9" * 1_000_000,
    "near-refusals": "a: Extra inputs are not permitte" * 40_000,
    "names": "Unsupported parameter(s): " + "`a`, " * 200_000,
    "lists": "does not support parameters: [" * 40_000,
    "exceptions": "AException -" * 80_000,
    "nested-letters": _nested("a" * 60_000),
    "nested-names": _nested("Unsupported parameter: a" * 2_000),
    "many-texts": json.dumps(["a" * 300] * 200),
    "many-codes": json.dumps([{"code": "unknown_parameter", "param": "x" * 300}] * 150),
    "wide": json.dumps({str(n): [n] for n in range(5_000)}),
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HUGE.items()])
def test_no_text_is_too_long(text: str) -> None:
    """Given a hostile text of up to a megabyte, when it is read, then only so much of it is."""
    assert effort(lambda: _read_all_ways(text)) < 5
