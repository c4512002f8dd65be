"""Claude on Amazon Bedrock: InvokeModel's answers, the stream of its events, and CountTokens.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import replace

from conformance.embedded.simulators import anthropic, bedrock
from conformance.embedded.simulators.completion import Ask, Completion, Json, object_of
from conformance.embedded.simulators.eventstream import encode
from conformance.embedded.simulators.wire import Wire, sse

_METRICS = "amazon-bedrock-invocationMetrics"


def stream(done: Completion, body: Json) -> Iterator[bytes]:
    """The events of a message, each as the bytes of one chunk; the last one carries Bedrock's metrics."""
    for event in anthropic.events(done, body):
        payload = json.dumps(event | metrics(event, done), separators=(",", ":")).encode()
        yield encode("chunk", {"bytes": base64.b64encode(payload).decode()})


def stream_as_text(done: Completion, body: Json) -> Iterator[bytes]:
    """The same events as Databricks, which has Claude from Bedrock, passes them on: as server-sent events.

    https://github.com/BerriAI/litellm/blob/main/litellm/llms/databricks/messages/transformation.py
    """
    for event in anthropic.events(done, body):
        yield sse(event | metrics(event, done), event=event["type"])


def metrics(event: Json, done: Completion) -> Json:
    """What Bedrock adds to the last event of a stream."""
    if event["type"] != "message_stop":
        return {}
    figures = done.usage
    counts = {"inputTokenCount": figures.prompt, "outputTokenCount": figures.completion}
    return {_METRICS: {**counts, "invocationLatency": 180, "firstByteLatency": 60}}


def read_count(vendor: str, model: str, body: Json) -> Ask:
    """What CountTokens asks for: the body of an InvokeModel request, or a Converse request."""
    asked = object_of(body.get("input"))
    if "converse" in asked:
        return replace(bedrock.WIRE.read(vendor, model, object_of(asked["converse"])), stretches=())
    return anthropic.read_count(vendor, model, _decoded(object_of(asked.get("invokeModel")).get("body")))


def _decoded(encoded: object) -> Json:
    try:
        return object_of(json.loads(base64.b64decode(str(encoded), validate=True)))
    except (binascii.Error, ValueError):
        return {}


def count(done: Completion, _body: Json) -> Json:
    """The tokens of a prompt."""
    return {"inputTokens": done.usage.prompt}


WIRE = Wire(anthropic.read, anthropic.whole, stream, media_type="application/vnd.amazon.eventstream")
DATABRICKS = Wire(anthropic.read, anthropic.whole, stream_as_text)
COUNT = Wire(read_count, count, stream)
