"""Google's token service for workloads of other clouds: it exchanges a subject token for an access token.

So the embedded LiteLLM has Google credentials without any key.
https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_ISSUED = "urn:ietf:params:oauth:token-type:access_token"
_HOUR = 3600


async def _subject(_request: Request) -> Response:
    return PlainTextResponse("simulated")


async def _token(_request: Request) -> Response:
    token = {"access_token": "simulated", "issued_token_type": _ISSUED}
    return JSONResponse({**token, "token_type": "Bearer", "expires_in": _HOUR})


ROUTES = (
    Route("/google/subject", _subject, methods=["GET"]),
    Route("/google/token", _token, methods=["POST"]),
)
