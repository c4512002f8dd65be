"""Allure's own command: the HTML report that it makes of the results, in one file, without its analytics.

The only module of the reports that starts a process, and only where `report --allure` asks for it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance.errors import ReportError
from conformance.files import write_atomically
from conformance.report.allure.results import CATEGORIES

#: Where the report goes, inside the reports folder.
REPORT = Path("allure") / "index.html"

HOW_TO_GET_IT = (
    "install it with `npm install --global allure` (Allure 3, needs Node), "
    "or let npx fetch it: --allure-command 'npx --yes allure@3'"
)
_TITLE = "Conformance"
_SECONDS = 600

#: Scripts that load or call Google's analytics; a script's text holds no `</script`.
_ANALYTICS = re.compile(
    r"<script\b[^>]*>(?:(?!</script)[\s\S]){0,2000}?\bgtag\s*\((?:(?!</script)[\s\S])*</script\s*>"
    r"|<script\b[^>]*\bsrc\s*=\s*[\"']?https?://[^>]*>\s*</script\s*>",
    re.IGNORECASE,
)
#: Lets nothing leave the report, whatever another version of Allure puts into it.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'none'\">"
)
#: Allure 3 shows a description in a frame from which no link leads anywhere: have the page follow them.
_LINKS = """<script>
document.addEventListener("load", ({ target }) => {
  if (target.tagName === "IFRAME") target.contentDocument?.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link) return;
    event.preventDefault();
    window.open(link.href, "_blank", "noopener");
  });
}, true);
</script>"""
#: Not for a process that has no need of them.
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


def make_report(results: Path, target: Path, command: str = "allure") -> None:
    """Have Allure make its report of the results, and put it into the file `target`.

    `command` is Allure 2 or 3, with arguments of its own if need be. Raises `ReportError` where
    there are no results, no such command, or it fails.
    """
    words = _words(command)
    if not any(results.glob("*-result.json")):
        raise ReportError(f"no Allure results in {results}; pytest --live writes them, or pytest --alluredir={results}")
    with tempfile.TemporaryDirectory(prefix="allure-") as made:
        folder = Path(made)
        if _version(words) == 2:
            _run([*words, "generate", "--single-file", "--clean", "--name", _TITLE, "--output", made, str(results)])
        else:
            config = folder / "allurerc.json"
            config.write_text(json.dumps(_configuration(folder)), encoding="utf-8")
            # Allure takes the names of results for patterns.
            _run([*words, "generate", "--config", str(config), "--cwd", str(results.parent.resolve()), results.name])
        pages = sorted(folder.rglob("index.html"))
        if not pages:
            raise ReportError(f"{command} made no index.html; try it with another version of Allure")
        text = pages[0].read_text(encoding="utf-8")
    try:
        write_atomically(target, without_analytics(text))
    except OSError as error:
        raise ReportError(f"cannot write {target} ({error.strerror}); name another place for the reports") from None


def without_analytics(text: str) -> str:
    """Allure's page without the scripts that report on its readers, and with a policy that lets nothing out."""
    cleaned = _ANALYTICS.sub("", text)
    return re.sub(r"<head\b[^>]*>", lambda head: head[0] + _POLICY + _LINKS, cleaned, count=1, flags=re.IGNORECASE)


def _configuration(folder: Path) -> dict[str, object]:
    """What Allure 3 reads no results file for."""
    options = {"singleFile": True, "groupBy": ["parentSuite", "suite", "subSuite"], "reportName": _TITLE}
    return {
        "name": _TITLE,
        "output": str(folder / "report"),
        "plugins": {"awesome": {"options": options}},
        "categories": {"rules": CATEGORIES},
    }


def _words(command: str) -> list[str]:
    """The command as words, its program by its full path."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ReportError(f"--allure-command {command!r} is not a command ({error}); correct it") from None
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise ReportError(f"no Allure command {command!r}; {HOW_TO_GET_IT}")
    return [found, *words[1:]]


def _version(words: Sequence[str]) -> int:
    told = _run([*words, "--version"])
    match = re.search(r"\b(\d+)\.\d+", told)
    if match is None:
        raise ReportError(f"{shlex.join(words)} --version names no version; {HOW_TO_GET_IT}")
    return int(match[1])


def _run(command: Sequence[str]) -> str:
    """Run a command to its end and return what it printed. Raises `ReportError` where it fails."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    try:
        done = subprocess.run(  # noqa: S603  the user's own command, and no shell
            command,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReportError(f"{shlex.join(command[:2])} failed ({error}); {HOW_TO_GET_IT}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1][:300]
        raise ReportError(f"{shlex.join(command[:2])} ended with {done.returncode} and said: {said}")
    return done.stdout
