"""Looks at an open page as its readers do: what it shows, and what axe-core says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.report.page import render_page
from conformance.types import CellKey, Endpoint, Mode

if TYPE_CHECKING:
    from playwright.sync_api import Page

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

#: A cell that is refused, in the page of the shipped recording.
REFUSED = CellKey("claude-haiku-4-5", Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, "prompt_cache_key")

#: What the fixture `opened` gives: a page, from its path, a fragment, and a context's options.
Open = Callable[..., "Page"]


def written(tmp_path: Path, *arguments: Any, **options: Any) -> Path:
    """A page on disk."""
    path = tmp_path / "page.html"
    path.write_text(render_page(*arguments, **options), encoding="utf-8")
    return path


def until(page: Page, expression: str) -> None:
    """Wait for an expression to hold; playwright's own waiting needs `eval`, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {expression}")


def status(page: Page) -> str:
    """What the page says it shows."""
    return page.inner_text("#status")


def rows(page: Page) -> list[str]:
    """The models that the grid shows."""
    return page.locator("#grid .model bdi").all_text_contents()


def violations(page: Page) -> list[Any]:
    """What axe-core objects to."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    # Half-way through a fade, colours are nobody's choice.
    page.evaluate(
        "new Promise(requestAnimationFrame).then(() => Promise.all(document.getAnimations().map((a) => a.finished)))"
    )
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]
