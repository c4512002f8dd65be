"""Send requests and keep whatever comes back: time-outs, broken streams, reactive waiting.

Nothing here limits the rate in advance. A push-back, what names a wait and a broken connection are
tried again, and who waits leaves the window to others. What remains is recorded as it was. A
gateway that answers nothing any more, and a budget that is used up, end the recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from conformance import __version__
from conformance.answers.reading import Answer, read_answer
from conformance.errors import StoppedError
from conformance.exchange.budget import Budget
from conformance.exchange.receiving import ACCEPT_ENCODING, UnbearableError, location_of, pieces, set_location_aside
from conformance.exchange.waiting import PUSH_BACK, is_nobody, wait_before_again
from conformance.exchange.window import Window
from conformance.provider.http_library import usable_proxies
from conformance.provider.target import Target
from conformance.provider.tls import verification
from conformance.types import Cause, Endpoint, Exchange, Request, Response

#: Bounds of one exchange: seconds, bytes and attempts. Answers are capped at 256 tokens: models that
#: think for two minutes exist, honest answers of 8 MiB do not.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 120.0
TOTAL_TIMEOUT = 300.0
MAX_BODY = 8 * 1024 * 1024
ATTEMPTS = 3

#: Bytes that are kept of an answer that went past a bound: its beginning is evidence enough.
_EVIDENCE = 65_536

#: Attempts in a row, of each request in flight, that no gateway answers before it counts as gone.
GONE_AFTER = 24
GONE_ROUNDS = 3

#: Connections per client: httpcore's pool is searched linearly, so several small ones beat a big one.
_CONNECTIONS = 4


@dataclass(slots=True)
class Traffic:
    """Counts of what a run has sent and met so far."""

    requests: int = 0
    rate_limited: int = 0
    retried: int = 0


class Sender:
    """Sends the requests of a plan to one gateway, over a few small connection pools."""

    def __init__(
        self,
        target: Target,
        paths: Mapping[Endpoint, str],
        concurrency: int,
        traffic: Traffic | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        budget: Budget | None = None,
    ) -> None:
        """Send to `target`, at most `concurrency` requests at once; `sleep` waits between attempts."""
        self._target = target
        self.paths = paths
        self._sleep = sleep
        self.concurrency = concurrency
        self.traffic = traffic or Traffic()
        self.window = Window(concurrency)
        self.resting = 0  # requests that wait for another attempt
        self.stirred = asyncio.Event()  # set when another begins to
        self._budget = budget or Budget()
        self._unanswered = 0
        self._clients: list[httpx.AsyncClient] = []
        self._busy: Counter[httpx.AsyncClient] = Counter()  # with how many requests each is

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Sender]:
        """Open the connection pools while the block runs. Raises `ConformanceError` where none can be made."""
        known = verification(self._target.ca_bundle)
        context = httpx.create_ssl_context() if known is True else known  # made once: it costs 45 ms a client
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(-(-self.concurrency // _CONNECTIONS)):
                with usable_proxies():
                    client = httpx.AsyncClient(
                        verify=context,
                        trust_env=self._target.uses_environment,
                        follow_redirects=False,  # the key goes to the gateway named, and nowhere else
                        event_hooks={"response": [set_location_aside]},
                        timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT, pool=None),
                        limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
                        headers={
                            "user-agent": user_agent(),
                            **self._target.request_headers,
                            "accept-encoding": ACCEPT_ENCODING,
                            "content-type": "application/json",
                        },
                    )
                self._clients.append(await stack.enter_async_context(client))
            try:
                yield self
            finally:
                self._clients.clear()

    async def exchange(self, request: Request, place: int = 0) -> Exchange:
        """Send one request when there is room, again where a moment's wait may help, and keep the last answer.

        Of a model's requests that wait for room, the lowest `place` goes first. Raises `StoppedError` where
        nothing more is to be sent.
        """
        for number in range(1, ATTEMPTS + 1):
            response, wait = await self._send(request, number, place)
            if wait is None or number == ATTEMPTS:
                break
            await self._rest(wait)
        return Exchange(request, response, now())

    async def _rest(self, seconds: float) -> None:
        """Wait between attempts, out of the window."""
        self.traffic.retried += 1
        self.resting += 1
        self.stirred.set()
        try:
            await self._sleep(seconds)
        finally:
            self.resting -= 1

    async def _send(self, request: Request, attempt: int, place: int) -> tuple[Response, float | None]:
        """What an attempt brought, and the seconds before another; None where there is none."""
        async with self.window.turn(request.model, place):
            self._refuse_if_gone()
            self._budget.begin(request)
            self.traffic.requests += 1
            number = self.window.begin()
            response, broken = await self._ask(request)
            answer = read_answer(request, response)
            self._budget.end(request, response, answer)
            self._learn(request, response, answer, broken, number)
        wait = wait_before_again(request, response, answer, attempt)
        if response.error is not None and (not broken or self.window.is_alone(request.model)):
            wait = None  # it took its time, or it is one model's trouble, and the dialogue asks again
        return response, wait

    async def _ask(self, request: Request) -> tuple[Response, bool]:
        """What came back; and whether the connection was not there or broke."""
        # The idlest has a connection left. In turn, a fast request would wait behind slow ones that fill another's.
        client = min(self._clients, key=self._busy.__getitem__)
        received, broken = _Received(), False
        self._busy[client] += 1
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                method, url = request.method, self._target.url(self.paths[request.endpoint] + request.tail)
                async with client.stream(method, url, content=request.content, headers=request.headers) as answer:
                    await received.read(answer)
        except TimeoutError:
            received.fail(Cause.TIMED_OUT, f"no whole answer within {TOTAL_TIMEOUT:g} s")
        except UnbearableError as error:
            received.fail(Cause.UNREADABLE, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            received.fail(Cause.TIMED_OUT if isinstance(error, httpx.TimeoutException) else None, _described(error))
            broken = isinstance(error, _BROKEN)
        finally:
            self._busy[client] -= 1
        return received.response(), broken

    def _learn(self, request: Request, response: Response, answer: Answer, broken: bool, number: int) -> None:
        """Take from an answer how much the gateway bears, and whether it is there at all."""
        self.traffic.rate_limited += answer.status == 429
        if answer.status in PUSH_BACK or broken:
            self.window.pushed_back(request.model, number)
        elif response.error is None:
            self.window.went_well(request.model)
        if not is_nobody(response):
            self._unanswered = 0
        elif not self.window.is_alone(request.model):
            self._unanswered += 1
        self._refuse_if_gone()

    def _refuse_if_gone(self) -> None:
        if self._unanswered >= max(GONE_AFTER, GONE_ROUNDS * self.concurrency):
            raise StoppedError(
                f"{self._target.base_url} is gone: {self._unanswered} attempts in a row brought no answer; "
                "check the gateway"
            )


class _Received:
    """What has come back so far; whatever ends an exchange, this much is kept."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self._error: str | None = None
        self._cause: Cause | None = None
        self._started = time.monotonic()
        self._body = bytearray()
        self._chunks: list[tuple[int, int]] = []

    async def read(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        if place := location_of(answer):
            self.headers["location"] = place
        try:
            async for chunk in pieces(answer, MAX_BODY):
                self._body += chunk
                self._chunks.append((self._elapsed(), len(chunk)))
        except UnbearableError:
            del self._body[_EVIDENCE:], self._chunks[_EVIDENCE // 64 :]
            raise

    def fail(self, cause: Cause | None, error: str) -> None:
        self._cause, self._error = cause, error

    def response(self) -> Response:
        streamed = self.headers.get("content-type", "").startswith("text/event-stream")
        return Response(
            status=self.status,
            headers=self.headers,
            body=bytes(self._body),
            elapsed_ms=self._elapsed(),
            chunks=tuple(self._chunks) if streamed else (),
            error=self._error,
            cause=self._cause,
        )

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def user_agent() -> str:
    """How the suite introduces itself to a gateway."""
    return f"litellm-conformance/{__version__}"


def now() -> str:
    """The time, in UTC, as recordings write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: A connection that was not there, or broke: another may hold.
_BROKEN = (httpx.ConnectTimeout, httpx.NetworkError, httpx.RemoteProtocolError)

#: What a transport error is called in a recording; the first that fits, most specific first.
_ERRORS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, f"no connection within {CONNECT_TIMEOUT:g} s"),
    (httpx.TimeoutException, f"nothing came for {READ_TIMEOUT:g} s"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "the connection broke off before the answer was whole"),
    (httpx.NetworkError, "the connection broke"),
)


def _described(error: Exception) -> str:
    name = type(error).__name__
    return next((f"{words} ({name})" for kind, words in _ERRORS if isinstance(error, kind)), name)
