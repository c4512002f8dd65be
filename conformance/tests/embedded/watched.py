"""A door before the embedded gateway that sees what real clients are answered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.embedded.loopback import serving

_NAMES = [row["name"] for row in fleet()["deployment"] if "mode" not in row.get("info", {})]
#: The models behind one route; behind two, chance decides.
MODELS = [name for name in _NAMES if _NAMES.count(name) == 1]


@dataclass
class Watched:
    """A door before the gateway: what came through, and how it was answered."""

    base_url: str = ""
    answered: list[tuple[str, int, bytes]] = field(default_factory=list)

    def refused(self) -> list[str]:
        """The words of each answer that an agent did not get."""
        asked = [each for each in self.answered if each[0].rpartition("/v1")[2] in PATHS]
        return [
            bytes(told[:600]).decode("utf-8", "replace") for _, status, told in asked if status >= 400 or ERROR in told
        ]


PATHS = {"/chat/completions", "/responses", "/messages"}
ERROR = b'"error":{'


@contextlib.contextmanager
def watching(gateway: EmbeddedGateway) -> Iterator[Watched]:
    """Such a door on a free port, while the block runs."""
    watched = Watched()

    async def passed(request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        where, query = gateway.base_url + request.url.path, request.url.query.encode()
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            answer = await client.request(
                request.method, where, params=query, headers=headers, content=await request.body()
            )
        watched.answered.append((request.url.path, answer.status_code, answer.content))
        kept = {name: value for name, value in answer.headers.items() if name == "content-type"}
        return Response(answer.content, answer.status_code, kept)

    app = Starlette(routes=[Route("/{path:path}", passed, methods=["GET", "POST", "HEAD"])])
    with serving(app) as watched.base_url:
        yield watched
