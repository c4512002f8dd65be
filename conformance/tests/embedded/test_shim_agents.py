"""Real coding agents through the shim before the embedded gateway: where they fail alone, they work."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.embedded import EmbeddedGateway
from conformance.tests.embedded.agents_run import AGENTS, installed, marks, ran, watching
from conformance.tests.helpers.shims import shim_before

pytestmark = marks

#: Models with which each agent fails alone, on several routes; and, behind them, some with which it works alone, too.
FAILING = {
    "codex": ("claude-haiku-4-5", "claude-sonnet-4-6-bedrock", "databricks-gpt-5-1", "gemini-2-5-pro"),
    "claude-code": ("gpt-4.1", "nova-pro", "gemini-2-5-pro"),
    "opencode": (),
    "pi": ("claude-haiku-4-5", "gemini-2-5-flash"),
}
WORKING = {
    "codex": ("gpt-5.2",),
    "claude-code": ("claude-opus-4-6",),
    "opencode": ("claude-haiku-4-5",),
    "pi": (),
}


@pytest.mark.parametrize("agent", AGENTS)
def test_agents_work_through_the_shim(agent: str, gateway: EmbeddedGateway, tmp_path: Path) -> None:
    """Given models that refuse what an agent sends, when it asks through the shim, then it gets all its answers."""
    recipe, way = installed(agent), AGENTS[agent]
    with watching(gateway.base_url) as watched:
        for model in FAILING[agent]:
            ran(recipe, watched, gateway.api_key, model, way, tmp_path / "bare" / model)
            assert watched.refused(), f"{agent} works with {model} alone"
    with shim_before(gateway.base_url) as shim:
        with watching(shim.base_url) as watched:
            for model in (*FAILING[agent], *WORKING[agent]):
                ran(recipe, watched, gateway.api_key, model, way, tmp_path / "watched" / model)
                assert watched.answered, f"{agent} sent nothing for {model}"
                assert watched.refused() == [], f"{agent} with {model}"
        for model in (*FAILING[agent], *WORKING[agent])[:1]:  # straight, without a door that buffers
            gateway.clear_received()
            ended = ran(recipe, shim, gateway.api_key, model, way, tmp_path / "straight" / model)
            assert ended.code == 0, f"{agent} with {model}: {ended.said}"
            assert 200 in {request.status for request in gateway.received()}
    told = {line.partition(":")[0] for line in shim.said}
    assert told >= set(FAILING[agent])
