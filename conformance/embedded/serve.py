"""`python -m conformance serve`: the embedded gateway on its own, until it is stopped."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from conformance.embedded.gateway import embedded_gateway
from conformance.errors import EmbeddedGatewayError


def serve(*, version: str | None, port: int = 0) -> int:
    """Start the gateway, print the two variables a client needs, wait for Ctrl-C or SIGTERM; exit code 0.

    It ends as well when LiteLLM or the simulators do, with the exit code of an error: nobody would be served.
    Only the two `export` lines go to standard output; progress goes to standard error.
    Raises `EmbeddedGatewayError` when the gateway cannot be installed or started.
    """
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set() or not running:
            raise KeyboardInterrupt
        stopped.set()

    running = False
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with embedded_gateway(version=version, port=port, say=_say) as gateway:
            running = True
            sys.stdout.write(f"export LITELLM_BASE_URL={gateway.base_url}\n")
            sys.stdout.write(f"export LITELLM_API_KEY={gateway.api_key}\n")
            sys.stdout.flush()
            _say("serving; Ctrl-C stops it")
            while not stopped.wait(1.0):  # in slices, so that signals are seen on every platform
                if gateway.ended:  # the gateway's own end says it
                    return EmbeddedGatewayError.exit_code
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
