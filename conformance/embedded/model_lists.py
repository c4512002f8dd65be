"""The lists of models that LiteLLM decides by: each release brings one, and loads today's where it reaches the network.

`LITELLM_MODEL_COST_MAP_URL` says from where. So a release can run with the list of another one.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conformance.embedded.environment import checked_version, fetch_without_dependencies
from conformance.errors import EmbeddedGatewayError
from conformance.files import installations, made_for_installations, write_atomically

#: Seconds in which a list that LiteLLM has read is known to be read: it may go on before this side takes note.
_NOTED_WITHIN = 5.0

#: The list within LiteLLM's package.
MODEL_LIST = "model_prices_and_context_window_backup.json"


@dataclass(frozen=True)
class ServedList:
    """A list on a loopback port: its URL, and whether anybody has loaded it."""

    release: str
    url: str
    loaded: threading.Event

    def require_loaded(self, version: str) -> None:
        """Raise `EmbeddedGatewayError` where LiteLLM started without it: then it takes its own, and nobody is told."""
        if not self.loaded.wait(_NOTED_WITHIN):
            raise EmbeddedGatewayError(
                f"LiteLLM {version} did not load the list of models of {self.release} when it started; try again"
            )


@contextmanager
def served_list(release: str, say: Callable[[str], None]) -> Iterator[ServedList]:
    """The list that a release brings, served while the block runs. Raises `EmbeddedGatewayError`."""
    content = list_of(release, say).read_bytes()
    loaded = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            loaded.set()

        def log_message(self, *_args: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ServedList(release, f"http://127.0.0.1:{server.server_port}/", loaded)
        finally:
            server.shutdown()


def list_of(release: str, say: Callable[[str], None]) -> Path:
    """The file of a release's list: a JSON object of rows by model name. It is kept for the next time.

    LiteLLM alone is fetched for it, without what it needs to run. Raises `EmbeddedGatewayError`.
    """
    kept = made_for_installations(installations("model-lists")) / f"{checked_version(release)}.json"
    if not kept.exists():
        say(f"fetching the list of models of LiteLLM {release} …")
        with tempfile.TemporaryDirectory() as folder:
            fetch_without_dependencies(release, Path(folder))
            try:
                text = Path(folder, "litellm", MODEL_LIST).read_text(encoding="utf-8")
            except OSError:
                raise EmbeddedGatewayError(f"LiteLLM {release} brings no list of models ({MODEL_LIST})") from None
        write_atomically(kept, text)
    return kept
