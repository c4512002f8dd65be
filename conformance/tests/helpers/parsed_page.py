"""A page as it is written, taken apart again."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser
from typing import Any


class Parsed(HTMLParser):
    """What of a page matters here: elements with their attributes, and the text of some."""

    def __init__(self, text: str) -> None:
        """Parse a whole page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember the text after the last element."""
        self.texts[len(self.elements) - 1] = self.texts.get(len(self.elements) - 1, "") + data

    def text_of(self, tag: str, **attributes: str) -> str:
        """The text directly inside the first such element."""
        return next(
            self.texts[n]
            for n, (name, found) in enumerate(self.elements)
            if name == tag and attributes.items() <= found.items()
        )

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws from."""
        data: dict[str, Any] = json.loads(self.text_of("script", type="application/json"))
        return data


def packet(parsed: Parsed, model: str) -> dict[str, Any]:
    """A model's evidence, unpacked."""
    row = [m["id"] for m in parsed.data["models"]].index(model)
    unpacked: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(parsed.data["evidence"][row])))
    return unpacked
