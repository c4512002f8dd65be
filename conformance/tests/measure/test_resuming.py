"""Runs that were ended go on where they were: `--resume`."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from conformance.tests.helpers import interrupted
from conformance.tests.helpers.gateways import refusal, scripted_gateway
from conformance.tests.helpers.interrupted import (
    LIVE,
    MODELS,
    RESUME,
    Holding,
    cells,
    command,
    counted,
    exchanges,
    is_complete,
    on_disk,
    steady,
)
from conformance.tests.helpers.running import Workplace, run_pytest, signal_when

#: Each test starts a run, ends it, and starts another.
pytestmark = pytest.mark.slow

undisturbed = interrupted.undisturbed


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
        assert "continue with --resume" in ended.out
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
        run_pytest(*LIVE, *place.options, env=gateway.environment)
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
        run_pytest(*LIVE, *place.options, env=gateway.environment)
    assert {c["model"] for c in place.matrix["cells"] if c["verdict"] == "inconclusive"} == {"model-b"}
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
        assert {body["model"] for body in gateway.seen} == {"model-b"}
    assert ended.code == 0, ended.all
    assert "inconclusive" not in {cell["verdict"] for cell in place.matrix["cells"]}


def test_a_model_that_was_being_measured_again(place: Workplace) -> None:
    """Given a recording, when another over it is ended half-way, then the replay says what it judges as it was."""
    with scripted_gateway(steady, MODELS) as gateway:
        assert run_pytest(*LIVE, *place.options, env=gateway.environment).code == 0
    policy = Holding(20)
    with scripted_gateway(policy, MODELS) as gateway:
        signal_when(command(place), policy.held.is_set, gateway.environment, signal.SIGTERM)
        policy.released = True
    ended = run_pytest("--gateway=g", *place.options)
    assert "NOTE judged as they were before they were measured again: model-" in ended.out
    assert "go on with --live --resume" in ended.out


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
        ended = run_pytest(*LIVE, "--resume", *place.options, env=gateway.environment)
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
        ended = run_pytest(*LIVE, *recorded, *place.options, env=gateway.environment)
        assert ended.code == 0, ended.all
        sent = len(gateway.seen)
        ended = run_pytest(*LIVE, "--resume", f"--shard={resumed}", *place.options, env=gateway.environment)
        assert len(gateway.seen) == sent
    assert ended.code == 4
    assert f"is {told}, and not shard {resumed}" in ended.err


def test_resuming_another_version_is_refused(place: Workplace) -> None:
    """Given a recording of one version, when it is resumed with another, then one line says to measure anew."""
    with scripted_gateway(listing=versioned("1.0")) as gateway:
        run_pytest(*LIVE, *place.options, env=gateway.environment)
    with scripted_gateway(listing=versioned("2.0")) as gateway:
        ended = run_pytest(*LIVE, "--resume", *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4
    assert "is of version 1.0, and not 2.0" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--models=model-b"], "--models leaves out 'model-a'"),
        (["--parameters=store"], "--parameters leaves out"),
        (["--endpoints=responses"], "--endpoints leaves out 'chat_completions'"),
        ([], "is of a gateway on 127.0.0.1, and not localhost"),
    ],
    ids=["models", "parameters", "endpoints", "host"],
)
def test_resuming_something_else_is_refused(place: Workplace, options: list[str], told: str) -> None:
    """Given a recording, when it is resumed with less, or on another host, then one line, and nothing is sent."""
    with scripted_gateway(models=MODELS) as gateway:
        assert run_pytest(*LIVE, *place.options, env=gateway.environment).code == 0
        sent, env = len(gateway.seen), gateway.environment
        if not options:
            env = {**env, "LITELLM_BASE_URL": env["LITELLM_BASE_URL"].replace("127.0.0.1", "localhost")}
        ended = run_pytest(*RESUME, *options, *place.options, env=env)
        assert len(gateway.seen) == sent
    assert ended.code == 4, ended.all
    assert told in ended.err


def test_a_key_that_expires_half_way(place: Workplace) -> None:
    """Given a key that is refused from some request on, when another resumes, then what it was refused is asked."""
    answered = 0

    def expiring(body: dict[str, Any]) -> Response | None:
        nonlocal answered
        answered += 1
        return refusal("Authentication Error: the key has expired", 401) if answered > 30 else None

    with scripted_gateway(expiring, MODELS) as gateway:
        run_pytest(*LIVE, *place.options, env=gateway.environment)
    assert any(cell["verdict"] == "inconclusive" for cell in place.matrix["cells"])
    with scripted_gateway(models=MODELS) as gateway:
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
        assert gateway.seen
    assert ended.code == 0, ended.all
    assert {cell["verdict"] for cell in place.matrix["cells"]} == {"accepted"}


def test_a_part_that_holds_nothing(place: Workplace) -> None:
    """Given a part of which not even the first line was written, when it is resumed, then all of it is asked."""
    policy = Holding(20)
    with scripted_gateway(policy, MODELS) as gateway:
        signal_when(command(place), policy.held.is_set, gateway.environment, signal.SIGKILL)
        policy.released = True
    for part in (place.root / "cassettes" / "g").glob("*.part"):
        part.write_bytes(part.read_bytes()[:7] if part.name.startswith("model-a") else b"")
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert is_complete(place)


def test_a_damaged_part_can_be_deleted(place: Workplace) -> None:
    """Given a part that is no part, when it is resumed, then one line says what to delete, and that is enough."""
    policy = Holding(20)
    with scripted_gateway(policy, MODELS) as gateway:
        signal_when(command(place), policy.held.is_set, gateway.environment, signal.SIGKILL)
        policy.released = True
    part = next((place.root / "cassettes" / "g").glob("*.part"))
    part.write_text("[]\n[]\n", encoding="utf-8")
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
        assert ended.code == 4
        assert f"{part.name} is damaged" in ended.err
        assert "or delete it, and --resume asks that model alone" in ended.err
        part.unlink()
        ended = run_pytest(*RESUME, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
