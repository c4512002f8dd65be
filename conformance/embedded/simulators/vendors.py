"""The simulated vendors: where each listens, which credential it wants, which wire it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.embedded.simulators import anthropic, bedrock, chat, gemini, responses
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

    def streams(self, body: Json) -> bool:
        """Whether this request is answered as a stream."""
        return body.get("stream") is True if self.always_streams is None else self.always_streams


# The header that carries each vendor's credential, and how its value starts; status when it is missing.
_CREDENTIALS = {
    "openai": ("authorization", "Bearer ", 401),
    "compatible": ("authorization", "Bearer ", 401),
    "databricks": ("authorization", "Bearer ", 401),
    "azure": ("api-key", "", 401),
    "anthropic": ("x-api-key", "", 401),
    "gemini": ("x-goog-api-key", "", 403),
    "bedrock": ("authorization", "AWS4-HMAC-SHA256 ", 403),
}

# Vendors whose Responses API keeps answers, with the path to find one again.
STORED_RESPONSES = {
    "openai": "/openai/v1/responses/{id}",
    "azure": "/azure/openai/responses/{id}",
}
NO_STORED_RESPONSES = {
    "compatible": "/compatible/v1/responses/{id}",
    "databricks": "/databricks/serving-endpoints/responses/{id}",
}
EMBEDDINGS = "/openai/v1/embeddings"

OPERATIONS = (
    Operation("openai", "chat_completions", "/openai/v1/chat/completions", chat.WIRE),
    Operation("openai", "responses", "/openai/v1/responses", responses.WIRE),
    Operation("compatible", "chat_completions", "/compatible/v1/chat/completions", chat.WIRE),
    Operation("compatible", "responses", "/compatible/v1/responses", responses.WIRE),
    Operation("azure", "chat_completions", "/azure/openai/deployments/{model}/chat/completions", chat.WIRE),
    Operation("azure", "responses", "/azure/openai/responses", responses.WIRE),
    Operation("databricks", "chat_completions", "/databricks/serving-endpoints/chat/completions", chat.WIRE),
    Operation("databricks", "responses", "/databricks/serving-endpoints/responses", responses.WIRE),
    Operation("anthropic", "messages", "/anthropic/v1/messages", anthropic.WIRE),
    Operation("gemini", "generateContent", "/gemini/models/{model}:generateContent", gemini.WIRE, False),
    Operation("gemini", "generateContent", "/gemini/models/{model}:streamGenerateContent", gemini.WIRE, True),
    Operation("bedrock", "Converse", "/bedrock/model/{model}/converse", bedrock.WIRE, False),
    Operation("bedrock", "ConverseStream", "/bedrock/model/{model}/converse-stream", bedrock.WIRE, True),
)


def missing_credential(vendor: str, headers: Mapping[str, str]) -> int | None:
    """The status to answer when the vendor's credential is not there; None when it is."""
    name, start, status = _CREDENTIALS[vendor]
    value = headers.get(name, "")
    return None if value.startswith(start) and len(value) > len(start) else status
