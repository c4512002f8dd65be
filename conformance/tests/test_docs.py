"""What the documents name exists."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from conformance.plugin import pytest_addoption
from conformance.tests.helpers.running import CHECKOUT

DOCS = sorted((CHECKOUT / "conformance" / "docs").glob("*.md"))
#: Every page that people read, by its path in the repository.
PAGES = [
    "README.md",
    "CHANGELOG.md",
    ".github/SECURITY.md",
    "conformance/provider/pi/README.md",
    *(path.relative_to(CHECKOUT).as_posix() for path in DOCS),
]
TESTS = {path.name: path for path in (CHECKOUT / "conformance" / "tests").rglob("test_*.py")}
_NAMED = re.compile(r"`(?:(?:(?:embedded|fuzz)/)?(?P<file>test_\w+\.py)(?:::(?P<test>test_\w+))?|(?P<alone>test_\w+))`")


@pytest.mark.parametrize("page", ["conformance/docs/faults.md", ".github/SECURITY.md"])
def test_tests_that_pages_name_exist(page: str) -> None:
    """Given a page that says which tests show what, when they are looked for, then each is there."""
    file, missing, found = Path(), [], 0
    for named in _NAMED.finditer((CHECKOUT / page).read_text(encoding="utf-8")):
        file = TESTS.get(named["file"], Path()) if named["file"] else file  # several of one file: the first names it
        test = named["test"] or named["alone"]
        text = file.read_text(encoding="utf-8") if file.is_file() else None
        found += 1
        if text is None or (test and f"def {test}(" not in text):
            missing.append(named[0])
    assert found > 5
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_options_that_pages_name_exist(page: str) -> None:
    """Given a page with commands, when the options in it are looked for, then each is one of ours or of pytest."""
    files = ("plugin.py", "commands/*.py", "shim/command.py", "tests/fuzz/guided.py")
    sources = [path for name in files for path in (CHECKOUT / "conformance").glob(name)]
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    theirs = {"--full-trace", "--pyargs", "--tx", "--alluredir", "--junitxml", "--help", "--debug", "--log-level"}
    theirs |= {
        "--global",
        "--yes",
        "--list-models",
        "--model",
        "--provider",
        "--group",
        "--no-deps",
    }  # npm's, Pi's, pip's
    theirs |= {"--settings", "--profile"}  # Claude Code's, Codex's
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (CHECKOUT / page).read_text(encoding="utf-8")))
    ours = set(re.findall(r"(?:\badd|option)\(\s*\"(--[a-z-]+)\"", text))
    assert named - theirs - ours == set()


@pytest.mark.parametrize("page", PAGES)
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


def test_every_option_is_explained() -> None:
    """Given the plugin's options, when the page of options is read, then its tables hold each, and no other."""
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    group = parser.getgroup("conformance")
    ours = {name for option in group.options for name in option.names()}
    text = (CHECKOUT / "conformance" / "docs" / "options.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `--")]
    assert {name for row in rows for name in re.findall(r"--[a-z-]+", row)} == ours


def test_readme_is_short() -> None:
    """Given the README, when its lines are counted, then there are 130 at most: the rest is in the documents."""
    assert len((CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings: those after the first of a kind are numbered."""
    seen, found = Counter[str](), set()
    for heading in re.findall(r"^#+ (.+)$", _without_code(page.read_text(encoding="utf-8")), re.MULTILINE):
        kept = (char for char in heading.lower() if char in " -_" or unicodedata.category(char)[0] in "LN")
        anchor = "".join(kept).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Given a page, when its links inside the repository are followed, then file and heading are there."""
    path, lost = CHECKOUT / page, []
    text = _without_code(path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.is_file() or not target.is_relative_to(CHECKOUT) or (anchor and anchor not in _anchors(target)):
            lost.append(link)
    assert lost == []


def test_every_document_is_found_from_the_readme() -> None:
    """Given the documents, when the README's links are followed from page to page, then each is reached."""
    reached, waiting = set[Path](), [CHECKOUT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^):#\s]+\.md)", page.read_text(encoding="utf-8"))
        waiting += {(page.parent / link).resolve() for link in links} - reached - set(waiting)
    assert set(DOCS) - reached == set()


@pytest.mark.parametrize("page", ["README.md", "conformance/docs/provider.md"])
def test_first_example_does_what_it_says(page: str) -> None:
    """Given a page's first example, when it runs, then each line with a comment has the value that is written there."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    names, shown = dict[str, object](), 0
    for line in example.splitlines():
        expression, _, value = line.partition("  # ")
        if value:
            assert repr(eval(expression, names)) == value  # noqa: S307
            shown += 1
        else:
            exec(line, names)  # noqa: S102
    assert shown
