"""Recordings on disk: one vcrpy cassette per model, and the model list they were planned from.

The only room that knows vcrpy. Cassettes are written whole or not at all, scrubbed of secrets, and
looked up by a digest of the request. Until a model is finished, each of its exchanges is added to
its part, so that whatever ends the process takes none of them away.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from conformance.cassettes import format as cassette_format
from conformance.cassettes.format import GATEWAY_FILE, PART, NewerError
from conformance.errors import CassetteError, first_of
from conformance.files import prove_writable, write_atomically
from conformance.schemas import first_error
from conformance.schemas.documents import GatewayDocument
from conformance.secrets.scrubbing import Scrubber
from conformance.text.names import cassette_name
from conformance.types import Endpoint, Exchange

#: Recordings do not say where the gateway was: cassettes are shared, addresses are not.
RECORDED_BASE = "http://gateway/v1"

#: The folder, in that of the reports, for recordings of the embedded gateway that nobody gave another place.
OWN_RECORDINGS = "cassettes"

_LOCK = ".recording.lock"


def recordings_beside(path: Path) -> str:
    """Which recordings lie beside a folder, for an error's line: it may have been meant to be one of them."""
    names = sorted(each.parent.name for each in path.parent.glob(f"*/{GATEWAY_FILE}"))
    return f"recordings beside it: {first_of(names) or 'none'}"


class Folder:
    """One gateway's recordings: `cassettes/<gateway>/`."""

    def __init__(self, path: Path, scrubber: Scrubber | None = None) -> None:
        """Open a folder, which need not exist yet; what is written goes through `scrubber`."""
        self.path = path
        self._scrubber = scrubber or Scrubber()

    def prepare(self) -> None:
        """Make the folder and prove that it can be written to, before anything is sent."""
        try:
            prove_writable(self.path)
        except OSError as error:
            raise self._unwritable(error) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from recording here. Raises `CassetteError` where one does already."""
        from filelock import FileLock, Timeout  # as late as vcrpy: a replay locks nothing

        path = self.path / _LOCK
        try:
            lock = FileLock(path, timeout=0)
            lock.acquire()
        except Timeout:
            raise CassetteError(
                f"another run is recording into {self.path}; wait for its end, or name another --gateway or --cassettes"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            for left in self.path.glob(".*.tmp"):  # of a run that was killed in the middle of writing
                left.unlink(missing_ok=True)
            yield
        finally:
            with contextlib.suppress(OSError):  # taken away while it is held: the next holder makes its own
                path.unlink()
            lock.release()

    def _unwritable(self, error: OSError) -> CassetteError:
        return CassetteError(
            f"cannot write recordings to {self.path} ({error.strerror}); name another folder with --cassettes"
        )

    def cassette_path(self, model: str) -> Path:
        """Where a model's cassette lies."""
        return self.path / cassette_name(model)

    def part_path(self, model: str) -> Path:
        """Where a model's exchanges lie until its cassette is written."""
        path = self.cassette_path(model)
        return path.with_name(path.name + PART)

    def evidence_path(self, model: str) -> Path:
        """Where a model's exchanges are read from: its cassette, or its part while it has none."""
        path, part = self.cassette_path(model), self.part_path(model)
        return part if not path.exists() and part.is_file() else path

    def is_measured_again(self, model: str) -> bool:
        """True where a model has a cassette, and a later run began another that it did not finish."""
        return self.cassette_path(model).exists() and self.part_path(model).is_file()

    def has_model(self, model: str) -> bool:
        """True where a model has recorded exchanges."""
        return self.evidence_path(model).exists()

    def unused(self, models: Iterable[str]) -> list[str]:
        """The names of cassettes, finished or not, that belong to none of these models."""
        known = {cassette_name(model) for model in models} | {GATEWAY_FILE}
        names = (path.name for pattern in ("*.json", f"*.json{PART}") for path in self.path.glob(pattern))
        return sorted(name for name in names if name.removesuffix(PART) not in known)

    def remove_others(self, models: Iterable[str]) -> None:
        """Delete the cassettes, finished or not, that belong to none of these models."""
        for name in self.unused(models):
            with contextlib.suppress(OSError):  # it is named as unused then
                (self.path / name).unlink()

    def write_model(self, model: str, exchanges: Iterable[Exchange], paths: Mapping[Endpoint, str]) -> Path:
        """Write a model's cassette, scrubbed, in place of the one it had."""
        ordered = sorted(exchanges, key=_order)
        return self._write_lines(model, [self._line(exchange, paths) for exchange in ordered])

    def part(self, model: str, paths: Mapping[Endpoint, str], *, go_on: bool = False) -> Part:
        """Begin a model's cassette; with `go_on`, behind what lies in the part of it that is there."""
        return Part(self, model, paths, go_on)

    def read_model(self, model: str) -> dict[str, Exchange]:
        """A model's recorded exchanges by digest; empty where it has none.

        Raises `CassetteError` where there is a recording that cannot be read.
        """
        found = self._read(self.evidence_path(model), model)
        return found or self._read(self.cassette_path(model), model)  # a part may become it in between

    def read_finished(self, model: str) -> dict[str, Exchange]:
        """The exchanges of a model's cassette, whatever a part holds; empty where it has none."""
        return self._read(self.cassette_path(model), model)

    def read_all(self, model: str) -> dict[str, Exchange]:
        """The exchanges of a model's cassette, and those of a part that was not finished after it."""
        return self._read(self.cassette_path(model), model) | self._read(self.part_path(model), model)

    def _read(self, path: Path, model: str) -> dict[str, Exchange]:
        unfinished = path.name.endswith(PART)
        try:
            text = path.read_text("utf-8", "replace" if unfinished else "strict")  # a kill may cut a character
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise CassetteError(f"cannot read the cassette {path} ({error}); record it again with --live") from None
        if unfinished and "\n" not in text:  # of a run that ended before it wrote more
            return {}
        try:
            document = cassette_format.parse_part(text) if unfinished else cassette_format.parse(text)
            recorded = document["metadata"]["model"]
            exchanges = [cassette_format.exchange_from(model, row) for row in document["interactions"]]
        except NewerError as error:
            raise CassetteError(f"cannot read the cassette {path}: {error}; update the suite") from None
        except (ValueError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}"[:200]
            raise CassetteError(f"the cassette {path} is damaged ({what}); record it again with --live") from None
        if recorded != model:
            raise CassetteError(
                f"the cassette {path} belongs to another model, {recorded[:60]!r}; record it again with --live"
            )
        return {exchange.request.digest: exchange for exchange in exchanges}

    def write_gateway(self, document: GatewayDocument) -> None:
        """Write what the plan came from: gateway, models, run (`gateway.schema.json`)."""
        self._write(self.path / GATEWAY_FILE, json.dumps(self.as_written(document), indent=1) + "\n")

    def as_written(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A document without the credentials in its texts, as `read_gateway` gives it back."""
        written: dict[str, Any] = json.loads(self._scrubber.credentials(json.dumps(document)))
        return written

    def read_gateway(self) -> GatewayDocument:
        """Read it back. Raises `CassetteError` where it is missing or malformed."""
        path = self.path / GATEWAY_FILE
        try:
            document: GatewayDocument = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CassetteError(
                f"no recording in {self.path}; {recordings_beside(self.path)}; record one with --live, or name another "
                "with --gateway"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise CassetteError(f"cannot read {path} ({error}); record it again with --live") from None
        version = document.get("schema_version") if isinstance(document, dict) else None
        if isinstance(version, int) and version > cassette_format.GATEWAY_VERSION:
            raise CassetteError(f"{path} has schema_version {version}, which a later suite wrote; update the suite")
        if problem := first_error("gateway", document):
            raise CassetteError(f"{path}: {problem}; record it again with --live")
        return document

    def _line(self, exchange: Exchange, paths: Mapping[Endpoint, str]) -> str:
        """An exchange as one line of a cassette, scrubbed."""
        # Imported here: it takes a quarter of a second, and a replay needs none of it.
        from vcr.request import Request
        from vcr.serialize import serialize

        asked = exchange.request
        headers = {"content-type": "application/json", **asked.headers}
        uri = f"{RECORDED_BASE}{paths[asked.endpoint]}{asked.tail}"
        recorded = Request(asked.method, uri, asked.content, headers)
        document = {"requests": [recorded], "responses": [self._response(exchange)]}
        line: str = serialize(document, cassette_format.Line)
        self._refuse_secret(line, self.cassette_path(asked.model))
        return line

    def _write_lines(self, model: str, lines: Iterable[str]) -> Path:
        return self._write(self.cassette_path(model), cassette_format.whole({"model": model}, lines))

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
                **({"door": request.door} if request.door else {}),
                "recorded_at": exchange.recorded_at,
                "elapsed_ms": response.elapsed_ms,
                "chunks": [list(chunk) for chunk in response.chunks],
                "error": self._scrubber.text(response.error) if response.error else None,
                **({"cause": response.cause.value} if response.cause else {}),
            },
        }

    def _write(self, path: Path, text: str) -> Path:
        """Write atomically, after a last look for secrets."""
        self._refuse_secret(text, path)
        try:
            write_atomically(path, text)
        except OSError as error:
            raise _cannot_write(path, error) from None
        return path

    def _refuse_secret(self, text: str, path: Path) -> None:
        if self._scrubber.holds_secret(text):
            raise CassetteError(
                f"the API key would have been written to {self._scrubber.text(path.name)}, "
                "which was not written; please report this"
            )


class Part:
    """A model's cassette in the making: what is added is on disk at once."""

    def __init__(self, folder: Folder, model: str, paths: Mapping[Endpoint, str], go_on: bool) -> None:
        """Nothing is written before the first exchange is added."""
        self._folder = folder
        self._model = model
        self._paths = paths
        self._go_on = go_on
        self._lines: dict[tuple[str, ...], str] = {}
        self._file: BinaryIO | None = None

    def keep(self, exchange: Exchange) -> None:
        """Take an exchange into the cassette that is on disk already."""
        self._lines[_order(exchange)] = self._folder._line(exchange, self._paths)

    def add(self, exchange: Exchange) -> None:
        """Put an exchange on disk. Raises `CassetteError` where that cannot be done."""
        self.keep(exchange)
        try:
            self._file = self._file or self._opened()
            self._file.write(f"{self._lines[_order(exchange)]}\n".encode())
            self._file.flush()
        except OSError as error:
            raise _cannot_write(self._folder.part_path(self._model), error) from None

    def finish(self) -> None:
        """Write the cassette, in place of the one that the model had and of the part."""
        self._folder._write_lines(self._model, [self._lines[key] for key in sorted(self._lines)])
        self.discard()

    def discard(self) -> None:
        """Remove the part, and leave the cassette that the model has."""
        self.close()
        with contextlib.suppress(OSError):
            self._folder.part_path(self._model).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, and leave it where it is."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what a full disk did not take
                self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        path = self._folder.part_path(self._model)
        if self._go_on and path.exists():
            with path.open("r+b") as old:
                whole_lines = old.truncate(old.read().rfind(b"\n") + 1)  # a kill may have cut the last
            if whole_lines:
                return path.open("ab")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
        file.write(cassette_format.part_head({"model": self._model}).encode())
        return file


def _order(exchange: Exchange) -> tuple[str, ...]:
    request = exchange.request
    return (request.endpoint.value, request.mode.value, request.digest)


def _cannot_write(path: Path, error: OSError) -> CassetteError:
    return CassetteError(f"cannot write {path} ({error.strerror}); what was recorded before is kept")
