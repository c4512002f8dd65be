"""What the cells forecast of real clients, held against their whole requests on the real LiteLLM."""

from __future__ import annotations

import pytest

from conformance.clients.profiles import load_profiles
from conformance.embedded import EmbeddedGateway
from conformance.schemas.documents import ReadinessWay
from conformance.tests.helpers.running import Workplace, run_pytest

#: Models of three routes, and one that nobody knows.
MODELS = "claude-opus-4-6,gpt-5.2,gemini-2-5-flash,house-model"

#: Where the whole request shows what no cell can: two fields that are taken alone, and refused together.
TOGETHER = {("langchain", "claude-opus-4-6", "responses-options"): "temperature"}


@pytest.mark.slow
def test_forecasts_agree_with_whole_requests(place: Workplace, gateway: EmbeddedGateway) -> None:
    """Given every client, when the embedded gateway is measured for all of them, then wherever the cells decide
    whether a way works, its whole requests show the same."""
    clients = [profile["client"] for profile in load_profiles()["profiles"]]
    options = [f"--clients={','.join(clients)}", f"--models={MODELS}", "--update-table"]
    named = {"LITELLM_BASE_URL": gateway.base_url, "LITELLM_API_KEY": gateway.api_key}
    ended = run_pytest("--live", "--gateway=g", *options, *place.options, env=named)
    assert ended.code == 0, ended.all
    rows = place.matrix["clients"]["readiness"]
    proved = [(row, way) for row in rows for way in row["ways"] if "proofs" in way]
    assert len({row["client"] for row, _ in proved}) == len(clients)
    wrong = [
        (row["client"], row["model"], way["way"], way["forecast"], way["reason"])
        for row, way in proved
        if way["forecast"] != "unknown" and (way["forecast"] == "breaks") != _is_refused(way)
        if TOGETHER.get((row["client"], row["model"], way["way"]), "-") not in way["reason"]
    ]
    assert not wrong
    assert sum(way["forecast"] != "unknown" for _, way in proved) > len(proved) / 2


def _is_refused(way: ReadinessWay) -> bool:
    return any(proof["verdict"] == "rejected" for proof in way["proofs"])
