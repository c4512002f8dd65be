"""The real thing: LiteLLM over the simulators, seen from both ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import conformance
from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.tests.embedded.test_process import alive, members, wait_until

ROOT = Path(conformance.__file__).parents[1]
SERVE = "import sys; from conformance.embedded.serve import serve; sys.exit(serve(version=None))"
NAMES = sorted({row["name"] for row in fleet()["deployment"] if row["vendor"] and "info" not in row})
HELLO = "Reply with the word OK."
BASELINES: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [{"role": "user", "content": HELLO}]},
    "responses": {"input": HELLO},
}


@pytest.fixture(scope="module")
def client(gateway: EmbeddedGateway) -> Iterator[httpx.Client]:
    """A client of the gateway that holds its key."""
    headers = {"authorization": f"Bearer {gateway.api_key}"}
    with httpx.Client(base_url=f"{gateway.base_url}/v1", headers=headers, timeout=60, trust_env=False) as made:
        yield made


def test_lists_the_fleet(client: httpx.Client) -> None:
    """Every name of the fleet is a model, the embedding model among them."""
    listed = {row["id"] for row in client.get("/models").json()["data"]}
    assert listed == {row["name"] for row in fleet()["deployment"]}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("endpoint", BASELINES)
@pytest.mark.parametrize("model", NAMES)
def test_every_chat_model_answers(client: httpx.Client, model: str, endpoint: str, stream: bool) -> None:
    """Every model answers the baseline of both endpoints, whole and streamed."""
    response = client.post(f"/{endpoint}", json={"model": model, "stream": stream, **BASELINES[endpoint]})
    assert response.status_code == 200, response.text
    assert "OK" in response.text
    assert "response.failed" not in response.text
    assert response.headers["x-litellm-version"] == "1.109.1"


@pytest.mark.parametrize("endpoint", BASELINES)
def test_the_backend_itself_refuses_prompt_cache_key(
    gateway: EmbeddedGateway, client: httpx.Client, endpoint: str
) -> None:
    """On claude-sonnet-4-5 LiteLLM lets the field through, and Databricks says no in its own words."""
    gateway.clear_received()
    body = {"model": "claude-sonnet-4-5", "prompt_cache_key": "k", **BASELINES[endpoint]}
    response = client.post(f"/{endpoint}", json=body)
    [received] = gateway.received()
    assert response.status_code == received.status == 400
    assert "prompt_cache_key: Extra inputs are not permitted" in response.text
    assert received.body["prompt_cache_key"] == "k"


def test_litellm_itself_refuses_what_never_reaches_the_backend(gateway: EmbeddedGateway, client: httpx.Client) -> None:
    """On claude-haiku-4-5 the same field is LiteLLM's own 400, and the upstream sees nothing."""
    gateway.clear_received()
    body = {"model": "claude-haiku-4-5", "prompt_cache_key": "k", **BASELINES["chat/completions"]}
    assert "UnsupportedParamsError" in client.post("/chat/completions", json=body).text
    assert gateway.received() == []


def test_the_alias_is_served_by_both_routes(gateway: EmbeddedGateway, client: httpx.Client) -> None:
    """Enough requests for team-default are answered by two deployments."""
    body = {"model": "team-default", **BASELINES["chat/completions"]}
    served = {client.post("/chat/completions", json=body).headers["x-litellm-model-id"] for _ in range(20)}
    assert served == {"team-default-databricks", "team-default-openai"}


def test_a_wrong_key_is_refused(gateway: EmbeddedGateway) -> None:
    """The master key is needed."""
    wrong = httpx.get(f"{gateway.base_url}/v1/models", headers={"authorization": "Bearer sk-no"}, trust_env=False)
    assert wrong.status_code in (400, 401)


#: Each starts a LiteLLM of its own; SIGTERM ends a made-up one in `test_serve`.
ENDS = [(signal.SIGINT, 0), (signal.SIGKILL, -9)]


@pytest.mark.slow
@pytest.mark.parametrize(("end", "status"), ENDS)
def test_serve_leaves_nothing_behind(tmp_path: Path, end: signal.Signals, status: int) -> None:
    """Given a served gateway, Ctrl-C ends it with 0, and SIGKILL leaves no process either."""
    errors = tmp_path / "stderr"
    with errors.open("w") as stderr:
        serving = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    assert serving.stdout is not None
    with serving.stdout:
        said = serving.stdout.readline() + serving.stdout.readline()
        group = members(serving.pid)
        serving.send_signal(end)
        assert serving.wait(20) == status, errors.read_text()
    assert re.fullmatch(r"export LITELLM_BASE_URL=http://127\.0\.0\.1:\d+\nexport LITELLM_API_KEY=sk-\S+\n", said)
    assert len(group) == 2
    assert wait_until(lambda: not alive(group), 5), alive(group)
    if end is not signal.SIGKILL:
        assert [left.name for left in tmp_path.iterdir()] == ["stderr"]
