"""What reached the simulators, oldest first: the other end of the story that a client sees."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from conformance.embedded.simulators.completion import Json

# An allow-list: a header that carries a credential can never slip through.
_KEPT_HEADERS = (
    "content-type",
    "user-agent",
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "x-stainless-package-version",
)
_LIMIT = 50_000


class Journal:
    """Requests as the simulators got them, with the status they answered."""

    def __init__(self) -> None:
        """An empty journal."""
        self._entries: deque[Json] = deque(maxlen=_LIMIT)

    def add(self, *, vendor: str, path: str, model: str, body: object, status: int, headers: Mapping[str, str]) -> None:
        """Remember one request; a body that is not a JSON object is kept under the key "not_json_object"."""
        self._entries.append(
            {
                "vendor": vendor,
                "path": path,
                "model": model,
                "body": body if isinstance(body, dict) else {"not_json_object": body},
                "status": status,
                "headers": {name: headers[name] for name in _KEPT_HEADERS if name in headers},
            }
        )

    def entries(self) -> list[Json]:
        """All requests since the start or the last `clear`, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
