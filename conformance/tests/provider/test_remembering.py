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
    """Given two fields that were refused, when one is taken again, then the other is learnt anew, and this one sent."""
    monkeypatch.setattr(account, "TRY_AGAIN_EVERY", 2)
    refused = ["store", "seed"]
    rules = filtering(cache_folder=tmp_path)
    with scripted_gateway(lambda body: refuses(*refused)(body)) as gateway:
        post(rules, gateway, blocking)
        refused.remove("seed")
        for _ in range(3):
            assert post(rules, gateway, blocking)[0] == 200

    assert [[name for name in ("store", "seed") if name in body] for body in gateway.seen[3:]] == [
        [],
        ["store", "seed"],
        ["seed"],
        ["seed"],
    ]


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
