"""The compatibility page in a real browser, at length: every filter, screen, scheme and size."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.bench import screenshot
from conformance.report.page import cell_fragment
from conformance.tests.helpers.pages import cell, matrix_with
from conformance.tests.helpers.running import CHECKOUT
from conformance.tests.report.browser.watching import (
    DESKTOP,
    PHONE,
    REFUSED,
    Open,
    rows,
    status,
    until,
    violations,
    written,
)
from conformance.types import CellKey, Endpoint, Mode

if TYPE_CHECKING:
    from playwright.sync_api import Browser


pytestmark = pytest.mark.slow

#: How many of the lines through the grid's body show no cell, for each frame.
BLANK_ROWS = """async (frames) => {
    const found = [];
    for (const frame of frames) {
        const bytes = Uint8Array.from(atob(frame), (char) => char.charCodeAt(0));
        const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
        const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
        canvas.drawImage(image, 0, 0);
        let blank = 0;
        for (let y = 330; y < 850; y += 7) {
            const line = canvas.getImageData(360, y, 900, 1).data;
            let dark = 0;
            for (let at = 0; at < line.length; at += 4) dark += Math.min(line[at], line[at + 1], line[at + 2]) < 230;
            blank += dark < 90;
        }
        found.push(blank);
    }
    return found;
}"""


def test_switches(opened: Open, shipped: Path) -> None:
    """Given the page, when endpoint and mode are switched, then it shows their cells alone, as its address says."""
    page = opened(shipped)
    page.check("input[name=endpoint][value=responses]")
    page.check("input[name=mode][value=stream]")
    assert page.evaluate("location.hash") == "#endpoint=responses&mode=stream"
    labels = page.locator("#grid .label").all_text_contents()
    assert "max_output_tokens" in labels
    assert "max_tokens" not in labels
    assert page.locator("#grid .c.cut").count() > 0  # deployments that disagree
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator("#grid .label").all_text_contents() == labels
    assert page.is_checked("input[name=mode][value=stream]")


@pytest.mark.parametrize(
    ("fragment", "models", "parameter"),
    [
        ("#models=claude-haiku,nova", 2, None),
        ("#models=CLAUDE", 7, None),  # one of them is served by a Claude
        ("#route=azure", 2, None),
        ("#route=no%20single%20route", 1, None),
        ("#parameters=cache_key", 17, "prompt_cache_key"),
        ("#parameters=%3Dn&models=%3Dgpt-4.1", 1, "n"),
        ("#group=caching", 17, "prompt_cache_key"),
        ("#only=split", 1, "store:true"),
        ("#verdict=ignored&models=gemini-2-5-pro", 1, "reasoning_effort:none"),
        ("#endpoint=chat_completions&only=declared&models=gpt-4.1", 3, None),
    ],
)
def test_filters(opened: Open, shipped: Path, fragment: str, models: int, parameter: str | None) -> None:
    """Given an address with filters, when it is opened, then the grid has the rows and columns that fit."""
    page = opened(shipped, fragment)
    assert len(rows(page)) == models
    if parameter:
        assert parameter in page.locator("#grid .label").all_text_contents()
    assert page.is_visible("#clear")
    page.click("#clear")
    assert len(rows(page)) == 17
    assert page.evaluate("location.hash") == ""


def test_routes_fold(opened: Open, shipped: Path) -> None:
    """Given the grid, when a route is clicked, then its models go and come back."""
    page = opened(shipped)
    page.locator("#grid .route", has_text="databricks").click()
    assert len(rows(page)) == 12
    assert page.locator("[data-route=databricks]").get_attribute("aria-expanded") == "false"
    page.locator("#grid .route", has_text="databricks").click()
    assert len(rows(page)) == 17


def test_summary_leads_to_the_grid(opened: Open, shipped: Path) -> None:
    """Given the summary of a route, when what breaks there is clicked, then the grid shows those cells."""
    page = opened(shipped)
    page.locator(".routes tr", has_text="bedrock").get_by_role("link", name="prompt_cache_key").click()
    until(page, "document.querySelectorAll('#grid .model').length === 2")
    assert rows(page) == ["claude-sonnet-4-6-bedrock", "nova-pro"]
    assert page.locator("#grid .label").all_text_contents() == ["prompt_cache_key"]


def test_deployments_that_disagree(opened: Open, shipped: Path) -> None:
    """Given a model with two deployments, when a cell where they differ is opened, then it tells what each does."""
    key = CellKey("team-default", Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, "store:true")
    page = opened(shipped, cell_fragment(key))
    text = page.locator("#drawer[open] .verdict").inner_text()
    assert "openai/gpt-4.1 accepted" in text
    assert "databricks/databricks-claude-sonnet-4-5 rejected" in text
    assert "the measurement differs" in page.inner_text("#drawer")


def test_escape_before_the_drawer_opens(opened: Open, shipped: Path) -> None:
    """Given a cell whose evidence is being unpacked, when Escape is pressed, then its drawer stays shut."""
    page = opened(shipped)
    page.locator("#grid [tabindex='0']").focus()
    pressed = """(keys) => {
        const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        keys.forEach(press);
        return location.hash;
    }"""
    assert page.evaluate(pressed, ["Enter"]).startswith("#cell=")
    page.wait_for_selector("#drawer[open]")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # a model whose evidence is still packed
    before = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert page.evaluate(pressed, ["Enter", "Escape"]) == ""
    page.wait_for_timeout(500)
    assert page.is_hidden("#drawer")
    assert page.evaluate("location.hash") == ""
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == before


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_escape_leaves_the_cell_at_once(opened: Open, shipped: Path, screen: Any) -> None:
    """Given an open cell, when it is left and another opened within one task, then the address names the other."""
    page = opened(shipped, screen=screen)
    page.locator("#grid .c.v-rejected").first.click()
    page.wait_for_selector("#drawer[open]")
    pressed = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))"
    assert page.evaluate(f"{pressed}; location.hash") == ""
    other = "document.querySelectorAll('#grid .c.v-accepted')[3].click()"
    assert page.evaluate(f"{other}; {pressed}; {other}; location.hash").startswith("#cell=")
    page.wait_for_selector("#drawer[open]")
    page.wait_for_timeout(100)
    assert page.evaluate("location.hash").startswith("#cell=")
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.evaluate("location.hash") == ""


def test_focus_is_never_behind_the_headers(opened: Open, large: Path) -> None:
    """Given a large grid, when the focus moves far, then the focused cell is in sight, under no header."""
    page = opened(large)
    page.locator("#grid [tabindex='0']").focus()
    for key in ("Control+End", "PageUp", "PageUp", "Home", "End", "Control+Home", "PageDown", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        hit = page.evaluate(
            """() => {const b = document.activeElement.getBoundingClientRect();
                const top = document.elementFromPoint(b.x + Math.min(b.width, 60) / 2, b.y + b.height / 2);
                return document.activeElement.contains(top)}"""
        )
        assert hit, key


@pytest.mark.parametrize(("screen", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_accessible(opened: Open, shipped: Path, scheme: str, screen: Any) -> None:
    """Given either scheme and screen, when axe-core looks at it, then it objects to nothing."""
    page = opened(shipped, scheme=scheme, screen=screen)
    assert violations(page) == []
    page.evaluate(f"location.hash = {json.dumps(cell_fragment(REFUSED))}")
    page.wait_for_selector("#drawer[open]")
    page.wait_for_timeout(300)
    assert violations(page) == []
    page.evaluate("location.hash = '#verdict=rejected&route=databricks'")
    page.wait_for_selector("#drawer", state="hidden")
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert violations(page) == []


def test_schemes(opened: Open, shipped: Path) -> None:
    """Given a system's scheme, when the page opens, then it follows it until told otherwise, and remembers."""
    background = "getComputedStyle(document.body).backgroundColor"
    assert opened(shipped, scheme="light").evaluate(background) == "rgb(255, 255, 255)"
    page = opened(shipped, scheme="dark")
    assert page.evaluate(background) == "rgb(15, 18, 23)"
    page.click("#theme")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate(background) == "rgb(255, 255, 255)"


def test_print(opened: Open, shipped: Path) -> None:
    """Given the page, when it is printed, then every row is on paper, and the grid fits its width."""
    page = opened(shipped)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1040, "height": 720})
    assert page.evaluate("getComputedStyle(document.getElementById('frame')).overflow") == "visible"
    assert page.evaluate("document.getElementById('grid').getBoundingClientRect().right") <= 1040
    assert page.pdf().startswith(b"%PDF")


def test_baseline(opened: Open, tmp_path: Path) -> None:
    """Given an older matrix, when the page is opened, then what changed is ringed, filtered, linked and told."""
    new = matrix_with([cell("a", "store:true", "rejected"), cell("a", "user"), cell("b", "user")])
    old = matrix_with([cell("a", "store:true", reason="it was fine."), cell("a", "user"), cell("b", "user"), cell("c")])
    page = opened(written(tmp_path, new, baseline=old))
    assert page.locator("#grid .c.changed").count() == 1
    page.get_by_role("link", name="store:true on a").click()
    until(page, "document.querySelectorAll('#grid .model').length === 1")
    page.locator("#grid .c.changed").click()
    page.wait_for_selector("#drawer[open]")
    assert "Before: accepted. it was fine." in page.inner_text("#drawer")
    assert "This page does not hold the exchanges" in page.inner_text("#drawer")


def test_large_page_is_usable_within_a_second(opened: Open, large: Path) -> None:
    """Given 120,000 cells, when their page is opened, then it is under 6 MB, and can be used within a second."""
    assert large.stat().st_size < 6_000_000
    times = []
    for _ in range(3):
        page = opened(large)
        times.append(page.evaluate("performance.getEntriesByName('usable')[0].startTime"))
        assert status(page) == "120,000 cells: 500 models, 60 parameters"
        page.close()
    assert statistics.median(times) < 1000 or min(times) < 1000, times


def test_scrolling_shows_no_blank_cells(opened: Open, large: Path) -> None:
    """Given 120,000 cells, when the grid is flung and jumped through, then no frame on the screen has a blank row."""
    page = opened(large)
    page.evaluate("document.getElementById('frame').scrollIntoView()")
    page.wait_for_timeout(300)
    frames: list[str] = []
    session = page.context.new_cdp_session(page)

    def keep(event: Any) -> None:
        frames.append(event["data"])
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 60, "everyNthFrame": 1})
    page.mouse.move(800, 500)
    for number in range(20):  # and not beyond the grid's end
        page.mouse.wheel(0, 100 + number * 30)
        page.wait_for_timeout(16)
    for place in (1e6, 3000, 9000, 1000):
        page.evaluate(f"document.getElementById('frame').scrollTop = {place}")
        page.wait_for_timeout(60)
    page.wait_for_timeout(200)
    session.send("Page.stopScreencast")
    blank = page.evaluate(BLANK_ROWS, frames)
    assert len(frames) > 5
    assert max(blank) < 26, blank  # of 75 lines looked at, those between two rows of cells are empty


def test_screenshot(chromium: Browser, tmp_path: Path) -> None:
    """Given the shipped recordings, when the README's picture is taken, then it is a small PNG, like the one kept."""
    taken = tmp_path / "picture.png"
    screenshot.take(taken, CHECKOUT / "cassettes", chromium)
    for picture in (taken, screenshot.PICTURE):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert 100_000 < picture.stat().st_size < 300_000
