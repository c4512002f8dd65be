"""What CI runs: the README's own commands, and the tests that a plain `pytest` leaves out."""

from __future__ import annotations

import re
import subprocess

from conformance.tests.helpers.running import CHECKOUT, run_pytest

CI = CHECKOUT / ".ci"


def test_commands_are_the_readmes() -> None:
    """Given the README, when CI asks for its commands, then they are its two, and the script has none of its own."""
    told = subprocess.run([CI / "commands"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [re.sub(r"\s*#.*", "", line) for line in told] == [
        "pip install -e '.[embedded]' && pytest --live",
        "pip install -e '.[dev]' && pytest",
    ]
    assert all(line in (CHECKOUT / "README.md").read_text("utf-8") for line in told)
    script = (CI / "run").read_text("utf-8")
    assert ".ci/commands" in script
    assert "install -e" not in script
    assert "--live" not in script


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
