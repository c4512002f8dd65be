"""What all tests need: patience from hypothesis, children that start fast and hear Ctrl-C, and folders of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import uuid
from collections import Counter
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from conformance.tests.helpers import trust
from conformance.tests.helpers.running import Workplace

# A shell's background job ignores Ctrl-C, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Also loaded by `pytest --live`, which is for people who have not installed the tests' tools.
with contextlib.suppress(ModuleNotFoundError):
    from hypothesis import settings

    # These machines are shared, and a slow example is no failing one. CI takes `--hypothesis-profile=long` as well.
    settings.register_profile("short", deadline=None, max_examples=30)
    settings.register_profile("long", deadline=None, max_examples=200)
    settings.load_profile("short")


trust.read_once()


def pytest_configure(config: pytest.Config) -> None:
    """Let children keep their bytecode where this process may not: compiling takes longer than most of them run."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        folder = tempfile.mkdtemp(prefix="conformance-bytecode-")
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


_EMBEDDED = "conformance/tests/embedded/"


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist says nothing of its types
    """Gives each worker a file at a time, for the tests of many files share what they need.

    One worker gets all the quick tests of the embedded gateway, so that it is started once. The slow
    ones take longer than its start.
    """

    def _split_scope(self, nodeid: str) -> str:
        together = nodeid.startswith(_EMBEDDED) and self.config.option.markexpr == "not slow"
        return _EMBEDDED if together else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _ByFile | None:
    """Spread the tests by file; the cells of a live run are in one file, and spread as pytest-xdist does."""
    if config.option.markexpr == "slow":
        config.option.loadscopereorder = False  # as `pytest_collection_modifyitems` has it
    return None if config.option.live else _ByFile(config, log)


@pytest.hookimpl(trylast=True)  # when the others are left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the slow tests of the embedded gateway come first, and a file of few before one of many: such a test takes a
    minute. At the end no worker is left alone with it."""
    if config.option.markexpr != "slow":
        return
    size = Counter(item.path for item in items)

    def turn(item: pytest.Item) -> tuple[bool, int]:
        first = item.nodeid.startswith(_EMBEDDED)
        return not first, size[item.path] if first else -size[item.path]

    items.sort(key=turn)


@pytest.fixture(autouse=True)
def nothing_learnt(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What refusals teach and gateways list in one test is not known in the next, nor to the user who runs them."""
    folder = tmp_path_factory.getbasetemp() / "learnt" / uuid.uuid4().hex
    for module in ("models.cache", "repair.learned", "whereabouts"):
        monkeypatch.setattr(f"conformance.provider.{module}.cache_folder", lambda: folder)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """Folders for one test."""
    return Workplace(tmp_path)
