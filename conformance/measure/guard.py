"""What stands around a recording so that its key gets out by no side door.

While it lasts the HTTP libraries log nothing below warnings, for they log answers' headers. An error
nobody foresaw is told without the values of variables, and scrubbed. Afterwards the folders that were
written to are searched for the key, however the recording ended.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.errors import ConformanceError
from conformance.secrets.leaks import Watch

#: Loggers that tell what servers answered, headers and reason phrases among it.
_TALKATIVE = ("httpcore", "httpx", "vcr")


@contextlib.contextmanager
def guarded(watch: Watch, recordings: Path, reports: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Guard a recording into these folders. Raises `LeakError` where one of them holds a key of `watch`."""
    try:
        with _quiet():
            yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None  # with `--full-trace`, pytest shows the arguments of every frame
    except (ConformanceError, pytest.exit.Exception):
        raise
    except Exception as error:
        say(watch.scrubber.credentials("".join(traceback.format_exception(error)).rstrip()))
        pytest.exit(
            "the recording failed because of an error in the suite; please report the lines above", returncode=3
        )
    finally:
        watch.check(recordings, all_files=True)
        watch.check(reports)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
