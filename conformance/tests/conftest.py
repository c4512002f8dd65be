"""What all tests need: patience from hypothesis, and children that hear Ctrl-C."""

from __future__ import annotations

import contextlib
import signal

# A shell's background job ignores Ctrl-C, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Also loaded by `pytest --live`, which is for people who have not installed the tests' tools.
with contextlib.suppress(ModuleNotFoundError):
    from hypothesis import settings

    # These machines are shared, and a slow example is no failing one.
    settings.register_profile("conformance", deadline=None)
    settings.load_profile("conformance")
