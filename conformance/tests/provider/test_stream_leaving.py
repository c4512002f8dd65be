"""Tests of `conformance.provider.stream`: consumers that leave first, and several of one provider."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.responses import Response

from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.stream import Error, Event, Start, TextDelta
from conformance.tests.helpers.gateways import events, scripted_gateway
from conformance.tests.helpers.streams import CHAT, HI, check, chunk, done, failed, provider


@contextmanager
def endless(silent: bool) -> Iterator[tuple[str, dict[str, bool]]]:
    """A gateway that begins an answer (or is silent) and never ends it; and whether it was asked and left."""
    state = {"asked": False, "left": False}
    piece_of_it = f"data: {json.dumps(chunk({'content': 'Hel'}))}\n\n".encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                connection.settimeout(20)
                connection.recv(65536)
                state["asked"] = True
                if not silent:
                    connection.sendall(head + piece_of_it)
                while connection.recv(65536):
                    pass
                state["left"] = True

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", state
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


async def until(happened: Callable[[], bool]) -> None:
    """Wait for it, though not for ever."""
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.01)


class TestLeaving:
    """The consumer leaves first."""

    def leave(
        self,
        how: Callable[[AsyncGenerator[Event, None], asyncio.Event], Any],
        silent: bool = False,
        *,
        by_signal: bool = False,
    ) -> Any:
        """What comes of leaving in this way, with a signal given and without; the gateway must see that."""

        async def run(signal: asyncio.Event, given: asyncio.Event | None) -> Any:
            with endless(silent) as (url, state):
                async with provider(url) as ours:
                    result = await how(ours.stream(CHAT, HI, signal=given), signal)
                    await until(lambda: state["left"])
                return result

        if not by_signal:
            asyncio.run(run(asyncio.Event(), None))
        signal = asyncio.Event()
        return asyncio.run(run(signal, signal))

    def test_by_break(self) -> None:
        """Given a stream, when its consumer breaks out of the loop, then the connection closes."""

        async def how(stream: AsyncGenerator[Event, None], _: asyncio.Event) -> None:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
            del stream

        self.leave(how)

    def test_by_aclose(self) -> None:
        """Given a stream, when it is closed, then the connection is."""

        async def how(stream: AsyncGenerator[Event, None], _: asyncio.Event) -> None:
            async with contextlib.aclosing(stream) as events_of_it:
                assert isinstance(await anext(events_of_it), Start)

        self.leave(how)

    @pytest.mark.parametrize("silent", [False, True], ids=["in the answer", "before it"])
    def test_by_cancelling(self, silent: bool) -> None:
        """Given a task that consumes a stream, when it is cancelled, then it is, and the connection closes."""

        async def how(stream: AsyncGenerator[Event, None], _: asyncio.Event) -> None:
            async def consume() -> None:
                async for _ in stream:
                    pass

            task = asyncio.ensure_future(consume())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.leave(how, silent)

    @pytest.mark.parametrize("silent", [False, True], ids=["in the answer", "before it"])
    def test_by_signal(self, silent: bool) -> None:
        """Given a signal, when it is set, then the stream ends at once with an error that says so."""

        async def how(stream: AsyncGenerator[Event, None], signal: asyncio.Event) -> list[Event]:
            asyncio.get_running_loop().call_later(0.3, signal.set)
            return [event async for event in stream]

        found = self.leave(how, silent, by_signal=True)
        check(found)
        assert failed(found).stop_reason == "aborted"
        assert len(found) == (1 if silent else 3)

    def test_by_signal_set_before(self) -> None:
        """Given a signal that is set already, when streamed, then nothing is sent."""

        async def run() -> list[Event]:
            signal = asyncio.Event()
            signal.set()
            with endless(silent=True) as (url, state):
                async with provider(url) as ours:
                    found = [event async for event in ours.stream(CHAT, HI, signal=signal)]
                assert not state["asked"]
                return found

        [error] = asyncio.run(run())
        assert isinstance(error, Error)
        assert error.stop_reason == "aborted"

    def test_a_signal_that_is_never_set(self) -> None:
        """Given a signal, when an answer ends by itself, then nothing of it is left behind."""

        async def run() -> None:
            with scripted_gateway() as gateway:
                async with provider(gateway.base_url) as ours:
                    found = [event async for event in ours.stream(CHAT, HI, signal=asyncio.Event())]
            check(found)
            done(found)
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(run())

    def test_a_provider_in_two_event_loops(self) -> None:
        """Given one provider, when it streams in one event loop after another, then both work."""

        async def run(ours: LiteLLMProvider) -> None:
            async for event in ours.stream(CHAT, HI):
                last = event
            done([last])
            await ours.aclose()

        with scripted_gateway() as gateway:
            ours = provider(gateway.base_url)
            asyncio.run(run(ours))
            asyncio.run(run(ours))

    def test_many_at_once(self) -> None:
        """Given one provider, when 20 answers stream at once, then each consumer has its own."""

        async def one(ours: LiteLLMProvider, number: int) -> str:
            found = [event async for event in ours.stream(CHAT, [{"role": "user", "content": str(number)}])]
            return str(done(found).message["content"])

        async def run(url: str) -> list[str]:
            async with provider(url) as ours:
                return await asyncio.gather(*(one(ours, number) for number in range(20)))

        def answer(body: dict[str, Any]) -> Response:
            return events(chunk({"content": body["messages"][0]["content"]}, "stop"), "[DONE]")

        with scripted_gateway(answer) as gateway:
            assert asyncio.run(run(gateway.base_url)) == [str(number) for number in range(20)]
