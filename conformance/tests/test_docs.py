"""What the documents name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.tests.running import CHECKOUT

TESTS = CHECKOUT / "conformance" / "tests"
_NAMED = re.compile(r"`(?:(?P<file>(?:(?:embedded|fuzz)/)?test_\w+\.py)(?:::(?P<test>test_\w+))?|(?P<alone>test_\w+))`")


@pytest.mark.parametrize("page", ["conformance/docs/faults.md", ".github/SECURITY.md"])
def test_tests_that_pages_name_exist(page: str) -> None:
    """Given a page that says which tests show what, when they are looked for, then each is there."""
    file, missing, found = Path(), [], 0
    for named in _NAMED.finditer((CHECKOUT / page).read_text(encoding="utf-8")):
        file = TESTS / named["file"] if named["file"] else file  # several of one file: the first names it
        test = named["test"] or named["alone"]
        text = file.read_text(encoding="utf-8") if file.is_file() else None
        found += 1
        if text is None or (test and f"def {test}(" not in text):
            missing.append(named[0])
    assert found > 5
    assert missing == []


@pytest.mark.parametrize("page", ["README.md", "conformance/docs/faults.md", "conformance/docs/scale.md"])
def test_options_that_pages_name_exist(page: str) -> None:
    """Given a page with commands, when the options in it are looked for, then each is one of ours or of pytest."""
    sources = [CHECKOUT / "conformance" / name for name in ("plugin.py", "__main__.py", "tests/fuzz/guided.py")]
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    theirs = {"--full-trace", "--pyargs", "--tx", "--alluredir", "--junitxml", "--global", "--yes"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (CHECKOUT / page).read_text(encoding="utf-8")))
    ours = set(re.findall(r"(?:\badd|option)\(\s*\"(--[a-z-]+)\"", text))
    assert named - theirs - ours == set()


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", "conformance/docs/faults.md", "conformance/docs/scale.md"]
)
def test_rows_of_tables_are_whole(page: str) -> None:
    """Given a page, when its tables are read, then each row has as many cells as its head."""
    columns = 0
    for line in (CHECKOUT / page).read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        assert columns in (0, cells), line
        columns = cells
