"""What real agents send to the models of a fleet: every fifth request, or all where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable

from conformance.bench.agents import Asked, asked_of

#: All requests take six minutes; CONFORMANCE_BODIES=* asks for them.
_STEP = 1 if os.environ.get("CONFORMANCE_BODIES") == "*" else 5


def sent_to(models: Iterable[str]) -> list[Asked]:
    """What agents send to these models, or a fifth of it."""
    return list(asked_of(models))[::_STEP]
