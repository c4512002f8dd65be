"""Tests of `conformance.shim.settings`: which gateway is behind the shim, and which secrets go there."""

from __future__ import annotations

import pytest

from conformance.errors import ConformanceError, ShimError
from conformance.shim.settings import refuse_itself, upstream_of

OURS = {"LITELLM_BASE_URL": "https://proxy.example/v1", "LITELLM_API_KEY": "sk-ours-and-secret"}
OTHERS = {"OPENAI_BASE_URL": "https://other.example", "OPENAI_API_KEY": "sk-other"}
SECRET = {"LITELLM_HEADERS": "cf-access: a-secret-value\nx-api-key: sk-inside"}


@pytest.mark.parametrize(
    ("environ", "option", "found"),
    [
        (OURS, None, "https://proxy.example"),
        (OTHERS, None, "https://other.example"),
        (OURS | OTHERS, None, "https://proxy.example"),
        ({}, "http://localhost:4000/v1/", "http://localhost:4000"),
        (OTHERS, "http://localhost:4000", "http://localhost:4000"),
        ({"LITELLM_BASE_URL": "https://proxy.example"}, None, "https://proxy.example"),
    ],
)
def test_where_the_gateway_is(environ: dict[str, str], option: str | None, found: str) -> None:
    """Given an option and variables, when they are read, then the option goes first, and no key is needed."""
    upstream = upstream_of(environ, option)
    assert upstream.target.base_url == found
    assert (upstream.always, upstream.own_key, upstream.target.api_key) == ([], [], "")


@pytest.mark.parametrize(
    ("environ", "option", "key"),
    [
        (OURS, None, b"sk-ours-and-secret"),
        (OTHERS, None, b"sk-other"),
        (OURS, "https://proxy.example", b"sk-ours-and-secret"),
    ],
)
def test_ones_own_key_is_used_where_that_is_asked_for(environ: dict[str, str], option: str | None, key: bytes) -> None:
    """Given `--use-my-key`, when the gateway is named, then the key that belongs to it is for clients without one."""
    upstream = upstream_of(environ, option, use_my_key=True)
    assert upstream.own_key == [(b"authorization", b"Bearer " + key)]
    assert key.decode() not in repr(upstream)


def test_headers_of_the_environment_go_along_and_its_keys_do_not() -> None:
    """Given LITELLM_HEADERS with a key among them, when nobody asks for that key, then all but it go along."""
    upstream = upstream_of(OURS | SECRET, headers=["X-Team: a"])
    assert upstream.always == [(b"cf-access", b"a-secret-value"), (b"x-team", b"a")]
    assert upstream.own_key == []

    asked = upstream_of(OURS | SECRET, use_my_key=True)
    assert asked.own_key == [(b"authorization", b"Bearer sk-ours-and-secret"), (b"x-api-key", b"sk-inside")]


def test_a_key_in_an_option_goes_with_every_request() -> None:
    """Given a key that the user wrote into `--header`, when requests go on, then it goes with each of them."""
    assert upstream_of(OURS, headers=["authorization: Bearer x"]).always == [(b"authorization", b"Bearer x")]


@pytest.mark.parametrize(
    ("environ", "options", "words"),
    [
        ({}, {}, "no gateway is named; give --base-url, or set LITELLM_BASE_URL"),
        ({}, {"base_url": "proxy.example"}, "--base-url is not an HTTP address"),
        ({}, {"base_url": "http://u:p@h"}, "--base-url holds credentials"),
        ({}, {"base_url": "http://h", "headers": ["host: x"]}, "--header: header 1 (host)"),
        ({}, {"base_url": "http://h", "use_my_key": True}, "--use-my-key finds no key; set it in LITELLM_API_KEY"),
        (OURS, {"base_url": "http://stranger.example", "use_my_key": True}, "not sent to strangers"),
        (OURS | SECRET, {"base_url": "http://stranger.example"}, "not sent to strangers"),
        (OTHERS | SECRET, {}, "LITELLM_HEADERS is set, and LITELLM_BASE_URL is not"),
    ],
)
def test_what_cannot_be_is_one_line(environ: dict[str, str], options: dict[str, object], words: str) -> None:
    """Given settings that make no sense, or would give a secret away, when they are read, then one line says so."""
    with pytest.raises(ConformanceError) as caught:
        upstream_of(environ, **options)  # type: ignore[arg-type]  # as the command has them
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:4100", "http://localhost:4100/v1", "http://[::1]:4100"])
def test_the_shim_is_not_its_own_gateway(address: str) -> None:
    """Given the shim's own address in the variables that it told to set, when it starts anew, then it says so."""
    target = upstream_of({"OPENAI_BASE_URL": address}).target
    with pytest.raises(ShimError, match="is the shim's own address"):
        refuse_itself(target, 4100)
    refuse_itself(target, 4101)
