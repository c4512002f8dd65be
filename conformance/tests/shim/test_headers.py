"""Tests of `conformance.shim.headers`: what goes on, and what belongs to one connection."""

from __future__ import annotations

import pytest

from conformance.shim.headers import DROPPED, end_to_end, readable, towards_client, towards_gateway

HOP = ("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect")


@pytest.mark.parametrize("name", [*HOP, "Proxy-Authenticate", "Proxy-Authorization"])
def test_headers_of_a_connection_stay_there(name: str) -> None:
    """Given a header of the connection, in any spelling, when the message goes on, then without it."""
    for spelt in (name, name.lower(), name.upper()):
        assert end_to_end([(spelt.encode(), b"x"), (b"x-kept", b"1")]) == [(b"x-kept", b"1")]


def test_headers_that_connection_names_stay_there() -> None:
    """Given headers that `connection` names, in several lines and spellings, when they go on, then without those."""
    headers = [(b"connection", b"close, X-One"), (b"Connection", b" x-two ,"), (b"x-one", b"1"), (b"X-Two", b"2")]
    assert end_to_end([*headers, (b"x-three", b"3")]) == [(b"x-three", b"3")]


def test_the_rest_goes_on_as_it_came() -> None:
    """Given headers twice, empty, and of odd bytes, when they go on, then each, in its order and as it came."""
    headers = [
        (b"cookie", b"a=1"),
        (b"x", b""),
        (b"cookie", b"b=2"),
        (b"x-latin", b"\xe9"),
        (b"accept-encoding", b"br"),
    ]
    assert towards_gateway(headers, (), ()) == headers
    assert towards_client([(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")], ()) == [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


def test_the_host_is_not_the_shims() -> None:
    """Given a request for the shim, when it goes on, then httpx is left to name the gateway's host."""
    assert towards_gateway([(b"host", b"127.0.0.1:4100")], (), ()) == []


def test_headers_that_the_user_set_take_the_clients_place() -> None:
    """Given a header for every request, when a client sends another of its name, then the user's goes on."""
    assert towards_gateway([(b"x-team", b"theirs"), (b"x", b"1")], [(b"x-team", b"ours")], ()) == [
        (b"x", b"1"),
        (b"x-team", b"ours"),
    ]


OWN = ((b"authorization", b"Bearer sk-own"),)


@pytest.mark.parametrize(
    "theirs",
    [
        (b"authorization", b"Bearer sk-theirs"),
        (b"x-api-key", b"sk-theirs"),
        (b"api-key", b"sk"),
        (b"x-goog-api-key", b"s"),
    ],
)
def test_a_clients_own_key_goes_on(theirs: tuple[bytes, bytes]) -> None:
    """Given a client with a key, when the shim has one, too, then only the client's goes on."""
    assert towards_gateway([theirs], (), OWN) == [theirs]


@pytest.mark.parametrize(
    "theirs", [[], [(b"authorization", b"Bearer ")], [(b"authorization", b"")], [(b"x-api-key", b" ")]]
)
def test_a_client_without_a_key_gets_the_shims(theirs: list[tuple[bytes, bytes]]) -> None:
    """Given a client that sends no key, or an empty one, when the shim has one to give, then that goes on alone."""
    assert towards_gateway(theirs, (), OWN) == [*OWN]
    assert towards_gateway(theirs, (), ()) == theirs


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("prompt_cache_key", "store"), b"prompt_cache_key, store"),
        (("reasoning_effort:xhigh", "input[].id"), b"reasoning_effort:xhigh, input[].id"),
        (("a\r\nx-evil: 1", "b, c", "é"), b"a%0D%0Ax-evil:%201, b%2C%20c, %C3%A9"),
    ],
)
def test_what_was_left_out_is_told(names: tuple[str, ...], told: bytes) -> None:
    """Given fields that were left out, when the answer goes back, then a header names them, and can hold them."""
    assert towards_client([], names) == [(DROPPED, told)]


def test_an_endless_list_of_fields_fits_a_header() -> None:
    """Given thousands of fields, when they are told, then no more than clients take for a header."""
    [(_, told)] = towards_client([], [f"field_{number}" for number in range(5000)])
    assert len(told) == 4000


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (b"gzip, deflate, br, zstd", b"gzip, deflate"),
        (b"br;q=1.0, GZIP;q=0.8, *;q=0.1", b"GZIP;q=0.8"),
        (b"br", b"identity"),
        (b"", b"identity"),
    ],
)
def test_answers_are_asked_for_in_what_the_repair_can_read(asked: bytes, left: bytes) -> None:
    """Given a client that takes other compressions, too, when it asks a model, then only the readable ones remain."""
    assert readable([(b"accept", b"br"), (b"accept-encoding", asked)]) == [
        (b"accept", b"br"),
        (b"accept-encoding", left),
    ]
    assert readable([(b"accept", b"*/*")]) == [(b"accept", b"*/*")]
