"""Reads the public certificate authorities once for all clients. Each read takes 50 ms, and tests make many clients."""

from __future__ import annotations

import functools
import ssl


def read_once() -> None:
    """Let clients that trust the same authorities share a context."""
    ssl.create_default_context = functools.cache(ssl.create_default_context)  # type: ignore[assignment]
