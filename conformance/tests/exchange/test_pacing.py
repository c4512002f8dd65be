"""Tests of `conformance.exchange.window`: fewer at once when the gateway pushes back, else more again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from conformance.exchange.sender import Sender, Traffic
from conformance.exchange.window import Window
from conformance.parameters import load_registry
from conformance.provider.target import Target
from conformance.tests.helpers.building import CHAT, WHOLE
from conformance.tests.helpers.gateways import KEY, refusal, scripted_gateway
from conformance.types import Exchange, Request


def pushed_back(window: Window, *models: str) -> None:
    """A push-back of each of these models, all of which were in flight at once."""
    for model, attempt in [(model, window.begin()) for model in models]:
        window.pushed_back(model, attempt)


def test_half_after_push_backs_and_more_after_good_rounds() -> None:
    """Given a window, when a quarter of a round is pushed back and then nothing is, then it halves, and grows again."""
    window = Window(8)
    pushed_back(window, "a", "b")
    assert window.limit == 4
    for _ in range(8):
        window.went_well("a")
    assert 4.8 < window.limit <= 5
    for _ in range(100):
        window.went_well("a")
    assert window.limit == 8


def test_one_cut_a_round() -> None:
    """Given eight in flight, when all are pushed back, then that halves once; when later ones are, again."""
    window = Window(8)
    pushed_back(window, *"abcdefgh")
    assert window.limit == 4
    for model in "abcdefghi":
        pushed_back(window, model)
    assert window.limit == window.lowest == 1


def test_a_push_back_now_and_then_is_borne() -> None:
    """Given one push-back in a round of many answers, when that goes on, then as many go in as ever."""
    window = Window(32)
    for number in range(1000):
        if number % 16:
            window.went_well(f"model-{number % 5}")
        else:
            pushed_back(window, f"model-{number % 5}")
    assert window.lowest == 32


@pytest.mark.parametrize(("sick", "lowest"), [(1, 32), (4, 16), (10, 1)])
def test_models_that_are_always_pushed_back_speak_for_themselves(sick: int, lowest: int) -> None:
    """Given models that get nothing but push-backs while most are answered, then these lose no more than a moment."""
    window = Window(32)
    for number in range(400):
        window.went_well(f"well-{number % 20}")
        window.went_well(f"well-{(number + 1) % 20}")
        pushed_back(window, f"sick-{number % sick}")
    assert window.lowest >= lowest
    assert window.limit == 32
    assert window.is_alone("sick-0")
    assert not window.is_alone("well-0")
    window.went_well("sick-0")
    assert not window.is_alone("sick-0")


@pytest.mark.parametrize("models", [1, 2, 40])
def test_a_gateway_that_pushes_back_as_a_whole(models: int) -> None:
    """Given a gateway that answered all and then pushes every model back, then few go in, however few the models."""
    window = Window(64)
    for number in range(500):
        window.went_well(f"model-{number % models}")
    for number in range(500):
        pushed_back(window, f"model-{number % models}")
    assert window.limit == 1
    assert not window.is_alone("model-0")


@given(st.lists(st.sampled_from(["back", "well"]), max_size=60), st.integers(1, 9))
def test_never_more_than_the_limit_and_never_stuck(answers: list[str], most: int) -> None:
    """Given any answers, when many want in, then never more are in than the limit allowed, and all come through."""
    inside = 0

    async def one(window: Window, answer: str) -> None:
        nonlocal inside
        async with window.turn():
            inside += 1
            assert inside <= most
            number = window.begin()
            await asyncio.sleep(0)
            if answer == "back":
                window.pushed_back("m", number)
            else:
                window.went_well("m")
            inside -= 1

    async def run() -> None:
        window = Window(most)
        async with asyncio.timeout(5):
            await asyncio.gather(*(one(window, answer) for answer in answers))
        assert 1 <= window.limit <= most

    asyncio.run(run())


def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    """Given a full window, when one that waits is cancelled as its turn comes, then the next gets it."""

    async def run() -> None:
        window = Window(1)
        entered: list[str] = []

        async def wait(name: str) -> None:
            async with window.turn():
                entered.append(name)

        full = window.turn()
        await full.__aenter__()
        first, second = (asyncio.create_task(wait(name)) for name in ("first", "second"))
        await asyncio.sleep(0)
        await full.__aexit__(None, None, None)
        first.cancel()
        async with asyncio.timeout(5):
            await second
        assert entered == ["second"]

    asyncio.run(run())


def test_who_is_furthest_behind_goes_first() -> None:
    """Given a full window, when several wait, then the lowest place gets the turn, and of equals who came first."""

    async def run() -> list[str]:
        window = Window(1)
        entered: list[str] = []

        async def wait(name: str, place: int) -> None:
            async with window.turn(place):
                entered.append(name)

        async with window.turn():
            waiting = [asyncio.create_task(wait(*each)) for each in (("far", 7), ("behind", 2), ("behind too", 2))]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        return entered

    assert asyncio.run(run()) == ["behind", "behind too", "far"]


@pytest.mark.parametrize("models", [1, 40])
@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_gateway_that_bears_three_at_once(status: int, models: int) -> None:
    """Given a gateway that refuses a fourth request at once, when many are sent, then few are refused, all succeed."""
    inside = most = 0

    async def busy(_: dict[str, Any]) -> Response | None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            if inside > 3:
                return refusal("too many at once", status, {"retry-after": "0"})
            await asyncio.sleep(0.01)
            return None
        finally:
            inside -= 1

    traffic = Traffic()
    asked = [Request(f"m{n % models}", CHAT, WHOLE, {"model": "m", "n": n}) for n in range(150)]
    with scripted_gateway(busy) as gateway:

        async def run() -> tuple[list[Exchange], Window]:
            async with Sender(Target(gateway.base_url, KEY), load_registry().paths, 32, traffic).open() as sender:
                return list(await asyncio.gather(*map(sender.exchange, asked))), sender.window

        exchanges, window = asyncio.run(run())

    assert most > 3
    assert window.lowest < 8
    assert sum(exchange.response.status == 200 for exchange in exchanges) > 120
    assert traffic.retried < (100 if models == 1 else len(asked))
