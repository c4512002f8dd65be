"""Made-up atlases: what became of one parameter with some models at some releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.atlas.history import Atlas, empty

CHANNEL = "chat_completions/whole"
PARAMETER = "seed"

TAKEN, REFUSED, BY_BACKEND = "accepted", "rejected:gateway", "rejected:backend"


def atlas_of(
    releases: Sequence[str],
    models: Mapping[str, Mapping[str, str]],
    channels: Sequence[str] = (CHANNEL,),
    parameter: str = PARAMETER,
) -> Atlas:
    """An atlas of these releases: by model the history of one parameter, the same on each channel."""
    row = {"measured_at": "2026-01-01T00:00:00Z", "cells": 1, "requests": 1, "seconds": 1, "simulated": True}
    return {
        **empty(),
        "releases": {release: dict(row) for release in releases},
        "models": {model: {"route": model.partition("/")[0]} for model in models},
        "cells": {
            model: {channel: {parameter: dict(history)} for channel in channels} for model, history in models.items()
        },
    }
