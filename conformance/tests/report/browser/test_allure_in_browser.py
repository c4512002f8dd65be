"""Allure's report of the shipped recording in a real browser, opened from disk as its readers open it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from conformance.tests.helpers.running import run_command, run_pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.skipif(
    shutil.which("allure") is None, reason="no Allure command is installed; npm install --global allure"
)
def test_real_report_opens_and_asks_for_nothing(tmp_path: Path, chromium: Browser) -> None:
    """Given the shipped recording, when Allure makes its report, then it opens from disk and leads to the page."""
    folder = tmp_path / "allure-results"
    assert run_pytest(f"--reports={tmp_path}", f"--alluredir={folder}", "--models=o3").code in (0, 1)
    ended = run_command("report", f"--matrix={tmp_path}", "--allure")
    assert ended.code == 0, ended.all
    cells = json.loads((tmp_path / "matrix.json").read_text("utf-8"))["cells"]
    place = {"endpoint": "responses", "mode": "whole", "verdict": "rejected"}
    refused = next(each["parameter"] for each in cells if place.items() <= each.items())
    context = chromium.new_context()
    troubles: list[str] = []
    page = context.new_page()
    inside = ("file:", "data:", "blob:")
    page.on("request", lambda asked: None if asked.url[:5] in inside else troubles.append(asked.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "allure" / "index.html").as_uri())
    page.get_by_text("Metadata").wait_for()
    for name in ("embedded", "o3", "responses"):
        page.get_by_text(name, exact=True).last.click()
    page.get_by_text(f"{refused} (whole)", exact=True).last.click()
    page.get_by_text("Category:").first.wait_for()
    description = page.frame_locator("iframe[title=Description]")
    with context.expect_page() as opened:
        description.get_by_text("This cell on the page").click()
    opened.value.wait_for_selector("html[data-ready]")
    assert opened.value.url.startswith((tmp_path / "index.html").as_uri())
    assert unquote(opened.value.url).endswith(f"cell=responses/whole/{refused}/o3")
    assert troubles == []
    context.close()
