"""What all tests need: patience from hypothesis, children that start fast and hear Ctrl-C, and folders of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import uuid
from pathlib import Path

import pytest

from conformance.tests.helpers.running import Workplace

# A shell's background job ignores Ctrl-C, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Also loaded by `pytest --live`, which is for people who have not installed the tests' tools.
with contextlib.suppress(ModuleNotFoundError):
    from hypothesis import settings

    # These machines are shared, and a slow example is no failing one.
    settings.register_profile("conformance", deadline=None)
    settings.load_profile("conformance")


def pytest_configure(config: pytest.Config) -> None:
    """Let children keep their bytecode where this process may not: compiling takes longer than most of them run."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        folder = tempfile.mkdtemp(prefix="conformance-bytecode-")
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(autouse=True)
def nothing_learnt(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What refusals teach in one test is not known in the next, nor to the user who runs them."""
    folder = tmp_path_factory.getbasetemp() / "learnt" / uuid.uuid4().hex
    monkeypatch.setattr("conformance.provider.learned.cache_folder", lambda: folder)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """Folders for one test."""
    return Workplace(tmp_path)
