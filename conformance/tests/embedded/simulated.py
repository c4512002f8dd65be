"""A client of simulators that run inside the test's own process, without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from conformance.embedded.simulators.app import create_app

CREDENTIALS = {
    "openai": {"authorization": "Bearer simulated"},
    "compatible": {"authorization": "Bearer simulated"},
    "databricks": {"authorization": "Bearer simulated"},
    "azure": {"api-key": "simulated"},
    "anthropic": {"x-api-key": "simulated"},
    "gemini": {"x-goog-api-key": "simulated"},
    "bedrock": {"authorization": "AWS4-HMAC-SHA256 simulated"},
    "vertex": {"authorization": "Bearer simulated"},
    "vertex_gemini": {"authorization": "Bearer simulated"},
    "groq": {"authorization": "Bearer simulated"},
    "perplexity": {"authorization": "Bearer simulated"},
    "cohere": {"authorization": "Bearer simulated"},
    "ollama": {},
}


def vendor_of(path: str) -> str:
    """Whose path it is: the vendor's name is its first part, but for Vertex, whose paths are Google's own."""
    first = path.split("/")[1]
    return "vertex" if first == "v1" else first


class Simulators:
    """A client of a fresh set of simulators, with the right credential for each vendor."""

    def __init__(self) -> None:
        """Simulators that have received nothing."""
        self._transport = httpx.ASGITransport(create_app())

    def post(self, path: str, body: Any, *, credential: bool = True, headers: Any = None) -> httpx.Response:
        """POST a JSON value, or raw bytes, with the credential of the vendor whose path it is."""
        sent = {**(CREDENTIALS[vendor_of(path)] if credential else {}), **(headers or {})}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, headers=sent, content=content)

    def get(self, path: str) -> httpx.Response:
        """GET a path with the credential of its vendor."""
        return self.send("GET", path, headers=CREDENTIALS.get(vendor_of(path), {}))

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One exchange; the whole answer is read."""

        async def exchange() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://simulated") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(exchange())
