"""A request as what people run: a curl command, and a Python script with the vendor's own SDK. Pure.

Neither names the gateway or its key: both are read from the environment.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from conformance.types import Endpoint, Mode, Request

_WIDTH = 100


class _Sdk(NamedTuple):
    """How an SDK is asked: what to install and import, how its client is made, and the method of each door."""

    package: str
    imported: str
    client: str
    methods: Mapping[str, str]
    own: tuple[str, ...]


_OPENAI = ("openai", "OpenAI", 'OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)')
_ANTHROPIC = ("anthropic", "Anthropic", "Anthropic(base_url=base, auth_token=key, api_key=None, max_retries=0)")
_SDKS: Mapping[Endpoint, _Sdk] = {
    Endpoint.CHAT_COMPLETIONS: _Sdk(*_OPENAI, {"": "chat.completions.create"}, ("model", "messages", "stream")),
    Endpoint.RESPONSES: _Sdk(*_OPENAI, {"": "responses.create"}, ("model", "input", "stream")),
    Endpoint.MESSAGES: _Sdk(
        *_ANTHROPIC,
        {"": "messages.create", "/count_tokens": "messages.count_tokens"},
        ("model", "messages", "max_tokens", "stream"),
    ),
}

#: What the SDK asks for and a request may go without.
_ASKED_FOR = {"messages.create": {"max_tokens": 256}}


def curl(request: Request, path: str) -> str:
    """The command that repeats a request; `path` is that of its endpoint."""
    streams = "N" if request.mode is Mode.STREAM else ""
    lines = [
        f'curl -sS{streams} "${{LITELLM_BASE_URL%/v1}}/v1{path}{request.door}"',
        '  -H "Authorization: Bearer $LITELLM_API_KEY"',
        "  -H 'Content-Type: application/json'",
        *(f"  -H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()),
        f"  --data-raw {shlex.quote(json.dumps(request.body))}",
    ]
    return " \\\n".join(lines)


def python(request: Request) -> str:
    """The script that repeats a request with the SDK that is made for its endpoint.

    What the SDK has no say in goes as `extra_body`, so that it is sent as it stands here.
    """
    sdk = _SDKS[request.endpoint]
    method = sdk.methods.get(request.door, sdk.methods[""])
    own = {name: value for name, value in request.body.items() if name in sdk.own}
    own = {**_ASKED_FOR.get(method, {}), **own}
    rest = {name: value for name, value in request.body.items() if name not in sdk.own}
    arguments: dict[str, Any] = dict(own)
    if rest:
        arguments["extra_body"] = rest
    if request.headers:
        arguments["extra_headers"] = dict(request.headers)
    lines = [
        f"import os  # pip install {sdk.package}",
        "",
        f"from {sdk.package} import {sdk.imported}",
        "",
        'base, key = os.environ["LITELLM_BASE_URL"].removesuffix("/v1"), os.environ["LITELLM_API_KEY"]',
        f"client = {sdk.client}",
        f"answer = client.{method}(",
        *(f"    {name}={_literal(value)}," for name, value in arguments.items()),
        ")",
    ]
    streams = request.body.get("stream") is True
    lines += ["for event in answer:", "    print(event)"] if streams else ["print(answer)"]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    """A value as Python writes it, indented as an argument of a call."""
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False).replace("\n", "\n    ")
