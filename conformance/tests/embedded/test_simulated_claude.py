"""Claude's Messages API at each vendor that serves it: what it takes, what it refuses, and what its answers show."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]

from conformance.clients.profiles import load_profiles
from conformance.embedded.simulators.refusals import rows
from conformance.tests.embedded.simulated import Simulators
from conformance.tests.embedded.smallest import (
    ANTHROPIC,
    BEDROCK_COUNT,
    BEDROCK_MESSAGES,
    BEDROCK_STREAM,
    DATABRICKS_MESSAGES,
    HELLO,
    TOOL,
    VERTEX,
    VERTEX_COUNT,
    VERTEX_MESSAGES,
    VERTEX_STREAM,
    base,
)

OPUS = {"model": "claude-opus-4-8"}
SONNET = {"model": "claude-sonnet-4-5"}
VERTEX_OPUS = f"{VERTEX}/claude-opus-4-8:rawPredict"
BEDROCK_OPUS = "/bedrock/model/us.anthropic.claude-opus-4-8/invoke"
CONVERSE = "/bedrock/model/us.anthropic.claude-opus-4-8/converse"
ASKED = [{"role": "user", "content": "Call weather for Rome and Oslo."}]
WEATHER = {"name": "weather", "input_schema": TOOL}
EDITS = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
LONG = "word " * 1000  # about 1,250 tokens


def invoke(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A request to Claude on Bedrock."""
    _path, body = base(BEDROCK_MESSAGES, **more)
    return path, body


def vertex(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A request to Claude on Vertex."""
    _path, body = base(VERTEX_MESSAGES, **more)
    return path, body


def converse(**more: Any) -> tuple[str, dict[str, Any]]:
    """A Converse request to Claude."""
    return CONVERSE, {"messages": [{"role": "user", "content": [{"text": HELLO}]}], **more}


def beta(*names: str) -> dict[str, str]:
    """The header that asks for beta features."""
    return {"anthropic-beta": ",".join(names)}


MANUAL = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive"}
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
        "https://platform.claude.com/docs/en/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
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


def events(simulators: Simulators, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a streamed answer, whatever carries them."""
    response = simulators.post(path, body)
    assert response.status_code == 200, response.text
    if path != BEDROCK_STREAM:
        lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
        return [json.loads(line) for line in lines]
    buffer = EventStreamBuffer()
    buffer.add_data(response.content)
    chunks = [event.to_response_dict() for event in buffer]
    assert {chunk["headers"][":event-type"] for chunk in chunks} == {"chunk"}
    return [json.loads(base64.b64decode(json.loads(chunk["body"])["bytes"])) for chunk in chunks]


STREAMS = {
    ANTHROPIC: {"stream": True},
    DATABRICKS_MESSAGES: {"stream": True},
    BEDROCK_STREAM: {},
    VERTEX_STREAM: {"stream": True},
}


@pytest.mark.parametrize("path", STREAMS)
def test_streams_the_message_that_it_answers_whole(simulators: Simulators, path: str) -> None:
    """Given one request, when it is streamed and answered whole, then the text is the same; Bedrock adds metrics."""
    asked = {"messages": [{"role": "user", "content": "Count to 40."}]}
    streamed = events(simulators, *base(path, **asked, **STREAMS[path]))
    whole = simulators.post(path.removesuffix("-with-response-stream"), base(path, **asked)[1]).json()
    deltas = [event["delta"]["text"] for event in streamed if event["type"] == "content_block_delta"]
    assert [event["type"] for event in streamed][:2] == ["message_start", "ping"]
    assert "".join(deltas) == whole["content"][0]["text"]
    from_bedrock = path in (BEDROCK_STREAM, DATABRICKS_MESSAGES)
    assert ("amazon-bedrock-invocationMetrics" in streamed[-1]) is from_bedrock


def test_thinking_is_shown_as_asked(simulators: Simulators) -> None:
    """Given thinking, when it is to be omitted, then its block is empty but signed; today's models omit it unasked."""

    def thought(**more: Any) -> dict[str, Any]:
        answer = simulators.post(*base(ANTHROPIC, max_tokens=3000, **more)).json()
        assert answer["content"][0]["signature"]
        assert answer["usage"]["output_tokens_details"]["thinking_tokens"] > 0
        block: dict[str, Any] = answer["content"][0]
        return block

    assert thought(thinking=MANUAL)["thinking"]
    assert thought(thinking=ADAPTIVE)["thinking"]
    assert not thought(thinking={**ADAPTIVE, "display": "omitted"})["thinking"]
    assert not thought(**OPUS, thinking=ADAPTIVE)["thinking"]
    assert thought(**OPUS, thinking={**ADAPTIVE, "display": "summarized"})["thinking"]
    streamed = events(simulators, *base(ANTHROPIC, **OPUS, max_tokens=3000, stream=True, thinking=ADAPTIVE))
    deltas = [event["delta"]["type"] for event in streamed if event["type"] == "content_block_delta"]
    assert deltas[0] == "signature_delta"
    assert "thinking_delta" not in deltas


def test_more_effort_costs_more_thinking(simulators: Simulators) -> None:
    """Given adaptive thinking, when effort grows, then so do the tokens of thought; unasked it is high."""

    def spent(**config: Any) -> int:
        asked = {"thinking": ADAPTIVE, "output_config": config, "max_tokens": 3000}
        usage = simulators.post(*base(ANTHROPIC, **asked)).json()["usage"]
        tokens: int = usage["output_tokens_details"]["thinking_tokens"]
        return tokens

    assert spent(effort="low") < spent(effort="medium") < spent(effort="high") == spent() < spent(effort="max")


CACHING: dict[str, dict[str, Any]] = {
    "a system block": {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]},
    "a message": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]}
        ]
    },
    "a tool": {"tools": [{**WEATHER, "description": LONG, "cache_control": {"type": "ephemeral"}}]},
    "the whole request": {"system": LONG, "cache_control": {"type": "ephemeral"}},
}


@pytest.mark.parametrize("where", CACHING)
def test_what_is_marked_is_written_to_the_cache_and_then_read(simulators: Simulators, where: str) -> None:
    """Given a marked prompt that is long enough, when it is sent twice, then its tokens are written, then read."""
    path, body = base(ANTHROPIC, **OPUS, **CACHING[where])
    first, second = (simulators.post(path, body).json()["usage"] for _ in range(2))
    assert first["cache_creation_input_tokens"] > 1024
    assert first["cache_read_input_tokens"] == 0
    assert first["cache_creation"]["ephemeral_5m_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_creation_input_tokens"] == 0
    assert first["input_tokens"] == second["input_tokens"]


def test_a_prompt_is_cached_only_where_asked_and_from_a_length_on(simulators: Simulators) -> None:
    """Given no mark, or a prompt too short for the model, when it is sent twice, then nothing is cached."""
    marked = {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}
    for more in ({**OPUS, "system": LONG}, {"model": "claude-haiku-4-5", **marked}):
        for _ in range(2):
            usage = simulators.post(*base(ANTHROPIC, **more)).json()["usage"]
            assert (usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]) == (0, 0)
    usage = simulators.post(*base(ANTHROPIC, **OPUS, **marked)).json()["usage"]
    assert usage["cache_creation"]["ephemeral_1h_input_tokens"] == usage["cache_creation_input_tokens"] > 1024


def test_a_longer_conversation_reads_what_it_shares(simulators: Simulators) -> None:
    """Given a cached beginning, when more follows up to a second mark, then the one is read, the other written."""
    marked = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    simulators.post(*base(ANTHROPIC, **OPUS, system=[marked]))
    more = [{"role": "user", "content": [{**marked, "text": f"{LONG} and more"}]}]
    usage = simulators.post(*base(ANTHROPIC, **OPUS, system=[marked], messages=more)).json()["usage"]
    assert usage["cache_read_input_tokens"] > 1024
    assert usage["cache_creation_input_tokens"] > 1024


CHOICES: dict[str, tuple[dict[str, Any], int]] = {
    "auto": ({"type": "auto"}, 2),
    "any": ({"type": "any"}, 2),
    "tool": ({"type": "tool", "name": "weather"}, 1),
    "none": ({"type": "none"}, 0),
    "one at a time": ({"type": "auto", "disable_parallel_tool_use": True}, 1),
}


@pytest.mark.parametrize("case", CHOICES)
def test_tools_are_called_as_chosen(simulators: Simulators, case: str) -> None:
    """Given two things to ask a tool, when calls are chosen, forbidden or bounded, then so many calls are made."""
    choice, calls = CHOICES[case]
    answer = simulators.post(*base(ANTHROPIC, messages=ASKED, tools=[WEATHER], tool_choice=choice)).json()
    assert [block["type"] for block in answer["content"]].count("tool_use") == calls
    assert answer["stop_reason"] == ("tool_use" if calls else "end_turn")


def test_what_ends_an_answer_is_told(simulators: Simulators) -> None:
    """Given a stop sequence, a cap or a schema, when it is asked, then the answer ends or looks so."""
    count = [{"role": "user", "content": "Count to 40."}]
    stopped = simulators.post(*base(ANTHROPIC, messages=count, stop_sequences=["7"])).json()
    capped = simulators.post(*base(ANTHROPIC, messages=count, max_tokens=5)).json()
    wanted = {"format": {"type": "json_schema", "schema": TOOL}}
    shaped = simulators.post(*base(ANTHROPIC, output_config=wanted)).json()
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "7")
    assert (capped["stop_reason"], capped["usage"]["output_tokens"]) == ("max_tokens", 5)
    assert json.loads(shaped["content"][0]["text"]) == {"city": "text"}


def test_a_container_and_context_management_are_told_of(simulators: Simulators) -> None:
    """Given a container and context management, when they are asked for, then the answer tells of both."""
    path, body = base(ANTHROPIC, container="box", context_management=EDITS)
    headers = beta("context-management-2025-06-27")
    whole = simulators.post(path, body, headers=headers).json()
    plain = simulators.post(*base(ANTHROPIC)).json()
    assert whole["container"]["id"] == "box"
    assert whole["context_management"] == {"applied_edits": []}
    assert not {"container", "context_management"} & set(plain)


def test_tokens_are_counted_as_they_are_spent(simulators: Simulators) -> None:
    """Given one prompt with a tool, when it is counted and when it is answered, then the figures are the same."""
    prompt: dict[str, Any] = {"messages": ASKED, "tools": [WEATHER], "system": "Be brief."}
    spent = simulators.post(*base(ANTHROPIC, **prompt)).json()["usage"]["input_tokens"]
    counted = simulators.post(*base(f"{ANTHROPIC}/count_tokens", **prompt)).json()
    body = base64.b64encode(json.dumps(base(BEDROCK_MESSAGES, **prompt)[1]).encode()).decode()
    on_bedrock = simulators.post(BEDROCK_COUNT, {"input": {"invokeModel": {"body": body}}}).json()
    on_vertex = simulators.post(*base(VERTEX_COUNT, **prompt)).json()
    assert counted == on_vertex == {"input_tokens": spent}
    assert on_bedrock == {"inputTokens": spent}


def test_converse_shows_what_claude_does(simulators: Simulators) -> None:
    """Given Claude behind Converse, when it thinks, caches or writes JSON, then Converse's answer shows it."""
    point = {"cachePoint": {"type": "default"}}
    schema = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(TOOL), "name": "x"}}}
    path, body = converse(
        system=[{"text": LONG}, point],
        outputConfig={"textFormat": schema},
        inferenceConfig={"maxTokens": 900},
        additionalModelRequestFields={"thinking": ADAPTIVE},
    )
    first, second = (simulators.post(path, body).json() for _ in range(2))
    thought, written = first["output"]["message"]["content"]
    assert thought["reasoningContent"]["reasoningText"]["signature"]
    assert json.loads(written["text"]) == {"city": "text"}
    assert first["usage"]["cacheWriteInputTokens"] == second["usage"]["cacheReadInputTokens"] > 1024
    streamed = EventStreamBuffer()
    streamed.add_data(simulators.post(f"{path}-stream", body).content)
    deltas = [json.loads(event.payload) for event in streamed if event.headers[":event-type"] == "contentBlockDelta"]
    assert ["reasoningContent" in each["delta"] for each in deltas][:3] == [True, True, False]
    assert [each["contentBlockIndex"] for each in deltas][:3] == [0, 0, 1]


def test_google_exchanges_a_subject_token(simulators: Simulators) -> None:
    """Given a workload of another cloud, when it exchanges its token, then it gets one that Vertex takes."""
    subject = simulators.send("GET", "/google/subject").text
    token = simulators.send("POST", "/google/token", content=f"subject_token={subject}").json()
    path, body = base(VERTEX_MESSAGES)
    bearer = {"authorization": f"{token['token_type']} {token['access_token']}"}
    assert simulators.post(path, body, credential=False, headers=bearer).status_code == 200


def test_every_condition_of_a_refusal_is_known() -> None:
    """A misspelt condition would hold for everybody."""
    known = {"vendors", "models", "operations", "field", "kind", "code", "message", "source"}
    known |= {"unless", "among", "like", "below", "reaches", "beside", "without_beta"}
    assert {name for row in rows() for name in row} <= known
