"""Claude Code and Pi before a real LiteLLM: what each sends to /v1/messages reaches each Claude, and is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conformance.clients.profiles import load_profiles
from conformance.embedded import EmbeddedGateway
from conformance.readiness.families import family_of

pytestmark = pytest.mark.slow

VERTEX = "/v1/projects/simulated/locations/us-east5/publishers/anthropic/models"
BEDROCK = "/bedrock/model/us.anthropic.claude-sonnet-4-6"
#: Each way from LiteLLM to a Claude: a deployment, and where its requests arrive, streamed and counted.
ROUTES = {
    "claude-haiku-4-5": ("/databricks/serving-endpoints/anthropic/v1/messages", None),
    "claude-opus-4-6": ("/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"),
    "claude-opus-4-8": ("/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"),
    "claude-sonnet-4-6-bedrock": (
        f"{BEDROCK}/invoke-with-response-stream",
        "/bedrock/model/anthropic.claude-sonnet-4-6/count-tokens",
    ),
    "claude-sonnet-5-vertex": (
        f"{VERTEX}/claude-sonnet-5:streamRawPredict",
        f"{VERTEX}/count-tokens:rawPredict",
    ),
}


@pytest.fixture(autouse=True)
def fresh(gateway: EmbeddedGateway) -> None:
    """Upstreams that have received nothing."""
    gateway.clear_received()


@pytest.fixture
def client(gateway: EmbeddedGateway) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    key = {"authorization": f"Bearer {gateway.api_key}"}
    with httpx.Client(base_url=gateway.base_url, headers=key, trust_env=False, timeout=60) as opened:
        yield opened


def sent() -> list[Any]:
    """What Claude Code and Pi were seen to send to /v1/messages for a Claude."""
    document = load_profiles()
    family = family_of(document, "claude-haiku-4-5")
    return [
        pytest.param(request, id=f"{profile['client']}-{request['turn']}")
        for profile in document["profiles"]
        for request in profile["requests"]
        if profile["client"] in ("claude-code", "pi")
        and request["endpoint"] == "messages"
        and family in request["families"]
    ]


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of a streamed message."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("request_", sent())
@pytest.mark.parametrize("model", ROUTES)
def test_what_agents_send_is_answered(
    gateway: EmbeddedGateway, client: httpx.Client, model: str, request_: dict[str, Any]
) -> None:
    """Given an agent's body, when it is sent to a Claude, then its vendor takes what LiteLLM makes of it."""
    body = {**request_["body"], "model": model}
    answer = client.post(request_["path"], json=body, headers=request_["headers"])

    assert answer.status_code == 200, answer.text
    [received] = gateway.received()
    assert (received.path, received.status) == (ROUTES[model][0], 200)
    told = events(answer)
    assert [told[0]["type"], told[-1]["type"]] == ["message_start", "message_stop"]
    thinking = [event for event in told if event.get("delta", {}).get("type") == "thinking_delta"]
    assert bool(thinking) is (body["thinking"]["display"] == "summarized")
    assert any(event.get("delta", {}).get("type") == "signature_delta" for event in told)


@pytest.mark.parametrize("model", ROUTES)
def test_the_prompt_is_counted_where_the_vendor_counts(
    gateway: EmbeddedGateway, client: httpx.Client, model: str
) -> None:
    """Given a prompt, when its tokens are counted, then the vendor is asked, and Databricks, which cannot, is not."""
    body = {"model": model, "messages": [{"role": "user", "content": "Reply with the word OK."}]}
    answer = client.post("/v1/messages/count_tokens", json=body)

    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 0
    assert [received.path for received in gateway.received()] == [path for path in (ROUTES[model][1],) if path]


PREFILLED = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "H"}]}
NO_PREFILL = "This model does not support assistant message prefill."
BOTH = {"temperature": 0.5, "top_p": 0.5}
NOT_BOTH = "`temperature` and `top_p` cannot both be specified"
#: What a Claude refuses, and its words, as they come out of LiteLLM.
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a prefill on Anthropic": ("claude-opus-4-8", PREFILLED, NO_PREFILL),
    "a prefill on Vertex": ("claude-sonnet-5-vertex", PREFILLED, NO_PREFILL),
    "both samplings on Bedrock": ("claude-sonnet-4-6-bedrock", BOTH, NOT_BOTH),
    "both samplings on Databricks": ("claude-haiku-4-5", BOTH, NOT_BOTH),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_comes_through(gateway: EmbeddedGateway, client: httpx.Client, case: str) -> None:
    """Given what a vendor refuses, when it is sent, then the vendor refuses it, and LiteLLM passes its words on."""
    model, more, words = REFUSED[case]
    body = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **more}
    answer = client.post("/v1/messages", json=body)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert [received.status for received in gateway.received()] == [400]
