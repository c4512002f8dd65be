"""Recordings on disk: one vcrpy cassette per model, and the model list they were planned from.

The only room that knows vcrpy. Files are written whole or not at all, scrubbed of secrets, and
looked up by a digest of the request.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance import cassette_format
from conformance.cassette_format import GATEWAY_FILE, cassette_name
from conformance.errors import CassetteError
from conformance.schemas import first_error
from conformance.scrub import Scrubber
from conformance.types import Endpoint, Exchange

#: Recordings do not say where the gateway was: cassettes are shared, addresses are not.
RECORDED_BASE = "http://gateway/v1"


class Folder:
    """One gateway's recordings: `cassettes/<gateway>/`."""

    def __init__(self, path: Path, scrubber: Scrubber | None = None) -> None:
        """Open a folder, which need not exist yet; what is written goes through `scrubber`."""
        self.path = path
        self._scrubber = scrubber or Scrubber()

    def prepare(self) -> None:
        """Make the folder and prove that it can be written to, before anything is sent."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise CassetteError(
                f"cannot write recordings to {self.path} ({error.strerror}); name another folder with --cassettes"
            ) from None

    def cassette_path(self, model: str) -> Path:
        """Where a model's cassette lies."""
        return self.path / cassette_name(model)

    def has_model(self, model: str) -> bool:
        """True where a model has a cassette."""
        return self.cassette_path(model).exists()

    def write_model(self, model: str, exchanges: Iterable[Exchange], paths: Mapping[Endpoint, str]) -> Path:
        """Write a model's cassette, scrubbed, in place of the one it had."""
        # Imported here: it takes a quarter of a second, and a replay needs none of it.
        from vcr.cassette import Cassette
        from vcr.request import Request
        from vcr.serialize import serialize

        cassette = Cassette(str(self.cassette_path(model)))
        for exchange in sorted(exchanges, key=lambda e: (e.request.endpoint, e.request.mode, e.request.digest)):
            asked, headers = exchange.request, {"content-type": "application/json"}
            uri = f"{RECORDED_BASE}{paths[asked.endpoint]}"
            recorded = (
                Request("GET", f"{uri}/{quote(asked.fetch, safe='')}", asked.content, headers)
                if asked.fetch
                else Request("POST", uri, asked.content, headers)
            )
            cassette.append(recorded, self._response(exchange))
        document = {
            "requests": cassette.requests,
            "responses": cassette.responses,
            "metadata": {"model": model},
        }
        return self._write(self.cassette_path(model), serialize(document, cassette_format))

    def read_model(self, model: str) -> dict[str, Exchange]:
        """A model's recorded exchanges by digest; empty where it has no cassette.

        Raises `CassetteError` where there is one that cannot be read.
        """
        path = self.cassette_path(model)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise CassetteError(f"cannot read the cassette {path} ({error}); record it again with --live") from None
        try:
            document = cassette_format.parse(text)
            recorded = document["metadata"]["model"]
            exchanges = [cassette_format.exchange_from(model, row) for row in document["interactions"]]
        except (ValueError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}"[:200]
            raise CassetteError(f"the cassette {path} is damaged ({what}); record it again with --live") from None
        if recorded != model:
            raise CassetteError(f"the cassette {path} is of another model, {recorded!r}; record it again with --live")
        return {exchange.request.digest: exchange for exchange in exchanges}

    def write_gateway(self, document: Mapping[str, Any]) -> None:
        """Write what the plan came from: gateway, models, run (`gateway.schema.json`)."""
        text = json.dumps(document, indent=1)
        self._write(self.path / GATEWAY_FILE, self._scrubber.credentials(text) + "\n")

    def read_gateway(self) -> dict[str, Any]:
        """Read it back. Raises `CassetteError` where it is missing or malformed."""
        path = self.path / GATEWAY_FILE
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CassetteError(
                f"no recording in {self.path}; record one with --live, or name another with --gateway"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise CassetteError(f"cannot read {path} ({error}); record it again with --live") from None
        if problem := first_error("gateway", document):
            raise CassetteError(f"{path}: {problem}; record it again with --live")
        return document

    def _response(self, exchange: Exchange) -> dict[str, Any]:
        request, response = exchange.request, exchange.response
        return {
            "status": {"code": response.status or 0, "message": ""},
            "headers": {name: [value] for name, value in self._scrubber.headers(response.headers).items()},
            "body": {"string": self._scrubber.body(response.body)},
            "conformance": {
                "digest": request.digest,
                "endpoint": request.endpoint.value,
                "mode": request.mode.value,
                "repeat": request.repeat,
                **({"fetch": request.fetch} if request.fetch else {}),
                "recorded_at": exchange.recorded_at,
                "elapsed_ms": response.elapsed_ms,
                "chunks": [list(chunk) for chunk in response.chunks],
                "error": self._scrubber.text(response.error) if response.error else None,
            },
        }

    def _write(self, path: Path, text: str) -> Path:
        """Write atomically, after a last look for secrets."""
        if self._scrubber.holds_secret(text):
            raise CassetteError(
                f"the API key would have been written to {self._scrubber.text(path.name)}, "
                "which was not written; please report this"
            )
        try:
            write_atomically(path, text)
        except OSError as error:
            raise CassetteError(f"cannot write {path} ({error.strerror}); what was recorded before is kept") from None
        return path


_UMASK = os.umask(0)
os.umask(_UMASK)  # there is no other way to ask


def write_atomically(path: Path, text: str) -> None:
    """Put a text into a file so that the file is at all times whole: the old one or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o666 & ~_UMASK)  # mkstemp makes it the writer's alone; recordings are shared
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
