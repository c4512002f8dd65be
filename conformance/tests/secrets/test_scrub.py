"""Tests of `conformance.secrets.scrubbing`: no secret is left in what is written, and nothing else is lost."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conformance.secrets.scrubbing import REPLACEMENT, Scrubber
from conformance.tests.helpers.effort import effort

KEY = 'sk-Some/"Secret\\+Key=='

SPELLINGS = {
    "plain": KEY,
    "json": json.dumps(KEY)[1:-1],
    "json-in-json": json.dumps(json.dumps(KEY))[3:-3],
    "json-in-json-in-json": json.dumps(json.dumps(json.dumps(KEY)))[7:-7],
    "php-json": KEY.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/"),
    "percent": quote(KEY, safe=""),
    "form": quote_plus(KEY),
    "base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
    "base64url": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_own_key(spelling: str) -> None:
    """Given this run's key in any spelling, when a text is scrubbed, then the words around it alone are left."""
    scrubber = Scrubber([KEY])

    assert scrubber.holds_secret(f"<<{spelling}>>")
    assert scrubber.text(f"<<{spelling}>>") == f"<<{REPLACEMENT}>>"


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "Bearer "])
@pytest.mark.parametrize("after", ["", ":", " and more"])
def test_base64_around_the_key(before: str, after: str) -> None:
    """Given the key in base64 of a longer text, when it is scrubbed, then no more than an end of it is left."""
    encoded = base64.b64encode(f"{before}{KEY}{after}".encode()).decode()

    scrubbed = Scrubber([KEY]).text(f"Basic {encoded}")

    assert REPLACEMENT in scrubbed
    start = base64.b64encode(KEY.encode()).decode()[:12]
    assert start not in scrubbed
    assert len(scrubbed) < len(encoded)


@pytest.mark.parametrize(
    "credential",
    [
        "sk-abcdefgh12345678",
        "dapi0123456789abcdef0123",
        "AKIAABCDEFGHIJKLMNOP",
        "ASIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
@pytest.mark.parametrize("before", ["key: ", '"', "\\n", "\\t", "=", "("])
def test_anybodys_credentials(credential: str, before: str) -> None:
    """Given what looks like somebody's credential, when a text is scrubbed, then it is gone."""
    assert Scrubber().text(f"{before}{credential} end") == f"{before}{REPLACEMENT} end"


def test_bearer_and_key_hash() -> None:
    """Given a bearer token of no known form, and LiteLLM's key hash, when scrubbed, then both are gone."""
    text = f"authorization: Bearer abcDEF123.~ x, Key Hash (Token) = {'0f' * 32}. Unable"

    assert Scrubber().text(text) == (f"authorization: Bearer {REPLACEMENT} x, Key Hash (Token) ={REPLACEMENT}. Unable")


@pytest.mark.parametrize(
    "text",
    [
        "store: Extra inputs are not permitted",
        "a task-force of risk-averse disk-utils",
        "sk-",
        "Bearer of news",
        "conformance-cache-key",
        "databricks-claude-haiku-4-5 dapi",
    ],
)
def test_words_stay(text: str) -> None:
    """Given a text that holds no credential, when it is scrubbed, then it is as it was."""
    assert Scrubber(["", "sk-other-key-of-this-run"]).text(text) == text


@pytest.mark.parametrize("placeholder", ["x", "no", "none", "test", "EMPTY", "1234567"])
def test_placeholders_are_no_secrets(placeholder: str) -> None:
    """Given a key that local servers take for a formality, when scrubbed, then words that hold it stay whole."""
    scrubber = Scrubber([placeholder])
    text = f'{{"text":"next {placeholder}"}}'

    assert scrubber.text(text) == text
    assert not scrubber.holds_secret(text)


def test_headers() -> None:
    """Given a response's headers, when they are scrubbed, then evidence is kept, by lower-case name, and no more."""
    kept = {
        "content-type": "text/event-stream",
        "retry-after": "5",
        "server": "uvicorn",
        "location": "https://proxy.example/v1/messages",
        "x-litellm-version": "1.109.1",
        "x-litellm-model-id": "abc",
        "x-litellm-attempted-retries": "0",
        "llm_provider-retry-after": "7",
        "llm_provider-x-ratelimit-limit-requests": "9",
        "x-ratelimit-remaining-tokens": "1",
    }
    dropped = {
        "set-cookie": "a=b",
        "x-litellm-key-spend": "1",
        "x-litellm-model-api-base": "https://internal",
        "llm_provider-set-cookie": "c",
        "authorization": "Bearer x",
        "x-litellm-call-id": "1",
    }

    given_headers = {name.title(): value for name, value in {**kept, **dropped}.items()}

    assert Scrubber().headers(given_headers) == kept
    assert list(Scrubber().headers(given_headers)) == sorted(kept)
    assert Scrubber([KEY]).headers({"Server": KEY}) == {"server": REPLACEMENT}


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a\x80\xe2\x82", b"", b'{"a":"\\ud800"}'])
def test_bytes_pass_through(body: bytes) -> None:
    """Given bytes that are no UTF-8, when a body is scrubbed, then they stay, and the key among them goes."""
    scrubber = Scrubber([KEY])

    assert scrubber.body(body) == body
    assert scrubber.body(body + KEY.encode() + body) == body + REPLACEMENT.encode() + body


_KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)
_ECHOES = st.sampled_from(
    [
        str,
        lambda key: json.dumps({"error": f"key {key} is wrong"}),
        lambda key: json.dumps({"error": json.dumps({"message": f"key {key} is wrong"})}),
        lambda key: quote(key),
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: f"Basic {base64.b64encode(b'user:' + key.encode()).decode()}",
    ]
)


@given(_KEYS, _ECHOES, st.binary(max_size=5))
def test_any_key_is_gone(key: str, echo: object, noise: bytes) -> None:
    """Given any key and any echo of it, when a body is scrubbed, then no spelling is left, nor changes it again."""
    assume(key not in REPLACEMENT and REPLACEMENT not in key)
    assert callable(echo)
    scrubber = Scrubber([key])

    scrubbed = scrubber.body(noise + b" " + echo(key).encode() + b" " + noise)

    assert key.encode() not in scrubbed
    assert base64.b64encode(key.encode())[: len(key) // 3 * 4] not in scrubbed
    assert not scrubber.holds_secret(scrubbed.decode("utf-8", "surrogateescape"))
    assert scrubber.body(scrubbed) == scrubbed


@given(st.binary(max_size=200))
def test_bodies_without_secrets_are_untouched(body: bytes) -> None:
    """Given any body that does not hold the key, when it is scrubbed, then it is the same."""
    assert Scrubber(["sk-a-key-that-is-nowhere"]).body(body) == body


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (
            '"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
            '"aws_secret_access_key": "[scrubbed]"',
        ),
        ("SecretAccessKey=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY;", "SecretAccessKey=[scrubbed];"),
        ('{\\"api_key\\": \\"0123456789abcdef\\"}', '{\\"api_key\\": \\"[scrubbed]\\"}'),
        ("api-key: 0123456789abcdef", "api-key: [scrubbed]"),
        ("('set-cookie', 'session=abc; Path=/')", "('set-cookie', '[scrubbed]')"),
        ('"cookie":"a=b"', '"cookie":"[scrubbed]"'),
        ("x-litellm-key-spend: 0.00123", "x-litellm-key-spend: [scrubbed]"),
        ("'x-litellm-response-cost': '1e-05'", "'x-litellm-response-cost': '[scrubbed]'"),
        ("at http://10.1.2.3:8000/v1", "at http://[internal]/v1"),
        ("call failed ('192.168.0.7', 80)", "call failed ('[internal]', 80)"),
        ("https://vllm.models.svc.cluster.local:8080/v1", "https://[internal]/v1"),
        ("https://adb-12.3.azuredatabricks.net/serving-endpoints", "https://[internal]/serving-endpoints"),
        ('"http://ollama:11434/api"', '"http://[internal]/api"'),
    ],
)
def test_what_is_told_by_its_name_or_place(text: str, scrubbed: str) -> None:
    """Given a credential behind its name, or a private address, when scrubbed, then it is gone and its name stays."""
    assert Scrubber().text(text) == scrubbed
    assert Scrubber().text(scrubbed) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "api_key: Field required",
        "cookie: Extra inputs are not permitted",
        'does not support parameters: ["api_key", "metadata"]',
        "https://api.openai.com/v1 and http://localhost:4000 and http://127.0.0.1:4000",
        "https://docs.litellm.ai/docs/completion/drop_params",
        "version 10.1.2",
        '"prompt_cache_key": "conformance-cache-key"',
    ],
)
def test_evidence_about_such_names_stays(text: str) -> None:
    """Given a refusal that names such a field, or a public address, when scrubbed, then it is as it was."""
    assert Scrubber().text(text) == text


@pytest.mark.parametrize("piece", ["-eyJ", "\\neyJ", "Bearer ", "http://a", "cookie: a", "api_key:", "://a-", "10."])
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    """Given a megabyte that almost is a secret over and over, when scrubbed, then it is gone over a few times."""
    body = (piece * 300_000)[:1_000_000].encode()
    assert effort(lambda: Scrubber([KEY]).body(body)) < 25
