"""Making LiteLLM's environment: what is refused, and what a failed or killed install leaves behind."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import platformdirs
import pytest
from uv import find_uv_bin

from conformance.embedded import DEFAULT_LITELLM_VERSION, embedded_gateway, environment, process
from conformance.embedded.environment import checked_version, ensure_environment, remove_environment, run_uv
from conformance.embedded.process import python_of
from conformance.errors import EmbeddedGatewayError
from conformance.files import installations

Runner = Callable[[Sequence[str], Path], int]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder in place of the user's."""
    monkeypatch.setattr(environment, "installations", lambda _name: tmp_path)
    return tmp_path


def use_uv(monkeypatch: pytest.MonkeyPatch, run: Runner) -> list[list[str]]:
    """Put `run` in uv's place; returns the commands it will have been given."""
    commands: list[list[str]] = []

    def recorded(command: Sequence[str], log: Path, _environment: Mapping[str, str], _folder: Path) -> int:
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


def test_a_removal_that_is_interrupted_leaves_no_environment(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a removal that Ctrl-C ends half-way, when the version is asked for, then it is installed anew."""
    commands = use_uv(monkeypatch, working_uv)
    made = ensure_environment("1.0.0", lambda _line: None)

    def interrupted(_folder: Path, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove_environment("1.0.0")
    assert not made.python.exists()
    ensure_environment("1.0.0", lambda _line: None)
    assert len(commands) == 4
    assert not list(cache.glob("*.partial*"))


def test_an_environment_is_removed_and_nothing_of_it_is_left(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an environment, when it is removed, also twice, then only its lock stays in the cache."""
    use_uv(monkeypatch, working_uv)
    ensure_environment("1.0.0", lambda _line: None)
    for _ in range(2):
        remove_environment("1.0.0")
        assert {path.suffix for path in cache.iterdir()} == {".lock"}


def test_what_another_process_installs_is_not_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a process that holds the lock of an environment, when that is to be removed, then it stays."""
    from filelock import FileLock

    use_uv(monkeypatch, working_uv)
    made = ensure_environment("1.0.0", lambda _line: None)
    with FileLock(cache / f"{made.python.relative_to(cache).parts[0]}.lock"):
        remove_environment("1.0.0")
    assert made.python.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="who runs a program is looked up in /proc")
def test_what_another_process_runs_is_not_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a process that runs an environment's Python, when that is to be removed, then it stays until the end."""
    use_uv(monkeypatch, working_uv)
    made = ensure_environment("1.0.0", lambda _line: None)
    made.python.unlink()
    made.python.symlink_to(sys.executable)
    with subprocess.Popen([made.python, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL):
        remove_environment("1.0.0")
        assert made.python.exists()
    remove_environment("1.0.0")
    assert not made.python.exists()


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


def test_the_users_project_does_not_change_what_uv_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given settings of uv in the project of the current folder, when uv is run, then they do not hold."""
    refuses_each_uv = '[tool.uv]\nrequired-version = ">=99"\n'
    (tmp_path / "pyproject.toml").write_text(refuses_each_uv, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    log = tmp_path / "log"
    assert run_uv([find_uv_bin(), "pip", "list", "--offline", "--python", sys.executable], log) == 0, log.read_text()


def test_the_users_own_settings_of_uv_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a configuration file of uv that the user names, also relatively, when uv is run, then it holds."""
    (tmp_path / "mine.toml").write_text('required-version = ">=99"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UV_CONFIG_FILE", "mine.toml")
    log = tmp_path / "log"
    assert run_uv([find_uv_bin(), "pip", "list", "--offline", "--python", sys.executable], log) != 0
    assert "Required uv version" in process.last_line(log)


def test_the_users_variables_do_not_change_what_uv_installs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given variables that make uv choose other packages, when it is run, then it has an index's alone."""
    seen: list[Mapping[str, str]] = []

    def run(_command: Sequence[str], _log: Path, variables: Mapping[str, str], _folder: Path) -> int:
        seen.append(variables)
        return 0

    monkeypatch.setattr(process, "run", run)
    choosing = {"UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE_NEWER", "UV_RESOLUTION"}
    choosing |= {"UV_PRERELEASE", "UV_NO_VERIFY_HASHES", "UV_PROJECT"}
    for name in {*choosing, "UV_INDEX"}:
        monkeypatch.setenv(name, "mine")
    run_uv(["uv"], cache / "log")
    assert seen[0]["UV_INDEX"] == "mine"
    assert not choosing & set(seen[0])


def test_a_relative_cache_folder_is_made_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a platformdirs that takes a relative variable, when uv runs elsewhere, then the cache does not move."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_names, **_options: Path("cache"))
    assert installations("litellm") == Path.cwd() / "cache" / "litellm"


def test_unknown_certificates_are_tried_with_those_of_the_machine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a registry behind a private authority, when uv's own certificates fail, then the machine's are tried."""
    tried: list[bool] = []

    def run(command: Sequence[str], log: Path, variables: Mapping[str, str], _folder: Path) -> int:
        tried.append("UV_SYSTEM_CERTS" in variables)
        if tried[-1]:
            return working_uv(command, log)
        log.write_text("error: invalid peer certificate: UnknownIssuer\n", encoding="utf-8")
        return 2

    monkeypatch.setattr(process, "run", run)
    ensure_environment("1.0.0", lambda _line: None)
    assert tried == [False, True] * 2
