"""AWS event stream encoding, the binary framing of Bedrock's streamed answers.

Each message is total length, header length, checksum of both, headers, payload, checksum of all.
https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import json
import struct
import zlib

from conformance.embedded.simulators.completion import Json

_STRING = 7  # the header value type of a UTF-8 string


def encode(event: str, payload: Json) -> bytes:
    """One message carrying `payload` as the JSON of an event of that name."""
    headers = _headers({":event-type": event, ":content-type": "application/json", ":message-type": "event"})
    body = json.dumps(payload, separators=(",", ":")).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def _headers(values: dict[str, str]) -> bytes:
    encoded = b""
    for name, value in values.items():
        encoded += struct.pack(">B", len(name)) + name.encode()
        encoded += struct.pack(">BH", _STRING, len(value)) + value.encode()
    return encoded
