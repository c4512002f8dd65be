"""Small builders of requests, answers and exchanges for the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conformance.types import Endpoint, Exchange, Mode, Request, Response

CHAT, RESPONSES, MESSAGES = Endpoint
WHOLE, STREAM = Mode.WHOLE, Mode.STREAM

JSON_HEADERS = {"content-type": "application/json"}


def sse(*data: Any, end: str = "\n\n") -> bytes:
    """The bytes of a stream of server-sent events."""
    return "".join(f"data: {item if isinstance(item, str) else json.dumps(item)}{end}" for item in data).encode()


def said(value: Any, status: int | None = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with this body: bytes as they are, anything else as JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response(status=status, headers=headers or JSON_HEADERS, body=body)


def refused(
    message: str, status: int = 400, headers: Mapping[str, str] | None = None, *, code: str = "400"
) -> Response:
    """An error in the shape that LiteLLM gives it."""
    return said({"error": {"message": message, "type": None, "param": None, "code": code}}, status, headers)


def succeeded(request: Request, headers: Mapping[str, str] | None = None, **shown: Any) -> Response:
    """A success in the form that a request asks for; `shown` is what its object holds besides."""
    if request.door:
        return said({"input_tokens": 1, **shown}, 200, headers)
    if request.endpoint is RESPONSES:
        result = {"object": "response", "status": "completed", "output": [], **shown}
        streamed = sse({"type": "response.created"}, {"type": "response.completed", "response": result})
    elif request.endpoint is MESSAGES:
        result = {"type": "message", "content": [], "stop_reason": "end_turn", **shown}
        streamed = sse({"type": "message_start", "message": result}, {"type": "message_stop"})
    else:
        result = {"choices": [{"index": 0, "finish_reason": "stop", "message": {}}], **shown}
        streamed = sse(result, "[DONE]")
    return said(streamed if request.mode is STREAM else result, 200, headers)


def exchanged(request: Request, response: Response) -> Exchange:
    """An exchange that was recorded at a fixed time."""
    return Exchange(request, response, "2026-11-22T12:00:00Z")
