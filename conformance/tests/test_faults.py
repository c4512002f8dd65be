"""Nothing lost: real signals, full disks and gateways that go away, against runs in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from conformance.tests.gateways import refusal, scripted_gateway
from conformance.tests.running import CHECKOUT, Workplace, run_pytest, signal_when

FEW = "--parameters=store,prompt_cache_key,temperature"
MODELS = ("model-a", "model-b", "model-c")
LIVE = ["--live", "--gateway=g", FEW]
RESUME = ["--live", "--gateway=g", "--resume"]


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """Folders for one test."""
    return Workplace(tmp_path)


def command(place: Workplace, *options: str) -> list[str]:
    """A live run as a command."""
    start = [sys.executable, "-m", "pytest", "conformance/suite", "-p", "no:cacheprovider"]
    return [*start, *LIVE, *options, *place.options]


def steady(body: dict[str, Any]) -> Any:
    """The policy of a gateway that takes a little time, and refuses one parameter."""

    async def answer() -> Response | None:
        await asyncio.sleep(0.02)
        return refusal("prompt_cache_key: Extra inputs are not permitted") if "prompt_cache_key" in body else None

    return answer()


class Holding:
    """The steady policy, until so many requests were answered; those that follow wait until it is let go."""

    def __init__(self, answered: int) -> None:
        """Answer so many."""
        self.left = answered
        self.held = threading.Event()
        self.released = False

    async def __call__(self, body: dict[str, Any]) -> Response | None:
        """Answer a request, or hold it."""
        self.left -= 1
        if self.left < 0:
            self.held.set()
            while not self.released:
                await asyncio.sleep(0.02)
        result: Response | None = await steady(body)
        return result


def exchanges(place: Workplace) -> list[dict[str, Any]]:
    """The requests that are on disk, in cassettes and parts, each line of them valid."""
    found = []
    folder = place.root / "cassettes" / "g"
    for path in folder.glob("*.json.part"):
        head, *lines = path.read_text("utf-8").splitlines()
        assert json.loads(head)["metadata"]["model"] in MODELS
        found += [json.loads(line)["request"]["body"]["json"] for line in lines]
    for path in folder.glob("model-*.json"):
        found += [row["request"]["body"]["json"] for row in json.loads(path.read_text("utf-8"))["interactions"]]
    return found


def on_disk(place: Workplace, policy: Holding, count: int) -> bool:
    """True when the gateway holds its answers, and all that it gave before are on disk."""
    return policy.held.is_set() and len(exchanges(place)) == count


def counted(bodies: list[dict[str, Any]]) -> Counter[str]:
    """How often each request is among these."""
    return Counter(json.dumps(body, sort_keys=True) for body in bodies)


def cells(place: Workplace) -> list[dict[str, Any]]:
    """The matrix's cells without the order of their evidence."""
    return [{**cell, "evidence": sorted(cell["evidence"])} for cell in place.matrix["cells"]]


def is_complete(place: Workplace) -> bool:
    """What the matrix says of itself."""
    complete: bool = place.matrix["run"]["complete"]
    return complete


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The cells of a run that nothing disturbs, and what it asks."""
    place = Workplace(tmp_path_factory.mktemp("undisturbed"))
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*LIVE, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    return cells(place), counted(gateway.seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on_where_it_was(
    place: Workplace, number: signal.Signals, undisturbed: tuple[list[dict[str, Any]], Counter[str]]
) -> None:
    """Given a run half-way, when a signal ends it, then all answers are on disk, and `--resume` asks for the rest."""
    wanted, asked = undisturbed
    half = asked.total() // 2
    policy = Holding(half)
    with scripted_gateway(policy, MODELS) as gateway:
        ended = signal_when(command(place), lambda: on_disk(place, policy, half), gateway.environment, number)
        policy.released = True
    kept = counted(exchanges(place))
    assert kept.total() == half
    assert "Traceback" not in ended.all
    if number is signal.SIGKILL:
        assert ended.code == -9
    else:
        assert ended.code == 2, ended.all
        assert "stopped; what was measured is kept" in ended.out
        assert "--resume goes on from here" in ended.out
        assert not is_complete(place)

    replayed = run_pytest("--gateway=g", "--update-table", *place.options)
    assert replayed.code in (0, 1), replayed.all  # 1 where no cell was finished
    assert not is_complete(place)
    assert place.matrix["run"]["requests"] == half
    assert "NOTE unfinished: " in replayed.out

    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert counted(gateway.seen) == asked - kept
    assert cells(place) == wanted
    assert is_complete(place)
    assert not list((place.root / "cassettes" / "g").glob("*.part"))
    assert not list((place.root / "cassettes" / "g").glob(".*"))


def test_ctrl_c_again_and_again(place: Workplace) -> None:
    """Given a run, when Ctrl-C comes five times in a row, then it ends as after the first, without a traceback."""
    policy = Holding(20)
    with scripted_gateway(policy, MODELS) as gateway:
        ended = signal_when(command(place), policy.held.is_set, gateway.environment, *[signal.SIGINT] * 5)
        policy.released = True
    assert ended.code == 2, ended.all
    assert "Traceback" not in ended.all
    assert "KeyboardInterrupt" not in ended.err
    assert not is_complete(place)


def test_a_second_resume_asks_nothing(place: Workplace) -> None:
    """Given a recording that is whole, when it is resumed, then nothing is sent, and nothing changes but the time."""
    with scripted_gateway(steady, MODELS) as gateway:
        run_pytest(*LIVE, "--update-table", *place.options, env=gateway.environment)
        gateway.seen.clear()
        before = {path.name: path.read_bytes() for path in (place.root / "cassettes" / "g").glob("model*")}
        ended = run_pytest(*RESUME, *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 0, ended.all
    assert {path.name: path.read_bytes() for path in (place.root / "cassettes" / "g").glob("model*")} == before


def test_failures_are_asked_again_when_resumed(place: Workplace) -> None:
    """Given a run in which one model's backend was down, when it is resumed, then only that model is asked."""

    def down(body: dict[str, Any]) -> Response | None:
        return refusal("overloaded", 503, {"retry-after": "0"}) if body["model"] == "model-b" else None

    with scripted_gateway(down, MODELS) as gateway:
        run_pytest(*LIVE, "--update-table", *place.options, env=gateway.environment)
    assert {c["model"] for c in place.matrix["cells"] if c["verdict"] == "inconclusive"} == {"model-b"}
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
        assert {body["model"] for body in gateway.seen} == {"model-b"}
    assert ended.code == 0, ended.all
    assert "inconclusive" not in {cell["verdict"] for cell in place.matrix["cells"]}


@contextlib.contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """A small file system of its own at a path, where the machine lets us have one."""
    path.mkdir(parents=True, exist_ok=True)
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
        ended = run_pytest(*LIVE, "--resume", "--update-table", *place.options, env=gateway.environment)
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
def test_read_only_folder(place: Workplace, folder: str) -> None:
    """Given a folder on a read-only file system, when a gateway is measured, then one line names it."""
    with mounted(place.root / folder, "ro"), scripted_gateway(steady, ("model-a",)) as gateway:
        ended = run_pytest(*LIVE, *place.options, env=gateway.environment)
        assert ended.code == 4, ended.all
        assert str(place.root / folder) in ended.err
        assert "Read-only file system" in ended.err
        assert len(ended.err.strip().splitlines()) == 1
        assert gateway.seen == []


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
    assert "then --resume goes on from here" in ended.err
    assert "Traceback" not in ended.all
    assert not is_complete(place)
    with scripted_gateway(steady, MODELS) as again:
        ended = run_pytest(*LIVE, "--resume", "--update-table", *place.options, env=again.environment)
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
        first = signal_when(command(place, "--update-table"), ready, gateway.environment)
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


def test_a_worker_that_dies(place: Workplace) -> None:
    """Given a worker that is killed, when it judged a cell, then that fails the run, and the matrix is whole."""
    with scripted_gateway(steady, MODELS) as gateway:
        run_pytest(*LIVE, "--update-table", *place.options, env=gateway.environment)
    before = cells(place)
    (place.root / "dying.py").write_text(DYING, "utf-8")
    (place.root / "reports" / "matrix.json").unlink()
    ended = run_pytest(
        "--gateway=g", "-n2", "-p", "dying", *place.options, env={"PYTHONPATH": f"{place.root}:{CHECKOUT}"}
    )
    assert ended.code == 1, ended.all
    assert "crashed while running" in ended.out
    assert cells(place) == before


def test_leftovers_of_a_kill_in_the_middle_of_writing(place: Workplace) -> None:
    """Given half a file that a killed run left, when the gateway is measured again, then it is gone."""
    folder = place.root / "cassettes" / "g"
    folder.mkdir(parents=True)
    (folder / ".model-a.json.x1y2.tmp").write_text("{", "utf-8")
    (folder / ".recording.lock").write_text("", "utf-8")
    with scripted_gateway(steady, ("model-a",)) as gateway:
        ended = run_pytest(*LIVE, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert sorted(path.name for path in folder.iterdir()) == ["gateway.json", "model-a.json"]


def test_a_part_that_was_cut(place: Workplace) -> None:
    """Given a part whose last line is half there, when it is replayed and resumed, then only that line is lost."""
    policy = Holding(12)
    with scripted_gateway(policy, ("model-a",)) as gateway:
        signal_when(command(place), lambda: on_disk(place, policy, 12), gateway.environment, signal.SIGKILL)
        policy.released = True
    part = place.root / "cassettes" / "g" / "model-a.json.part"
    part.write_bytes(part.read_bytes()[:-40])
    assert run_pytest("--gateway=g", "--update-table", *place.options).code in (0, 1)
    with scripted_gateway(steady, ("model-a",)) as gateway:
        ended = run_pytest(*LIVE, "--resume", "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert is_complete(place)


def versioned(version: str) -> Callable[[HttpRequest], Response]:
    """The model list of a gateway of some version."""
    rows = {"data": [{"id": "model-a"}]}
    return lambda request: JSONResponse(rows, headers={"x-litellm-version": version})


@pytest.mark.parametrize(
    ("recorded", "resumed", "told"), [([], "1/2", "of all models"), (["--shard=1/2"], "2/2", "shard 1/2")]
)
def test_resuming_as_another_shard_is_refused(place: Workplace, recorded: list[str], resumed: str, told: str) -> None:
    """Given a recording, when it is resumed as a shard that it is not, then one line says so, and nothing is sent."""
    with scripted_gateway(models=MODELS) as gateway:
        ended = run_pytest(*LIVE, *recorded, "--update-table", *place.options, env=gateway.environment)
        assert ended.code == 0, ended.all
        sent = len(gateway.seen)
        ended = run_pytest(*LIVE, "--resume", f"--shard={resumed}", *place.options, env=gateway.environment)
        assert len(gateway.seen) == sent
    assert ended.code == 4
    assert f"is {told}, and not shard {resumed}" in ended.err


def test_resuming_another_version_is_refused(place: Workplace) -> None:
    """Given a recording of one version, when it is resumed with another, then one line says to measure anew."""
    with scripted_gateway(listing=versioned("1.0")) as gateway:
        run_pytest(*LIVE, "--update-table", *place.options, env=gateway.environment)
    with scripted_gateway(listing=versioned("2.0")) as gateway:
        ended = run_pytest(*LIVE, "--resume", *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4
    assert "is of version 1.0, and the gateway is 2.0 now" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
