"""The simulated vendors: where each listens, which credential it wants, which wire it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.embedded.simulators import anthropic, bedrock, bedrock_claude, chat, cohere, gemini, ollama, responses
from conformance.embedded.simulators.completion import Json
from conformance.embedded.simulators.wire import Wire


@dataclass(frozen=True)
class Operation:
    """One thing a vendor does at one path; `model` is a path parameter where the path holds the model."""

    vendor: str
    name: str
    path: str
    wire: Wire
    always_streams: bool | None = None  # None: the body's `stream` decides
    own_voice: str = ""  # who words its refusals, where it is not the vendor's usual voice
    streams_unasked: bool = False  # a body without `stream` is answered as a stream
    lines: Wire | None = None  # how it streams to a client that does not accept server-sent events

    @property
    def voice(self) -> str:
        """Whose words its refusals are in."""
        return self.own_voice or self.vendor

    def streaming(self, headers: Mapping[str, str]) -> Wire:
        """The wire that a stream is sent on."""
        return self.wire if self.lines is None or "text/event-stream" in headers.get("accept", "") else self.lines

    def streams(self, body: Json) -> bool:
        """Whether this request is answered as a stream."""
        if self.always_streams is not None:
            return self.always_streams
        return body.get("stream") is True or (self.streams_unasked and body.get("stream") is None)


# The headers that may carry each vendor's credential, and how the value starts; the status when there is none.
_BEARER = ("authorization", "Bearer ")
_CREDENTIALS: Mapping[str, tuple[Sequence[tuple[str, str]], int]] = {
    "openai": ([_BEARER], 401),
    # Azure's header is for models of others too, and DeepSeek's Anthropic path takes Anthropic's.
    "compatible": ([_BEARER, ("api-key", ""), ("x-api-key", "")], 401),
    "groq": ([_BEARER], 401),
    "perplexity": ([_BEARER], 401),
    "cohere": ([_BEARER], 401),
    # "No authentication is required": https://docs.ollama.com/api/authentication
    "ollama": ([], 401),
    "databricks": ([_BEARER], 401),
    "azure": ([("api-key", "")], 401),
    # Azure serves Claude with either: https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-claude
    "anthropic": ([("x-api-key", ""), _BEARER, ("api-key", "")], 401),
    "gemini": ([("x-goog-api-key", "")], 403),
    "vertex_gemini": ([_BEARER], 401),
    "bedrock": ([("authorization", "AWS4-HMAC-SHA256 ")], 403),
    "vertex": ([_BEARER], 401),
}

# Vendors whose Responses API keeps answers, with the path to find one again.
STORED_RESPONSES = {
    "openai": "/openai/v1/responses/{id}",
    "azure": "/azure/openai/responses/{id}",
}
NO_STORED_RESPONSES = {
    "compatible": "/compatible/v1/responses/{id}",
    "perplexity": "/perplexity/v1/responses/{id}",
    "databricks": "/databricks/serving-endpoints/responses/{id}",
}
# Vendors that publish no schema: they swallow what they do not know, a response that nobody stored too.
SWALLOWING = ("compatible", "perplexity")
EMBEDDINGS = "/openai/v1/embeddings"
# LiteLLM makes Vertex' paths itself and puts none of ours before them.
_VERTEX = "/v1/projects/{project}/locations/{location}/publishers/anthropic/models"
_VERTEX_GEMINI = "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}"

OPERATIONS = (
    Operation("openai", "chat_completions", "/openai/v1/chat/completions", chat.WIRE),
    Operation("openai", "responses", "/openai/v1/responses", responses.WIRE),
    Operation("openai", "input_tokens", "/openai/v1/responses/input_tokens", responses.COUNT),
    Operation("compatible", "chat_completions", "/compatible/v1/chat/completions", chat.WIRE),
    Operation("compatible", "responses", "/compatible/v1/responses", responses.WIRE),
    Operation("compatible", "messages", "/compatible/anthropic/v1/messages", anthropic.WIRE),
    Operation("groq", "chat_completions", "/groq/openai/v1/chat/completions", chat.WIRE, own_voice="compatible"),
    # LiteLLM puts `/v1` before Perplexity's responses, not before its chat.
    Operation("perplexity", "chat_completions", "/perplexity/chat/completions", chat.WIRE, own_voice="compatible"),
    Operation("perplexity", "responses", "/perplexity/v1/responses", responses.WIRE, own_voice="compatible"),
    Operation("cohere", "chat", "/cohere/v2/chat", cohere.WIRE, lines=cohere.LINES),
    Operation("ollama", "chat", "/ollama/api/chat", ollama.WIRE, streams_unasked=True),
    Operation("azure", "chat_completions", "/azure/openai/deployments/{model}/chat/completions", chat.WIRE),
    Operation("azure", "responses", "/azure/openai/responses", responses.WIRE),
    Operation("databricks", "chat_completions", "/databricks/serving-endpoints/chat/completions", chat.WIRE),
    Operation("databricks", "responses", "/databricks/serving-endpoints/responses", responses.WIRE),
    Operation(
        "databricks",
        "messages",
        "/databricks/serving-endpoints/anthropic/v1/messages",
        bedrock_claude.DATABRICKS,
        own_voice="databricks_messages",
    ),
    Operation("anthropic", "messages", "/anthropic/v1/messages", anthropic.WIRE),
    Operation("anthropic", "count_tokens", "/anthropic/v1/messages/count_tokens", anthropic.COUNT),
    Operation("vertex", "count_tokens", f"{_VERTEX}/count-tokens:rawPredict", anthropic.COUNT),
    Operation("vertex", "messages", f"{_VERTEX}/{{model}}:rawPredict", anthropic.WIRE),
    Operation("vertex", "messages", f"{_VERTEX}/{{model}}:streamRawPredict", anthropic.WIRE),
    Operation("gemini", "generateContent", "/gemini/models/{model}:generateContent", gemini.WIRE, False),
    Operation("gemini", "generateContent", "/gemini/models/{model}:streamGenerateContent", gemini.WIRE, True),
    Operation("vertex_gemini", "generateContent", f"{_VERTEX_GEMINI}:generateContent", gemini.WIRE, False, "gemini"),
    Operation(
        "vertex_gemini", "generateContent", f"{_VERTEX_GEMINI}:streamGenerateContent", gemini.WIRE, True, "gemini"
    ),
    Operation("bedrock", "Converse", "/bedrock/model/{model}/converse", bedrock.WIRE, False),
    Operation("bedrock", "ConverseStream", "/bedrock/model/{model}/converse-stream", bedrock.WIRE, True),
    Operation("bedrock", "messages", "/bedrock/model/{model}/invoke", bedrock_claude.WIRE, False, "bedrock_messages"),
    Operation(
        "bedrock",
        "messages",
        "/bedrock/model/{model}/invoke-with-response-stream",
        bedrock_claude.WIRE,
        True,
        "bedrock_messages",
    ),
    Operation("bedrock", "CountTokens", "/bedrock/model/{model}/count-tokens", bedrock_claude.COUNT, False),
)


def missing_credential(vendor: str, headers: Mapping[str, str]) -> int | None:
    """The status to answer when the vendor's credential is not there; None when it is."""
    places, status = _CREDENTIALS[vendor]
    if not places:
        return None
    given = ((headers.get(name, ""), start) for name, start in places)
    return None if any(value.startswith(start) and len(value) > len(start) for value, start in given) else status


def betas(headers: Mapping[str, str], body: Json) -> tuple[str, ...]:
    """The beta features that a request to Claude asks for, in the header or, as on Bedrock and Vertex, in the body."""
    named = headers.get("anthropic-beta", "").split(",")
    listed = body.get("anthropic_beta")
    return tuple(filter(None, (*map(str.strip, named), *(map(str, listed) if isinstance(listed, list) else ()))))
