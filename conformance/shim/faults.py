"""Answers of the shim's own: what happened and what to do, as an error of the endpoint that was asked. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """Why a request is not answered by the gateway."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


#: What each status is called in an error's `type`: in OpenAI's words and in Anthropic's.
_TYPES = {
    400: ("invalid_request_error", "invalid_request_error"),
    403: ("invalid_request_error", "permission_error"),
    426: ("invalid_request_error", "invalid_request_error"),
    500: ("server_error", "api_error"),
    502: ("server_error", "api_error"),
    504: ("server_error", "timeout_error"),
}


def speaks_messages(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is one of Anthropic's API."""
    return "/v1/messages" in path or "anthropic-version" in headers


def body_of(fault: Fault, *, messages: bool) -> bytes:
    """The error object that a client of this API reads."""
    theirs, anthropics = _TYPES[fault.status]
    said = f"litellm-conformance shim: {fault.message}"
    if messages:
        return json.dumps({"type": "error", "error": {"type": anthropics, "message": said}}).encode()
    return json.dumps({"error": {"message": said, "type": theirs, "param": None, "code": fault.code}}).encode()
