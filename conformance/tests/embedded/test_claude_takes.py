"""Claude's Messages API at each vendor that serves it: what it takes, and what it refuses in whose words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.clients.profiles import load_profiles
from conformance.embedded.simulators.refusals import rows
from conformance.tests.embedded.asking_claude import (
    ADAPTIVE,
    ASKED,
    BEDROCK_OPUS,
    EDITS,
    MANUAL,
    OPUS,
    SEARCH,
    SONNET,
    VERTEX_OPUS,
    WEATHER,
    beta,
    converse,
    invoke,
    vertex,
)
from conformance.tests.embedded.simulated import Simulators
from conformance.tests.embedded.smallest import (
    ANTHROPIC,
    BEDROCK_MESSAGES,
    DATABRICKS_MESSAGES,
    TOOL,
    VERTEX_MESSAGES,
    base,
)

NOT_MANUAL = (
    '"thinking.type.enabled" is not supported for this model. '
    'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
)
OF_THE_MODEL = "The model returned the following errors: "
DEPRECATED = "`temperature` is deprecated for this model."
BOTH = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
NO_SYSTEM = "role 'system' is not supported on this model"

#: A request, what is in its headers, and what the vendor says to it.
REFUSED: dict[str, tuple[tuple[str, dict[str, Any]], dict[str, str], str]] = {
    "sampling on today's models": (base(ANTHROPIC, **OPUS, temperature=0.5), {}, DEPRECATED),
    "the same on Bedrock": (invoke(BEDROCK_OPUS, temperature=0.5), {}, DEPRECATED),
    "the same on Vertex": (vertex(VERTEX_OPUS, temperature=0.5), {}, DEPRECATED),
    "the same through Converse": (converse(inferenceConfig={"temperature": 0.5}), {}, OF_THE_MODEL + DEPRECATED),
    "top_k on today's models": (base(ANTHROPIC, **OPUS, top_k=5), {}, "`top_k` is deprecated for this model."),
    "manual thinking on today's models": (base(ANTHROPIC, **OPUS, max_tokens=2000, thinking=MANUAL), {}, NOT_MANUAL),
    "the same on Bedrock, thinking": (invoke(BEDROCK_OPUS, max_tokens=2000, thinking=MANUAL), {}, NOT_MANUAL),
    "manual thinking through Converse": (
        converse(inferenceConfig={"maxTokens": 2000}, additionalModelRequestFields={"thinking": MANUAL}),
        {},
        OF_THE_MODEL + NOT_MANUAL,
    ),
    "adaptive thinking on older models": (
        base(ANTHROPIC, **SONNET, thinking=ADAPTIVE),
        {},
        "adaptive thinking is not supported on this model",
    ),
    "effort on older models": (
        base(ANTHROPIC, **SONNET, output_config={"effort": "low"}),
        {},
        "This model does not support the effort parameter.",
    ),
    "a level of effort that a model lacks": (
        base(ANTHROPIC, output_config={"effort": "xhigh"}),
        {},
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    ),
    "both samplings": (base(ANTHROPIC, **SONNET, temperature=0.5, top_p=0.5), {}, BOTH),
    "both samplings on Databricks": (base(DATABRICKS_MESSAGES, temperature=0.5, top_p=0.5), {}, BOTH),
    "a prefill on today's models": (
        base(ANTHROPIC, **OPUS, messages=[*ASKED, {"role": "assistant", "content": "The"}]),
        {},
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    ),
    "a system message on older models": (
        base(ANTHROPIC, messages=[*ASKED, {"role": "system", "content": "Be brief."}]),
        {},
        NO_SYSTEM,
    ),
    "a system message at the beginning": (
        base(ANTHROPIC, **OPUS, messages=[{"role": "system", "content": "Be brief."}, *ASKED]),
        {},
        "messages.0: use the top-level 'system' parameter for the initial system prompt",
    ),
    "a forced tool while thinking": (
        base(ANTHROPIC, max_tokens=2000, thinking=MANUAL, tools=[WEATHER], tool_choice={"type": "any"}),
        {},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "a budget above the cap": (
        base(ANTHROPIC, max_tokens=1024, thinking=MANUAL),
        {},
        "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
        "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
    ),
    "context management without its beta": (
        base(ANTHROPIC, context_management=EDITS),
        beta("interleaved-thinking-2025-05-14"),
        "context_management: Extra inputs are not permitted",
    ),
    "MCP servers without their beta": (
        base(ANTHROPIC, mcp_servers=[{"type": "url", "url": "https://example.com", "name": "x"}]),
        beta("context-management-2025-06-27"),
        "mcp_servers: Extra inputs are not permitted",
    ),
    "the model in Bedrock's body": (
        invoke(BEDROCK_MESSAGES, model="claude"),
        {},
        "model: Extra inputs are not permitted",
    ),
    "stream in Bedrock's body": (invoke(BEDROCK_MESSAGES, stream=True), {}, "stream: Extra inputs are not permitted"),
    "another version on Bedrock": (
        invoke(BEDROCK_MESSAGES, anthropic_version="2023-06-01"),
        {},
        "anthropic_version: Input should be 'bedrock-2023-05-31'",
    ),
    "no version on Vertex": (
        (VERTEX_MESSAGES, {"max_tokens": 9, "messages": ASKED}),
        {},
        "anthropic_version: Field required",
    ),
    "deferred tools on Bedrock without their beta": (
        invoke(BEDROCK_MESSAGES, tools=[{**WEATHER, "defer_loading": True}]),
        {},
        "tools.0.custom.defer_loading: Extra inputs are not permitted",
    ),
    "a beta that Bedrock does not know": (
        invoke(BEDROCK_MESSAGES, anthropic_beta=["advanced-tool-use-2025-11-20"]),
        {},
        "invalid beta flag",
    ),
    "a beta that Vertex does not know": (
        vertex(VERTEX_MESSAGES),
        beta("effort-2025-11-24"),
        "Unexpected value(s) `effort-2025-11-24` for the `anthropic-beta` header. "
        "Please consult our documentation at docs.anthropic.com or try again without the header.",
    ),
    "a field that Claude lacks, through Converse": (
        converse(additionalModelRequestFields={"reasoning": {}}),
        {},
        OF_THE_MODEL + "reasoning: Extra inputs are not permitted",
    ),
    "a container on Databricks": (
        base(DATABRICKS_MESSAGES, container="c"),
        {},
        "container: Extra inputs are not permitted",
    ),
    "web search on Databricks": (
        base(DATABRICKS_MESSAGES, tools=[SEARCH]),
        {},
        "tools.0: Input tag 'web_search_20250305' found using 'type' does not match any of the expected tags",
    ),
    "a bogus tool field on Databricks": (
        base(DATABRICKS_MESSAGES, tools=[{**WEATHER, "type": "custom", "bogus": 1}]),
        {},
        "tools.0.custom.bogus: Extra inputs are not permitted",
    ),
    "a bogus field in a count": (
        base(f"{ANTHROPIC}/count_tokens", max_tokens=9),
        {},
        "max_tokens: Extra inputs are not permitted",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_says_no_as_claude_does_in_the_platforms_envelope(simulators: Simulators, case: str) -> None:
    """Given what a vendor is known to refuse, when it is sent, then 400, in Claude's words and its own envelope."""
    (path, body), headers, words = REFUSED[case]
    response = simulators.post(path, body, headers=headers)
    assert response.status_code == 400, response.text
    said = response.json()
    if path == DATABRICKS_MESSAGES:
        assert said["error_code"] == "BAD_REQUEST"
        assert json.loads(said["message"]) == {"message": words}
    elif path.startswith("/bedrock"):
        assert said == {"message": words}
    else:
        assert said["error"] == {"type": "invalid_request_error", "message": words}
        assert said["request_id"].startswith("req_vrtx_" if path.startswith("/v1") else "req_")


ACCEPTED: dict[str, tuple[tuple[str, dict[str, Any]], dict[str, str]]] = {
    "sampling at its default": (base(ANTHROPIC, **OPUS, temperature=1), {}),
    "sampling on a model that has it": (base(ANTHROPIC, temperature=0.5), {}),
    "a system message in a conversation": (
        base(ANTHROPIC, **OPUS, messages=[*ASKED, {"role": "system", "content": "Be brief."}]),
        {},
    ),
    "a budget above the cap between tool calls": (
        base(ANTHROPIC, max_tokens=1024, thinking=MANUAL),
        beta("interleaved-thinking-2025-05-14"),
    ),
    "context management": (base(ANTHROPIC, context_management=EDITS), beta("context-management-2025-06-27")),
    "context management on Bedrock": (
        invoke(
            BEDROCK_MESSAGES,
            context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
            anthropic_beta=["context-management-2025-06-27"],
        ),
        {},
    ),
    "deferred tools on Bedrock": (
        invoke(
            BEDROCK_MESSAGES,
            tools=[{**WEATHER, "defer_loading": True}],
            anthropic_beta=["tool-search-tool-2025-10-19"],
        ),
        {},
    ),
    "web search": (base(ANTHROPIC, tools=[SEARCH]), {}),
    "web search on Vertex": (vertex(VERTEX_MESSAGES, tools=[SEARCH]), {}),
    "tools with all they may have": (
        base(
            ANTHROPIC,
            tools=[
                {
                    **WEATHER,
                    "strict": True,
                    "eager_input_streaming": True,
                    "defer_loading": False,
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                }
            ],
        ),
        {},
    ),
    "one call at a time, through Converse": (
        converse(
            toolConfig={
                "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": TOOL}}}],
                "toolChoice": {"auto": {}},
            },
            additionalModelRequestFields={"tool_choice": {"disable_parallel_tool_use": True}},
        ),
        {},
    ),
    "what Claude has, through Converse": (
        converse(
            inferenceConfig={"maxTokens": 900},
            additionalModelRequestFields={"thinking": ADAPTIVE, "output_config": {"effort": "max"}},
        ),
        {},
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_takes_what_is_documented(simulators: Simulators, case: str) -> None:
    """Given what a vendor documents, when it is sent, then it is answered."""
    (path, body), headers = ACCEPTED[case]
    response = simulators.post(path, body, headers=headers)
    assert response.status_code == 200, response.text


def captured() -> list[Any]:
    """What clients were seen to send to /v1/messages."""
    return [
        pytest.param(request, id=f"{profile['client']}-{request['turn']}-{request['families'][0]}")
        for profile in load_profiles()["profiles"]
        for request in profile["requests"]
        if request["endpoint"] == "messages"
    ]


@pytest.mark.parametrize("request_", captured())
def test_anthropic_takes_what_clients_send(simulators: Simulators, request_: dict[str, Any]) -> None:
    """Given a client's body for a model that takes all of it, when it is sent to Anthropic, then it is answered."""
    model = "claude-opus-4-8" if "claude" not in request_["families"] else "claude-opus-4-6"
    response = simulators.post(ANTHROPIC, {**request_["body"], "model": model}, headers=request_["headers"])
    assert response.status_code == 200, response.text


def test_google_exchanges_a_subject_token(simulators: Simulators) -> None:
    """Given a workload of another cloud, when it exchanges its token, then it gets one that Vertex takes."""
    subject = simulators.send("GET", "/google/subject").text
    token = simulators.send("POST", "/google/token", content=f"subject_token={subject}").json()
    path, body = base(VERTEX_MESSAGES)
    bearer = {"authorization": f"{token['token_type']} {token['access_token']}"}
    assert simulators.post(path, body, credential=False, headers=bearer).status_code == 200


def test_every_condition_of_a_refusal_is_known() -> None:
    """A misspelt condition would hold for everybody."""
    known = {"vendors", "models", "operations", "field", "kind", "code", "message", "own", "source"}
    known |= {"unless", "among", "like", "below", "reaches", "beside", "without_beta"}
    assert {name for row in rows() for name in row} <= known
