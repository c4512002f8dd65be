"""Which HTTP library there is: httpx and httpx2 are served alike, and neither is needed before a request is sent."""

from __future__ import annotations

import importlib
from types import ModuleType

from conformance.provider.errors import ConformanceError


def http_library() -> ModuleType:
    """httpx2 where it is installed, else httpx; raises `ConformanceError` where neither is."""
    for name in ("httpx2", "httpx"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ConformanceError("neither httpx2 nor httpx is installed; install `litellm-conformance[provider]`")
