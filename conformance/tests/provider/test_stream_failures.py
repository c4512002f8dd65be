"""Tests of `conformance.provider.stream`: answers that break off, are refused, or are none at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from conformance.provider.models import Model
from conformance.provider.stream import Error, Event
from conformance.tests.helpers.gateways import KEY, closed_port, cut_stream, events, refusal, scripted_gateway
from conformance.tests.helpers.streams import (
    CHAT,
    HI,
    RESPONSES,
    both_wires,
    chunk,
    completed,
    done,
    failed,
    item,
    piece,
    provider,
    told,
)

BROKEN: dict[str, tuple[Model, Callable[[Any], Response], str, str]] = {
    "a word cut off": (CHAT, lambda _: cut_stream(chunk({"content": "Hel"})), "incomplete", "connection"),
    "a clean end midway": (CHAT, lambda _: events(chunk({"content": "Hel"})), "incomplete", "broke off before"),
    "midway in Responses": (
        RESPONSES,
        lambda _: events(item("response.output_text.delta", 0, delta="Hel")),
        "incomplete",
        "broke off before",
    ),
    "a call cut off": (
        CHAT,
        lambda _: events(chunk({"content": "Hel"}), chunk({"tool_calls": [piece(0, "a", "look", '{"x"')]})),
        "incomplete",
        "broke off before",
    ),
    "an error in the midst": (
        CHAT,
        lambda _: events(chunk({"content": "Hel"}), {"error": {"message": "boom"}}, "[DONE]"),
        "incomplete",
        "reports an error: boom",
    ),
    "a failed response": (
        RESPONSES,
        lambda _: events(
            item("response.output_text.delta", 0, delta="Hel"),
            completed(kind="response.failed", error={"code": "server_error", "message": "boom"}),
        ),
        "error",
        "reports an error: boom",
    ),
    "a failed response without a reason": (
        RESPONSES,
        lambda _: events(
            item("response.output_text.delta", 0, delta="Hel"), {"type": "response.failed", "response": {}}
        ),
        "error",
        "reports an error: no reason given",
    ),
    "an error event": (
        RESPONSES,
        lambda _: events(item("response.output_text.delta", 0, delta="Hel"), {"type": "error", "message": "boom"}),
        "error",
        "reports an error: boom",
    ),
    "no JSON": (CHAT, lambda _: events(chunk({"content": "Hel"}), "{oops"), "incomplete", "cannot be read"),
    "no object": (CHAT, lambda _: events(chunk({"content": "Hel"}), "7"), "incomplete", "cannot be read"),
    "a delta that is none": (CHAT, lambda _: events(chunk({"content": "Hel"}), chunk("x")), "incomplete", "cannot be"),
    "no UTF-8": (
        CHAT,
        lambda _: Response(
            b"data: " + json.dumps(chunk({"content": "Hel"})).encode() + b'\n\ndata: {"a": "\xff\xfe\n\n',
            media_type="text/event-stream",
        ),
        "incomplete",
        "cannot be read",
    ),
}


class TestFailures:
    """However it ends, it ends."""

    @pytest.mark.parametrize("case", BROKEN)
    def test_broken_off(self, case: str) -> None:
        """Given an answer that breaks, when streamed, then what came is kept, and one error tells why."""
        asked, answer, reason, words = BROKEN[case]
        found = told(answer, asked)

        error = failed(found)
        assert (error.stop_reason, error.message["content"]) == (reason, "Hel")
        assert words in error.text
        assert "tool_calls" not in error.message

    def test_broken_after_the_end(self) -> None:
        """Given an answer that was whole when its connection broke, when streamed, then it is whole."""
        found = told(lambda _: cut_stream(chunk({"tool_calls": [piece(0, "a", "look", "{}")]}, "tool_calls")), CHAT)

        assert done(found).message["tool_calls"][0]["id"] == "a"
        assert done(found).usage is None

    @both_wires
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (refusal("store: Extra inputs are not permitted"), "answers 400: store: Extra inputs are not permitted"),
            (refusal("x", 401), "answers 401: x"),
            (Response(b"<html>" + b"x" * 10_000_000, 502), "answers 502: "),
            (JSONResponse({"error": {"message": "x" * 10_000_000}}, 500), "answers 500: xxx"),
            (Response(b"\xff\xfe\x00", 500), "answers 500: "),
            (JSONResponse([{"error": {"code": 400, "message": "y"}}], 400), "answers 400: y"),
            (refusal(f"the key {KEY} is wrong", 401), "answers 401: the key [key] is wrong"),
            (refusal("the number 429 in a prompt"), "answers 400: the number 429 in a prompt"),
        ],
        ids=["refused", "no key", "10 MB of HTML", "10 MB of JSON", "no UTF-8", "a list", "the key in it", "429"],
    )
    def test_refused(self, asked: Model, answer: Response, words: str) -> None:
        """Given an error instead of an answer, when streamed, then one short line tells it, and never the key."""
        mended = "Extra inputs" in words and asked is RESPONSES  # whose requests hold `store`
        [error] = told(lambda _: answer, asked, requests=2 if mended else 1)

        assert isinstance(error, Error)
        assert (error.stop_reason, error.rate_limit) == ("error", None)
        assert error.text.startswith(f"the gateway {words}")
        assert ("leaving these out did not help: store" in error.text) is mended
        assert len(error.text) < 2100
        assert "\n" not in error.text
        assert KEY not in repr(error)

    @both_wires
    def test_rate_limits(self, asked: Model) -> None:
        """Given a rate limit in a body, a header or a stream, when streamed, then it is explained."""
        limit = {
            "error": {
                "type": "rate_limit_exceeded",
                "code": 429,
                "limit_type": "input_tokens_per_minute",
                "limit": 200000,
                "current": 200150,
                "retry_after": 15,
            }
        }
        nested = {"error": {"message": f"litellm.RateLimitError: {json.dumps(limit)}", "code": "429"}}
        failed_event = completed(kind="response.failed", error={"code": "429", "message": json.dumps(limit)})
        in_stream = failed_event if asked is RESPONSES else nested
        for answer in (JSONResponse(limit, 429), JSONResponse(nested, 429), events(in_stream)):
            error = failed(told(partial(lambda answer, _: answer, answer), asked))
            assert (error.stop_reason, error.status) == ("rate_limit", 429)
            assert error.rate_limit is not None
            assert (error.rate_limit.limit, error.rate_limit.retry_after) == (200000, 15)
            assert "200,150" in error.text or "200150" in error.text

    @both_wires
    def test_nobody_there(self, asked: Model) -> None:
        """Given nobody who listens, when streamed, then one error tells that the connection failed."""

        async def run() -> list[Event]:
            async with provider(f"http://127.0.0.1:{closed_port()}") as ours:
                return [event async for event in ours.stream(asked, HI)]

        [error] = asyncio.run(run())
        assert isinstance(error, Error)
        assert error.text.startswith("the connection to the gateway failed: ")

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [(Response("<html>", media_type="text/html"), "text/html"), (JSONResponse({}), "application/json")],
    )
    def test_no_stream_at_all(self, answer: Response, kind: str) -> None:
        """Given a page, or an answer in one piece, where a stream was asked for, when read, then that is said."""
        error = failed(told(lambda _: answer, CHAT))

        assert (error.stop_reason, error.text) == (
            "error",
            f"the answer is {kind}, but a stream was requested; check the address",
        )

    def test_redirects_do_not_take_the_key_along(self) -> None:
        """Given a gateway that redirects to a stranger, when streamed, then the stranger is not asked."""
        with scripted_gateway() as stranger:
            response = Response(status_code=307, headers={"location": f"{stranger.base_url}/v1/chat/completions"})
            error = failed(told(lambda _: response, CHAT))
            assert stranger.seen == []
        assert error.status == 307
