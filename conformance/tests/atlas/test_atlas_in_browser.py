"""The atlas page in a real browser, opened from disk as its readers open it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.atlas.rendering import render_page
from conformance.tests.atlas.building import RELEASES, TRUST, Shown, atlas_of
from conformance.tests.report.browser.watching import Open, until, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 375, "height": 812}

CHAT, STREAM = "chat_completions/whole", "chat_completions/stream"
STORE = "store:false"
CELLS = {
    ("databricks/databricks-claude-opus-4-8", CHAT, STORE): "giigg",
    ("databricks/databricks-claude-opus-4-8", STREAM, STORE): "giigg",
    ("databricks/databricks-claude-opus-4-8", CHAT, "user"): "aahhh",
    ("databricks/databricks-claude-opus-4-8", CHAT, "tools"): "aaagg",
    ("databricks/databricks-gpt-5-5", CHAT, STORE): "giigg",
    ("databricks/databricks-gpt-5-5", CHAT, "user"): "aahhh",
    ("databricks/databricks-gpt-5-5", CHAT, "tools"): "aaaaa",
    ("databricks/databricks-gpt-5-5", "responses/whole", "metadata"): "?????",
    ("openai/gpt-5.5", CHAT, STORE): "aaaaa",
}

HOSTILE = (
    "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>",
    "\"' onclick=window.ran=1 &amp; %2F=/#&cell=x",
    "\u202egnihtyreve\x07`${window.ran = 1}`",
)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small atlas with evidence."""
    path = tmp_path_factory.mktemp("atlas") / "atlas.html"
    atlas = atlas_of(CELLS)
    path.write_text(render_page(atlas, Shown(atlas), trust=dict(TRUST)), encoding="utf-8")
    return path


def words(page: Page) -> dict[str, str]:
    """What is said of each parameter."""
    rows = page.locator("#strips .strip-row:not(.heads)").all()
    return {row.locator(".strip-name").inner_text(): row.locator(".strip-words").inner_text() for row in rows}


def groups(page: Page) -> list[str]:
    """The answer for the reader's version: each group with its parameters."""
    return [" ".join(text.split()) for text in page.locator(".answer-group").all_inner_texts()]


def focused(page: Page) -> str:
    """What has the focus: the text alternative of a cell, or an id."""
    found: str = page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id")
    return found


def test_ranges_in_words(opened: Open, small: Path) -> None:
    """Given the page, when it is opened, then each parameter is told as ranges, and each cell has a text."""
    page = opened(small)
    assert words(page) == {
        STORE: "refused by the gateway in 1.81.16, dropped silently 1.82.6–1.90.7, "
        "refused again by the gateway since 1.99.4",
        "tools": "taken 1.81.16–1.90.7, refused by the gateway for some of 2 models since 1.99.4",
        "user": "taken since 1.81.16",
    }
    cells = page.locator(f"[data-parameter='{STORE}'] .c").all()
    assert [cell.get_attribute("aria-label") for cell in cells[:2]] == [
        "LiteLLM 1.81.16: refused by the gateway",
        "LiteLLM 1.82.6: dropped silently",
    ]
    assert len(cells) == len(RELEASES)
    assert page.locator("[data-parameter=tools] .c.cut").count() == 2
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert "simulators" in page.inner_text(".notice")


@pytest.mark.parametrize(
    ("version", "caveat", "answer"),
    [
        (
            "v1.90.7-stable",
            "was measured",
            [
                f"Sent for nothing: 1 The request succeeds, and the parameter has no effect. {STORE} dropped silently",
                "Send it: 2 The request succeeds. tools user",
            ],
        ),
        ("1.85", "1.82.6 and 1.90.7 agree", [f"Sent for nothing: 1 .* {STORE} dropped silently", "Send it: 2 .*"]),
        (
            "1.95.0",
            "1.90.7 and 1.99.4 agree",
            [
                f"Not known: 2 The measured releases do not tell. {STORE} not known between 1.90.7 and 1.99.4 "
                "tools not known between 1.90.7 and 1.99.4 for 1 of 2 models",
                "Send it: 1 .* user",
            ],
        ),
        (
            "1.101",
            "newer than all measured releases. This is what the newest of them does, 1.100.5",
            [
                f"Leave out: 2 .* {STORE} refused by the gateway tools refused by the gateway for 1 of 2 models",
                "Send it: 1 .* user",
            ],
        ),
        ("1.70.0", "older than the oldest measured release, 1.81.16", []),
        ("newest", "Write a version such as", []),
    ],
)
def test_my_version(opened: Open, small: Path, version: str, caveat: str, answer: list[str]) -> None:
    """Given a version, when it is typed, then the page says what holds for it, and what nobody knows."""
    page = opened(small)
    page.fill("#litellm", version)
    until(page, "document.getElementById('caveat').textContent")
    assert caveat in page.inner_text("#caveat")
    found = groups(page)
    assert len(found) == len(answer)
    for told, expected in zip(found, answer, strict=True):
        first, _, rest = expected.partition(".*")
        assert told.startswith(first.strip())
        assert told.endswith(rest.strip())


def test_choices_are_the_address(opened: Open, small: Path) -> None:
    """Given choices, when they are made, then the address has them, and who opens it sees the same."""
    page = opened(small)
    page.select_option("#who", "family:gpt")
    page.select_option("#mode", "whole")
    page.check("#only")
    page.fill("#litellm", "1.85")
    expected = "#route=databricks&who=family%3Agpt&mode=whole&litellm=1.85&only=changed"
    until(page, f"location.hash === '{expected}'")
    assert list(words(page)) == [STORE]
    again = opened(small, expected)
    assert words(again) == words(page)
    assert again.input_value("#litellm") == "1.85"
    assert again.is_checked("#only")
    again.select_option("#route", "openai")
    assert again.evaluate("location.hash") == "#route=openai&mode=whole&litellm=1.85&only=changed"
    assert "1 parameter of 1 model; 0 changed" in again.inner_text("#status")


@pytest.mark.parametrize(
    "fragment",
    [
        "#route=%",
        "#route=nowhere&who=model:x&endpoint=x&mode=x",
        "#cell=%E0%A4%A/1",
        "#cell=store:false/9.9",
        "#x",
        "#cell=",
    ],
)
def test_addresses_that_mean_nothing(opened: Open, small: Path, fragment: str) -> None:
    """Given an address that is not understood, when it is opened, then the page begins as it does without."""
    assert len(words(opened(small, fragment))) == 3


def test_cell_opens_both_sides_of_a_change(opened: Open, small: Path) -> None:
    """Given a cell at a change, when it is opened, then reason, request and answer of both sides are there."""
    page = opened(small)
    page.locator(f"[data-parameter='{STORE}'] [data-release='1.82.6']").click()
    page.wait_for_selector("#drawer[open]")
    text = page.inner_text("#drawer")
    assert page.evaluate("location.hash") == "#route=databricks&cell=store%3Afalse/1.82.6"
    for release in ("1.81.16", "1.82.6"):
        assert f"What LiteLLM {release} was asked, and what it answered" in text
        assert f'{{"from": "{release} of {STORE}"' in text
        assert f"evidence/{release}.zip" in text
    assert "the reason of rejected:gateway <b>." in text
    assert '"asked": "store:false"' in text
    assert "Answer: HTTP 400" in text
    assert "more characters" in text
    assert page.locator("#drawer details").count() == 3
    assert page.locator("#drawer details[open]").count() == 2
    page.locator("#drawer .variant", has_text="gpt-5-5").click()
    until(page, "location.hash.endsWith('/1.82.6/whole/databricks%2Fdatabricks-gpt-5-5')")
    assert '"model": "databricks/databricks-gpt-5-5"' in page.inner_text("#drawer")
    page.get_by_role("button", name="Close").click()
    assert page.evaluate("location.hash") == "#route=databricks"


def test_evidence_that_is_left_out(opened: Open, tmp_path: Path) -> None:
    """Given a page without room for evidence, when a cell is opened, then archive and digest are named."""
    atlas, path = atlas_of(CELLS), tmp_path / "atlas.html"
    path.write_text(render_page(atlas, Shown(atlas), allowance=0), encoding="utf-8")
    page = opened(path, "#route=databricks&cell=store%3Afalse/1.82.6")
    page.wait_for_selector("#drawer[open]")
    assert page.locator("#drawer details").count() == 0
    assert "The evidence is in evidence/1.82.6.zip, exchange " in page.inner_text("#drawer")


def test_feed_leads_to_cells(opened: Open, small: Path) -> None:
    """Given the feed, when a row is pressed, then the cell that it is about opens."""
    page = opened(small)
    feed = page.locator(".feed details")
    assert feed.locator("summary").all_inner_texts()[0].startswith("LiteLLM 1.100.5, compared with 1.99.4")
    summary = feed.nth(1).locator("summary")
    assert summary.inner_text() == "LiteLLM 1.99.4, compared with 1.90.7: 4 cells broke"
    summary.click()
    feed.nth(1).get_by_role("link", name="tools").click()
    page.wait_for_selector("#drawer[open]")
    assert page.evaluate("location.hash") == "#route=databricks&cell=tools/1.99.4"
    assert "databricks/databricks-claude-opus-4-8, whole answers" in page.inner_text("#drawer")
    page.go_back()
    page.wait_for_selector("#drawer", state="hidden")


def test_keyboard(opened: Open, small: Path) -> None:
    """Given no mouse, when Tab, arrows, Enter and Escape are pressed, then all is chosen, opened and left."""
    page = opened(small)
    for name in ("theme", "litellm", "route", "who", "endpoint", "mode", "only"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name
    page.keyboard.press("Tab")
    assert focused(page) == "LiteLLM 1.81.16: refused by the gateway"
    for key, label in [
        ("ArrowRight", "LiteLLM 1.82.6: dropped silently"),
        ("ArrowDown", "LiteLLM 1.82.6: taken"),
        ("End", "LiteLLM 1.100.5: refused by the gateway for 1 of 2 models"),
        ("ArrowRight", "LiteLLM 1.100.5: refused by the gateway for 1 of 2 models"),
        ("Home", "LiteLLM 1.81.16: taken"),
        ("Control+End", "LiteLLM 1.100.5: taken"),
        ("Control+Home", "LiteLLM 1.81.16: refused by the gateway"),
        ("ArrowUp", "LiteLLM 1.81.16: refused by the gateway"),
    ]:
        page.keyboard.press(key)
        assert focused(page) == label, key
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer[open]")
    assert focused(page) == "drawer-title"
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert focused(page) == "LiteLLM 1.81.16: refused by the gateway"
    assert page.locator("#strips [tabindex='0']").count() == 1


def test_phone(opened: Open, small: Path) -> None:
    """Given a phone, when the page is used, then nothing scrolls sideways, and the drawer covers the screen."""
    page = opened(small, "#route=databricks&litellm=1.95", screen=PHONE, has_touch=True)
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0
    page.locator(f"[data-parameter='{STORE}'] .c").nth(1).tap()
    page.wait_for_selector("#drawer[open]")
    page.wait_for_timeout(300)
    assert page.locator("#drawer").bounding_box() == {"x": 0, "y": 0, **PHONE}
    assert page.evaluate("document.getElementById('drawer').scrollWidth - innerWidth") <= 0
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.evaluate(wide) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: Open, small: Path, scheme: str) -> None:
    """Given the page with an answer, all of the feed and an open cell, then axe-core objects to nothing."""
    page = opened(small, "#route=databricks&litellm=1.95", scheme=scheme)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert violations(page) == []
    page.locator(f"[data-parameter='{STORE}'] .c").nth(1).click()
    page.wait_for_selector("#drawer[open]")
    assert violations(page) == []


def test_without_scripts(opened: Open, small: Path) -> None:
    """Given a browser that runs no scripts, when the page is opened, then the feed is there, and no dead controls."""
    text = opened(small, java_script_enabled=False).inner_text("body")
    assert "LiteLLM 1.82.6, compared with 1.81.16" in text
    assert "My LiteLLM is" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_run_nothing(opened: Open, tmp_path: Path, text: str) -> None:
    """Given a hostile text for each name, when its cell is opened, then it is text, and runs nothing."""
    atlas, path = atlas_of({(f"{text}/{text}", CHAT, text): "aaaag"}), tmp_path / "atlas.html"
    path.write_text(render_page(atlas, Shown(atlas), trust=dict(TRUST)), encoding="utf-8")
    page = opened(path)
    page.fill("#litellm", "1.100.5")
    page.locator(".chip").click()
    page.wait_for_selector("#drawer[open]")
    assert "the reason of rejected:gateway <b>." in page.inner_text("#drawer")
    assert page.evaluate("window.ran") is None
    page.reload()
    page.wait_for_selector("#drawer[open]")
    page.locator(".feed a").first.click()
    assert page.evaluate("[window.ran ?? null, document.querySelectorAll('#drawer img, main img').length]") == [None, 0]


def test_at_length(opened: Open, tmp_path: Path) -> None:
    """Given 96 models, 200 cells of each and 18 releases, when their page is opened, then it is usable soon."""
    releases = [f"1.{80 + number}.{number}" for number in range(18)]
    histories = ["a" * 18, "g" * 9 + "a" * 9, "aig" * 6, "h" * 17 + "b", "ag" * 9]
    channels = [
        f"{each}/{mode}" for each in ("chat_completions", "responses", "messages") for mode in ("whole", "stream")
    ]
    cells = {
        (f"route{model % 8}/model-{model}", channel, f"parameter.{number}"): histories[(model * 7 + number) % 5]
        for model in range(96)
        for channel in channels
        for number in range(33)
    }
    path = tmp_path / "atlas.html"
    path.write_text(render_page(atlas_of(cells, releases)), encoding="utf-8")
    page = opened(path, screen=PHONE)
    assert page.locator("#strips .c").count() == 33 * 18
    # A second is what is wanted; these machines are shared.
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") < 4000
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
