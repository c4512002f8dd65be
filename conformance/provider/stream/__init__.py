"""Ask a model and get its answer as events, over whichever endpoint works for that model.

>>> async for event in provider.stream("claude-haiku-4-5", [{"role": "user", "content": "hi"}]):
...     match event:
...         case TextDelta(text): print(text, end="")
...         case Error(reason, text): print(text)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.provider.filter import filter_request
from conformance.provider.stream.abort import Abort, AbortedError
from conformance.provider.stream.chat import ChatReader
from conformance.provider.stream.client import opened
from conformance.provider.stream.draft import Draft
from conformance.provider.stream.events import (
    Done,
    DoneReason,
    Error,
    ErrorReason,
    Event,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
)
from conformance.provider.stream.failure import ended, failure
from conformance.provider.stream.request import request_body
from conformance.provider.stream.responses import ResponsesReader
from conformance.provider.stream.usage import cost_by_price, cost_in
from conformance.provider.table import SupportTable
from conformance.provider.transport.mending import EXTENSION

if TYPE_CHECKING:
    from conformance.provider.models import Model

__all__ = [
    "Done",
    "DoneReason",
    "Error",
    "ErrorReason",
    "Event",
    "Start",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallDelta",
    "ToolCallEnd",
    "ToolCallStart",
    "Usage",
    "stream",
]


def stream(
    client: Any,
    model: Model,
    messages: Sequence[Mapping[str, Any]],
    *,
    table: SupportTable,
    gateway: str | None = None,
    gateway_version: str | None = None,
    served_by: Sequence[str] = (),
    declared: Sequence[str] | None = None,
    session_id: str | None = None,
    reasoning: str | None = None,
    max_tokens: int | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    signal: asyncio.Event | None = None,
    parameters: Mapping[str, Any] | None = None,
    secrets: Sequence[str] = (),
) -> AsyncGenerator[Event, None]:
    """The events of one answer: `Start`, deltas, and then exactly one `Done` or one `Error`.

    `client` is an `AsyncOpenAI` with `max_retries=0`. `messages` and `tools` have the form of Chat
    Completions. `session_id` becomes `prompt_cache_key`, `reasoning` an effort such as `low`,
    `parameters` are further fields of the request; whatever the model refuses is left out. `secrets`
    are taken out of errors, as the client's key is.
    `max_tokens` is the model's own by default, which is low on purpose. Setting `signal` ends the
    answer with an `Error` that says `aborted`.

    Never raises once it runs, whatever the gateway does. A request that may have been answered is never
    sent again; what is refused because of a field is mended and sent once more by the provider's client.
    The connection closes with the last event, with `aclose()`, and when the caller is cancelled.
    Raises `ValueError` at once for messages that are none.
    """
    if not isinstance(messages, list | tuple) or not all(isinstance(message, Mapping) for message in messages):
        raise ValueError("messages must be a list of objects with a role and a content")
    endpoint = str(model.compat.get("wire", "chat_completions"))
    body = request_body(
        endpoint,
        model.id,
        messages,
        max_tokens=max_tokens or model.max_tokens,
        reasoning=reasoning,
        session_id=session_id,
        tools=tools,
        parameters=parameters,
    )
    known: dict[str, Any] = {"route": None if served_by else model.route, "served_by": served_by}
    known |= {"gateway": gateway, "gateway_version": gateway_version, "declared": declared}
    found = filter_request(body, model.id, endpoint, table=table, **known)
    start = Start(model.id, endpoint, found.dropped)
    return _events(client, model, found.body, start, signal, secrets or (client.api_key,))


async def _events(
    client: Any,
    model: Model,
    body: dict[str, Any],
    start: Start,
    signal: asyncio.Event | None,
    secrets: Sequence[str],
) -> AsyncGenerator[Event, None]:
    draft = Draft()
    reader = ResponsesReader(draft) if start.endpoint == "responses" else ChatReader(draft)
    answer = None
    abort = Abort(signal) if signal is not None else None
    try:
        try:
            asked = partial(opened, client, start.endpoint, body)
            answer = await (asked() if abort is None else abort.first(asked))
            yield _begun(start, answer)
            feed = reader.feed
            chunks: AsyncIterator[Any] = answer if abort is None else abort.each(answer)
            try:
                async for chunk in chunks:
                    for event in feed(chunk):
                        yield event
            except Exception as error:
                if not _is_afterthought(error, draft):
                    raise
            for event in reader.end():
                yield event
        except AbortedError:
            last: Event = ended(draft, "aborted", "the request was aborted", secrets)
        except Exception as error:
            last = failure(error, model.id, draft, secrets)
        else:
            last = _last(draft, model, answer.response.headers, secrets)
    finally:
        if abort is not None:
            abort.close()
        if answer is not None:
            with contextlib.suppress(Exception):
                await answer.close()
    yield last


def _begun(start: Start, answer: Any) -> Start:
    """The first event, with what the client left out as well."""
    left_out = answer.response.extensions.get(EXTENSION)
    return replace(start, dropped=tuple(dict.fromkeys((*start.dropped, *left_out)))) if left_out else start


def _is_afterthought(error: Exception, draft: Draft) -> bool:
    """Whether the answer had come to its end when the connection broke."""
    return draft.stop_reason is not None and not isinstance(error, AbortedError) and not getattr(error, "body", None)


def _last(draft: Draft, model: Model, headers: Mapping[str, str], secrets: Sequence[str]) -> Event:
    """How an answer ends whose connection has ended well."""
    if draft.stop_reason is None:
        kind = headers.get("content-type", "nothing").partition(";")[0]
        streamed = kind == "text/event-stream"
        why = "broke off before its end" if streamed else f"is {kind}, but a stream was requested; check the address"
        return ended(draft, "incomplete" if streamed else "error", f"the answer {why}", secrets)
    cost = draft.cost if draft.cost is not None else cost_in(headers)
    if cost is None and draft.usage is not None and model.cost is not None:
        cost = cost_by_price(draft.usage, model.cost)
    return Done(draft.stop_reason, draft.message(), draft.usage, cost)
