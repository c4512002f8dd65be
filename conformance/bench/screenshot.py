"""`python -m conformance.bench.screenshot`: the README's picture of the page, from the shipped recordings.

Needs Chromium, and playwright from the `dev` extra.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import load_profiles
from conformance.errors import ConformanceError, ReportError
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.readiness.section import with_clients
from conformance.report.page import cell_fragment, write_page
from conformance.types import CellKey, Endpoint, Mode

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Where the picture is kept.
PICTURE = Path(__file__).parents[1] / "report" / "screenshot.png"
#: What it shows, in pixels, and which cell is open in it.
WIDTH, HEIGHT = 1500, 960
CELL = CellKey("claude-haiku-4-5", Endpoint.RESPONSES, Mode.WHOLE, "prompt_cache_key")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """The Chromium that is installed here, or None."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium. Raises `ReportError` where none is installed."""
    path = find_browser()
    if path is None:
        raise ReportError("no Chromium found; install one (Debian: apt install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise ReportError("playwright is not installed; pip install -e '.[dev]'") from None
    with sync_playwright() as playwright:
        # It shows our own files alone, and its sandbox does not start in containers.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


def shipped_page(target: Path, cassettes: Path) -> None:
    """Write the page of the recording in `cassettes/embedded`."""
    folder, registry = Folder(cassettes / "embedded"), load_registry()
    document = folder.read_gateway()
    matrix = with_clients(Replay(folder, document, registry).matrix(), registry, load_profiles())
    write_page(target, matrix, folder, registry=registry)


def take(picture: Path, cassettes: Path, opened: Browser) -> None:
    """Write the picture of the shipped page with one cell open."""
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "index.html"
        shipped_page(page, cassettes)
        tab = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri() + cell_fragment(CELL))
        tab.wait_for_selector("#drawer[open]")
        tab.wait_for_timeout(500)  # until the drawer has slid in
        tab.screenshot(path=picture)
        tab.close()


def main() -> None:
    """Take the picture; `cassettes` is looked for beside the package."""
    try:
        with browser() as opened:
            take(PICTURE, Path(__file__).resolve().parents[2] / "cassettes", opened)
    except ConformanceError as error:
        sys.exit(f"ERROR: {error}")
    sys.stdout.write(f"picture: {PICTURE} ({PICTURE.stat().st_size // 1024} kB)\n")


if __name__ == "__main__":
    main()
