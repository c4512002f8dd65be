"""What real agents send to the models of a fleet: every third request, or all where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable

from conformance.bench.agents import Asked, asked_of

#: All requests take four minutes; CONFORMANCE_BODIES=* asks for them.
_STEP = 1 if os.environ.get("CONFORMANCE_BODIES") == "*" else 3


def sent_to(models: Iterable[str]) -> list[Asked]:
    """What agents send to these models, or a third of it."""
    return list(asked_of(models))[::_STEP]
