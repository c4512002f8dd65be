"""What refusals taught is remembered: for whom, for how long, and what is forgotten again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from conformance.provider.repair import RepairEvent, account
from conformance.provider.table import Rule, Statement, SupportTable
from conformance.tests.helpers.gateways import (
    KEY,
    completion,
    refusal,
    scripted_gateway,
)
from conformance.tests.helpers.mending import WORDS, blocking, filtering, post, refuses


def test_nothing_secret_is_kept_or_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given words that hold the key and the prompt, when they are read, then neither reaches the log or the disk."""
    words = f"store: Extra inputs are not permitted, key {KEY}"
    caplog.set_level(logging.INFO, "conformance.provider")
    told: list[RepairEvent] = []
    rules = filtering(cache_folder=tmp_path, on_repair=told.append)
    with scripted_gateway(lambda body: refusal(words) if "store" in body else None) as gateway:
        post(rules, gateway, blocking)

    kept = (tmp_path / "learned.json").read_text()
    assert '"store"' in kept
    for text in (kept, caplog.text, str(told[0])):
        assert KEY not in text
        assert "secret prompt" not in text
    assert "m refuses store on chat_completions" in caplog.text


def test_a_second_process_repeats_nothing(tmp_path: Path) -> None:
    """Given what one client has learnt, when another one asks, then nothing is refused any more."""
    with scripted_gateway(refuses("store", "seed")) as gateway:
        for _ in range(2):
            post(filtering(cache_folder=tmp_path), gateway, blocking)

    assert len(gateway.seen) == 4


def test_a_table_of_the_users_own_stands_over_what_is_learnt(tmp_path: Path) -> None:
    """Given a table of the user's that has a field sent, when it is refused, then it is mended, each time."""
    rule = Rule(("m",), {"store": Statement(True, "s")})
    table = SupportTable((rule, Rule(("*",), {})), own=1)
    with scripted_gateway(refuses("store")) as gateway:
        for _ in range(2):
            post(filtering(table=table, cache_folder=tmp_path), gateway, blocking)

    assert ["store" in body for body in gateway.seen] == [True, False, True, False]


def test_what_is_taken_again_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a field that a gateway takes again, when so many requests were sent, then it is sent from there on."""
    monkeypatch.setattr(account, "TRY_AGAIN_EVERY", 3)
    refused = ["store"]
    rules = filtering(cache_folder=tmp_path)
    with scripted_gateway(lambda body: refuses(*refused)(body)) as gateway:
        for _ in range(3):
            post(rules, gateway, blocking)
        refused.clear()
        for _ in range(3):
            post(rules, gateway, blocking)

    assert ["store" in body for body in gateway.seen] == [True, False, False, False, True, True, True]
    assert rules.memory.entries() == {}


def test_what_is_still_refused_is_learnt_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a field that is still refused, when it is tried again, then it is mended, and nothing forgotten."""
    monkeypatch.setattr(account, "TRY_AGAIN_EVERY", 2)
    rules = filtering(cache_folder=tmp_path)
    with scripted_gateway(refuses("store")) as gateway:
        for _ in range(4):
            assert post(rules, gateway, blocking)[0] == 200

    assert ["store" in body for body in gateway.seen] == [True, False, False, True, False, False]
    assert len(rules.memory.entries()) == 1


def test_of_two_that_were_learnt_the_one_that_is_taken_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two fields that were refused, when one is taken again, then it is sent from there on, and each has its
    turn."""
    monkeypatch.setattr(account, "TRY_AGAIN_EVERY", 2)
    refused = ["store", "seed"]
    rules = filtering(cache_folder=tmp_path)
    with scripted_gateway(lambda body: refuses(*refused)(body)) as gateway:
        for _ in range(5):
            assert post(rules, gateway, blocking)[0] == 200
        refused.remove("store")
        for _ in range(5):
            assert post(rules, gateway, blocking)[0] == 200

    assert [[name for name in ("store", "seed") if name in body] for body in gateway.seen] == [
        *(["store", "seed"], ["seed"], []),
        *([], ["seed"], []),  # its turn
        *([], ["store"], []),
        *([], ["seed"], []),
        *([], ["store"], ["store"]),
    ]


def test_many_that_were_learnt_cost_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more fields that are refused than one request can mend, when they were learnt, then every request is
    answered, also those that try one again."""
    monkeypatch.setattr(account, "TRY_AGAIN_EVERY", 3)
    names = ["store", "seed", "user", "n", "stop", "top_k"]
    rules = filtering(cache_folder=tmp_path)
    body = {"model": "m", "messages": [], **dict.fromkeys(names, 1)}
    with scripted_gateway(refuses(*names)) as gateway:
        told = [post(rules, gateway, blocking, body)[0] for _ in range(40)]

    assert told == [400, *[200] * 39]


def test_an_answer_proves_nothing_of_what_its_request_did_not_hold(tmp_path: Path) -> None:
    """Given a request whose repairs came to no end, when one without its fields is answered, then nothing is learnt,
    and the next one that holds them goes on."""
    names = ["store", "seed", "user", "n", "stop", "top_k"]
    rules = filtering(cache_folder=tmp_path)
    bare: dict[str, Any] = {"model": "m", "messages": []}
    with scripted_gateway(refuses(*names)) as gateway:
        first = post(rules, gateway, blocking, {**bare, **dict.fromkeys(names, 1)})
        other = post(rules, gateway, blocking, bare)
        assert rules.memory.entries() == {}
        partly = post(rules, gateway, blocking, {**bare, "seed": 1})
        [known] = [set(entry.parameters) for entry in rules.memory.entries().values()]
        last = post(rules, gateway, blocking, {**bare, **dict.fromkeys(names, 1)})

    assert [first[0], other[0], partly[0], last[0]] == [400, 200, 200, 200]
    assert known == {"seed"}
    assert [sorted({*names} & body.keys()) for body in gateway.seen][-3:] == [[], ["top_k"], []]


def test_what_another_request_left_to_suspect_ends_no_search(tmp_path: Path) -> None:
    """Given fields that a search suspects, when another field is refused without a word, then that is searched, too."""

    def policy(body: dict[str, Any]) -> Response | None:
        return refusal("Bad Request", 400) if {"a", "c"} & body.keys() else None

    rules = filtering(cache_folder=tmp_path, repair="search")
    with scripted_gateway(policy) as gateway:
        told = [
            post(rules, gateway, blocking, {"model": "m", "messages": [], **dict.fromkeys(names, 1)})[0]
            for names in ("abde", "c", "c")
        ]

    assert told == [200, 200, 200]


def test_a_new_version_forgets(tmp_path: Path) -> None:
    """Given a gateway that was updated, when an answer says so, then what the old version taught is forgotten."""
    version = ["1.0"]

    def policy(body: dict[str, Any]) -> Response:
        headers = {"x-litellm-version": version[0]}
        if version == ["1.0"] and "store" in body:
            return refusal(WORDS, 400, headers)
        return JSONResponse(completion(body), headers=headers)

    rules = filtering(cache_folder=tmp_path)
    with scripted_gateway(policy) as gateway:
        post(rules, gateway, blocking)
        version[0] = "1.1"
        post(rules, gateway, blocking)
        post(rules, gateway, blocking)

    assert ["store" in body for body in gateway.seen] == [True, False, False, True]
