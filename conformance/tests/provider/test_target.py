"""Tests of `conformance.provider.target`: the gateway that the environment names."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.errors import TargetError
from conformance.provider.target import Target, gateway_name, make_target, target_from_env

KEY = "sk-some-secret-key"


@pytest.mark.parametrize(
    "url",
    [
        "http://h:1",
        "http://h:1/",
        "http://h:1/v1",
        "http://h:1/v1/",
        " http://h:1/v1 ",
        "http://h:1//",
        "http://h:1//v1",
    ],
)
def test_addresses_are_normalised(url: str) -> None:
    """Given an address with or without `/v1` and slashes, when a target is made, then its paths are the same."""
    assert make_target(url, KEY).url("/models") == "http://h:1/v1/models"


def test_prefix_is_kept() -> None:
    """Given a gateway below a path, when a target is made, then the path stays."""
    assert make_target("https://h/llm/v1", KEY).url("/models") == "https://h/llm/v1/models"


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        ({}, None),
        ({"LITELLM_BASE_URL": " ", "OPENAI_API_KEY": "k"}, None),
        ({"LITELLM_BASE_URL": "http://a", "LITELLM_API_KEY": "k"}, Target("http://a", "k")),
        ({"OPENAI_BASE_URL": "http://b", "OPENAI_API_KEY": " k\n"}, Target("http://b", "k")),
        (
            {
                "OPENAI_BASE_URL": "http://b",
                "OPENAI_API_KEY": "l",
                "LITELLM_BASE_URL": "http://a",
                "LITELLM_API_KEY": "k",
            },
            Target("http://a", "k"),
        ),
        (
            {"LITELLM_BASE_URL": "", "OPENAI_BASE_URL": "http://b", "OPENAI_API_KEY": "l"},
            Target("http://b", "l"),
        ),
    ],
)
def test_environment(environ: dict[str, str], target: Target | None) -> None:
    """Given an environment, when it is read, then the first pair whose address is set names the gateway."""
    assert target_from_env(environ) == target


def test_no_mixed_pairs() -> None:
    """Given one pair's address and the other's key, when they are read, then no key goes to a stranger."""
    with pytest.raises(TargetError, match=r"^LITELLM_API_KEY is not set; it must hold the key for LITELLM_BASE_URL"):
        target_from_env({"LITELLM_BASE_URL": "http://a", "OPENAI_API_KEY": KEY})


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("localhost:4000", KEY, "base_url is not an HTTP address"),
        ("ftp://h", KEY, "base_url is not an HTTP address"),
        ("http://", KEY, "base_url is not an HTTP address"),
        ("http:///v1", KEY, "base_url is not an HTTP address"),
        ("http://h:0", KEY, "base_url is not"),
        ("http://h:99999", KEY, "base_url is not"),
        ("http://h:port", KEY, "base_url is not"),
        ("http://[::1", KEY, "base_url is not"),
        ("https://x y", KEY, "base_url names a host that cannot be; check it, and write it as"),
        ("https://x,y", KEY, "names a host that cannot be"),
        ("https://h\\v1", KEY, "names a host that cannot be"),
        ("https://proxy..example", KEY, "names a host that cannot be"),
        ("https://.example", KEY, "names a host that cannot be"),
        ("https://x%20y", KEY, "names a host that cannot be"),
        (f"https://{'a' * 64}.example", KEY, "names a host that cannot be"),
        ("https://☃.example", KEY, "names a host that cannot be"),
        ("https://10.0.0.256", KEY, "names a host that cannot be"),
        ("https://[v1.x]", KEY, "base_url"),
        ("https://x[::1]", KEY, "base_url"),
        ("https://h/\x01v1", KEY, "base_url is not a valid address"),
        ("https://h\t.example", KEY, "base_url is not a valid address"),
        (f"http://u:{KEY}@h", KEY, "holds credentials; put the key into api_key"),
        (f"http://{KEY}@h", KEY, "holds credentials"),
        (f"http://h/?key={KEY}", KEY, "holds a query"),
        ("http://h/#x", KEY, "holds a query or fragment"),
        ("http://h", "", "api_key is not set"),
        ("http://h", " \n", "api_key is not set"),
        ("http://h", f"{KEY}\r\nx: y", "an HTTP header cannot carry"),
        ("http://h", f"{KEY} x", "an HTTP header cannot carry"),
        ("http://h", f"{KEY}é", "an HTTP header cannot carry"),
        ("http://h", f"{KEY}\x00", "an HTTP header cannot carry"),
    ],
)
def test_malformed(url: str, key: str, words: str) -> None:
    """Given an address or key that cannot be used, when a target is made, then one line says so without the key."""
    with pytest.raises(TargetError, match=words) as caught:
        make_target(url, key)

    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_key_is_not_shown() -> None:
    """Given a target, when it is printed, then its key is not."""
    assert KEY not in repr(make_target("http://h", KEY))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://proxy.example", "proxy.example"),
        ("https://Proxy.Example:443/v1", "proxy.example"),
        ("http://proxy.example:443", "proxy.example-443"),
        ("http://localhost:4000", "localhost-4000"),
        ("http://[::1]:4000", "--1-4000"),
    ],
)
def test_names(url: str, name: str) -> None:
    """Given an address, when its gateway is named, then host and unusual port are the name."""
    assert gateway_name(url) == make_target(url, KEY).name == name


@pytest.mark.parametrize(
    "host",
    [
        "my_gateway",
        "h.",
        "10.0.0.1",
        "[::1]",
        "[fe80::1%25eth0]",
        "[::ffff:1.2.3.4]",
        "xn--fa-hia.example",
        "münchen.example",
        "हिन्दी.example",
    ],
)
def test_hosts(host: str) -> None:
    """Given a host that can be, when a target is made, then it stays as it is."""
    assert make_target(f"http://{host}:4000/v1", KEY).base_url == f"http://{host}:4000"


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_an_address_is_one_for_the_client_too(url: str) -> None:
    """Given any ASCII text, when a target is made of it, then httpx takes its address, or it is a `TargetError`."""
    for address in (f"http://{url}", f"https://h/{url}"):
        try:
            target = make_target(address, KEY)
        except TargetError:
            continue
        assert httpx.URL(target.url("/models")).host


@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=20))
def test_any_setting(url: str, key: str) -> None:
    """Given any two texts, when a target is made, then it is one that can be named, or a `TargetError`."""
    for address in (url, f"http://{url}", f"https://h/{url}"):
        try:
            target = make_target(address, key)
        except TargetError:
            continue
        assert not target.base_url.endswith("/")
        assert target.name
        assert target.api_key.encode("ascii")
