"""Making LiteLLM's environment: what is refused, and what a failed or killed install leaves behind."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from conformance.embedded import DEFAULT_LITELLM_VERSION, embedded_gateway, environment, process
from conformance.embedded.environment import checked_version, ensure_environment
from conformance.embedded.process import python_of
from conformance.errors import EmbeddedGatewayError

Runner = Callable[[Sequence[str], Path], int]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder in place of the user's."""
    monkeypatch.setattr(environment, "installations", lambda _name: tmp_path)
    return tmp_path


def use_uv(monkeypatch: pytest.MonkeyPatch, run: Runner) -> list[list[str]]:
    """Put `run` in uv's place; returns the commands it will have been given."""
    commands: list[list[str]] = []

    def recorded(command: Sequence[str], log: Path, _environment: Mapping[str, str]) -> int:
        commands.append(list(command[1:]))
        return run(command, log)

    monkeypatch.setattr(process, "run", recorded)
    return commands


def working_uv(command: Sequence[str], _log: Path) -> int:
    """Makes an environment with a Python in it, and nothing else."""
    if command[1] == "venv":
        python = python_of(Path(command[-1]))
        python.parent.mkdir(parents=True)
        python.touch()
    return 0


@pytest.mark.parametrize(
    "version", ["1.82.7", "1.82.8", "1.107.0", " v1.107.0 ", "1.107", "1.82.07", "1.82.7.0", "1.107.0.post1"]
)
def test_refuses_compromised_releases(version: str) -> None:
    """A release with malicious code is never installed, however it is spelt."""
    with pytest.raises(EmbeddedGatewayError, match="compromised release and will not be installed"):
        checked_version(version)


@pytest.mark.parametrize("version", ["", "latest", "1", "1.2.3; rm", "--help", "../../x", "1.2.3@http://x"])
def test_refuses_what_is_not_a_version(version: str) -> None:
    """Only a version number reaches uv."""
    with pytest.raises(EmbeddedGatewayError, match="is not a LiteLLM version"):
        checked_version(version)


def test_the_default_is_locked_by_hash(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no version, what the shipped file lists is installed, with hashes and nothing more."""
    commands = use_uv(monkeypatch, working_uv)
    made = ensure_environment(None, lambda _line: None)
    assert made.version == DEFAULT_LITELLM_VERSION
    assert made.python.is_relative_to(cache)
    assert made.model_list.is_relative_to(cache)
    assert {"--require-hashes", "--no-deps"} < set(commands[1])


def test_the_shipped_file_names_no_registry() -> None:
    """Whoever installs decides where from."""
    for locked in (Path(environment.__file__).parent / "requirements").glob("*.txt"):
        text = locked.read_text(encoding="utf-8")
        assert f"litellm=={locked.stem.removeprefix('litellm-')}" in text
        assert "http" + "://" not in text
        assert "https" + "://" not in text
        assert "index-url" not in text


def test_another_version_is_resolved(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a version without a shipped file, uv resolves it, with what its routes need."""
    commands = use_uv(monkeypatch, working_uv)
    ensure_environment("1.106.2", lambda _line: None)
    assert commands[1][-4:] == ["litellm[proxy]==1.106.2", "google-auth", "requests", "boto3"]


@pytest.mark.parametrize(("version", "pin"), [("1.95.1", "fastapi"), ("1.108.14", "litellm-enterprise")])
def test_pins_that_do_not_work_are_replaced(
    cache: Path, monkeypatch: pytest.MonkeyPatch, version: str, pin: str
) -> None:
    """Given a release whose own pins do not resolve, or do not start, uv is given others for them."""
    lists: list[str] = []

    def uv_that_reads(command: Sequence[str], log: Path) -> int:
        if "--overrides" in command:
            lists.append(Path(command[command.index("--overrides") + 1]).read_text(encoding="utf-8"))
        return working_uv(command, log)

    use_uv(monkeypatch, uv_that_reads)
    ensure_environment(version, lambda _line: None)
    assert len(lists) == 1
    assert pin in lists[0]


def test_installs_once_and_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use installs and says so; the second does neither."""
    commands = use_uv(monkeypatch, working_uv)
    said: list[str] = []
    first = ensure_environment(None, said.append)
    second = ensure_environment(None, said.append)
    assert first == second
    assert len(commands) == 2
    assert said == [f"installing LiteLLM {DEFAULT_LITELLM_VERSION} (once, about 600 MB) …"]


def test_a_failed_install_says_why_and_where(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error carries the last line of uv's output and the place of all of it."""

    def failing(_command: Sequence[str], log: Path) -> int:
        log.write_text("resolving\n× No solution found: there is no such version\n\n", encoding="utf-8")
        return 1

    use_uv(monkeypatch, failing)
    with pytest.raises(EmbeddedGatewayError, match="there is no such version") as raised:
        ensure_environment("9.9.9", lambda _line: None)
    assert "\n" not in str(raised.value)
    assert next(cache.glob("9.9.9*.log")).name in str(raised.value)


def test_a_killed_install_is_never_taken_for_a_good_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an install that was interrupted, the next use starts over."""

    def killed(command: Sequence[str], log: Path) -> int:
        if command[1] == "venv":
            return working_uv(command, log)
        raise KeyboardInterrupt

    use_uv(monkeypatch, killed)
    with pytest.raises(KeyboardInterrupt):
        ensure_environment(None, lambda _line: None)
    commands = use_uv(monkeypatch, working_uv)
    assert ensure_environment(None, lambda _line: None).python.exists()
    assert len(commands) == 2


def halfway(error: BaseException | None) -> Runner:
    """A uv that makes an environment and then fails, with this error or by its status."""

    def run(command: Sequence[str], log: Path) -> int:
        log.write_text("no such version\n", encoding="utf-8")
        if command[1] == "venv":
            return working_uv(command, log)
        if error is not None:
            raise error
        return 1

    return run


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), OSError("disk full")], ids=["uv fails", "Ctrl-C", "disk"])
def test_a_failed_install_leaves_no_environment(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    """Given an install that fails half-way, when it ends, then only its log and its lock stay in the cache."""
    use_uv(monkeypatch, halfway(error))
    with pytest.raises((EmbeddedGatewayError, KeyboardInterrupt, OSError)):
        ensure_environment("9.9.9", lambda _line: None)
    assert {path.suffix for path in cache.iterdir()} <= {".log", ".lock"}


@pytest.mark.parametrize("installed", [False, True], ids=["installing", "installed"])
def test_the_next_start_clears_what_a_kill_left(cache: Path, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    """Given leftovers of killed installs of any version, when one starts, then they go, but not what is being made."""
    from filelock import FileLock

    use_uv(monkeypatch, working_uv)
    if installed:
        ensure_environment(None, lambda _line: None)
    dead, living = cache / "1.2.3-cpython.partial-99999", cache / "4.5.6-cpython.partial-1"
    for leftover in (dead, living):
        (leftover / "bin").mkdir(parents=True)
    with FileLock(cache / "4.5.6-cpython.lock"):
        ensure_environment(None, lambda _line: None)
    assert not dead.exists()
    assert living.exists()
    ensure_environment(None, lambda _line: None)
    assert not living.exists()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a missing package, the error names it and the command that installs it."""
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> object:
        return None if name == "starlette" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with (
        pytest.raises(EmbeddedGatewayError, match=r"starlette.*pip install 'litellm-conformance\[embedded\]'"),
        embedded_gateway(),
    ):
        pass


def test_can_be_imported_without_the_extra() -> None:
    """Nothing of the extra is imported before a gateway is asked for."""
    module = sys.modules["conformance.embedded.environment"]
    assert not {"uv", "filelock", "platformdirs"} & set(vars(module))


def test_uv_is_told_what_pip_knows() -> None:
    """Given pip's variables for a private index, when uv is run, then it has them under its own names, once."""
    pip = {"PIP_INDEX_URL": "https://index.example/simple", "PIP_CERT": "/ca.pem", "SSL_CERT_FILE": "/mine.pem"}
    unwrapped = {"UV_NO_WRAP": "1"}
    assert environment._from_pip(pip) == {**unwrapped, "UV_DEFAULT_INDEX": "https://index.example/simple"}
    assert environment._from_pip({"PIP_CERT": "/ca.pem"}) == {**unwrapped, "SSL_CERT_FILE": "/ca.pem"}


def test_unknown_certificates_are_tried_with_those_of_the_machine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a registry behind a private authority, when uv's own certificates fail, then the machine's are tried."""
    tried: list[bool] = []

    def run(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> int:
        tried.append("UV_SYSTEM_CERTS" in variables)
        if tried[-1]:
            return working_uv(command, log)
        log.write_text("error: invalid peer certificate: UnknownIssuer\n", encoding="utf-8")
        return 2

    monkeypatch.setattr(process, "run", run)
    ensure_environment("1.0.0", lambda _line: None)
    assert tried == [False, True] * 2
