"""Each simulated vendor: what it accepts, how it says no, and what it remembers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.embedded.simulators.refusals import rows
from conformance.embedded.simulators.schemas import fields
from conformance.tests.embedded.simulated import Simulators, vendor_of
from conformance.tests.embedded.smallest import (
    ANTHROPIC,
    AZURE_CHAT,
    AZURE_RESPONSES,
    BASES,
    COHERE,
    COMPATIBLE,
    DATABRICKS,
    DATABRICKS_RESPONSES,
    GEMINI,
    MESSAGES,
    NOVA,
    OLLAMA,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    TOOL,
    base,
)


@pytest.mark.parametrize("path", BASES)
def test_answers_a_plain_request(simulators: Simulators, path: str) -> None:
    """The smallest request each vendor documents is answered, and remembered."""
    response = simulators.post(path, BASES[path])
    assert response.status_code == 200, response.text
    [received] = simulators.get("/_received").json()
    assert received["vendor"] == vendor_of(path)
    assert received["body"] == BASES[path]
    assert received["status"] == 200


@pytest.mark.parametrize("path", [path for path in BASES if path != OLLAMA])
def test_wants_its_own_credential(simulators: Simulators, path: str) -> None:
    """Without the vendor's credential header there is no answer, and the header never reaches the journal."""
    refused = simulators.post(path, BASES[path], credential=False)
    simulators.post(path, BASES[path])
    assert refused.status_code in (401, 403)
    assert "simulated" not in json.dumps([each["headers"] for each in simulators.get("/_received").json()])


def test_ollama_wants_no_credential(simulators: Simulators) -> None:
    """Ollama documents that a local server asks for none."""
    assert simulators.post(OLLAMA, BASES[OLLAMA], credential=False).status_code == 200


def databricks(model: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A chat request to a model on Databricks."""
    return DATABRICKS, {"model": f"databricks-{model}", "messages": MESSAGES, **more}


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
    "openai o3 effort": (
        base(OPENAI_CHAT, model="o3", reasoning_effort="minimal"),
        "error.message",
        "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. "
        "Supported values are: 'low', 'medium', and 'high'.",
    ),
    "azure gpt-5.2 effort": (
        base(AZURE_RESPONSES, reasoning={"effort": "minimal"}),
        "error.message",
        "Unsupported value: 'minimal' is not supported with the 'gpt-5.2' model. "
        "Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'.",
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
    "databricks claude sampling": (
        databricks("claude-opus-4-7", temperature=0.5),
        "message",
        "BAD_REQUEST: Model us.anthropic.claude-opus-4-7 does not support the temperature parameter.",
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
    "cohere type": (
        base(COHERE, messages=7),
        "message",
        "invalid type: parameter messages is of type integer but should be of type array. "
        "For proper usage, please refer to https://docs.cohere.com/reference/chat",
    ),
    "cohere bound": (base(COHERE, p=1), "message", "invalid request: p must be less than or equal to 0.99"),
    "cohere value": (
        base(COHERE, safety_mode="off"),
        "message",
        "invalid request: safety_mode must be one of 'CONTEXTUAL', 'STRICT' or 'OFF'",
    ),
    "ollama thinking": (base(OLLAMA, think=True), "error", '"llama3.3" does not support thinking'),
    "ollama tools": (
        base(OLLAMA, model="gemma3:27b", tools=[{"type": "function", "function": {"name": "f"}}]),
        "error",
        "registry.ollama.ai/library/gemma3:27b does not support tools",
    ),
    "ollama effort": (
        base(OLLAMA, model="gpt-oss:20b", think="minimal"),
        "error",
        'invalid think value: "minimal" (must be "high", "medium", "low", "max", true, or false)',
    ),
    "ollama effort's type": (
        base(OLLAMA, think=7),
        "error",
        'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
    ),
    "ollama type": (
        base(OLLAMA, messages="x"),
        "error",
        "json: cannot unmarshal string into Go struct field ChatRequest.messages of type array",
    ),
    "ollama bound": (base(OLLAMA, top_logprobs=21), "error", "top_logprobs must be between 0 and 20"),
    "ollama without a model": ((OLLAMA, {"messages": MESSAGES}), "error", "model is required"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_says_no_in_the_vendors_own_words(simulators: Simulators, case: str) -> None:
    """An offending field is refused with 400, in the vendor's own envelope and wording."""
    (path, body), where, expected = REFUSED[case]
    response = simulators.post(path, body)
    assert response.status_code == 400, response.text
    assert _at(response.json(), where) == expected


#: Refusals that have another status than 400.
OTHERWISE = {
    "cohere unknown": (base(COHERE, num_generations=2), 422, "message", "num_generations"),
    "cohere nested": (
        base(COHERE, tools=[{"type": "function", "function": {"name": "f", "parameters": TOOL, "strict": True}}]),
        422,
        "message",
        "strict",
    ),
    "ollama option": (base(OLLAMA, options={"stop": "7"}), 500, "error", 'option "stop" must be of type array'),
    "ollama number": (base(OLLAMA, options={"top_p": "1"}), 500, "error", 'option "top_p" must be of type float32'),
    "ollama integer": (base(OLLAMA, options={"seed": "1"}), 500, "error", 'option "seed" must be of type integer'),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_says_no_with_the_vendors_own_status(simulators: Simulators, case: str) -> None:
    """Cohere does not process a field that it does not know, and Ollama fails on an option of the wrong type."""
    (path, body), status, where, expected = OTHERWISE[case]
    response = simulators.post(path, body)
    said = _at(response.json(), where)
    assert response.status_code == status, response.text
    assert said == expected or said.startswith(f"unknown field: parameter '{expected}' is not a valid field.")


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
    "perplexity anything": base("/perplexity/v1/responses", bogus=1, previous_response_id="resp_1"),
    "cohere documented": base(COHERE, p=0.5, k=5, safety_mode="OFF", thinking={"type": "disabled"}),
    "cohere null": base(COHERE, messages=[*MESSAGES, {"role": "assistant", "content": None}]),
    "ollama anything": base(OLLAMA, bogus=1, options={"bogus": 1, "top_k": 5.5}, format=None),
    "ollama without thinking": base(OLLAMA, think=False),
    "ollama thinking": base(OLLAMA, model="qwen3:32b", think="max"),
    "a message with its id": base(AZURE_RESPONSES, input=[{"role": "user", "content": "Hi", "id": "msg_1"}]),
    "a tool without strict": base(OPENAI_RESPONSES, tools=[{"type": "function", "name": "f"}]),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepts_what_the_vendor_documents(simulators: Simulators, case: str) -> None:
    """A documented field is accepted, wherever it is documented."""
    path, body = ACCEPTED[case]
    response = simulators.post(path, body)
    assert response.status_code == 200, response.text


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


def test_every_row_of_data_names_its_source() -> None:
    """A field list or a refusal without a source is somebody's opinion."""
    data = fields()
    listed = [
        *rows(),
        *data["databricks"]["family"],
        *data["databricks"]["responses_without"],
        *data["azure"]["addition"],
        *data["optional"],
        *data["either"],
        *data["taken"],
        *data["effort"],
        data["ollama"],
        *data["claude"],
        *(lack for row in data["claude"] for lack in row.get("lacks", ())),
        *data["cached_from"],
        *data["omitted_thinking"],
    ]
    assert all(row["source"] for row in listed)
