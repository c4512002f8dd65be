"""What each simulated vendor answers: whole or in pieces, it shows what was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]

from conformance.tests.embedded.simulated import Simulators
from conformance.tests.embedded.smallest import (
    ANTHROPIC,
    COHERE,
    COMPATIBLE,
    DATABRICKS,
    GEMINI,
    GEMINI_STREAM,
    HELLO,
    NOVA,
    OLLAMA,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    TOOL,
    base,
)

COUNT = [{"role": "user", "content": "Count to 40."}]


def chunks(text: str) -> list[Any]:
    """The data of server-sent events."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_chat_streams_in_chunks_and_reports_usage_only_when_asked(simulators: Simulators) -> None:
    """Given include_usage the last chunk has usage and no choices; without it no chunk has usage."""
    asked = chunks(simulators.post(*base(OPENAI_CHAT, stream=True, stream_options={"include_usage": True})).text)
    plain = chunks(simulators.post(*base(OPENAI_CHAT, stream=True)).text)
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["prompt_tokens"] > 0
    assert all("usage" not in chunk for chunk in plain)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in plain) == "OK"


def test_chat_obeys_caps_stops_and_choices(simulators: Simulators) -> None:
    """A cap ends the answer with `length`, a stop sequence with `stop`, and n gives n choices."""
    capped = simulators.post(*base(OPENAI_CHAT, messages=COUNT, max_tokens=5)).json()
    stopped = simulators.post(*base(OPENAI_CHAT, messages=COUNT, stop=["7"])).json()
    double = simulators.post(*base(OPENAI_CHAT, n=2, logprobs=True, top_logprobs=2)).json()
    assert capped["choices"][0]["finish_reason"] == "length"
    assert capped["usage"]["completion_tokens"] == 5
    assert stopped["choices"][0]["message"]["content"].endswith("6, ")
    assert len(double["choices"]) == 2
    assert len(double["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 2


def test_chat_calls_a_forced_tool_and_writes_asked_for_json(simulators: Simulators) -> None:
    """tool_choice makes a call whose arguments fit the schema; response_format makes fitting JSON."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": TOOL}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": TOOL}}
    called = simulators.post(*base(OPENAI_CHAT, tools=[tool], tool_choice="required")).json()["choices"][0]
    written = simulators.post(*base(OPENAI_CHAT, response_format=wanted)).json()["choices"][0]
    assert called["finish_reason"] == "tool_calls"
    assert json.loads(called["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "text"}
    assert json.loads(written["message"]["content"]) == {"city": "text"}


ASKED = "Call weather for Rome and Oslo."
FUNCTION = {"name": "weather", "parameters": TOOL}
ASKING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    OPENAI_CHAT: (
        {"messages": [{"role": "user", "content": ASKED}], "tools": [{"type": "function", "function": FUNCTION}]},
        {"tool_choice": "none"},
    ),
    OPENAI_RESPONSES: (
        {"input": ASKED, "tools": [{"type": "function", "strict": False, **FUNCTION}]},
        {"tool_choice": "none"},
    ),
    ANTHROPIC: (
        {"messages": [{"role": "user", "content": ASKED}], "tools": [{"name": "weather", "input_schema": TOOL}]},
        {"tool_choice": {"type": "none"}},
    ),
    GEMINI: (
        {"contents": [{"parts": [{"text": ASKED}]}], "tools": [{"functionDeclarations": [{"name": "weather"}]}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
    ),
}


@pytest.mark.parametrize("path", ASKING)
def test_a_tool_asked_for_by_name_is_called(simulators: Simulators, path: str) -> None:
    """A prompt that names an offered tool gets it called, once for each thing asked, unless calls are forbidden."""
    asking, forbidding = ASKING[path]
    called = simulators.post(*base(path, **asking))
    silent = simulators.post(*base(path, **asking, **forbidding))
    idle = simulators.post(*base(path, tools=asking["tools"]))
    assert [each.status_code for each in (called, silent, idle)] == [200] * 3, called.text
    assert called.text.count('"weather"') - idle.text.count('"weather"') == 2
    assert silent.text.count('"weather"') == idle.text.count('"weather"')


CALL = {"name": "weather", "arguments": "{}"}
REPLAYED: dict[str, dict[str, Any]] = {
    OPENAI_CHAT: {
        "messages": [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": CALL}]},
            {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
    },
    OPENAI_RESPONSES: {
        "input": [
            {"role": "user", "content": ASKED},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
            # As agents keep it: without log probabilities, and as LiteLLM sends it on to Azure: without status.
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c", **CALL},
            {"type": "function_call_output", "call_id": "c", "output": "sunny"},
        ],
        "tools": [{"type": "function", "strict": False, **FUNCTION}],
    },
}


@pytest.mark.parametrize("path", REPLAYED)
def test_a_tool_that_has_answered_is_not_called_again(simulators: Simulators, path: str) -> None:
    """Given a history that ends with a tool's result, when it is replayed, then it is taken and answered in words."""
    answer = simulators.post(*base(path, **REPLAYED[path]))
    assert answer.status_code == 200, answer.text
    assert "A gateway stands" in answer.text


def test_parallel_tool_calls_false_makes_one_call(simulators: Simulators) -> None:
    """A request for two things gives two calls, unless calls must not be parallel."""
    more = {
        "messages": [{"role": "user", "content": "Weather in Rome and Oslo?"}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}],
        "tool_choice": "required",
    }
    two = simulators.post(*base(OPENAI_CHAT, **more)).json()
    one = simulators.post(*base(OPENAI_CHAT, **more, parallel_tool_calls=False)).json()
    assert [len(each["choices"][0]["message"]["tool_calls"]) for each in (two, one)] == [2, 1]


def test_reasoning_effort_costs_reasoning_tokens(simulators: Simulators) -> None:
    """More effort, more reasoning tokens."""
    spent = [
        simulators.post(*base(OPENAI_CHAT, model="o3", reasoning_effort=effort)).json()["usage"]
        for effort in ("low", "high")
    ]
    low, high = (each["completion_tokens_details"]["reasoning_tokens"] for each in spent)
    assert 0 < low < high


@pytest.mark.parametrize("path", [COMPATIBLE, DATABRICKS])
def test_what_was_thought_stands_where_the_vendor_puts_it(simulators: Simulators, path: str) -> None:
    """Given a model that is asked to think, when it answers, then Databricks puts that into the content, and others
    beside it, as LiteLLM reads it: whole and in pieces."""
    asked = base(path, messages=COUNT, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048)
    message = simulators.post(*asked).json()["choices"][0]["message"]
    deltas = [
        each["choices"][0]["delta"]
        for each in chunks(simulators.post(asked[0], {**asked[1], "stream": True}).text)
        if each["choices"]
    ]

    if path == DATABRICKS:
        assert [part["type"] for part in message["content"]] == ["reasoning", "text"]
        assert [part for each in deltas if isinstance(each.get("content"), list) for part in each["content"]]
        return
    assert isinstance(message["content"], str)
    assert message["reasoning_content"]
    assert [each["reasoning_content"] for each in deltas if "reasoning_content" in each] == [
        message["reasoning_content"]
    ]


def test_a_repeated_long_prompt_is_reported_as_cached(simulators: Simulators) -> None:
    """The second of two equal prompts of over 1,024 tokens has cached tokens, under its own key only."""
    long = [{"role": "user", "content": "word " * 2000}]
    seen = [
        simulators.post(*base(OPENAI_CHAT, messages=long, prompt_cache_key=key)).json()["usage"]
        for key in ("a", "a", "b")
    ]
    cached = [each["prompt_tokens_details"]["cached_tokens"] for each in seen]
    assert cached[0] == cached[2] == 0
    assert cached[1] >= 1024


def test_responses_repeat_what_was_asked(simulators: Simulators) -> None:
    """The response object shows the values of the request, and defaults for the rest."""
    asked = {"store": False, "prompt_cache_key": "k", "metadata": {"a": "b"}, "truncation": "auto", "top_p": 0.5}
    answer = simulators.post(*base(OPENAI_RESPONSES, **asked)).json()
    assert {name: answer[name] for name in asked} == asked
    assert answer["parallel_tool_calls"] is True
    assert simulators.post(*base(OPENAI_RESPONSES)).json()["store"] is True


def test_a_response_is_found_again_unless_it_was_not_stored(simulators: Simulators) -> None:
    """store true (the default) makes GET work, store false makes it 404; so does previous_response_id."""
    kept = simulators.post(*base(OPENAI_RESPONSES)).json()["id"]
    gone = simulators.post(*base(OPENAI_RESPONSES, store=False)).json()["id"]
    assert simulators.get(f"{OPENAI_RESPONSES}/{kept}").json()["id"] == kept
    assert simulators.get(f"{OPENAI_RESPONSES}/{gone}").status_code == 404
    assert simulators.post(*base(OPENAI_RESPONSES, previous_response_id=kept)).status_code == 200
    assert simulators.post(*base(OPENAI_RESPONSES, previous_response_id=gone)).status_code == 400


def test_responses_stream_numbered_events_to_completion(simulators: Simulators) -> None:
    """The events are numbered from 0, deltas join to the text, and the last one holds the response."""
    events = chunks(simulators.post(*base(OPENAI_RESPONSES, input="Count to 40.", stream=True)).text)
    deltas = "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta")
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == deltas


def test_a_background_response_is_queued_and_found_later(simulators: Simulators) -> None:
    """background true answers at once with nothing in it; the answer is found by its id."""
    queued = simulators.post(*base(OPENAI_RESPONSES, background=True)).json()
    found = simulators.get(f"{OPENAI_RESPONSES}/{queued['id']}").json()
    assert (queued["status"], queued["output"]) == ("queued", [])
    assert (found["status"], len(found["output"])) == ("completed", 1)


def test_responses_cut_short_are_incomplete(simulators: Simulators) -> None:
    """max_output_tokens ends the answer as incomplete, and says why."""
    answer = simulators.post(*base(OPENAI_RESPONSES, input="Count to 40.", max_output_tokens=16)).json()
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_a_server_without_stored_responses_does_not_mention_store(simulators: Simulators) -> None:
    """The OpenAI-compatible server swallows store and shows nothing of it."""
    answer = simulators.post("/compatible/v1/responses", {"model": "house", "input": HELLO, "store": True}).json()
    assert "store" not in answer
    assert simulators.get(f"/compatible/v1/responses/{answer['id']}").status_code == 404


def test_anthropic_streams_blocks(simulators: Simulators) -> None:
    """Text deltas between message_start and message_stop join to the whole answer."""
    events = chunks(simulators.post(*base(ANTHROPIC, messages=COUNT, stream=True)).text)
    text = "".join(each["delta"]["text"] for each in events if each["type"] == "content_block_delta")
    whole = simulators.post(*base(ANTHROPIC, messages=COUNT)).json()
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    assert whole["content"] == [{"type": "text", "text": text}]


def test_gemini_streams_parts(simulators: Simulators) -> None:
    """Partial responses join to the whole answer; only the last has a finish reason."""
    body = {"contents": [{"parts": [{"text": "Count to 40."}]}]}
    parts = [each["candidates"][0] for each in chunks(simulators.post(GEMINI_STREAM, body).text)]
    whole = simulators.post(GEMINI, body).json()["candidates"][0]
    assert "".join(each["content"]["parts"][0]["text"] for each in parts) == whole["content"]["parts"][0]["text"]
    assert ["finishReason" in each for each in parts] == [False] * (len(parts) - 1) + [True]


def test_bedrock_streams_events_that_botocore_reads(simulators: Simulators) -> None:
    """The binary event stream decodes, checksums and all, with AWS's own library."""
    buffer = EventStreamBuffer()
    buffer.add_data(simulators.post(*base(f"{NOVA}-stream")).content)
    events = [event.to_response_dict() for event in buffer]
    assert [each["headers"][":event-type"] for each in events] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert json.loads(events[1]["body"]) == {"contentBlockIndex": 0, "delta": {"text": "OK"}}


COHERES, EVENTS = "command-a-plus-05-2026", {"accept": "text/event-stream"}


def test_cohere_streams_blocks_to_the_usage(simulators: Simulators) -> None:
    """Text deltas join to the whole answer, thinking comes first, and the last event has reason and usage."""
    asked = base(COHERE, model=COHERES, messages=COUNT)
    events = chunks(simulators.post(asked[0], {**asked[1], "stream": True}, headers=EVENTS).text)
    whole = simulators.post(*asked).json()
    said = [each["delta"]["message"]["content"] for each in events if each["type"] == "content-delta"]
    assert [events[0]["type"], events[-1]["type"]] == ["message-start", "message-end"]
    assert [each["type"] for each in whole["message"]["content"]] == ["thinking", "text"]
    assert "".join(each.get("thinking", "") for each in said) == whole["message"]["content"][0]["thinking"]
    assert "".join(each.get("text", "") for each in said) == whole["message"]["content"][1]["text"]
    assert events[-1]["delta"] == {"finish_reason": "COMPLETE", "usage": whole["usage"]}


def test_cohere_streams_lines_to_who_accepts_no_events(simulators: Simulators) -> None:
    """Given a client that accepts JSON only, as LiteLLM does, when it is streamed to, then each event is a line."""
    asked = base(COHERE, model=COHERES, messages=COUNT, stream=True)
    framed = simulators.post(*asked, headers=EVENTS)
    bare = simulators.post(*asked, headers={"accept": "application/json"})
    assert framed.text.endswith("data: [DONE]\n\n")
    assert lines(bare.text) == chunks(framed.text)


def test_cohere_obeys_caps_stops_and_formats(simulators: Simulators) -> None:
    """A cap, a stop sequence and a JSON schema show in the answer, each with the reason that Cohere has for it."""
    capped = simulators.post(*base(COHERE, messages=COUNT, max_tokens=5)).json()
    stopped = simulators.post(*base(COHERE, messages=COUNT, stop_sequences=["7"])).json()
    written = simulators.post(*base(COHERE, response_format={"type": "json_object", "json_schema": TOOL})).json()
    assert [capped["finish_reason"], stopped["finish_reason"]] == ["MAX_TOKENS", "STOP_SEQUENCE"]
    assert stopped["message"]["content"][0]["text"].endswith("6, ")
    assert json.loads(written["message"]["content"][0]["text"]) == {"city": "text"}


def test_cohere_streams_the_calls_it_makes(simulators: Simulators) -> None:
    """Given REQUIRED, when it is streamed, then the pieces of the arguments join to those of the whole answer."""
    tools = [{"type": "function", "function": FUNCTION}]
    asked = base(COHERE, tools=tools, tool_choice="REQUIRED")
    whole = simulators.post(*asked).json()
    events = lines(simulators.post(asked[0], {**asked[1], "stream": True}).text)
    deltas = [each["delta"]["message"]["tool_calls"] for each in events if each["type"] == "tool-call-delta"]
    [call] = whole["message"]["tool_calls"]
    assert whole["finish_reason"] == events[-1]["delta"]["finish_reason"] == "TOOL_CALL"
    assert "".join(each["function"]["arguments"] for each in deltas) == call["function"]["arguments"]
    assert json.loads(call["function"]["arguments"]) == {"city": "text"}


def lines(text: str) -> list[Any]:
    """The lines of newline-delimited JSON."""
    return [json.loads(line) for line in text.splitlines()]


def test_ollama_streams_lines_unless_told_not_to(simulators: Simulators) -> None:
    """Given a model that thinks, when nothing is said of a stream, then lines join to the answer that `false` gives."""
    asked = base(OLLAMA, model="qwen3:32b", messages=COUNT)
    streamed = simulators.post(*asked)
    said = lines(streamed.text)
    whole = simulators.post(asked[0], {**asked[1], "stream": False}).json()
    assert streamed.headers["content-type"].startswith("application/x-ndjson")
    assert [each["done"] for each in said] == [False] * (len(said) - 1) + [True]
    for part in ("thinking", "content"):
        assert "".join(each["message"].get(part, "") for each in said) == whole["message"][part] != ""
    assert said[-1]["eval_count"] == whole["eval_count"] > 0


def test_ollama_obeys_options_format_and_think(simulators: Simulators) -> None:
    """A cap, a stop sequence, a schema and `think` show in the answer."""
    plain = {"stream": False, "messages": COUNT}
    capped = simulators.post(*base(OLLAMA, **plain, options={"num_predict": 5})).json()
    endless = simulators.post(*base(OLLAMA, **plain, options={"num_predict": -1})).json()
    stopped = simulators.post(*base(OLLAMA, **plain, options={"stop": ["7"]})).json()
    written = simulators.post(*base(OLLAMA, stream=False, format=TOOL)).json()
    silent, ignoring = (
        simulators.post(*base(OLLAMA, stream=False, model=model, think=False)).json()["message"]
        for model in ("qwen3:32b", "gpt-oss:20b")
    )
    assert (capped["done_reason"], capped["eval_count"]) == ("length", 5)
    assert endless["message"]["content"].endswith("40")
    assert stopped["message"]["content"].endswith("6, ")
    assert json.loads(written["message"]["content"]) == {"city": "text"}
    assert "thinking" not in silent
    assert ignoring["thinking"]


def test_ollama_calls_a_tool_with_an_object(simulators: Simulators) -> None:
    """A tool that is asked for by name is called, and its arguments are no text."""
    asked = base(
        OLLAMA, messages=[{"role": "user", "content": ASKED}], tools=[{"type": "function", "function": FUNCTION}]
    )
    streamed = [each["message"].get("tool_calls", []) for each in lines(simulators.post(*asked).text)]
    calls = simulators.post(asked[0], {**asked[1], "stream": False}).json()["message"]["tool_calls"]
    assert [each["function"]["arguments"] for each in calls] == [{"city": "text"}] * 2
    assert [call for each in streamed for call in each] != []


def test_embeddings_are_answered(simulators: Simulators) -> None:
    """One vector for each input."""
    body = {"model": "text-embedding-3-small", "input": ["a", "b"]}
    assert len(simulators.post("/openai/v1/embeddings", body).json()["data"]) == 2
