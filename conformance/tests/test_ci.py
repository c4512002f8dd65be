"""What CI runs: the README's own commands, the tasks, and the tests that a plain `pytest` leaves out."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.tests.helpers.running import CHECKOUT, run_pytest

CI = CHECKOUT / ".ci"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
TASKS: dict[str, dict[str, Any]] = PROJECT["tool"]["poe"]["tasks"]


def commands_of(*tasks: str) -> list[str]:
    """The commands of these tasks, in the order in which they run."""
    return [command for task in tasks for command in TASKS[task].get("sequence") or [TASKS[task]["cmd"]]]


def script(name: str) -> list[str]:
    """The lines of one of CI's scripts."""
    return (CI / name).read_text("utf-8").splitlines()


def test_commands_are_the_readmes() -> None:
    """Given the README, when CI asks for its commands, then they are its two, and the script has none of its own."""
    told = subprocess.run([CI / "commands"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [re.sub(r"\s*#.*", "", line) for line in told] == [
        "pip install -e '.[embedded]' && pytest --live",
        "pip install -e '.[dev]' && pytest",
    ]
    assert all(line in (CHECKOUT / "README.md").read_text("utf-8") for line in told)
    run = "\n".join(script("run"))
    assert ".ci/commands" in run
    assert "install -e" not in run
    assert "--live" not in run


def test_tasks_are_what_ci_runs() -> None:
    """Given the tasks, when CI's script is read, then it calls those, and its long tests are those of `test-all`."""
    assert list(TASKS) == ["lint", "types", "test", "test-all", "bench", "docs"]
    assert re.findall(r"^ *poe (\w+)", "\n".join(script("run")), re.MULTILINE) == ["lint", "types", "docs"]
    long = [line for line in script("run") if line.startswith("pytest ")]
    assert commands_of("test-all") == [*commands_of("test"), *long]
    assert script("run")[-1] == long[-1]  # so that pytest's own summary ends the output


def test_contributors_are_told_of_every_task() -> None:
    """Given the tasks, when the page for contributors is read, then its table has a row for each, and no other."""
    page = (CHECKOUT / "conformance" / "docs" / "CONTRIBUTING.md").read_text("utf-8")
    assert re.findall(r"^\| `poe ([a-z-]+)", page, re.MULTILINE) == list(TASKS)


def test_hooks_run_the_tasks() -> None:
    """Given the hooks of pre-commit, when they are read, then they are `lint` and `types`, by tools that are here."""
    [repository] = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert [hook["entry"] for hook in repository["hooks"]] == commands_of("lint", "types")
    assert not any(hook["pass_filenames"] for hook in repository["hooks"])


@pytest.mark.parametrize("lock", sorted(CI.glob("*.txt")), ids=lambda path: path.name)
def test_locks_name_no_address(lock: Path) -> None:
    """Given a lock, when it is read, then each package has one version and its hashes, and nothing tells where from."""
    text = lock.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    packages = re.findall(r"^[^\s#].*(?:\n +--hash.*)+", text, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("lock", "groups"), [("requirements", ("lint", "types", "tasks")), ("docs", ("docs",)), ("audit", ("audit",))]
)
def test_locks_hold_their_groups(lock: str, groups: tuple[str, ...]) -> None:
    """Given groups of dependencies, when the lock of what CI installs for them is read, then each package is in it."""
    locked = set(re.findall(r"^([a-z0-9.-]+)==", "\n".join(script(f"{lock}.txt")), re.MULTILINE))
    wanted = [row for group in groups for row in PROJECT["dependency-groups"][group] if isinstance(row, str)]
    assert {re.split(r"[^\w-]", row)[0].lower() for row in wanted} - locked == set()


def test_slow_tests_are_left_out_and_counted() -> None:
    """Given a file of slow tests, when it is collected, then all are left out and counted, and `-m slow` has them."""
    file = "conformance/tests/embedded/test_pi.py"
    plain, slow = (run_pytest("--collect-only", "-q", file, *more, suite=False) for more in ([], ["-m", "slow"]))
    assert plain.code == 5, plain.all
    [left_out] = re.findall(r"(\d+) deselected", plain.out)
    assert slow.code == 0, slow.all
    assert f"{left_out} tests collected" in slow.out


def test_no_cell_is_left_out() -> None:
    """Given the shipped recording, when its tests are collected, then none is taken for a slow one."""
    ended = run_pytest("--collect-only", "-q")
    assert ended.code == 0, ended.all
    assert re.search(r"\d{4} tests collected", ended.out)
    assert "deselected" not in ended.out


def test_named_tests_are_spread_where_that_is_asked_for() -> None:
    """Given a file of tests, when it is named, then one process runs it; with `-n logical` as many as processors."""
    file = "conformance/tests/test_cache_folder.py"
    plain, spread = (run_pytest("-q", file, *more, suite=False) for more in ([], ["-n", "logical"]))
    assert plain.code == spread.code == 0, plain.all + spread.all
    assert "bringing up nodes" not in plain.out
    assert ("bringing up nodes" in spread.out) is ((os.cpu_count() or 1) > 1)
