"""Ctrl-C: what is kept, and what is claimed."""

from __future__ import annotations

import sys
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from conformance.tests.helpers.gateways import scripted_gateway
from conformance.tests.helpers.measured import recorded
from conformance.tests.helpers.running import Workplace, interrupt_when


def test_interrupted_before_anything_was_sent_claims_nothing(place: Workplace) -> None:
    """Given a recording, when a new run is interrupted during discovery, then nothing on disk has changed."""
    recorded(place)
    before = place.texts()
    asked, ended_early = threading.Event(), threading.Event()

    def slow(_: Request) -> Response:
        asked.set()
        ended_early.wait(30)
        return JSONResponse({"data": []})

    command = [sys.executable, "-m", "pytest", "conformance/suite", "--live", "--gateway=embedded", *place.options]
    with scripted_gateway(listing=slow) as gateway:
        ended = interrupt_when([*command, "-p", "no:allure_pytest"], asked.is_set, gateway.environment)
        ended_early.set()
    assert ended.code == 2, ended.all
    assert "interrupted before anything was sent" in ended.out
    assert place.texts() == before


def test_ctrl_c_keeps_what_was_measured(place: Workplace) -> None:
    """Given a slow gateway, when the run is interrupted, then finished models are on disk and it says incomplete."""
    import asyncio

    async def slow(body: dict[str, Any]) -> Response | None:
        await asyncio.sleep(0.0 if body["model"] == "a-fast-model" else 5.0)
        return None

    command = [
        sys.executable,
        "-m",
        "pytest",
        "conformance/suite",
        "--live",
        "--update-table",
        "--gateway=slow",
        "--parameters=store",
        *place.options,
    ]
    with scripted_gateway(slow, ("a-fast-model", "b-slow-model")) as gateway:
        cassette = place.root / "cassettes" / "slow" / "a-fast-model.json"
        ended = interrupt_when(command, cassette.exists, gateway.environment)
    assert ended.code == 2, ended.all
    assert place.matrix["run"]["complete"] is False
    verdicts = {cell["model"]: cell["verdict"] for cell in place.matrix["cells"]}
    assert verdicts == {"a-fast-model": "accepted", "b-slow-model": "inconclusive"}
