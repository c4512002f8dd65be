"""Look at the beginning of an answer, and tell a refusal before any of it reaches the caller. No I/O.

What is read is kept and given on as it came; nothing is held back once it is known to be no refusal.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

#: Bytes that are read of an answer to tell what it is.
MAX_PEEK = 131_072

#: Events before the first that tells anything: an answer can still be refused after them.
_PREAMBLE = ("response.created", "response.queued", "response.in_progress", "message_start", "ping")

_END_OF_LINE = re.compile(r"\r\n|\n|\r")  # not `str.splitlines`, which also splits inside JSON strings
_END_OF_EVENT = re.compile(r"\r\n\r\n|\n\n|\r\r")


class Peek:
    """What the first bytes of an answer tell: `refusal` is its text where it is one."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        """Decide by status and headers what there is to see."""
        self.refusal: str | None = None
        self.kind = _kind(status, headers)
        self.text = ""
        #: Where in the text the JSON of a refusal stands, for a word to be added to it.
        self.place: tuple[int, int] = (0, 0)
        self.whole = False
        self._bytes = bytearray()
        self._at = 0
        encoding = headers.get("content-encoding", "").strip().lower()
        self.encoded = encoding not in ("", "identity")
        self._unpack = zlib.decompressobj(wbits=47) if encoding in ("gzip", "deflate", "x-gzip") else None
        if self.encoded and self._unpack is None:
            self.kind = None  # what cannot be read goes to the caller as it is

    def feed(self, chunk: bytes) -> bool:
        """Take in a piece; True once enough has been seen."""
        room = MAX_PEEK - len(self._bytes)
        if self._unpack is not None:
            try:
                chunk = self._unpack.decompress(chunk, room)
            except zlib.error:
                self.kind = None
                return True
        self._bytes += chunk[:room]
        full = len(self._bytes) >= MAX_PEEK
        if self.kind == "events":
            self.text = self._bytes.decode("utf-8", "replace")
            return self._seen() or full
        if full:
            self._judge()
        return full

    def end(self) -> None:
        """The answer is over."""
        self.whole = True
        if self.kind != "events":
            self._judge()

    def _judge(self) -> None:
        self.text = self._bytes.decode("utf-8", "replace")
        self.place = (0, len(self.text))
        failed = self.kind == "json" and self.whole and '"error"' in self.text and _is_error(_json(self.text))
        if self.kind == "error" or failed:
            self.refusal = self.text

    def _seen(self) -> bool:
        """Read the events that are whole; True once one of them tells what the answer is."""
        while end := _END_OF_EVENT.search(self.text, self._at):
            start, self._at = self._at, end.end()
            fields = _END_OF_LINE.split(self.text[start : end.start()])
            data = [line[5:].removeprefix(" ") for line in fields if line.startswith("data:")]
            name = next((line[6:].strip() for line in fields if line.startswith("event:")), "")
            if not data:
                continue  # a comment that keeps the connection alive
            said = "\n".join(data)
            event = _json(said)
            kind = event.get("type") if isinstance(event, dict) else None
            if kind in _PREAMBLE:
                continue
            if name == "error" or kind in ("error", "response.failed") or _is_error(event):
                self.refusal = said
                begins = self.text.find(said, start)
                self.place = (begins, begins + len(said)) if begins >= 0 else (0, 0)
            return True
        return False


def _kind(status: int, headers: Mapping[str, str]) -> str | None:
    if status >= 400:
        return "error"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not 200 <= status < 300:
        return None
    return {"text/event-stream": "events", "application/json": "json"}.get(kind)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_error(said: Any) -> bool:
    """True for an object, or a list of one, that tells an error and no answer."""
    if isinstance(said, list) and said:
        said = said[0]
    if not isinstance(said, dict) or not said.get("error"):
        return False
    return not said.get("choices") and not said.get("output")


def with_note(text: str, note: str) -> str | None:
    """An error's JSON with a note after its message; None where it has none."""
    document = _json(text)
    holder = document[0] if isinstance(document, list) and document else document
    for _ in range(4):
        if not isinstance(holder, dict):
            return None
        for name in ("message", "detail", "error"):
            if isinstance(holder.get(name), str):
                holder[name] = f"{holder[name]} [litellm-conformance: {note}]"
                return json.dumps(document, separators=(",", ":"))
        holder = holder.get("error") or holder.get("response") or holder.get("message")
    return None
