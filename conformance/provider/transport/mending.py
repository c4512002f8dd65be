"""Send a request, look at the answer, and send what is mended instead where it is a refusal.

`exchanged` and `aexchanged` drive the same steps over whatever sends requests, with httpx and httpx2 alike. What was
read of an answer goes on to the caller as it came; after that, nothing is held back.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

from conformance.provider.json_text import edited
from conformance.provider.refusals.peeking import Peek, with_note
from conformance.provider.repair import Repair, RepairEvent
from conformance.provider.repair.learned import RequestKind
from conformance.provider.transport.features import apart
from conformance.provider.whereabouts import VERSION_HEADER

logger = logging.getLogger("conformance.provider")

#: Where a response's extensions hold what was left out of its request.
EXTENSION = "litellm_conformance"


class Ledger(Protocol):
    """What keeps the account of repairs: whoever made the request ready."""

    def repaired(self, event: RepairEvent) -> None:
        """A request is sent once more."""

    def told(self, sent: Sent, headers: Mapping[str, str]) -> None:
        """An answer has come, whatever it is, with these headers."""

    def said(self, sent: Sent, refusal: str) -> None:
        """A refusal has come, with these words."""

    def answered(self, sent: Sent, version: str | None) -> None:
        """An answer has come that is no refusal."""

    def unfinished(self, sent: Sent) -> None:
        """A request was mended as often as may be, and is refused still."""


@dataclass(slots=True)
class Sent:
    """A request that was made ready, and what it takes to mend it; `repair` is None where nothing can be."""

    request: Any
    kind: RequestKind | None = None
    text: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    #: What was learnt and is sent all the same, to see whether it is taken again.
    tried_again: tuple[str, ...] = ()
    repair: Repair | None = None

    @property
    def watched(self) -> bool:
        """Whether something can be learnt from its answer, or a refusal of it be mended."""
        return self.kind is not None


class _Exchange:
    """One request on its way, whatever moves the bytes."""

    def __init__(self, sent: Sent, ledger: Ledger) -> None:
        self.sent, self._ledger = sent, ledger

    def judged(self, response: Any, peek: Peek) -> tuple[Any | None, str | None]:
        """The request to send instead, or None; and a note for the caller where the refusal remains."""
        sent, repair = self.sent, self.sent.repair
        if peek.refusal is not None:
            self._ledger.said(sent, peek.refusal)
        if peek.refusal is None or repair is None:
            if 200 <= response.status_code < 300:
                self._ledger.answered(sent, response.headers.get(VERSION_HEADER))
            return None, None
        try:
            status = response.status_code if response.status_code >= 400 else 400
            made = repair.next_body(status, peek.refusal, response.headers)
            if made is None or repair.event is None:
                if repair.unfinished:
                    self._ledger.unfinished(sent)
                return None, repair.explanation
            body, headers = apart(made, sent.body)
            request = with_content(sent.request, edited(sent.text, sent.body, body).encode(), headers)
        except Exception:
            logger.debug("a refusal could not be mended", exc_info=True)
            return None, None
        self._ledger.repaired(repair.event)
        return request, None

    def told(self, response: Any) -> None:
        """Take note of what the answer tells about the gateway, however it ends."""
        self._ledger.told(self.sent, response.headers)

    def marked(self, response: Any) -> Any:
        """The response, which tells what was left out of its request."""
        mended = self.sent.repair.dropped if self.sent.repair is not None else ()
        if left_out := mended or self.sent.dropped:
            response.extensions[EXTENSION] = left_out
        return response


def with_content(request: Any, content: bytes, changed: Mapping[str, str]) -> Any:
    """The same request with another body, and these headers changed; one that is empty now is left out."""
    headers = request.headers.copy()
    for name, value in changed.items():
        headers.pop(name, None)
        if value:
            headers[name] = value
    headers["content-length"] = str(len(content))
    return type(request)(request.method, request.url, headers=headers, content=content, extensions=request.extensions)


def exchanged(sent: Sent, ledger: Ledger, send: Callable[[Any], Any]) -> Any:
    """Send a request, and what is mended of it; the response's stream is still to be read."""
    steps = _steps(sent, ledger, _Way(send, iter, next, "close"))
    try:
        step = next(steps)
        while True:
            try:
                got = step()
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(got)
    except StopIteration as end:
        return end.value


async def aexchanged(sent: Sent, ledger: Ledger, send: Callable[[Any], Awaitable[Any]]) -> Any:
    """`exchanged` for asyncio."""
    steps = _steps(sent, ledger, _Way(send, aiter, anext, "aclose"))
    try:
        step = next(steps)
        while True:
            try:
                got = await step()
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(got)
    except StopIteration as end:
        return end.value


class _Way(NamedTuple):
    """How the bytes move, with and without asyncio: what sends, what begins and goes on reading, what closes."""

    send: Callable[[Any], Any]
    begin: Callable[[Any], Any]
    more: Callable[[Any, None], Any]
    close: str


#: What a driver calls, or calls and awaits. It sends back what comes of it, or throws in what went wrong.
_Steps: TypeAlias = Generator[Callable[[], Any], Any, Any]


def _steps(sent: Sent, ledger: Ledger, way: _Way) -> _Steps:
    """All that is done for one request; returns the response for the caller."""
    exchange, request = _Exchange(sent, ledger), sent.request
    while True:
        response = yield partial(way.send, request)
        close = getattr(response, way.close)
        try:
            exchange.told(response)
            if sent.repair is None:
                return exchange.marked(response)
            peek = Peek(response.status_code, response.headers)
            seen: Any = (yield from _seen(response, peek, way)) if peek.kind else ()
            again, note = exchange.judged(response, peek)
            if again is None:
                if peek.kind:
                    _give_on(response, peek, note, *seen)
                return exchange.marked(response)
        except BaseException:
            yield close
            raise
        yield close
        request = again


def _seen(response: Any, peek: Peek, way: _Way) -> _Steps:
    """Read as much of an answer as shows what it is; an error of the wire is for whoever reads on."""
    chunks: list[bytes] = []
    rest = way.begin(response.stream)
    try:
        while (chunk := (yield partial(way.more, rest, None))) is not None:
            chunks.append(chunk)
            if peek.feed(chunk):
                return chunks, rest, None
        peek.end()
    except Exception as error:
        return chunks, rest, error
    return chunks, rest, None


def _give_on(response: Any, peek: Peek, note: str | None, chunks: list[bytes], rest: Any, error: Any) -> None:
    """Let the caller read what was read already, with a note where there is one, and then the rest."""
    if note is not None and peek.refusal is not None:
        logger.info("not mended: %s", note)
        explained = with_note(peek.refusal, note) if peek.place[1] and not peek.encoded else None
        if explained is not None and (peek.whole or peek.kind == "events"):
            start, end = peek.place
            chunks = [(peek.text[:start] + explained + peek.text[end:]).encode()]
            if "content-length" in response.headers:
                del response.headers["content-length"]
    kinds = _streams(type(response).__module__.partition(".")[0])
    kind = kinds[0] if hasattr(rest, "__next__") else kinds[1]
    response.stream = kind(chunks, rest, response.stream, error)


@functools.cache
def _streams(library_name: str) -> tuple[Any, Any]:
    """The two kinds of streams that a library reads: begun, and to be read on."""
    library = importlib.import_module(library_name)

    class Begun(library.SyncByteStream):  # type: ignore[misc, name-defined]  # chosen at run time
        def __init__(self, chunks: list[bytes], rest: Any, inner: Any, error: Exception | None) -> None:
            self._chunks, self._rest, self._inner, self._error = chunks, rest, inner, error

        def __iter__(self) -> Iterator[bytes]:
            yield from self._chunks
            if self._error is not None:
                raise self._error
            yield from self._rest

        def close(self) -> None:
            self._inner.close()

    class AsyncBegun(library.AsyncByteStream):  # type: ignore[misc, name-defined]  # chosen at run time
        def __init__(self, chunks: list[bytes], rest: Any, inner: Any, error: Exception | None) -> None:
            self._chunks, self._rest, self._inner, self._error = chunks, rest, inner, error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self._chunks:
                yield chunk
            if self._error is not None:
                raise self._error
            async for chunk in self._rest:
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Begun, AsyncBegun
