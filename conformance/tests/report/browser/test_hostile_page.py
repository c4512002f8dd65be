"""Pages full of hostile texts in a real browser: they are shown, and run nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from conformance.report.page import cell_fragment
from conformance.tests.helpers.pages import HOSTILE, cell, matrix_with
from conformance.tests.report.browser.watching import Open, until, violations, written
from conformance.types import CellKey, Endpoint, Exchange, Mode, Request, Response

#: Each text costs a page in a browser.
pytestmark = pytest.mark.slow


def hostile_recording(text: str) -> tuple[Any, Callable[[str], Any]]:
    """A matrix in which a text stands in every place, and the exchange that it speaks of."""
    body = {"model": text, "messages": [{"role": "user", "content": text}], text: text, "1e0": 1.0, "big": 10**30}
    request = Request(text, Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, body)
    error = json.dumps({"error": {"message": text}}).encode()
    response = Response(status=400, headers={"x-litellm-version": text, "server": text}, body=error, elapsed_ms=3)
    exchange = Exchange(request, response, text)
    shown = cell(text, text, "rejected", fields=[text], reason=text, evidence=[f"{text}#{request.digest}"])
    models = [{"id": text, "route": text, "served_by": [text], "deployments": 1}]
    matrix = matrix_with([{**shown, "split": {text: "rejected"}}], models, name=text, version=text)
    return matrix, lambda _model: {request.digest: exchange}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_run_nothing(opened: Open, tmp_path: Path, text: str) -> None:
    """Given a hostile text in every place, when all of its page is shown, then it is text, and runs nothing."""
    matrix, recorded = hostile_recording(text)
    page = opened(written(tmp_path, matrix, recorded, baseline={**matrix, "cells": []}))
    page.locator("#grid .c.v-rejected").click()
    page.wait_for_selector("#drawer[open]")
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img, style:not(head style)').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if text.isprintable() and len(text) < 200:
        assert text in page.locator("#drawer .of-model").inner_text()
    assert page.evaluate(
        "[...document.querySelectorAll('#grid, #drawer')].every((e) => !/[\\u202e\\u0007]/.test(e.textContent))"
    )
    page.keyboard.press("Escape")
    until(page, "location.hash === ''")
    fragment = cell_fragment(CellKey(text, Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, text))
    page.evaluate(f"location.hash = {json.dumps(fragment)}")
    page.wait_for_selector("#drawer[open]")
    assert violations(page) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_the_command_repeats_the_request(opened: Open, tmp_path: Path, text: str) -> None:
    """Given a hostile request, when its command runs in a shell, then that request arrives, and no more happens."""
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed, which the command needs")
    received: list[tuple[str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.headers["authorization"], self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    matrix, recorded = hostile_recording(text)
    page = opened(written(tmp_path, matrix, recorded))
    page.locator("#grid .c.v-rejected").click()
    page.wait_for_selector("#drawer[open]")
    command = page.locator("#drawer pre", has_text="curl").first.evaluate("(e) => e.textContent")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/v1"
        for shell in ("bash", "dash"):
            environment = {"PATH": "/usr/bin:/bin", "LITELLM_BASE_URL": base, "LITELLM_API_KEY": "sk-it's $me"}
            subprocess.run([shell, "-c", command], cwd=tmp_path, env=environment, check=True, timeout=30)
        server.shutdown()
    [exchange] = recorded(text).values()
    assert received == [("Bearer sk-it's $me", exchange.request.content)] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_settings_are_yaml(opened: Open, tmp_path: Path, text: str) -> None:
    """Given a hostile model id, when its setting is read as YAML, then it names that model and nothing else."""
    matrix, recorded = hostile_recording(text)
    page = opened(written(tmp_path, matrix, recorded))
    page.locator("#grid .c.v-rejected").click()
    page.wait_for_selector("#drawer[open]")
    if any(char in text for char in "\u202e\x00"):
        return  # shown by picture and code, so that nobody is fooled; the button copies them as they are
    shown = page.locator("#drawer pre", has_text="additional_drop_params").evaluate("(e) => e.textContent")
    [entry] = yaml.safe_load(shown)["model_list"]
    assert entry["model_name"] == text
    assert entry["litellm_params"]["additional_drop_params"] == [text]
