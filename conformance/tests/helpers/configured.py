"""A real LiteLLM that starts with another configuration, or in other surroundings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.embedded import EmbeddedGateway, embedded_gateway, gateway


@contextlib.contextmanager
def configured_gateway(
    *, version: str | None = None, log_dir: Path | None = None, **instead: Any
) -> Iterator[EmbeddedGateway]:
    """Such a gateway, while the block runs: what its module calls these names is this when it starts.

    Another gateway that starts while the block runs is as usual.
    """
    with contextlib.ExitStack() as block:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in instead.items():
                patch.setattr(gateway, name, value)
            running = block.enter_context(embedded_gateway(version=version, log_dir=log_dir))
        yield running
