"""Nothing lost: real signals, full disks and gateways that go away, against runs in processes of their own."""

from __future__ import annotations

import contextlib
import errno
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.cassettes.folder import Folder
from conformance.errors import ConformanceError
from conformance.measure import outputs
from conformance.tests.helpers import interrupted
from conformance.tests.helpers.gateways import scripted_gateway
from conformance.tests.helpers.interrupted import (
    LIVE,
    MODELS,
    Holding,
    cells,
    command,
    counted,
    is_complete,
    steady,
)
from conformance.tests.helpers.running import CHECKOUT, Workplace, run_pytest, signal_when

undisturbed = interrupted.undisturbed


@contextlib.contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """A small file system of its own at a path, where the machine lets us have one."""
    path.mkdir(parents=True, exist_ok=True)
    if not Path("/bin/mount").exists():
        pytest.skip("this machine has no mount")
    made = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", "-l", str(path)], capture_output=True, check=True)


def test_full_disk(place: Workplace) -> None:
    """Given a disk that fills up half-way, when a gateway is measured, then one line says so, and the rest is valid."""
    cassettes = place.root / "cassettes"
    with mounted(cassettes, "size=40k"), scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*LIVE, *place.options, env=gateway.environment)
        assert ended.code == 4, ended.all
        assert "No space left on device" in ended.err
        assert len(ended.err.strip().splitlines()) == 1
        assert "Traceback" not in ended.all
        assert len(counted([*whole_lines(cassettes)])) > 10
        assert not is_complete(place)
        subprocess.run(["/bin/mount", "-o", "remount,size=4m", str(cassettes)], check=True)
        kept = counted([*whole_lines(cassettes)])
        gateway.seen.clear()
        ended = run_pytest(*LIVE, "--resume", *place.options, env=gateway.environment)
        assert ended.code == 0, ended.all
        assert not counted(gateway.seen) & kept
        assert is_complete(place)


def whole_lines(cassettes: Path) -> Iterator[dict[str, Any]]:
    """The requests in the parts of a folder, but for a line that the disk did not take whole."""
    for path in (cassettes / "g").glob("*.part"):
        for line in path.read_text("utf-8").rpartition("\n")[0].splitlines()[1:]:
            yield json.loads(line)["request"]["body"]["json"]


def test_full_device(place: Workplace) -> None:
    """Given a part that the kernel refuses to write, when a gateway is measured, then one line names it."""
    folder = place.root / "cassettes" / "g"
    folder.mkdir(parents=True)
    (folder / "model-b.json.part").symlink_to("/dev/full")
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*LIVE, *place.options, env=gateway.environment)
    assert ended.code == 4, ended.all
    assert "cannot write" in ended.err
    assert "model-b.json.part (No space left on device); what was recorded before is kept" in ended.err
    assert "Traceback" not in ended.all


@pytest.mark.parametrize("folder", ["cassettes", "reports"])
@pytest.mark.parametrize("held", [(), ("g", "allure-results")], ids=["empty", "full"])
@pytest.mark.parametrize("more", [(), ("-p", "no:allure_pytest")], ids=["allure", "plain"])
def test_read_only_folder(place: Workplace, folder: str, held: tuple[str, ...], more: tuple[str, ...]) -> None:
    """Given a folder on a read-only file system, which may hold an earlier run's files, when a gateway is measured,
    then one line names it before anything is sent."""
    with mounted(place.root / folder, "size=1m"), scripted_gateway(steady, ("model-a",)) as gateway:
        for name in held:
            (place.root / folder / name).mkdir()
            (place.root / folder / name / "categories.json").write_text("[]", "utf-8")
        subprocess.run(["/bin/mount", "-o", "remount,ro", str(place.root / folder)], check=True)
        ended = run_pytest(*LIVE, *more, *place.options, env=gateway.environment)
        assert ended.code == 4, ended.all
        assert str(place.root / folder) in ended.err
        assert "Read-only file system" in ended.err
        assert len(ended.err.strip().splitlines()) == 1
        assert gateway.seen == []


@pytest.mark.parametrize("prove", [outputs.prepare, lambda reports: Folder(reports).prepare()])
def test_folders_that_exist_are_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prove: Callable[[Path], None]
) -> None:
    """Given a folder that exists and takes no file, when a run prepares it, then the error names it and the reason."""

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(ConformanceError, match=f"{tmp_path} .Read-only file system.; name another folder with --"):
        prove(tmp_path)


def test_a_checkout_that_cannot_be_written(tmp_path: Path) -> None:
    """Given a checkout in which pytest can keep no cache, when the recording is replayed, then that is no failure."""
    (tmp_path / "file").touch()
    cache = f"cache_dir={tmp_path / 'file' / 'cache'}"
    ended = run_pytest("-q", "--models=gpt-4.1", f"--reports={tmp_path}", "-p", "cacheprovider", "-o", cache)
    assert ended.code == 0, ended.all
    assert "Traceback" not in ended.all
    assert "evidence: cassettes/embedded" in ended.out


@pytest.mark.slow
def test_gateway_that_goes_away(place: Workplace, undisturbed: tuple[list[dict[str, Any]], Counter[str]]) -> None:
    """Given a gateway that goes away half-way, when it does not come back, then the run ends, and can go on later."""
    wanted, asked = undisturbed
    policy = Holding(asked.total() // 2)
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(scripted_gateway(policy, MODELS))

        def go() -> bool:
            if policy.held.is_set():
                policy.released = True
                stack.close()
                return True
            return False

        ended = signal_when(command(place), go, gateway.environment)
    assert ended.code == 2, ended.all
    assert "is gone: 24 attempts in a row brought no answer" in ended.err
    assert "continue with --resume" in ended.err
    assert "Traceback" not in ended.all
    assert not is_complete(place)
    with scripted_gateway(steady, MODELS) as again:
        ended = run_pytest(*LIVE, "--resume", *place.options, env=again.environment)
    assert ended.code == 0, ended.all
    assert cells(place) == wanted
    assert len(again.seen) < asked.total() * 0.6


def test_a_second_run_is_refused(place: Workplace) -> None:
    """Given a run, when another is started into the same folder, then it is refused, and the first is unharmed."""
    policy = Holding(10)
    second: list[Any] = []

    def ready() -> bool:
        if not policy.held.is_set():
            return False
        second.append(run_pytest(*LIVE, *place.options, env=gateway.environment))
        policy.released = True
        return True

    with scripted_gateway(policy, MODELS) as gateway:
        first = signal_when(command(place), ready, gateway.environment)
    [refused] = second
    assert refused.code == 4
    assert "another run is recording into" in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert first.code == 0, first.all
    assert is_complete(place)


DYING = """
import os, signal
def pytest_runtest_call(item):
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_worker_that_dies(place: Workplace) -> None:
    """Given a worker that is killed, when it judged a cell, then that fails the run, and the matrix is whole."""
    with scripted_gateway(steady, MODELS) as gateway:
        run_pytest(*LIVE, *place.options, env=gateway.environment)
    before = cells(place)
    (place.root / "dying.py").write_text(DYING, "utf-8")
    (place.root / "reports" / "matrix.json").unlink()
    ended = run_pytest(
        "--gateway=g", "-n2", "-p", "dying", *place.options, env={"PYTHONPATH": f"{place.root}:{CHECKOUT}"}
    )
    assert ended.code == 1, ended.all
    assert "crashed while running" in ended.out
    assert cells(place) == before


#: Fills the disk once this process has written so many of Allure's results, or for all that is written.
FILLING = """
import errno
from allure_commons.logger import AllureFileLogger
from conformance.measure import outputs
written, whole, table = [], AllureFileLogger._report_item, outputs.write_atomically
def refuse(*_):
    raise OSError(errno.ENOSPC, "No space left on device")
def report(logger, item):
    written.append(item)
    refuse() if len(written) > 2 else whole(logger, item)
AllureFileLogger._report_item = report
if ALL:
    outputs.write_atomically = lambda path, text: table(path, text) if path.name == "table.json" else refuse()
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize(
    ("filled", "named"), [(False, "cannot write Allure results to {}/allure-results"), (True, "cannot write {}/matrix")]
)
def test_a_disk_that_fills_up_under_the_reports(place: Workplace, workers: str, filled: bool, named: str) -> None:
    """Given a disk that fills up while Allure's results are written, when a gateway is measured, then all is judged,
    one line says so, the matrix is written where there is room, and no part of the results is left."""
    (place.root / "filling.py").write_text(FILLING.replace("ALL", str(filled)), "utf-8")
    with scripted_gateway(steady, ("model-a",)) as gateway:
        path = {"PYTHONPATH": f"{place.root}:{CHECKOUT}", **gateway.environment}
        ended = run_pytest(*LIVE, workers, "-p", "filling", *place.options, env=path)
    assert ended.code == 4, ended.all
    assert "Traceback" not in ended.all
    assert "INTERNALERROR" not in ended.all
    assert "20 passed" in ended.out
    reports = place.root / "reports"
    errors = [line for line in ended.out.splitlines() if line.startswith("ERROR")]
    assert [line.partition(" (No space left on device); name another folder")[1] != "" for line in errors] == [True]
    assert errors[0].startswith(f"ERROR: {named.format(reports)}")
    assert (reports / "matrix.json").exists() is not filled
    assert not list((reports / "allure-results").iterdir())


def test_leftovers_of_a_kill_in_the_middle_of_writing(place: Workplace) -> None:
    """Given half a file that a killed run left, when the gateway is measured again, then it is gone."""
    folder = place.root / "cassettes" / "g"
    folder.mkdir(parents=True)
    (folder / ".model-a.json.x1y2.tmp").write_text("{", "utf-8")
    (folder / ".recording.lock").write_text("", "utf-8")
    with scripted_gateway(steady, ("model-a",)) as gateway:
        ended = run_pytest(*LIVE, *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert sorted(path.name for path in folder.iterdir()) == ["gateway.json", "model-a.json"]
