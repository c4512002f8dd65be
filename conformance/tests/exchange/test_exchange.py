"""Tests of `conformance.exchange.sender`, against real servers: whatever comes back is kept, and waits are obeyed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.responses import Response as HttpResponse

from conformance.answers.reading import read_answer
from conformance.errors import StoppedError
from conformance.exchange import sender as exchange_module
from conformance.exchange.sender import Sender, Traffic, user_agent
from conformance.parameters import load_registry
from conformance.provider.target import Target
from conformance.tests.helpers.building import CHAT, MESSAGES, RESPONSES, STREAM, WHOLE
from conformance.tests.helpers.gateways import (
    KEY,
    Policy,
    ScriptedGateway,
    closed_port,
    cut_stream,
    http,
    message,
    raw_server,
    refusal,
    scripted_gateway,
    success,
)
from conformance.types import Cause, Endpoint, Exchange, Mode, Request, Response

PATHS = load_registry().paths


def asking(endpoint: Endpoint = CHAT, mode: Mode = WHOLE, **extra: Any) -> Request:
    """A request of the plan."""
    body: dict[str, Any] = {"model": "m", **extra}
    if endpoint is RESPONSES:
        body["input"] = "hi"
    if mode is STREAM:
        body["stream"] = True
    return Request("m", endpoint, mode, body)


@dataclass
class Sent:
    """What came of some requests, the waits between attempts, and the counts."""

    exchanges: list[Exchange] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def response(self) -> Response:
        """The first response."""
        return self.exchanges[0].response


def send(base_url: str, *requests: Request, concurrency: int = 4) -> Sent:
    """Send requests all at once, without really waiting between attempts."""
    sent = Sent()

    async def sleep(seconds: float) -> None:
        sent.waits.append(seconds)

    async def run() -> None:
        async with Sender(Target(base_url, KEY), PATHS, concurrency, sent.traffic, sleep).open() as sender:
            came = await asyncio.gather(*map(sender.exchange, requests or [asking()]), return_exceptions=True)
            for each in came:
                if isinstance(each, BaseException):
                    raise each
                sent.exchanges.append(each)

    asyncio.run(run())
    return sent


Answering = Callable[[Policy], ScriptedGateway]


@pytest.fixture(scope="module")
def answering() -> Iterator[Answering]:
    """Give the module's one gateway a policy, and a blank memory."""
    policies: list[Policy] = []
    with scripted_gateway(lambda body: policies[-1](body)) as gateway:

        def answer(policy: Policy) -> ScriptedGateway:
            policies.append(policy)
            gateway.seen.clear()
            gateway.headers.clear()
            return gateway

        yield answer


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ScriptedGateway]:
    """A second gateway, to which nothing should go."""
    with scripted_gateway() as gateway:
        yield gateway


def succeed(_: dict[str, Any]) -> None:
    """The policy of a gateway that has nothing against anything."""


def in_turn(*answers: HttpResponse) -> Callable[[dict[str, Any]], HttpResponse | None]:
    """A policy that gives these answers one after the other, and then succeeds."""
    left = list(answers)
    return lambda body: left.pop(0) if left else None


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("mode", Mode)
def test_success_is_kept(endpoint: Endpoint, mode: Mode, answering: Answering) -> None:
    """Given a gateway that answers, when a request is sent, then its answer is kept as it came."""
    request = asking(endpoint, mode)
    gateway = answering(succeed)
    sent = send(gateway.base_url, request)

    response = sent.response
    assert (response.status, response.error) == (200, None)
    assert response.body == (message if endpoint is MESSAGES else success)(dict(request.body)).body
    assert bool(response.chunks) is (mode is STREAM)
    assert mode is WHOLE or sum(length for _, length in response.chunks) == len(response.body)
    assert 0 <= response.elapsed_ms < 10_000
    assert all(name == name.lower() for name in response.headers)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sent.exchanges[0].recorded_at)
    assert sent.exchanges[0].request is request
    assert sent.traffic == Traffic(requests=1)


def test_what_is_sent(answering: Answering) -> None:
    """Given a request, when it is sent, then the gateway gets its body, the key and the suite's name."""
    request = asking(store=False)
    gateway = answering(succeed)
    send(gateway.base_url, request)

    assert gateway.seen == [request.body]
    [headers] = gateway.headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == user_agent()


USED_UP = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}
NESTED = json.dumps({"error": {"message": "litellm.RateLimitError: " + json.dumps({"error": {"retry_after": 15}})}})


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([refusal("slow", 429, {"retry-after": "7"})], [7.0]),
        ([refusal("slow", 429, {"llm_provider-retry-after": "9"})], [9.0]),
        ([HttpResponse(NESTED, 429)], [15.0]),
        ([refusal("slow", 429, {"retry-after": "100000"})], [60.0]),
        ([refusal("slow", 429)], [2.0]),
        ([refusal("slow", 429), refusal("slow", 429)], [2.0, 4.0]),
        ([refusal("slow", 429, {"retry-after": "20"})], [20.0]),
        ([refusal("slow", 429, {"retry-after-ms": "1500"})], [1.5]),
        ([refusal("Please try again in 7.2s", 429)], [7.2]),
        ([refusal("slow", 429, USED_UP)], [60.0]),
        ([refusal("boom", 500, {"retry-after": "3"})], [3.0]),
        ([refusal("busy", 529, {"retry-after": "1"}), refusal("busy", 503)], [1.0, 4.0]),
        ([HttpResponse("<html>502 Bad Gateway</html>", 502)], [2.0]),
        ([cut_stream({"a": 1})], [2.0]),
    ],
)
def test_what_may_pass_is_tried_again(
    answers: Sequence[HttpResponse], waits: list[float], answering: Answering
) -> None:
    """Given failures and then a success, when a request is sent, then the named waits are obeyed, and it succeeds."""
    gateway = answering(in_turn(*answers))
    sent = send(gateway.base_url)

    assert sent.response.status == 200
    assert sent.response.error is None
    assert sent.waits == waits
    limited = sum(answer.status_code == 429 for answer in answers)
    assert sent.traffic == Traffic(requests=len(answers) + 1, rate_limited=limited, retried=len(answers))


def test_who_waits_leaves_its_place(answering: Answering) -> None:
    """Given room for one, when a request has to wait, then the others go in, and it comes back after them."""
    gateway = answering(in_turn(refusal("slow", 429, {"retry-after": "20"})))
    done: list[int] = []

    async def run() -> None:
        others_are_done = asyncio.Event()

        async def sleep(seconds: float) -> None:
            assert seconds == 20
            await others_are_done.wait()

        async def ask(sender: Sender, number: int) -> None:
            await sender.exchange(asking(number=number))
            done.append(number)
            if len(done) == 3:
                others_are_done.set()

        async with Sender(Target(gateway.base_url, KEY), PATHS, 1, sleep=sleep).open() as sender:
            async with asyncio.timeout(30):
                await asyncio.gather(*(ask(sender, number) for number in range(4)))

    asyncio.run(run())
    assert done == [1, 2, 3, 0]


def test_a_model_that_is_hung_up_on_is_not_waited_for(answering: Answering) -> None:
    """Given one model that is hung up on while another is answered, then it is asked again twice, and later not."""
    gateway = answering(lambda body: cut_stream({}) if body["model"] == "dead" else None)
    dead, well = Request("dead", CHAT, WHOLE, {"model": "dead"}), asking()
    alone = send(gateway.base_url, dead, dead, dead)
    beside = send(gateway.base_url, well, well, *[dead] * 7, well, concurrency=1)

    assert alone.traffic.requests == 9
    assert [e.response.error is None for e in beside.exchanges] == [True] * 2 + [False] * 7 + [True]
    assert beside.traffic.retried == 2


@pytest.mark.parametrize("status", [429, 503, 529])
def test_three_attempts(status: int, answering: Answering) -> None:
    """Given a push-back that stays, when a request is sent, then it is tried three times, and the last is kept."""
    count = iter(range(1, 9))
    gateway = answering(lambda body: refusal(f"attempt {next(count)}", status))
    sent = send(gateway.base_url)

    assert (sent.response.status, sent.response.error) == (status, None)
    assert b"attempt 3" in sent.response.body
    assert sent.waits == [2.0, 4.0]
    assert sent.traffic.requests == len(gateway.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 422, 500, 501, 502, 504])
@pytest.mark.parametrize("message", ["no", "try again in 5s"])
def test_other_answers_come_at_once(status: int, message: str, answering: Answering) -> None:
    """Given any other answer, when a request is sent, then it is kept, and not asked for again."""
    gateway = answering(lambda body: refusal(message, status))
    sent = send(gateway.base_url)

    assert (sent.response.status, sent.waits, len(gateway.seen)) == (status, [], 1)


NOBODY = {
    "nothing": b"",
    "balancer": http(b"<html>502 Bad Gateway</html>", "502 Bad Gateway", content_type="text/html"),
    "empty": http(b"", "503 Service Unavailable"),
}


@pytest.mark.parametrize("wire", NOBODY.values(), ids=NOBODY)
@pytest.mark.parametrize(("concurrency", "attempts"), [(4, 24), (20, 60)])
def test_a_gateway_that_is_gone(wire: bytes, concurrency: int, attempts: int) -> None:
    """Given nobody behind the address, when much is sent, then it stops after three attempts of all in flight."""
    with raw_server(wire) as base_url, pytest.raises(StoppedError, match=r"is gone: \d+ attempts") as caught:
        send(base_url, *(asking(number=n) for n in range(100)), concurrency=concurrency)
    assert caught.value.exit_code == 2
    [count] = re.findall(r"gone: (\d+) attempts", str(caught.value))
    assert attempts <= int(count) < attempts + concurrency


def test_a_gateway_that_fails_is_not_gone(answering: Answering) -> None:
    """Given a gateway whose backend is down, when much is sent, then all of it is, and each failure is kept."""
    gateway = answering(lambda body: refusal("overloaded", 503))
    sent = send(gateway.base_url, *(asking(number=n) for n in range(30)))

    assert [exchange.response.status for exchange in sent.exchanges] == [503] * 30
    assert len(gateway.seen) == 90


def test_cut_stream_is_kept(answering: Answering) -> None:
    """Given a stream that breaks off each time, when it is read, then what came and what broke are kept."""
    gateway = answering(lambda body: cut_stream({"choices": []}))
    sent = send(gateway.base_url, asking(mode=STREAM))

    response = sent.response
    assert response.status == 200
    assert response.error == "the connection broke off before the answer was whole (RemoteProtocolError)"
    assert read_answer(sent.exchanges[-1].request, response).cause is Cause.CUT_OFF
    assert response.body == b'data: {"choices": []}\n\n'
    assert sum(length for _, length in response.chunks) == len(response.body)
    assert len(gateway.seen) == 3


def test_refused_connection_is_kept() -> None:
    """Given a port on which nobody listens, when a request is sent, then that is an answer like any other."""
    sent = send(f"http://127.0.0.1:{closed_port()}")

    assert (sent.response.status, sent.response.body) == (None, b"")
    assert sent.response.error == "no connection (ConnectError)"
    assert read_answer(sent.exchanges[-1].request, sent.response).cause is Cause.NO_ANSWER
    assert sent.traffic.requests == 3


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"", "the connection broke off before the answer was whole (RemoteProtocolError)"),
        (b"nonsense\r\n\r\n", "the connection broke off before the answer was whole (RemoteProtocolError)"),
        (http(b"no gzip", content_encoding="gzip"), "the answer's compression is broken"),
        (http(b"abc").replace(b"length: 3", b"length: 9"), "the connection broke off"),
        (http(b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + b"5\r\nab", "the connection broke"),
    ],
    ids=["nothing", "no-http", "bad-gzip", "short", "short-chunk"],
)
def test_broken_answers_are_kept(wire: bytes, error: str) -> None:
    """Given a server that breaks the protocol, when a request is sent, then it is recorded, and nothing raises."""
    with raw_server(wire) as base_url:
        sent = send(base_url)

    assert (sent.response.error or "").startswith(error)
    assert KEY not in repr(sent.exchanges)


def test_oversize_answers_are_cut(monkeypatch: pytest.MonkeyPatch, answering: Answering) -> None:
    """Given an answer larger than is kept, when it is read, then its beginning is, with the reason."""
    monkeypatch.setattr(exchange_module, "MAX_BODY", 2**20)
    gateway = answering(lambda body: HttpResponse(b"x" * (3 * 2**20)))
    sent = send(gateway.base_url)

    assert sent.response.error == "the answer is larger than 1 MiB"
    assert sent.response.cause is Cause.UNREADABLE
    assert sent.response.body == b"x" * 65_536
    assert sent.response.status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, answering: Answering, elsewhere: ScriptedGateway) -> None:
    """Given a gateway that redirects elsewhere, when a request is sent, then the key goes no further."""
    target = f"{elsewhere.base_url}/v1/chat/completions"
    gateway = answering(lambda body: RedirectResponse(target, status))
    sent = send(gateway.base_url)

    assert sent.response.status == status
    assert sent.response.headers["location"] == target
    assert elsewhere.seen == []
    assert len(gateway.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://proxy.example/v1/messages", " to https://proxy.example/v1/messages"),
        (f"https://u:{KEY}@proxy.example:8443/v1?key={KEY}#{KEY}", " to https://proxy.example:8443/v1"),
        ("/login?next=x", " to /login"),
        ("http://[::bad", ""),
        ("http://proxy.example:port/v1", " to http://proxy.example:port/v1"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_redirect_says_where_it_leads(status: int, location: str | None, told: str, answering: Answering) -> None:
    """Given a redirect, also to an address that is none, when it is read, then it is asked once, and the sentence says
    where it leads, without what may be a secret, and what to do."""
    headers = {} if location is None else {"location": location}
    gateway = answering(lambda body: HttpResponse(status_code=status, headers=headers))
    sent = send(gateway.base_url)

    answer = read_answer(asking(), sent.response)
    advice = "which is not followed; set LITELLM_BASE_URL to the final address"
    assert answer.problem == f"a redirect ({status}){told}, {advice}"
    assert len(gateway.seen) == 1
    assert sent.waits == []


async def _late(seconds: float) -> HttpResponse:
    await asyncio.sleep(seconds)
    return JSONResponse({"choices": []})


def slow_stream(_: dict[str, Any]) -> HttpResponse:
    """A stream that takes 0.4 s, in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"data: {}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(pieces(), media_type="text/event-stream")


def late(seconds: float) -> Callable[[dict[str, Any]], Awaitable[HttpResponse]]:
    """A policy that takes its time."""
    return lambda body: _late(seconds)


@pytest.mark.parametrize(
    ("bound", "error"),
    [("READ_TIMEOUT", "nothing came for 120 s (ReadTimeout)"), ("TOTAL_TIMEOUT", "no whole answer within 0.1 s")],
)
def test_time_outs_are_kept(bound: str, error: str, monkeypatch: pytest.MonkeyPatch, answering: Answering) -> None:
    """Given a gateway that does not answer in time, when a request is sent, then that is recorded."""
    # the words name the bound as it is at import
    monkeypatch.setattr(exchange_module, bound, 0.1)
    gateway = answering(late(0.4))
    sent = send(gateway.base_url)

    assert (sent.response.status, sent.response.error) == (None, error)
    assert sent.response.cause is Cause.TIMED_OUT


def test_waiting_for_a_connection_is_no_time_out(monkeypatch: pytest.MonkeyPatch, answering: Answering) -> None:
    """Given slow streams on every connection, when one more request waits for longer than a read may, it succeeds."""
    monkeypatch.setattr(exchange_module, "READ_TIMEOUT", 0.2)
    gateway = answering(slow_stream)
    sent = send(gateway.base_url, *(asking(number=n) for n in range(5)), concurrency=4)

    assert sent.traffic == Traffic(requests=5)


def test_many_at_once(answering: Answering) -> None:
    """Given many requests over several pools, when they are sent at once, then each gets its own answer."""
    requests = [asking(number=n) for n in range(60)]
    gateway = answering(lambda body: JSONResponse({"choices": [], "number": body["number"]}))
    sent = send(gateway.base_url, *requests, concurrency=10)

    assert [json.loads(e.response.body)["number"] for e in sent.exchanges] == list(range(60))
    assert len(gateway.seen) == sent.traffic.requests == 60
