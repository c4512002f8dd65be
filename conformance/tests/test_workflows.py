"""Tests of the GitHub Actions workflows: they parse, pin what they use, and give no more rights than needed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.tests.helpers.running import CHECKOUT

WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
CONFORMANCE = CHECKOUT / ".github" / "workflows" / "conformance.yml"


def jobs_of(path: Path) -> dict[str, Any]:
    """A workflow's jobs by name."""
    jobs: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


def steps_of(path: Path) -> list[dict[str, Any]]:
    """All steps of a workflow."""
    return [step for job in jobs_of(path).values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_scripts_parse(path: Path) -> None:
    """Given a workflow's scripts, when bash reads them, then it finds nothing wrong."""
    for step in steps_of(path):
        if script := step.get("run"):
            # The expressions are GitHub's, and none stands in a script: what it fills in could be a command.
            assert "${{" not in script
            subprocess.run(["bash", "-n"], input=script, text=True, check=True)  # noqa: S607


def test_actions_are_pinned() -> None:
    """Given the workflows, when their actions are read, then each is pinned to a commit."""
    used = [step["uses"] for path in WORKFLOWS for step in steps_of(path) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in used)


def test_no_checkout_leaves_its_token_behind() -> None:
    """Given the workflows, when their checkouts are read, then none keeps the token where later steps find it."""
    checkouts = [s for path in WORKFLOWS for s in steps_of(path) if s.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step.get("with", {}).get("persist-credentials") for step in checkouts] == [False] * len(checkouts)


def test_each_week_more_is_looked_at() -> None:
    """Given the variables that contributors are told of, when the weekly workflow is read, then it sets each, except
    the one for real agents."""
    page = (CHECKOUT / "conformance" / "docs" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(CONFORMANCE_\w+)`", page, re.MULTILINE))
    [job] = jobs_of(CHECKOUT / ".github" / "workflows" / "at-length.yml").values()
    assert told - set(job["env"]) == {"CONFORMANCE_AGENTS"}


def test_rights_are_the_least() -> None:
    """Given its jobs, when their rights are read, then two may write, and those run nothing that was installed."""
    assert yaml.safe_load(CONFORMANCE.read_text(encoding="utf-8"))["permissions"] == {}
    jobs = jobs_of(CONFORMANCE)
    rights = {
        name: {right for right, kind in job["permissions"].items() if kind == "write"} for name, job in jobs.items()
    }
    assert rights == {
        "replay": set(),
        "measure": set(),
        "publish": {"pages", "id-token"},
        "propose": {"contents", "pull-requests"},
    }
    scripts = [step.get("run", "") for name in ("publish", "propose") for step in jobs[name]["steps"]]
    assert not any(re.search(r"\b(pip|pytest|python|npx)\b", script) for script in scripts)


def test_secrets_are_seen_by_the_measurement_alone() -> None:
    """Given its steps, when their variables are read, then the key is known where requests are sent, nowhere else."""
    seeing = [step.get("name") for step in steps_of(CONFORMANCE) if "secrets." in str(step)]
    assert seeing == ["Measure"]
    assert CONFORMANCE.read_text(encoding="utf-8").count("secrets.LITELLM_API_KEY") == 1


@pytest.mark.parametrize(
    ("gateway", "url", "code", "told"),
    [
        ("embedded", "", 0, "unset"),
        ("embedded", "https://proxy.example", 1, None),
        ("ours", "https://proxy.example", 0, "https://proxy.example"),
        ("ours", "", 0, ""),  # pytest refuses it: the secret is missing
    ],
)
def test_what_the_measurement_is_told(tmp_path: Path, gateway: str, url: str, code: int, told: str | None) -> None:
    """Given a gateway's name and a secret, when it is measured, then an empty one that nobody needs is unset."""
    [script] = [step["run"] for step in steps_of(CONFORMANCE) if step.get("name") == "Measure"]
    heard = tmp_path / "heard"
    (tmp_path / "pytest").write_text(f'#!/bin/sh\nprintf %s "${{LITELLM_BASE_URL-unset}}" > "{heard}"\n')
    (tmp_path / "pytest").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.defpath}", "GATEWAY": gateway, "LITELLM_BASE_URL": url, "TABLE": "table.json"}
    done = subprocess.run(["bash", "-e"], input=script, text=True, env=env, capture_output=True, check=False)  # noqa: S607
    assert done.returncode == code
    assert (heard.read_text() if heard.exists() else None) == told


def test_commands_exist() -> None:
    """Given its scripts, when the options in them are looked up, then pytest and the command line have each."""
    plugin = (CHECKOUT / "conformance" / "plugin.py").read_text(encoding="utf-8")
    modules = (CHECKOUT / "conformance" / "commands").glob("*.py")
    command = "".join(module.read_text(encoding="utf-8") for module in modules)
    scripts = " ".join(step.get("run", "") for step in steps_of(CONFORMANCE)).replace("\\\n", " ")
    for line in scripts.splitlines():
        if match := re.search(r"\b(pytest|python -m conformance) (.*)", line):
            known = plugin if match[1] == "pytest" else command
            for option in re.findall(r"(?<=\s)--[a-z-]+", match[2]):
                assert f'"{option}"' in known or option in ("--junitxml", "--yes"), line
