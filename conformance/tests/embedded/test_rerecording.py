"""Recording an unchanged gateway twice: the second recording differs in times, ids and counters alone."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.cassettes.folder import Folder
from conformance.discover.listing import discover
from conformance.embedded import EmbeddedGateway
from conformance.exchange.sender import Sender, Traffic
from conformance.measure.recorder import Progress, record
from conformance.parameters import load_registry
from conformance.plan.cells import Plan, make_plan, select_models
from conformance.provider.target import Target
from conformance.secrets.scrubbing import Scrubber
from conformance.types import Endpoint

#: What a clock, a die or a count of requests decides, in answers and in the requests that repeat them.
VOLATILE = re.compile(
    r'"(?:created|created_at|completed_at|x-request-id|date)":(?:"[^"]*"|[\d.]+)'
    r'|"(?:llm_provider-)?x-ratelimit-remaining-\w+":\["\d+"\]'
    r"|(?:resp|chatcmpl|msg|rs|fc|call|toolu|gen|item|req)[-_][\w=-]{6,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r'|"(?:id|fetch|item_id|response_id|previous_response_id|encrypted_content|uri)":"[^"]*"'
)


def recorded(gateway: EmbeddedGateway, plan: Plan, folder: Path) -> dict[str, list[str]]:
    """Record a plan; what stands in each cassette, without what is volatile, in an order of its own."""
    target, traffic = Target(gateway.base_url, gateway.api_key), Traffic()
    sender = Sender(target, load_registry().paths, 8, traffic)
    progress = Progress(len(plan.cells), traffic)
    scrubbed = Folder(folder, Scrubber([target.api_key], [target.base_url]))
    asyncio.run(record(plan, sender, scrubbed, progress, lambda: None, litellm=True))
    found = {}
    for path in sorted(folder.glob("*.json")):
        rows: list[Any] = json.loads(path.read_text("utf-8"))["interactions"]
        for row in rows:  # JSON in a stream's text is escaped; both are read alike
            for timed in ("recorded_at", "elapsed_ms", "chunks", "digest"):
                del row["response"]["conformance"][timed]
        lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False).replace("\\", "") for row in rows]
        found[path.name] = sorted(VOLATILE.sub("…", line) for line in lines)
    return found


@pytest.mark.slow
def test_the_second_recording_is_the_first(gateway: EmbeddedGateway, tmp_path: Path) -> None:
    """Given a gateway that did not change, when it is recorded twice, then times, ids and counters alone differ."""
    registry = load_registry()
    models = discover(Target(gateway.base_url, gateway.api_key)).models
    chosen = select_models(models, "claude-haiku-4-5,gemini-2-5-flash")
    plan = make_plan(chosen, registry, registry.select("core"), tuple(Endpoint))

    first, second = (recorded(gateway, plan, tmp_path / name) for name in ("one", "two"))

    assert first.keys() == second.keys()
    assert len(first) == 2
    for name, lines in first.items():
        assert len(lines) > 30
        assert lines == second[name]
