"""File names for what somebody else named. Pure."""

from __future__ import annotations

import hashlib
import re

_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,78}[a-z0-9]|[a-z0-9]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|gateway)(\..*)?")  # Windows' devices, and our own


def cassette_name(model: str) -> str:
    """A file name for any model id: safe on every file system, and no two ids share one.

    Ids of plain lower-case letters, digits, dots, dashes keep their name; others get a
    readable stem and a digest behind a `~`, which no plain name holds.
    """
    if _PLAIN_NAME.fullmatch(model) and not _RESERVED.fullmatch(model):
        return f"{model}.json"
    stem = re.sub(r"[^a-z0-9._-]+", "-", model[:200].lower()).strip(".-")[:60] or "model"
    if _RESERVED.fullmatch(stem):
        stem = f"model-{stem}"
    digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{stem}~{digest}.json"
