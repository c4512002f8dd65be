"""The extension's own tests, run by Node as Pi would load them, and its types, checked against Pi's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance import __version__
from conformance.tests.embedded.pi_runs import EXTENSION, pi_modules, program

PROVIDER = EXTENSION.parent
VECTORS = ("vectors.json", "repair/repair_vectors.json")
COMPILER = {
    "target": "ES2023",
    "lib": ["ES2023", "DOM", "DOM.AsyncIterable"],
    "module": "NodeNext",
    "types": ["node"],
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "exactOptionalPropertyTypes": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "erasableSyntaxOnly": True,
    "verbatimModuleSyntax": True,
    "allowImportingTsExtensions": True,
    "noEmit": True,
    "skipLibCheck": True,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension and its data as in a checkout, with Pi's modules where imports find them."""
    modules = pi_modules()
    made = tmp_path_factory.mktemp("provider")
    shutil.copytree(PROVIDER, made, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (made / "node_modules").symlink_to(modules, target_is_directory=True)
    (made / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER, "include": ["pi"]}), encoding="utf-8")
    return made


def node(place: Path, *arguments: str) -> str:
    """Run node in this place; returns what it printed, and fails the test with that where node fails."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "NO_COLOR": "1"}
    command = [program("node"), *arguments]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, timeout=300, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said
    return said


@pytest.mark.slow
def test_node_runs_every_vector_and_agrees(place: Path) -> None:
    """Given the vectors that Python's tests run, when node runs them, then it runs each line, and all pass."""
    tests = sorted(str(path.relative_to(place)) for path in (place / "pi" / "tests").glob("*.test.ts"))
    said = node(place, "--import", "jiti/register", "--test", "--test-reporter=tap", *tests)
    passed = set(re.findall(r"^ *ok \d+ - (\w+)\[(\d+)\]", said, re.MULTILINE))
    files = [json.loads((PROVIDER / name).read_text(encoding="utf-8")) for name in VECTORS]
    lines = {
        (name, str(index))
        for vectors in files
        for name, rows in vectors.items()
        if isinstance(rows, list)
        for index in range(len(rows))
    }
    assert len(lines) > 280
    assert passed == lines
    assert all(f"# {kind} 0\n" in said for kind in ("fail", "cancelled", "skipped", "todo"))


@pytest.mark.slow
def test_the_types_fit_those_of_pi(place: Path) -> None:
    """Given Pi's own declarations, when the extension is compiled, then nothing is wrong."""
    assert node(place, "node_modules/typescript/bin/tsc", "--project", ".") == ""


def test_the_package_is_of_this_version_and_needs_nothing() -> None:
    """Given package.json, then it names the extension, the version of this package, and no dependency."""
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    assert package["pi"] == {"extensions": ["./index.ts"]}
    assert package["version"] == __version__
    assert not [name for name in package if "ependencies" in name]
    imported = {
        name
        for file in EXTENSION.glob("*.ts")
        for name in re.findall(r'from "([^".][^"]*)"', file.read_text(encoding="utf-8"))
    }
    assert all(name.startswith(("node:", "@mariozechner/")) for name in imported)


@pytest.mark.parametrize("folder", ["pi", "pi_new"])
def test_the_lock_file_has_integrity_and_no_address(folder: str) -> None:
    """Given the lock file of a Pi under test, then every package has its digest, and none an address."""
    text = (Path(__file__).with_name(folder) / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: row for name, row in json.loads(text)["packages"].items() if name}
    assert "://" not in text
    assert len(packages) > 100
    assert all(row["integrity"].startswith("sha512-") for row in packages.values())
