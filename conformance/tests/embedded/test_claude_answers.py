"""Claude's Messages API at each vendor that serves it: what its answers show of what was asked."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]

from conformance.tests.embedded.asking_claude import (
    ADAPTIVE,
    ASKED,
    EDITS,
    MANUAL,
    OPUS,
    SEARCH,
    WEATHER,
    beta,
    converse,
)
from conformance.tests.embedded.simulated import Simulators
from conformance.tests.embedded.smallest import (
    ANTHROPIC,
    BEDROCK_COUNT,
    BEDROCK_MESSAGES,
    BEDROCK_STREAM,
    DATABRICKS_MESSAGES,
    TOOL,
    VERTEX_COUNT,
    VERTEX_STREAM,
    base,
)

LONG = "word " * 1000  # about 1,250 tokens


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


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_web_is_searched_where_asked(simulators: Simulators, stream: bool) -> None:
    """Given a search tool, when the prompt names it, then what was found stands before the answer, and is billed."""
    searching = [{"role": "user", "content": "Use web_search for Rome."}]
    path, body = base(ANTHROPIC, messages=searching, tools=[SEARCH])
    if stream:
        told = events(simulators, path, {**body, "stream": True})
        kinds = [event["content_block"]["type"] for event in told if event["type"] == "content_block_start"]
        usage = next(event["usage"] for event in told if event["type"] == "message_delta")
    else:
        whole = simulators.post(path, body).json()
        kinds, usage = [block["type"] for block in whole["content"]], whole["usage"]
    assert kinds == ["server_tool_use", "web_search_tool_result", "text"]
    assert usage["server_tool_use"]["web_search_requests"] == 1
    assert "server_tool_use" not in simulators.post(*base(ANTHROPIC, tools=[SEARCH])).json()["usage"]


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
