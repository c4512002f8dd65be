"""The cassette format: an ordinary vcrpy JSON document with one interaction to a line. Pure.

`serialize` and `deserialize` are vcrpy's serializer interface, so a cassette plays back in plain
vcrpy with this module as its serializer. Bodies stand as JSON where that keeps every byte, else as
text, else as base64. What vcrpy has no place for stands under `conformance` in each response.

While a model is measured, its exchanges stand in a file of their own (`m.json.part`): a first line
that names the model, then one interaction to a line, in the order in which they came.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from conformance.schemas import first_error
from conformance.text.nesting import nests_too_deep
from conformance.types import Cause, Endpoint, Exchange, Mode, Request, Response

#: The file beside the cassettes that holds the gateway, its models and the run.
GATEWAY_FILE = "gateway.json"

#: The version of both, and what the file of an unfinished cassette is called behind its name.
VERSION = 1

#: The newest format of `gateway.json`: 2 where several runs made the recording.
GATEWAY_VERSION = 2
PART = ".part"


class NewerError(ValueError):
    """A file of a later version of this suite."""


def serialize(document: Mapping[str, Any]) -> str:
    """A dict that vcrpy prepared, as text."""
    return whole(document["metadata"], [_line(interaction) for interaction in document["interactions"]])


class Line:
    """A serializer of vcrpy's that gives a cassette's one interaction as the line that it is in its file."""

    @staticmethod
    def serialize(document: Mapping[str, Any]) -> str:
        """The line of the only interaction."""
        [interaction] = document["interactions"]
        return _line(interaction)


def whole(metadata: Mapping[str, Any], lines: Iterable[str]) -> str:
    """A cassette of these lines, with a digest that tells whether somebody edited them."""
    body = ",\n".join(lines)
    head = json.dumps({**metadata, "digest": _sum(body)})
    return f'{{"version":{VERSION},"metadata":{head},"interactions":[\n{body}\n]}}\n'


def part_head(metadata: Mapping[str, Any]) -> str:
    """The first line of an unfinished cassette."""
    return json.dumps({"version": VERSION, "metadata": dict(metadata)}) + "\n"


def deserialize(text: str) -> dict[str, Any]:
    """The dict that vcrpy reads a cassette from. Raises `ValueError` for what is no cassette of ours."""
    document = parse(text)
    for interaction in document["interactions"]:
        interaction["request"]["body"] = _restored(interaction["request"]["body"])
        interaction["response"]["body"] = {"string": _restored(interaction["response"]["body"])}
    return document


def parse(text: str) -> dict[str, Any]:
    """A cassette as it stands in its file. Raises `ValueError` for what does not fit its schema, or was edited."""
    document: dict[str, Any] = json.loads(text)
    _check(document)
    recorded = document["metadata"].get("digest")
    if recorded and recorded != _sum(text.partition("\n")[2].rpartition("\n]}")[0]):
        raise ValueError("it was edited after it was recorded")
    return document


def parse_part(text: str) -> dict[str, Any]:
    """An unfinished cassette; a last line that was cut off is left out. Raises `ValueError` as `parse` does."""
    head, *lines = text.rpartition("\n")[0].split("\n")
    document: dict[str, Any] = json.loads(head) if head else {}
    if isinstance(document, dict):
        document["interactions"] = [json.loads(line) for line in lines]
    _check(document)
    return document


def _check(document: Any) -> None:
    version = document.get("version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise NewerError(f"it has format {version}, but this suite reads formats up to {VERSION}")
    if problem := first_error("cassette", document):
        raise ValueError(problem)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def exchange_from(model: str, interaction: Mapping[str, Any]) -> Exchange:
    """The exchange that one parsed interaction records.

    Raises `ValueError` where the request is none, or not the one whose digest it carries.
    """
    response = interaction["response"]
    told = response["conformance"]
    sent = interaction["request"]["body"]
    fetch = told.get("fetch", "")
    body = sent["json"] if "json" in sent else json.loads(_restored(sent) or "{}")
    if not isinstance(body, dict):
        raise ValueError(f"the request of {told['digest']} is no object")
    headers = {name: values[0] for name, values in interaction["request"]["headers"].items() if name != "content-type"}
    endpoint, mode, door = Endpoint(told["endpoint"]), Mode(told["mode"]), told.get("door", "")
    request = Request(model, endpoint, mode, body, told["repeat"], fetch, headers, door)
    if request.digest != told["digest"]:
        raise ValueError(f"the request of {told['digest']} was changed after it was recorded")
    received = _restored(response["body"])
    return Exchange(
        request,
        Response(
            status=response["status"]["code"] or None,
            headers={name: values[0] for name, values in response["headers"].items()},
            body=received.encode("utf-8") if isinstance(received, str) else received,
            elapsed_ms=told["elapsed_ms"],
            chunks=tuple((time, length) for time, length in told["chunks"]),
            error=told["error"],
            cause=next((cause for cause in Cause if cause == told.get("cause")), None),
        ),
        told["recorded_at"],
    )


def _line(interaction: Mapping[str, Any]) -> str:
    # Python's escape of a lone surrogate, which no file can hold, is JSON's too.
    return _dump(_readable(interaction)).encode("utf-8", "backslashreplace").decode()


def _readable(interaction: Mapping[str, Any]) -> dict[str, Any]:
    request, response = interaction["request"], interaction["response"]
    return {
        "request": {**request, "body": _stored(request["body"])},
        "response": {**response, "body": _stored(response["body"]["string"])},
    }


def _stored(body: str | bytes) -> dict[str, Any]:
    """A body as JSON where that keeps every byte, else as text, else as base64."""
    if isinstance(body, bytes):  # vcrpy leaves bytes alone that are no UTF-8
        return {"base64": base64.b64encode(body).decode()}
    if body.startswith(("{", "[")):
        try:
            value = json.loads(body)
            if _dump(value) == body and not nests_too_deep(body, value):
                return {"json": value}
        except (ValueError, RecursionError):
            pass
    return {"text": body}


def _restored(body: Mapping[str, Any]) -> str | bytes:
    if "json" in body:
        return _dump(body["json"])
    return base64.b64decode(body["base64"], validate=True) if "base64" in body else str(body["text"])


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
