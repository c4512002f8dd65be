"""Send requests and keep whatever comes back: time-outs, broken streams, reactive waiting.

Nothing here limits the rate in advance. A 429, and a failure that may pass, is tried again
after the wait that the answer names; what remains is recorded as it was. A gateway that answers
nothing any more, and a budget that is used up, end the recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from conformance import __version__
from conformance.answers import Answer, read_answer
from conformance.budget import Budget
from conformance.errors import StoppedError
from conformance.judge import is_refusal
from conformance.pacing import Window
from conformance.provider.target import Target
from conformance.provider.tls import verification
from conformance.receiving import ACCEPT_ENCODING, UnbearableError, pieces
from conformance.types import Endpoint, Exchange, Request, Response

#: Bounds of one exchange: seconds, bytes, attempts, and the longest wait that is obeyed. Answers are
#: capped at 256 tokens: models that think for two minutes exist, honest answers of 8 MiB do not.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 120.0
TOTAL_TIMEOUT = 300.0
MAX_BODY = 8 * 1024 * 1024
ATTEMPTS = 3
DEFAULT_WAIT = 2.0
MAX_WAIT = 60.0

#: Bytes that are kept of an answer that went past a bound: its beginning is evidence enough.
_EVIDENCE = 65_536

#: Attempts in a row, of each request in flight, that no gateway answers before it counts as gone.
GONE_AFTER = 24
GONE_ROUNDS = 3

_PUSH_BACK = frozenset({429, 503, 529})
_RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504, 529})
#: Refusals that are about the key, its rights and its budget, and not about what was asked.
_ABOUT_THE_KEY = frozenset({401, 402, 403, 407})
_BUDGET = re.compile(r"budget_?\s?(has been )?exceeded|exceeded_?\s?budget", re.IGNORECASE)

_RETRY_HEADERS = ("retry-after", "llm_provider-retry-after")
_RETRY_BODY = re.compile(rb'"retry_after\\*"\s*:\s*(?:\\*")?(\d{1,6}(?:\.\d{1,6})?)')

#: Connections per client: httpcore's pool is searched linearly, so several small ones beat a big one.
_CONNECTIONS = 4


@dataclass(slots=True)
class Traffic:
    """Counts of what a run has sent and met so far."""

    requests: int = 0
    rate_limited: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one attempt brought and amounts to; `final` says that another would cost as much and bring no more."""

    response: Response
    answer: Answer
    final: bool = False


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
        self._budget = budget or Budget()
        self._unanswered = 0
        self._clients: list[httpx.AsyncClient] = []
        self._turn = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Sender]:
        """Open the connection pools for as long as the block runs."""
        known = verification(self._target.ca_bundle)
        context = httpx.create_ssl_context() if known is True else known  # made once: it costs 45 ms a client
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(-(-self.concurrency // _CONNECTIONS)):
                client = httpx.AsyncClient(
                    verify=context,
                    trust_env=self._target.uses_environment,
                    follow_redirects=False,  # the key goes to the gateway named, and nowhere else
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

    async def exchange(self, request: Request) -> Exchange:
        """Send one request when there is room, again where a failure may pass, and keep the last answer.

        Raises `StoppedError` where nothing more is to be sent.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_result(
                lambda attempt: not attempt.final and _may_pass(request, attempt.response, attempt.answer)
            ),
            retry_error_callback=_last_result,
            before_sleep=self._count_retry,
            sleep=self._rest,
        )
        async with self.window:
            attempt: _Attempt = await retrying(self._send, request)
        return Exchange(request, attempt.response, now())

    async def _rest(self, seconds: float) -> None:
        await self._sleep(seconds)
        await self.window.step_back()

    def _count_retry(self, _: RetryCallState) -> None:
        self.traffic.retried += 1

    async def _send(self, request: Request) -> _Attempt:
        self._refuse_if_gone()
        self._budget.begin(request)
        self.traffic.requests += 1
        number = self.window.begin()
        attempt = await self._ask(request)
        self._budget.end(request, attempt.response, attempt.answer)
        self._learn(attempt, number)
        return attempt

    async def _ask(self, request: Request) -> _Attempt:
        self._turn = (self._turn + 1) % len(self._clients)
        client = self._clients[self._turn]
        received, final = _Received(), False
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                method, path = (
                    ("GET", f"/{quote(request.fetch, '', errors='surrogatepass')}") if request.fetch else ("POST", "")
                )
                url = self._target.url(self.paths[request.endpoint] + path)
                async with client.stream(method, url, content=request.content) as answer:
                    await received.read(answer)
        except TimeoutError:
            received.error, final = f"no whole answer within {TOTAL_TIMEOUT:g} s", True
        except UnbearableError as error:
            received.error, final = str(error), True
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            received.error = _described(error)
        response = received.response()
        return _Attempt(response, read_answer(request, response), final)

    def _learn(self, attempt: _Attempt, number: int) -> None:
        """Take from an answer how much the gateway bears, and whether it is there at all."""
        response, status = attempt.response, attempt.answer.status
        self.traffic.rate_limited += status == 429
        if status in _PUSH_BACK or (response.error is not None and not attempt.final):
            self.window.pushed_back(number)
        else:
            self.window.went_well()
        self._unanswered = self._unanswered + 1 if _nobody(response) else 0
        self._refuse_if_gone()

    def _refuse_if_gone(self) -> None:
        if self._unanswered >= max(GONE_AFTER, GONE_ROUNDS * self.concurrency):
            raise StoppedError(
                f"{self._target.base_url} is gone: {self._unanswered} attempts in a row brought no answer; "
                "look after the gateway"
            )


class _Received:
    """What has come back so far; whatever ends an exchange, this much is kept."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.error: str | None = None
        self._started = time.monotonic()
        self._body = bytearray()
        self._chunks: list[tuple[int, int]] = []

    async def read(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            async for chunk in pieces(answer, MAX_BODY):
                self._body += chunk
                self._chunks.append((self._elapsed(), len(chunk)))
        except UnbearableError:
            del self._body[_EVIDENCE:], self._chunks[_EVIDENCE // 64 :]
            raise

    def response(self) -> Response:
        streamed = self.headers.get("content-type", "").startswith("text/event-stream")
        return Response(
            status=self.status,
            headers=self.headers,
            body=bytes(self._body),
            elapsed_ms=self._elapsed(),
            chunks=tuple(self._chunks) if streamed else (),
            error=self.error,
        )

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def user_agent() -> str:
    """How the suite introduces itself to a gateway."""
    return f"litellm-conformance/{__version__}"


def now() -> str:
    """The time, in UTC, as recordings write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def retry_after(response: Response) -> float | None:
    """The wait in seconds that an answer asks for, in a header or in its body, or None."""
    for name in _RETRY_HEADERS:
        value = response.headers.get(name, "")
        if re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", value):
            return float(value)
        if (until := _date(value)) is not None:
            sent = _date(response.headers.get("date", "")) or datetime.now(UTC)
            return max(0.0, (until - sent).total_seconds())
    found = _RETRY_BODY.search(response.body[:65_536])
    return float(found[1]) if found else None


def _date(text: str) -> datetime | None:
    """A date as HTTP headers write it; None for anything else."""
    if not re.fullmatch(r"[A-Za-z]{3}, \d\d [A-Za-z]{3} \d{4} \d\d:\d\d:\d\d GMT", text):
        return None
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


def _nobody(response: Response) -> bool:
    """True where no gateway answered: nothing came, or a load balancer's page says that nobody is there."""
    if response.status is None:
        return True
    return response.status in (502, 503, 504) and not response.body.lstrip().startswith((b"{", b"["))


def is_settled(exchange: Exchange) -> bool:
    """True where asking again is likely to bring the same: a success, or a refusal that is about the request.

    A key that has expired or has spent its budget is not: `--resume` comes with another.
    """
    request, response = exchange.request, exchange.response
    answer = read_answer(request, response)
    if answer.ok:
        return True
    if answer.refusal is None or answer.status in _ABOUT_THE_KEY or _BUDGET.search(answer.refusal):
        return False
    return not _may_pass(request, response, answer) and (request.fetch != "" or is_refusal(answer))


def _may_pass(request: Request, response: Response, answer: Answer) -> bool:
    """True for a failure that may be gone a little later, also where it comes inside a 200."""
    if request.fetch and answer.status != 429:  # gateways without stored answers say so with a 500
        return False
    return response.error is not None or answer.status in _RETRIED_STATUS


def _wait(state: RetryCallState) -> float:
    """As long as the answer says, else a little longer each time."""
    named = retry_after(_last_result(state).response)
    return min(MAX_WAIT, named if named is not None else DEFAULT_WAIT * state.attempt_number)


def _last_result(state: RetryCallState) -> _Attempt:
    if state.outcome is None:
        return _Attempt(Response(status=None, error="never sent"), Answer(problem="never sent"))
    result: _Attempt = state.outcome.result()
    return result


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
