"""What a page holds packed: values by number, and documents in deflated base64, which `packets.js` unpacks. Pure."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any


class Numbered:
    """Values with the number under which each is first met."""

    def __init__(self) -> None:
        """Nothing is met yet."""
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """The number of a value."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> list[Any]:
        """All values, in the order of their numbers."""
        return list(self._numbers)


def packed(document: Mapping[str, Any], level: int) -> str:
    """A document as the page holds it; `level` is that of zlib: 9 takes longest and least room."""
    text = json.dumps(document, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("ascii"), level)).decode("ascii")
