"""Gateways that refuse fields, and requests through a filter that mends what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from starlette.responses import Response

from conformance.provider.table import Rule, SupportTable
from conformance.provider.transport import http_client
from conformance.provider.transport.request_filter import RequestFilter
from conformance.tests.helpers.gateways import ScriptedGateway, refusal

#: One way of many to send a request: status, headers and body of the answer.
Send = Callable[..., tuple[int, Any, bytes]]

#: A table that knows nothing.
NOTHING = SupportTable((Rule(("*",), {}),))
CHAT = {"model": "m", "messages": [{"role": "user", "content": "a secret prompt"}], "store": True, "seed": 1}
INPUT = {"model": "m", "input": "a secret prompt", "store": True, "seed": 1}
WORDS = "store: Extra inputs are not permitted"


def refuses(*names: str, how: Callable[[str], Response] = refusal) -> Callable[[dict[str, Any]], Response | None]:
    """The policy of a gateway that refuses these fields, one at a time."""

    def policy(body: dict[str, Any]) -> Response | None:
        refused = [name for name in names if name in body]
        return how(f"{refused[0]}: Extra inputs are not permitted") if refused else None

    return policy


def post(rules: RequestFilter, gateway: ScriptedGateway, send: Send, body: dict[str, Any] = CHAT) -> tuple[int, bytes]:
    """Status and body of what a client gets for this request."""
    path = "responses" if "input" in body else "chat/completions"
    headers = {"authorization": f"Bearer {gateway.key}"}
    status, _, content = send(rules, "POST", f"{gateway.base_url}/v1/{path}", json=body, headers=headers)
    return status, content


def blocking(rules: RequestFilter, method: str, url: str, **content: Any) -> tuple[int, Any, bytes]:
    """One way of many, where the way is not what a test is about."""
    with http_client(rules, library=httpx, trust_env=False) as client:
        response = client.request(method, url, **content)
        return response.status_code, response.headers, response.content


def filtering(**how: Any) -> RequestFilter:
    """A filter that knows nothing beforehand."""
    return RequestFilter(**{"table": NOTHING, **how})
