"""Fresh simulators for each test, and one real embedded gateway for all that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.embedded import EmbeddedGateway, embedded_gateway
from conformance.tests.embedded.simulated import Simulators

#: How much of the log of a LiteLLM that has ended is told: what Python prints of a fault is at its end.
LAST_WORDS = 6000


@pytest.fixture
def simulators() -> Simulators:
    """Simulators that have received nothing yet."""
    return Simulators()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedGateway]:
    """A real LiteLLM in front of the simulators, started once. Where it ends on its own, the report has its log."""
    said, logs = list[str](), tmp_path_factory.mktemp("logs")
    with embedded_gateway(say=said.append, log_dir=logs) as running:
        yield running
    ended = [line for line in said if "ended on its own" in line]
    log = (logs / "litellm.log").read_text(encoding="utf-8", errors="replace")
    assert not ended, f"{ended}\n{log[-LAST_WORDS:]}"
