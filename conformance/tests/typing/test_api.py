"""The types of the provider hold for those who check theirs: right uses pass, and wrong ones are found."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import provider
from conformance.provider import stream
from conformance.tests.helpers.running import CHECKOUT, clean_environment

API = Path(__file__).with_name("api.py")

#: Wrong uses, each with the error that mypy has to find in it.
WRONG = {
    "filter_request({}, 3, 'responses', table=load_table())": 'incompatible type "int"; expected "str"',
    "filter_request({}, 'm', 'responses')": 'Missing named argument "table"',
    "filter_request({}, 'm', 'responses', table=load_table()).left_out": 'has no attribute "left_out"',
    "RequestFilter(repair='always')": 'Argument "repair" to "RequestFilter" has incompatible type',
    "RequestFilter(on_repair=len)": 'Argument "on_repair" to "RequestFilter" has incompatible type',
    "LiteLLMProvider('http://h')": 'Missing positional argument "api_key"',
    "LiteLLMProvider('http://h', 'k').model('m').cost.input": 'Item "None" of "Cost | None" has no attribute "input"',
    "load_table().lookup('m', 'store')": 'expected "Question"',
    "TextDelta(3)": 'Argument 1 to "TextDelta" has incompatible type',
}


def test_the_file_uses_every_public_name() -> None:
    """Given the public names, when the file that mypy checks is read, then it imports each, and uses it."""
    tree = ast.parse(API.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {node.module: {alias.name for alias in node.names} for node in imports}
    assert imported["conformance.provider"] == set(provider.__all__)
    assert imported["conformance.provider.stream"] == set(stream.__all__) - {"stream"}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert imported["conformance.provider"] | imported["conformance.provider.stream"] <= used


def test_wrong_uses_are_found(tmp_path: Path) -> None:
    """Given a program of wrong uses, when its user runs mypy, then mypy says what is wrong with each, and no more."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    head = ["from conformance.provider import LiteLLMProvider, RequestFilter, filter_request, load_table"]
    head += ["from conformance.provider.stream import TextDelta"]
    program = [*head, *WRONG]
    (tmp_path / "wrong.py").write_text("\n".join(program), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "wrong.py"],
        cwd=tmp_path,
        env=clean_environment({"MYPYPATH": str(CHECKOUT)}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    errors = re.findall(r"^wrong\.py:(\d+): error: (.+)$", ran.stdout, re.MULTILINE)
    found = {program[int(line) - 1]: error for line, error in errors}
    assert {use: error in found.pop(use, "") for use, error in WRONG.items()} == dict.fromkeys(WRONG, True), ran.stdout
    assert found == {}
