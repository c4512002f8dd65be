"""Hypothesis without a deadline: these machines are shared, and a slow example is no failing one."""

from __future__ import annotations

import contextlib

# Also loaded by `pytest --live`, which is for people who have not installed the tests' tools.
with contextlib.suppress(ModuleNotFoundError):
    from hypothesis import settings

    settings.register_profile("conformance", deadline=None)
    settings.load_profile("conformance")
