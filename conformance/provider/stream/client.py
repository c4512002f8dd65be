"""The OpenAI SDK's client, which a provider keeps between streams."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from conformance.provider.errors import ConformanceError
from conformance.provider.target import Target
from conformance.provider.tls import verification
from conformance.provider.transport import async_http_client
from conformance.provider.transport.request_filter import RequestFilter


@dataclass(frozen=True)
class Client:
    """A client, and the event loop that its connections belong to."""

    openai: Any
    loop: asyncio.AbstractEventLoop | None

    async def aclose(self) -> None:
        """Close the connections, where they are this loop's."""
        if self.loop is _loop():
            await self.openai.close()


def client_of(target: Target, request_filter: RequestFilter, kept: Client | None = None) -> Client:
    """The client kept, where it belongs to the running event loop, else a new one. It never retries;
    what is refused because of a field, the filter mends.

    Raises `ConformanceError` where the SDK is not installed.
    """
    loop = _loop()
    if kept is not None and kept.loop is loop:
        return kept
    try:
        from openai import AsyncOpenAI
    except ImportError:
        raise ConformanceError("streaming needs the OpenAI SDK 3; install `litellm-conformance[provider]`") from None
    client = AsyncOpenAI(
        **sdk_options(target),
        max_retries=0,
        http_client=async_http_client(
            request_filter,
            **{**transport_options(target), "trust_env": target.uses_environment, "follow_redirects": False},
        ),
    )
    client.organization = client.project = None  # which the environment may hold for OpenAI itself
    return Client(client, loop)


#: What the SDK is given for a key where there is none.
_NO_KEY = "no-key-but-headers"

#: Headers that the SDK sets itself, as it spells them: under another spelling a second one would go.
_SDKS_NAMES = {
    name.lower(): name for name in ("Accept", "Authorization", "OpenAI-Organization", "OpenAI-Project", "User-Agent")
}


def sdk_options(target: Target) -> dict[str, Any]:
    """What the SDK's clients have to know of a gateway: where it is, and what opens it."""
    return {
        "base_url": f"{target.base_url}/v1",
        "api_key": target.api_key or _NO_KEY,
        "default_headers": {_SDKS_NAMES.get(name, name): value for name, value in target.headers.items()},
    }


def transport_options(target: Target, *, asynchronous: bool = True) -> dict[str, Any]:
    """What the HTTP client below the SDK's has to know of a gateway: whom to trust, and which headers not to send on.

    The SDK wants a key also where headers alone open the gateway; its Bearer is taken out again.
    """
    options: dict[str, Any] = {"verify": verification(target.ca_bundle)}
    if target.headers:  # which a redirect would take to another host
        options["follow_redirects"] = False
    if not target.api_key:
        options["event_hooks"] = {"request": [_unsigned_async if asynchronous else _unsigned]}
    return options


def _unsigned(request: Any) -> None:
    if request.headers.get("authorization") == f"Bearer {_NO_KEY}":
        del request.headers["authorization"]


async def _unsigned_async(request: Any) -> None:
    _unsigned(request)


async def opened(client: Any, endpoint: str, body: dict[str, Any]) -> Any:
    """The SDK's stream of an answer, once the gateway has begun it.

    The body goes as it is: the SDK's own methods would walk through all of a long conversation
    to see whether a key in it is to be renamed, and none is.
    """
    from openai import AsyncStream
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

    if endpoint == "responses":
        return await client.post(
            "/responses", body=body, cast_to=object, stream=True, stream_cls=AsyncStream[ResponseStreamEvent]
        )
    return await client.post(
        "/chat/completions", body=body, cast_to=object, stream=True, stream_cls=AsyncStream[ChatCompletionChunk]
    )


def _loop() -> asyncio.AbstractEventLoop | None:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None
