"""Tests of `conformance.exchange.window`: fewer at once when the gateway pushes back, else more again."""

from __future__ import annotations

import asyncio
import threading
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
from conformance.tests.helpers.gateways import KEY, ScriptedGateway, refusal, scripted_gateway
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
        async with window.turn("m"):
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
            async with window.turn("m"):
                entered.append(name)

        full = window.turn("m")
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
            async with window.turn("m", place):
                entered.append(name)

        async with window.turn("m"):
            waiting = [asyncio.create_task(wait(*each)) for each in (("far", 7), ("behind", 2), ("behind too", 2))]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        return entered

    assert asyncio.run(run()) == ["behind", "behind too", "far"]


@pytest.mark.parametrize("places", [2, 8, 64])
@pytest.mark.parametrize("lanes", [1, 6])
def test_a_slow_model_slows_no_other(places: int, lanes: int) -> None:
    """Given a model that answers only when another is done, when they share the places, then that one gets done.

    The slow one wants more places than there are, from the beginning.
    """

    async def run() -> None:
        window = Window(places)
        done = asyncio.Event()

        async def slow() -> None:
            async with window.turn("slow"):
                await done.wait()

        async def fast() -> None:
            for turn in range(20):
                async with window.turn("fast", turn):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.001)  # an answer is judged before the next request

        async def once() -> None:
            async with window.turn("slow"):
                await asyncio.sleep(0)

        first = [asyncio.create_task(once()) for _ in range(places)]
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(slow()) for _ in range(3 * places)]
        async with asyncio.timeout(10):
            await asyncio.gather(*(fast() for _ in range(lanes)))
            done.set()
            await asyncio.gather(*first, *waiting)

    asyncio.run(run())


def test_room_is_kept_for_nobody_who_is_done() -> None:
    """Given a model that gave its places back and is done, when others wait, then they have them a moment later."""

    async def run() -> None:
        window = Window(4)
        entered: list[int] = []

        async def busy(number: int, until: asyncio.Event) -> None:
            async with window.turn("busy"):
                entered.append(number)
                await until.wait()

        until = asyncio.Event()
        others = [window.turn("done") for _ in range(2)]
        for other in others:
            await other.__aenter__()
        waiting = [asyncio.create_task(busy(number, until)) for number in range(6)]
        await asyncio.sleep(0.01)
        assert len(entered) == 2
        for other in others:
            await other.__aexit__(None, None, None)
        async with asyncio.timeout(5):
            while len(entered) < 4:
                await asyncio.sleep(0.01)
        until.set()
        await asyncio.gather(*waiting)

    asyncio.run(run())


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


def test_a_fast_request_waits_for_no_slow_one() -> None:
    """Given slow requests sent in turn with fast ones, when more fast ones follow, then no slow one is in their way."""

    async def run(gateway: ScriptedGateway) -> list[int | None]:
        async with Sender(Target(gateway.base_url, KEY), load_registry().paths, 8).open() as sender:
            slow = []
            for number in range(4):
                slow.append(asyncio.create_task(sender.exchange(asked("slow", number))))
                await asyncio.sleep(0.01)
                await sender.exchange(asked("fast", number))
            async with asyncio.timeout(10):
                fast = [await sender.exchange(asked("fast", number)) for number in range(4, 12)]
            assert not any(task.done() for task in slow)
            done.set()
            return [exchange.response.status for exchange in [*fast, *await asyncio.gather(*slow)]]

    async def answer(body: dict[str, Any]) -> Response | None:
        while body["model"] == "slow" and not done.is_set():
            await asyncio.sleep(0.01)
        return None

    def asked(model: str, number: int) -> Request:
        return Request(model, CHAT, WHOLE, {"model": model, "n": number})

    done = threading.Event()
    with scripted_gateway(answer) as gateway:
        try:
            statuses = asyncio.run(run(gateway))
        finally:
            done.set()
    assert statuses == [200] * 12
