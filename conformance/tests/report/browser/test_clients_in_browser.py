"""Which agents work, on the page in a real browser: the first thing that a visitor sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.tests.helpers.agents import field, matrix_of_agents, proof, row, row_of_ways, with_agents
from conformance.tests.helpers.pages import HOSTILE, cell, matrix_with
from conformance.tests.report.browser.watching import DESKTOP, PHONE, Open, until, violations, written
from conformance.types import Endpoint, Exchange, Mode, Request, Response

CODEX = "#agent=codex/claude-haiku-4-5"
HERE = "document.activeElement.dataset.agent"


def test_clients_come_first(opened: Open, shipped: Path) -> None:
    """Given the shipped page, when it is opened, then before everything else it shows each client with each model,
    and says that the upstreams were simulators."""
    page = opened(shipped)
    assert page.locator("main h2").first.inner_text() == "Will my agent work?"
    models = page.locator("#agents tbody tr").count()
    assert models == 17
    assert page.locator("#agents thead .agent").count() * models == page.locator("#agents td button").count()
    assert page.get_by_role("button", name="Codex CLI with claude-haiku-4-5: breaks").is_visible()
    page.locator(".captured summary").click()
    told = page.locator(".captured").inner_text()
    assert "Codex CLI 0.171.0 captured 2026-" in told
    assert "simulators, not the vendors" in told


def test_a_cell_opens_fields_evidence_and_mend(opened: Open, shipped: Path) -> None:
    """Given Codex with Databricks' Claude, when its cell is pressed, then the drawer names the refused fields and who
    refused them, the mend and its cost, and each field leads to its evidence."""
    page = opened(shipped)
    page.get_by_role("button", name="Codex CLI with claude-haiku-4-5: breaks").click()
    page.wait_for_selector("#drawer[open]")
    assert page.evaluate("location.hash") == CODEX
    text = page.inner_text("#drawer")
    assert "Codex CLI 0.171.0, 2026-" in text
    assert "a simulator, not the vendor" in text
    assert "parallel_tool_calls rejected by the gateway" in text
    assert "A lost cache" in text
    setting = yaml.safe_load(page.locator("#drawer pre", has_text="additional_drop_params").first.inner_text())
    dropped = setting["model_list"][0]["litellm_params"]["additional_drop_params"]
    assert set(dropped) == {"parallel_tool_calls", "prompt_cache_key"}
    assert "python -m conformance export --for codex --models 'claude-haiku-4-5'" in text
    assert "python -m conformance shim" in text
    page.locator("#drawer").get_by_role("button", name="prompt_cache_key").first.click()
    until(page, "location.hash === '#cell=responses/stream/prompt_cache_key/claude-haiku-4-5'")
    assert "HTTP 400" in page.inner_text("#drawer")


@pytest.mark.parametrize(
    ("low", "setting"),
    [("accepted", {"thinkingLevelMap": {"minimal": None}}), ("rejected", {"reasoning": False})],
    ids=["one level", "every level"],
)
def test_pi_is_told_what_helps_this_model(opened: Open, tmp_path: Path, low: str, setting: dict[str, Any]) -> None:
    """Given Pi, which breaks on a level, when others are taken, then only that one is switched off; else all is."""
    name = "reasoning_effort:minimal"
    cells = [cell("m", name, "rejected"), cell("m", "reasoning_effort:low", low)]
    page = opened(
        written(tmp_path, with_agents(matrix_with(cells), [row("pi", "m", "breaks", [field(name, "breaks")])]))
    )
    page.locator("#agents button").click()
    told = json.loads(page.locator("#drawer pre", has_text="providers").first.inner_text())
    [entry] = told["providers"]["litellm"]["models"]
    assert {key: value for key, value in entry.items() if key != "id"}.items() >= setting.items()
    assert ("reasoning" in entry) is (low == "rejected")


def test_a_proof_shows_its_exchange(opened: Open, tmp_path: Path) -> None:
    """Given a client whose whole request was refused, when its cell is opened, then the drawer tells proof and
    forecast, and shows the request and the answer; what the page does not hold, it names. The mend leaves out what the
    cells know and what the refusal names."""
    request = Request("m", Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, {"model": "m", "messages": [], "hue": "blue"})
    answer = Response(status=400, body=b'{"error": {"message": "Unknown parameter: hue"}}', elapsed_ms=3)
    refs = [f"m.json#{request.digest}", "m.json#0123456789abcdef"]
    unknown = field("hue", "unknown", verdict="not_measured", parameter=None)
    broken = row("codex", "m", "breaks", [field("seed", "breaks"), unknown])
    broken["ways"][0] |= {"forecast": "unknown", "proofs": [proof("rejected", *refs, fields=["tools[2].hue"])]}
    matrix = with_agents(matrix_with([cell("m", "seed", "rejected")]), [broken])
    recorded = {request.digest: Exchange(request, answer, "2026-11-27T12:00:00Z")}
    page = opened(written(tmp_path, matrix, lambda _: recorded))
    page.locator("#agents button").click()
    page.wait_for_selector("#drawer[open]")
    page.evaluate("document.querySelectorAll('#drawer details').forEach((each) => (each.open = true))")
    text = page.inner_text("#drawer")
    assert "Request 1, asked whole: rejected" in text
    assert "Whole requests were asked: that is proof. Prompts in them are one word, and of the tools one" in text
    assert '"hue":"blue"' in text
    assert "Unknown parameter: hue" in text
    assert "Not in this page; it lies in the cassette." in text
    assert 'additional_drop_params: ["seed", "tools[*].hue"]' in text
    assert violations(page) == []


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        ({"plain": "works"}, "works. Everything that the client sends is taken."),
        ({"plain": "works", "other": "works"}, "works. Everything that the client sends is taken."),
        ({"plain": "breaks", "other": "breaks"}, "breaks. Something that the client sends is refused."),
        (
            {"messages": "works", "chat": "breaks", "responses": "breaks"},
            "works by messages; breaks by chat, responses",
        ),
        ({"a": "loses", "b": "unknown"}, "works, but loses something by a; not known by b"),
    ],
)
def test_a_drawer_says_which_ways_work(opened: Open, tmp_path: Path, ways: dict[str, str], told: str) -> None:
    """Given a client's ways with a model, when its cell is opened, then the first sentence says which of them do what;
    where all do the same, it says what that means."""
    page = opened(written(tmp_path, with_agents(matrix_with([cell("m")]), [row_of_ways("pi", "m", **ways)])))
    page.locator("#agents button").click()
    page.wait_for_selector("#drawer[open]")
    assert page.locator("#drawer .sentence").inner_text() == told


def test_a_drawer_explains_the_ways(opened: Open, tmp_path: Path) -> None:
    """Given profiles that say what to set for each way, when a client is opened, then each way says it, also one that
    goes to several endpoints; what a request of a number is, the drawer explains."""
    matrix = with_agents(matrix_with([cell("m")]), [row_of_ways("pi", "m", a="works", b="breaks")])
    matrix["clients"]["profiles"][0]["setup"] = {"a": "Set `wire` to a.", "b": "Leave <b> out."}
    matrix["clients"]["readiness"][0]["ways"][1]["way"] = "b (chat_completions)"
    page = opened(written(tmp_path, matrix))
    page.locator("#agents button").click()
    page.wait_for_selector("#drawer[open]")
    text = page.inner_text("#drawer")
    assert "Set wire to a." in text
    assert "Leave <b> out." in text
    assert page.locator("#drawer .hint code", has_text="wire").count() == 1
    assert "Request 1 is the first of a run." in text


def test_a_cell_shows_that_only_some_ways_work(opened: Open, tmp_path: Path) -> None:
    """Given a client that works with a model in one of two ways, when the page is opened, then its cell and the legend
    have a mark, and the cell says so; where all ways work there is none."""
    some, every = row_of_ways("pi", "a", messages="works", chat="breaks"), row_of_ways("pi", "b", messages="works")
    page = opened(written(tmp_path, with_agents(matrix_with([cell("a"), cell("b")]), [some, every])))
    button = page.get_by_role("button", name="The pi with a: works, but only in some ways")
    assert "cut" in (button.get_attribute("class") or "").split()
    assert "works in some ways and breaks in others" in page.inner_text(".readiness")
    assert page.locator("#agents .cut").count() == 1
    button.click()
    page.wait_for_selector("#drawer[open]")
    assert page.locator("#drawer .verdict.edge-honoured").count() == 1
    alone = opened(written(tmp_path, with_agents(matrix_with([cell("b")]), [every])))
    assert "some ways" not in alone.inner_text("#clients")


def test_an_address_opens_a_client(opened: Open, shipped: Path) -> None:
    """Given a link to a client with a model, when it is opened, then its drawer is; a link to none opens none."""
    assert opened(shipped, CODEX).locator("#drawer[open] h2").inner_text() == "Codex CLI 0.171.0"
    for nothing in ("#agent=codex/no-such-model", "#agent=nobody/claude-haiku-4-5", "#agent="):
        page = opened(shipped, nothing)
        assert page.is_hidden("#drawer")
        assert page.evaluate("location.hash") == ""


def test_keyboard(opened: Open, shipped: Path) -> None:
    """Given no mouse, when Tab, arrows, Enter and Escape are pressed, then a cell is reached, opened and left, and
    the grid below keeps its own place."""
    page = opened(shipped)
    assert page.locator("#agents button[tabindex='0']").count() == 1
    page.locator("#agents button[tabindex='0']").focus()
    for key, place in [
        ("ArrowRight", "0 1"), ("ArrowDown", "1 1"), ("End", "1 14"), ("ArrowRight", "1 14"), ("Home", "1 0"),
        ("ArrowUp", "0 0"), ("ArrowUp", "0 0"), ("ArrowLeft", "0 0"), ("ArrowRight", "0 1"),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert page.evaluate(HERE) == place, key
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer[open]")
    assert page.evaluate("document.activeElement.id") == "drawer-title"
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert page.evaluate(HERE) == "0 1"
    assert page.evaluate("location.hash") == ""
    assert page.locator("#grid [tabindex='0']").count() == 1


@pytest.mark.parametrize(("screen", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_accessible(opened: Open, shipped: Path, scheme: str, screen: Any) -> None:
    """Given either scheme and screen, when axe-core looks at an open client, then it objects to nothing."""
    page = opened(shipped, CODEX, scheme=scheme, screen=screen)
    page.wait_for_selector("#drawer[open]")
    page.wait_for_timeout(300)
    assert violations(page) == []


def test_phone(opened: Open, shipped: Path) -> None:
    """Given a phone, when a client is tapped, then only the table scrolls sideways, and the drawer covers all."""
    page = opened(shipped, screen=PHONE, has_touch=True)
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0
    page.locator("#agents button").first.tap()
    page.wait_for_selector("#drawer[open]")
    page.wait_for_timeout(300)
    assert page.locator("#drawer").bounding_box() == {"x": 0, "y": 0, **PHONE}
    assert page.evaluate("document.getElementById('drawer').scrollWidth - innerWidth") <= 0
    page.locator("#drawer .link").first.tap()  # from a client to one of its cells, still over all of the screen
    until(page, "location.hash.startsWith('#cell=')")
    page.get_by_role("button", name="Close").click()
    assert page.locator("#drawer").is_hidden()


def test_many_models(opened: Open, tmp_path: Path) -> None:
    """Given more models than are shown at first, when the page is opened, then a button shows the others."""
    page = opened(written(tmp_path, matrix_of_agents({"codex": "wlub" * 30, "pi": "w" * 120})))
    assert page.locator("#agents tbody tr").count() == 40
    page.get_by_role("button", name="Show 80 more models").click()
    assert page.locator("#agents tbody tr").count() == 120
    assert page.evaluate(HERE) == "40 0"
    assert page.is_hidden("#more-agents")


def test_without_clients(opened: Open, tmp_path: Path) -> None:
    """Given a matrix of an older suite, when its page is opened, then nothing is said of clients."""
    page = opened(written(tmp_path, matrix_with([cell()])))
    assert page.is_hidden("#clients")
    assert page.locator("#grid .model").count() == 1


def test_without_scripts(opened: Open, shipped: Path) -> None:
    """Given a browser that runs no scripts, when the page is opened, then each client's sums are there, and no dead
    controls."""
    page = opened(shipped, java_script_enabled=False)
    page.locator(".captured summary").click()
    assert "breaks on prompt_cache_key" in page.locator(".captured").inner_text()
    assert page.is_hidden("#agents")
    assert page.is_hidden("#more-agents")


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_run_nothing(opened: Open, tmp_path: Path, text: str) -> None:
    """Given a hostile text in every place, when a client is opened, then it is text, and runs nothing."""
    fields = [field(text, "breaks"), field(text, "unknown", parameter=None, verdict="not_measured")]
    rows = [{**row(text, text, "breaks", fields), "reason": text, "family": text}]
    matrix = with_agents(matrix_with([cell(text, text, "rejected")]), rows)
    matrix["clients"]["profiles"][0]["setup"] = {"plain": text}
    page = opened(written(tmp_path, matrix))
    page.locator("#agents button").click()
    page.wait_for_selector("#drawer[open]")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img, style:not(head style)').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    shown = "[...document.querySelectorAll('#agents, #drawer')].every((e) => !/[\\u202e\\u0007]/.test(e.textContent))"
    assert page.evaluate(shown)
    assert json.loads(page.evaluate("document.getElementById('data').textContent"))["clients"]["rows"] == ["b"]
