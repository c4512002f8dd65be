"""The compatibility page in a real browser, opened from disk as its readers open it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from conformance.export.clients import load_clients
from conformance.report.page import cell_fragment, write_page
from conformance.tests.helpers.exports import shipped_facts
from conformance.tests.helpers.shipped import RECORDING, REGISTRY, shipped_replay
from conformance.tests.report.browser.watching import PHONE, REFUSED, Open, rows, status, until
from conformance.types import CellKey, Endpoint, Mode

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_opens_from_disk(opened: Open, shipped: Path) -> None:
    """Given the shipped page, when it is opened from disk, then all cells are there, and nothing was asked for."""
    page = opened(shipped)
    assert status(page).startswith("5,")
    assert len(rows(page)) == 17
    assert page.locator("#grid [role=gridcell]").count() == 17 * page.locator("#grid .label").count()
    assert page.evaluate("document.title").startswith("embedded:")
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


def test_policy_holds(chromium: Browser, shipped: Path) -> None:
    """Given the page's policy, when a script, a style or a request is tried, then the browser refuses each."""
    page = chromium.new_page()
    page.goto(shipped.as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<b style='color: red' onclick='window.ran = 1' id=b>b</b>");
            document.getElementById("b").click();
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.getElementById('b')).color") != "rgb(255, 0, 0)"
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    page.close()


def test_typing_and_legend(opened: Open, shipped: Path) -> None:
    """Given the page, when words are typed and verdicts pressed, then rows go, cells fade, and counts say how many."""
    page = opened(shipped)
    page.fill("#models", "gpt-5")
    until(page, "location.hash === '#models=gpt-5'")
    assert rows(page) == ["gpt-5.2", "databricks-gpt-5-1"]
    page.locator("#legend button", has_text="rejected").click()
    assert page.evaluate("location.hash") == "#models=gpt-5&verdict=rejected"
    count = page.locator("#legend button[aria-pressed=true] .count").inner_text()
    assert status(page).startswith(f"{count} cells")
    assert page.locator("#grid .c.v-rejected:not(.faint)").count() > 0
    assert page.locator("#grid .c:not(.v-rejected, .faint, .none)").count() == 0
    page.fill("#models", "no such model")
    until(page, "document.getElementById('status').textContent.startsWith('Nothing')")
    assert page.is_hidden("#frame")


def test_a_fault_can_be_reported(opened: Open, shipped: Path) -> None:
    """Given a refused cell, when its report is opened, then it is Markdown with the request, the answer, and no key."""
    page = opened(shipped, cell_fragment(REFUSED))
    drawer = page.locator("#drawer[open]")
    drawer.locator("summary", has_text="A bug report").click()
    text = drawer.locator("details[open] .code pre").inner_text()
    title, *_ = text.splitlines()
    assert title.startswith("### `prompt_cache_key` is refused for `databricks/databricks-claude-haiku-4-5` on `/v1/")
    assert "The gateway itself refuses it." in text
    assert '"prompt_cache_key": "conformance-cache-key"' in text.replace('":"', '": "')
    assert "**What came back.** HTTP 400" in text
    assert "does not support parameters" in text
    assert "The recorded baseline succeeds." in text
    name = f"{REFUSED.model}/{REFUSED.endpoint}/{REFUSED.mode}/{REFUSED.parameter}"
    commands = drawer.locator(".code pre").all_inner_texts()
    assert f"python -m conformance reproduce '{name}' --ask" in commands


@pytest.mark.parametrize(
    ("cell", "some", "none"),
    [
        pytest.param(REFUSED, {"litellm", "pi"}, set(), id="a field"),
        pytest.param(
            CellKey("o3", Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, "reasoning_effort:minimal"),
            {"pi"},
            {"aider", "pydantic-ai"},
            id="one value of several",
        ),
    ],
)
def test_a_mend_is_there_for_each_client_that_can_be_told(
    opened: Open, shipped: Path, cell: CellKey, some: set[str], none: set[str]
) -> None:
    """Given a refused cell, when its mend is looked at, then there is a command for each client with a setting that
    helps this model, the hook's line and the shim's command, each to be copied."""
    page = opened(shipped, cell_fragment(cell))
    drawer = page.locator("#drawer[open]")
    drawer.locator("summary", has_text="In the configuration of").click()
    commands = [text.strip() for text in drawer.locator(".code pre").all_inner_texts()]
    exported = {text for text in commands if text.startswith("python -m conformance export")}
    told = {text.split()[5] for text in exported}
    facts = shipped_facts("litellm", cell.model).models[cell.model]
    assert exported == {f"python -m conformance export --for {name} --models '{cell.model}'" for name in told}
    assert some <= told
    assert not told & none
    for name, client in load_clients().items():
        helped = client.drops or any(
            lever.helps(facts, cell.endpoint) for lever in client.levers_for(cell.parameter, cell.endpoint)
        )
        assert (name in told) is bool(helped and client.conditions_of(cell.parameter, cell.endpoint)), name
    assert "python -m conformance shim" in commands
    assert any("litellm_hook.hook" in text for text in commands)


def test_cell_opens_its_evidence(opened: Open, shipped: Path) -> None:
    """Given a link to a refused cell, when it is opened, then it tells verdict, speaker, diff, answer and mend."""
    page = opened(shipped, cell_fragment(REFUSED))
    drawer = page.locator("#drawer[open]")
    text = drawer.inner_text()
    assert "prompt_cache_key is rejected by the gateway" in text
    assert "Do not send it." in text
    assert "the gateway" in drawer.locator("dt", has_text="Who said no").locator("xpath=..").inner_text()
    assert "litellm 1.109.1" in text
    assert "a simulator, not the vendor" in text
    assert "claude-haiku-4-5.json#" in text
    added = drawer.locator(".diff .add:not(.company)").all_text_contents()
    assert any('"prompt_cache_key": "conformance-cache-key"' in line for line in added)
    assert not any('"messages"' in line or '"model"' in line for line in added)
    assert "asked about together" in text
    assert "HTTP 400" in text
    assert "UnsupportedParamsError" in drawer.locator(".message").first.inner_text()
    assert "A lost cache" in text
    assert '{\n  "providers": {' in text
    assert "promptCacheKeyMode" in text
    assert "--update-table" in text
    setting = yaml.safe_load(drawer.locator("pre", has_text="additional_drop_params").inner_text())
    assert setting["model_list"][0] == {
        "model_name": "claude-haiku-4-5",
        "litellm_params": {
            "model": "databricks/databricks-claude-haiku-4-5",
            "additional_drop_params": ["prompt_cache_key"],
        },
    }
    drawer.get_by_role("button", name="responses, stream").click()
    until(page, "location.hash.startsWith('#cell=responses/stream/')")
    assert drawer.get_by_role("button", name="responses, stream").get_attribute("aria-pressed") == "true"


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped recording as if the exchanges of its ignored cells did not decide them."""
    path, matrix = tmp_path_factory.mktemp("undecided") / "index.html", shipped_replay().matrix()
    for row in matrix["cells"]:
        if row["verdict"] == "ignored":
            row["verdict"], row["reason"] = "inconclusive", "server error 500: upstream_error."
    write_page(path, matrix, RECORDING, registry=REGISTRY)
    return path


@pytest.mark.slow
def test_every_verdict_has_its_drawer(opened: Open, shipped: Path, undecided: Path) -> None:
    """Given a cell of each verdict, when it is opened, then its sentence and its evidence are there, and no error."""
    page = opened(shipped)
    for verdict in ("honoured", "accepted", "ignored", "rejected", "not_applicable", "inconclusive"):
        page = opened(undecided) if verdict == "inconclusive" else page
        page.locator(f"#grid .c.v-{verdict}").nth(2).click()
        until(page, f"document.querySelector('#drawer .edge-{verdict}')")
        assert page.locator("#drawer .verdict").inner_text()
        assert page.locator("#drawer .diff").first.inner_text()
        assert "HTTP" in page.locator("#drawer .answer").first.inner_text()


def test_keyboard(opened: Open, shipped: Path) -> None:
    """Given no mouse, when Tab, arrows, Enter and Escape are pressed, then a cell is reached, opened and left."""
    page = opened(shipped)
    page.locator("#grid [tabindex='0']").focus()
    assert page.locator("#grid [tabindex='0']").count() == 1
    where = """(() => {
        const cell = document.activeElement, line = cell.parentNode;
        return [line.dataset.row ?? line.dataset.route, [...line.children].indexOf(cell)];
    })()"""
    assert page.evaluate(where) == ["0", 1]
    for key, place in [
        ("ArrowRight", ["0", 2]),
        ("ArrowDown", ["1", 2]),
        ("ArrowDown", ["azure", 0]),
        ("ArrowDown", ["2", 2]),
        ("ArrowLeft", ["2", 1]),
        ("End", ["2", page.locator("#grid .label").count()]),
        ("Home", ["2", 0]),
        ("Control+Home", ["anthropic", 0]),
        ("ArrowLeft", ["anthropic", 0]),  # folds
        ("ArrowDown", ["azure", 0]),
        ("Control+Home", ["anthropic", 0]),
        ("ArrowRight", ["anthropic", 0]),  # unfolds
        ("ArrowDown", ["0", 0]),
        ("ArrowRight", ["0", 1]),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(where) == place, key
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer[open]")
    assert page.evaluate("document.activeElement.id") == "drawer-title"
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.evaluate(where) == ["0", 1]
    assert page.evaluate("location.hash") == ""
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "models"


def test_phone(opened: Open, shipped: Path) -> None:
    """Given a phone, when the page is used, then only the grid scrolls sideways, and the drawer covers the screen."""
    page = opened(shipped, screen=PHONE, has_touch=True)
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0
    assert page.is_hidden("#models")
    page.locator("#tools > summary").click()
    assert page.is_visible("#models")
    assert page.evaluate(wide) <= 0
    page.locator("#grid .c.v-rejected").first.tap()
    page.wait_for_selector("#drawer[open]")
    page.wait_for_timeout(300)
    assert page.locator("#drawer").bounding_box() == {"x": 0, "y": 0, **PHONE}
    assert page.evaluate("document.getElementById('drawer').scrollWidth - innerWidth") <= 0
    page.get_by_role("button", name="Close").click()
    assert page.locator("#drawer").is_hidden()


def test_without_scripts(opened: Open, shipped: Path) -> None:
    """Given a browser that runs no scripts, when the page is opened, then the sums are there, and no dead controls."""
    page = opened(shipped, java_script_enabled=False)
    text = page.inner_text("body")
    assert "claude-haiku-4-5" in text
    assert "Cells by verdict" in text
    assert "Clear filters" not in text
