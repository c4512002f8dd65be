"""What went wrong with a stream, said to a user. An answer's own words are kept, secrets are not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.provider.rate_limits import format_rate_limit_error, parse_rate_limit_error
from conformance.provider.stream.draft import Draft
from conformance.provider.stream.events import Error, ErrorReason
from conformance.provider.stream.responses import FailedError

#: As much of an error's text as anybody reads.
MAX_TEXT = 2000


def failure(error: BaseException, model: str, draft: Draft, secrets: Sequence[str]) -> Error:
    """The event that ends a stream because of this exception."""
    body = getattr(error, "body", None)
    status = getattr(error, "status_code", None)
    headers = getattr(getattr(error, "response", None), "headers", None) if status else None
    said = body if body else str(error)
    limit = parse_rate_limit_error(_parseable(said), headers=headers, status=status)
    if limit is not None:
        text = format_rate_limit_error(limit, model=model)
        return ended(
            draft, "rate_limit", text, secrets, status=status or (529 if limit.overloaded else 429), rate_limit=limit
        )
    reason: ErrorReason = "error" if draft.empty or isinstance(error, FailedError) else "incomplete"
    return ended(draft, reason, _worded(error, said, status), secrets, status=status)


def ended(draft: Draft, reason: ErrorReason, text: str, secrets: Sequence[str], **more: Any) -> Error:
    """An error event with a text that is short and holds no secret."""
    line = without(text, secrets)
    return Error(reason, line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]} …", message=draft.message(), **more)


def without(text: str, secrets: Sequence[str]) -> str:
    """A text with `[key]` where one of these secrets stood, the longest first: one may be part of another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[key]")
    return text


def _parseable(said: Any) -> Any:
    return said if isinstance(said, str | bytes | Mapping) else json.dumps(said, default=str)


def _worded(error: BaseException, said: Any, status: int | None) -> str:
    message = _message(said)
    if status is not None:
        return f"the gateway answers {status}: {message}"
    name = type(error).__name__
    if "Timeout" in name:
        return "the gateway did not answer in time"
    if "Connection" in name:
        return f"the connection to the gateway failed: {error.__cause__ or message}"
    if isinstance(error, FailedError) or getattr(error, "body", None):
        return f"the gateway reports an error: {message}"
    return f"the answer cannot be read ({name}: {message})"


def _message(said: Any) -> str:
    """The message in an error's body, wherever vendors put it."""
    while isinstance(said, Mapping) or (isinstance(said, list) and said):
        if isinstance(said, list):  # as Gemini has it
            said = said[0]
            continue
        inner = next((said[name] for name in ("error", "message", "detail") if said.get(name)), None)
        if inner is None:
            return json.dumps(said, default=str)[: MAX_TEXT * 2]
        said = inner
    return " ".join(str(said)[: MAX_TEXT * 2].split())
