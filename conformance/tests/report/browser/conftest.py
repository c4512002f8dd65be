"""A real headless Chromium for all tests that open one, and the pages that they open."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Open]:
    """Opens a page from disk; the test fails where it logs an error, or asks for anything but itself."""
    contexts, troubles = [], []

    def open_page(
        path: Path, fragment: str = "", *, screen: Any = DESKTOP, scheme: Any = "light", **options: Any
    ) -> Page:
        context = chromium.new_context(viewport=screen, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "request",
            lambda request: troubles.append(request.url) if request.url[:5] not in ("file:", "data:") else None,
        )
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.goto(path.as_uri() + fragment)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
