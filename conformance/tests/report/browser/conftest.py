"""A real headless Chromium for all tests that open one, and the pages that they open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.bench import screenshot
from conformance.report.page import render_page, write_page
from conformance.tests.helpers.pages import large_matrix
from conformance.tests.helpers.shipped import RECORDING, REGISTRY, shipped_matrix
from conformance.tests.report.browser.watching import DESKTOP, Open

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")  # while it is open an event loop runs, which other tests cannot have
def chromium() -> Iterator[Browser]:
    """The browser; the tests are skipped where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed; pip install -e '.[dev]'")
    if screenshot.find_browser() is None:
        pytest.skip("no Chromium is installed; the page's tests need one (Debian: apt install chromium)")
    with screenshot.browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped recording."""
    path = tmp_path_factory.mktemp("shipped") / "index.html"
    write_page(path, shipped_matrix(), RECORDING, registry=REGISTRY)
    return path


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 500 models, 60 parameters, two endpoints and two modes."""
    path = tmp_path_factory.mktemp("large") / "index.html"
    path.write_text(render_page(large_matrix()), encoding="utf-8")
    return path


class Pages:
    """The open pages of a browser. One that is shown something else costs a quarter of a new one.

    A page fails its test where it logs an error, or asks for anything but itself.
    """

    def __init__(self, browser: Browser) -> None:
        """No page is open yet."""
        self._browser = browser
        self._free: dict[tuple[int, int, str], list[Page]] = defaultdict(list)
        self.troubles: list[str] = []

    def take(self, screen: Any, scheme: Any) -> tuple[Page, Callable[[], None]]:
        """An empty page that nobody has, and what gives it back."""
        free = self._free[screen["width"], screen["height"], scheme]
        page = free.pop() if free else self.new(viewport=screen, color_scheme=scheme)

        def give_back() -> None:
            if page.is_closed():
                return
            page.evaluate("localStorage.clear()")
            page.goto("about:blank")
            page.mouse.move(0, 0)
            page.emulate_media(media="null")
            page.set_viewport_size(screen)
            free.append(page)

        return page, give_back

    def new(self, **options: Any) -> Page:
        """A page in a context of its own, with these options."""
        page = self._browser.new_context(**options).new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda said: self.troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self._note_address(request.url))
        page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        return page

    def _note_address(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "about:blank")):
            self.troubles.append(url)


@pytest.fixture(scope="module")
def pages(chromium: Browser) -> Pages:
    """The pages of a module's tests."""
    return Pages(chromium)


@pytest.fixture
def opened(pages: Pages) -> Iterator[Open]:
    """Opens a page from disk, which the test has alone."""
    pages.troubles.clear()
    ends: list[Callable[[], None]] = []

    def open_page(
        path: Path, fragment: str = "", *, screen: Any = DESKTOP, scheme: Any = "light", **options: Any
    ) -> Page:
        if options:
            page = pages.new(viewport=screen, color_scheme=scheme, **options)
            ends.append(page.context.close)
        else:
            page, give_back = pages.take(screen, scheme)
            ends.append(give_back)
        page.goto(path.as_uri() + fragment)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for end in ends:
        end()
    assert pages.troubles == []
