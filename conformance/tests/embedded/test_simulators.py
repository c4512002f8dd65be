"""Each simulated vendor: what it accepts, how it says no, and that its answers show what was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.embedded.simulators.refusals import rows
from conformance.embedded.simulators.schemas import fields
from conformance.embedded.simulators.vendors import OPERATIONS
from conformance.tests.embedded.simulated import Simulators

HELLO = "Reply with the word OK."
MESSAGES = [{"role": "user", "content": HELLO}]
COUNT = [{"role": "user", "content": "Count to 40."}]

OPENAI_CHAT = "/openai/v1/chat/completions"
OPENAI_RESPONSES = "/openai/v1/responses"
DATABRICKS = "/databricks/serving-endpoints/chat/completions"
DATABRICKS_RESPONSES = "/databricks/serving-endpoints/responses"
AZURE_CHAT = "/azure/openai/deployments/gpt-5.2/chat/completions"
AZURE_RESPONSES = "/azure/openai/responses"
ANTHROPIC = "/anthropic/v1/messages"
GEMINI = "/gemini/models/gemini-2.5-flash:generateContent"
GEMINI_STREAM = "/gemini/models/gemini-2.5-flash:streamGenerateContent"
NOVA = "/bedrock/model/us.amazon.nova-pro-v1%3A0/converse"
COMPATIBLE = "/compatible/v1/chat/completions"

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BASES: dict[str, dict[str, Any]] = {
    OPENAI_CHAT: {"model": "gpt-4.1", "messages": MESSAGES},
    OPENAI_RESPONSES: {"model": "gpt-4.1", "input": HELLO},
    DATABRICKS: {"model": "databricks-claude-haiku-4-5", "messages": MESSAGES},
    DATABRICKS_RESPONSES: {"model": "databricks-gpt-5-1", "input": HELLO},
    AZURE_CHAT: {"messages": MESSAGES},
    AZURE_RESPONSES: {"model": "gpt-5.2", "input": HELLO},
    ANTHROPIC: {"model": "claude-opus-4-6", "max_tokens": 100, "messages": MESSAGES},
    GEMINI: {"contents": [{"parts": [{"text": HELLO}]}]},
    GEMINI_STREAM: {"contents": [{"parts": [{"text": HELLO}]}]},
    NOVA: {"messages": [{"role": "user", "content": [{"text": HELLO}]}]},
    f"{NOVA}-stream": {"messages": [{"role": "user", "content": [{"text": HELLO}]}]},
    COMPATIBLE: {"model": "house-model", "messages": MESSAGES},
    "/compatible/v1/responses": {"model": "house-model", "input": HELLO},
}


@pytest.mark.parametrize("path", BASES)
def test_answers_a_plain_request(simulators: Simulators, path: str) -> None:
    """The smallest request each vendor documents is answered, and remembered."""
    response = simulators.post(path, BASES[path])
    assert response.status_code == 200, response.text
    [received] = simulators.get("/_received").json()
    assert received["vendor"] == path.split("/")[1]
    assert received["body"] == BASES[path]
    assert received["status"] == 200


@pytest.mark.parametrize("path", BASES)
def test_wants_its_own_credential(simulators: Simulators, path: str) -> None:
    """Without the vendor's credential header there is no answer, and the header never reaches the journal."""
    refused = simulators.post(path, BASES[path], credential=False)
    simulators.post(path, BASES[path])
    assert refused.status_code in (401, 403)
    assert "simulated" not in json.dumps([each["headers"] for each in simulators.get("/_received").json()])


def databricks(model: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A chat request to a model on Databricks."""
    return DATABRICKS, {"model": f"databricks-{model}", "messages": MESSAGES, **more}


def base(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """The smallest request for a path, with more fields."""
    return path, {**BASES[path], **more}


REFUSED = {
    "openai unknown": (base(OPENAI_CHAT, bogus=1), "error.message", "Unknown parameter: 'bogus'."),
    "openai nested": (
        base(OPENAI_CHAT, stream_options={"x": 1}),
        "error.message",
        "Unknown parameter: 'stream_options.x'.",
    ),
    "openai type": (base(OPENAI_CHAT, temperature="hot"), "error.code", "invalid_type"),
    "openai type in words": (
        base(OPENAI_CHAT, messages=7),
        "error.message",
        "Invalid type for 'messages': expected an array, but got an integer instead.",
    ),
    "openai bound in words": (
        base(OPENAI_CHAT, temperature=3),
        "error.message",
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
    ),
    "anthropic bound": (
        base(ANTHROPIC, temperature=1.5),
        "error.message",
        "temperature: Input should be less than or equal to 1",
    ),
    "openai value": (base(OPENAI_CHAT, service_tier="zoom"), "error.code", "invalid_value"),
    "openai small": (base(OPENAI_RESPONSES, max_output_tokens=15), "error.code", "integer_below_min_value"),
    "openai gpt-4.1 effort": (base(OPENAI_CHAT, reasoning_effort="low"), "error.code", "unsupported_parameter"),
    "openai o3 max_tokens": (
        base(OPENAI_CHAT, model="o3", max_tokens=9),
        "error.message",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    "openai o3 temperature": (
        base(OPENAI_CHAT, model="o3", temperature=0.5),
        "error.message",
        "Unsupported value: 'temperature' does not support 0.5 with this model. "
        "Only the default (1) value is supported.",
    ),
    "azure nested": (
        base(AZURE_CHAT, stream_options={"usage": True}),
        "error.message",
        "Unknown parameter: 'stream_options.usage'.",
    ),
    "azure gpt-5 stop": (base(AZURE_CHAT, stop="x"), "error.param", "stop"),
    "databricks claude": (
        databricks("claude-sonnet-4-5", prompt_cache_key="k"),
        "message",
        '{"message":"prompt_cache_key: Extra inputs are not permitted"}',
    ),
    "databricks claude tool": (
        databricks("claude-haiku-4-5", tools=[{"type": "function", "function": {"name": "f", "strict": True}}]),
        "message",
        '{"message":"tools.0.custom.strict: Extra inputs are not permitted"}',
    ),
    "databricks llama": (
        databricks("meta-llama-3-3-70b-instruct", stream_options={"include_usage": True}),
        "message",
        'Bad request: json: unknown field "stream_options"\n',
    ),
    "databricks gpt store": (base(DATABRICKS_RESPONSES, store=True), "error_code", "BAD_REQUEST"),
    "anthropic unknown": (
        base(ANTHROPIC, store=True),
        "error.message",
        "store: Extra inputs are not permitted",
    ),
    "anthropic tool": (
        base(ANTHROPIC, tools=[{"type": "custom", "name": "f", "input_schema": TOOL, "x": 1}]),
        "error.message",
        "tools.0.custom.x: Extra inputs are not permitted",
    ),
    "anthropic sampling": (
        base(ANTHROPIC, temperature=0.5, top_p=0.5),
        "error.message",
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    ),
    "gemini unknown": (
        base(GEMINI, store_it=True),
        "error.message",
        'Invalid JSON payload received. Unknown name "store_it": Cannot find field.',
    ),
    "gemini nested": (
        base(GEMINI, generationConfig={"bogus": 1}),
        "error.details.0.fieldViolations.0.field",
        "generation_config",
    ),
    "bedrock unknown": (
        base(NOVA, inferenceConfig={"seed": 1}),
        "message",
        "The model returned the following errors: Malformed input request: #/inferenceConfig: "
        "extraneous key [seed] is not permitted, please reformat your input and try again.",
    ),
    "bedrock range": (
        base(NOVA, inferenceConfig={"temperature": 2}),
        "message",
        "1 validation error detected: Value at 'inferenceConfig.temperature' failed to satisfy constraint: "
        "Member must have value less than or equal to 1",
    ),
    "compatible type": (base(COMPATIBLE, temperature="hot"), "error.code", 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_says_no_in_the_vendors_own_words(simulators: Simulators, case: str) -> None:
    """An offending field is refused with 400, in the vendor's own envelope and wording."""
    (path, body), where, expected = REFUSED[case]
    response = simulators.post(path, body)
    assert response.status_code == 400, response.text
    assert _at(response.json(), where) == expected


def _at(value: Any, where: str) -> Any:
    for step in where.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


ACCEPTED = {
    "openai both": base(OPENAI_CHAT, store=True, prompt_cache_key="k", metadata={"a": "b"}),
    "openai responses both": base(OPENAI_RESPONSES, store=False, prompt_cache_key="k"),
    "azure later field": base(AZURE_CHAT, prompt_cache_key="k", verbosity="low", reasoning_effort="xhigh"),
    "azure responses": base(AZURE_RESPONSES, prompt_cache_key="k", text={"verbosity": "low"}),
    "databricks gpt": base(DATABRICKS_RESPONSES, prompt_cache_key="k"),
    "databricks claude": databricks("claude-haiku-4-5", top_k=5, temperature=0.5),
    "gemini snake case": base(GEMINI, generation_config={"max_output_tokens": "5"}),
    "bedrock documented": base(NOVA, additionalModelRequestFields={"any": "thing"}),
    "compatible anything": base(COMPATIBLE, bogus=1, stream_options={"x": 1}),
    "a tool without strict": base(OPENAI_RESPONSES, tools=[{"type": "function", "name": "f"}]),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepts_what_the_vendor_documents(simulators: Simulators, case: str) -> None:
    """A documented field is accepted, wherever it is documented."""
    path, body = ACCEPTED[case]
    response = simulators.post(path, body)
    assert response.status_code == 200, response.text


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


@pytest.mark.parametrize("path", BASES)
def test_the_same_request_gets_the_same_answer(simulators: Simulators, path: str) -> None:
    """Recording twice records the same thing: ids and times come from the request."""
    first, second = (simulators.post(path, BASES[path]).content for _ in range(2))
    assert first == second


def test_the_journal_can_be_cleared(simulators: Simulators) -> None:
    """After DELETE nothing was received."""
    simulators.post(*base(OPENAI_CHAT))
    simulators.send("DELETE", "/_received")
    assert simulators.get("/_received").json() == []


def test_embeddings_are_answered(simulators: Simulators) -> None:
    """One vector for each input."""
    body = {"model": "text-embedding-3-small", "input": ["a", "b"]}
    assert len(simulators.post("/openai/v1/embeddings", body).json()["data"]) == 2


def test_every_row_of_data_names_its_source() -> None:
    """A field list or a refusal without a source is somebody's opinion."""
    data = fields()
    listed = [
        *rows(),
        *data["databricks"]["family"],
        *data["databricks"]["responses_without"],
        *data["azure"]["addition"],
        *data["optional"],
        *data["effort"],
    ]
    assert all(row["source"] for row in listed)


WORDS = (
    "model messages input contents role content parts text type tools tool_choice function name parameters stop n "
    "stream max_tokens max_output_tokens temperature toolConfig toolSpec inputSchema json generationConfig "
    "response_format reasoning thinking store previous_response_id metadata system x"
)
KEYS = st.sampled_from(WORDS.split())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["user", "function", "object", "text", "required", "auto", "json_schema"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
HOSTILE = Simulators()
PATHS = sorted({each.path.replace("{model}", "gpt-4.1") for each in OPERATIONS})


@given(path=st.sampled_from(sorted(BASES)), extra=st.dictionaries(KEYS, JSON, max_size=3))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_field_value_breaks_a_simulator(path: str, extra: dict[str, Any]) -> None:
    """Whatever a request carries beside the documented minimum, the answer is 200 or a 400."""
    assert HOSTILE.post(path, {**BASES[path], **extra}).status_code in (200, 400)


@given(path=st.sampled_from(PATHS), body=JSON)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_json_body_breaks_a_simulator(path: str, body: Any) -> None:
    """Any JSON at all gets 200 or 400, never 500."""
    assert HOSTILE.post(path, body).status_code in (200, 400)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b'{"n": NaN}',
        b'{"temperature": 1e400}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b'"\\ud800"',
    ],
)
def test_no_bytes_break_a_simulator(raw: bytes) -> None:
    """Broken, endless and absurd bodies are refused politely."""
    assert HOSTILE.post(OPENAI_CHAT, raw).status_code == 400


def test_half_a_surrogate_pair_is_repeated_safely(simulators: Simulators) -> None:
    """A lone surrogate is legal JSON text and must not break the answer that echoes it."""
    raw = json.dumps({**BASES[OPENAI_RESPONSES], "metadata": {"a": "\ud800"}}).encode()
    assert simulators.post(OPENAI_RESPONSES, raw).status_code == 200
