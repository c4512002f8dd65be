"""Fresh simulators for each test, and one real embedded gateway for all that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.embedded import EmbeddedGateway, embedded_gateway
from conformance.tests.embedded.simulated import Simulators


@pytest.fixture
def simulators() -> Simulators:
    """Simulators that have received nothing yet."""
    return Simulators()


@pytest.fixture(scope="session")
def gateway() -> Iterator[EmbeddedGateway]:
    """A real LiteLLM in front of the simulators, started once."""
    with embedded_gateway() as running:
        yield running
