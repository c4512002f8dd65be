"""The shipped recording: judged once for all tests of a worker, since that takes seconds."""

from __future__ import annotations

import functools

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import shipped_profiles
from conformance.matrix.document import Matrix
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.readiness.section import with_clients
from conformance.tests.helpers.running import CHECKOUT
from conformance.types import Endpoint

REGISTRY = load_registry()
RECORDING = Folder(CHECKOUT / "cassettes" / "embedded")


@functools.cache
def shipped_replay() -> Replay:
    """The shipped recording; its `matrix()` has rows of its own each time, which a test may change."""
    return Replay(RECORDING, RECORDING.read_gateway(), REGISTRY, REGISTRY.select("all"), tuple(Endpoint))


@functools.cache
def shipped_matrix() -> Matrix:
    """Its matrix, with what the known clients can do; nobody changes it."""
    return with_clients(shipped_replay().matrix(), REGISTRY, shipped_profiles())
