"""A server that answers every request after a fixed delay, in a process of its own.

A streamed answer has as many pieces of text as the server is told, one by default. A fleet lists
models, of twenty families that refuse one field in six, each others. A mixed fleet has what real
ones have: of the fields one in ten is refused, a quarter of those with a 500; of the answers three
in a hundred are push-backs that name a second; and of forty models one answers nothing but 500,
and one hangs up.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any

_MESSAGE = {"role": "assistant", "content": "OK"}
_WHOLE: dict[str, dict[str, object]] = {
    "chat": {"choices": [{"index": 0, "finish_reason": "stop", "message": _MESSAGE}]},
    "responses": {"output": [], "status": "completed"},
}
_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1764547200, "model": "m"}
_PIECE: dict[str, dict[str, object]] = {
    "chat": {**_CHUNK, "choices": [{"index": 0, "delta": {"content": "OK "}}]},
    "responses": {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "delta": "OK "},
}
_END: dict[str, dict[str, object]] = {
    "chat": {**_CHUNK, "choices": [{"index": 0, "delta": {"content": "OK"}, "finish_reason": "stop"}]},
    "responses": {"type": "response.completed", "response": _WHOLE["responses"]},
}


def answer(path: str, body: bytes, pieces: int = 1) -> bytes:
    """The bytes of a successful HTTP response, whole or streamed as the request asks."""
    kind = "responses" if path.endswith("/responses") else "chat"
    if b'"stream":true' in body or b'"stream": true' in body:
        content_type = "text/event-stream"
        content = "".join(
            f"data: {json.dumps(event)}\n\n" for event in [_PIECE[kind]] * (pieces - 1) + [_END[kind]]
        ).encode()
    else:
        content_type, content = "application/json", json.dumps(_WHOLE[kind]).encode()
    return _response("200 OK", content_type, content)


def _response(status: str, content_type: str, content: bytes, headers: str = "") -> bytes:
    kind, length = f"content-type: {content_type}\r\n", f"content-length: {len(content)}\r\n"
    head = f"HTTP/1.1 {status}\r\n{kind}{length}{headers}\r\n"
    return head.encode() + content


#: Families of models in a fleet, and fields to one that is refused.
FAMILIES, ONE_IN = 20, 6

_ALWAYS = {"model", "messages", "input", "stream", "max_completion_tokens", "max_output_tokens"}


def fleet(models: int) -> list[str]:
    """The ids of a fleet."""
    return [f"family-{number % FAMILIES:02}-model-{number:05}" for number in range(models)]


def fleet_answer(path: str, body: bytes) -> bytes:
    """As `answer`, but for the fields that the model's family refuses."""
    asked: dict[str, Any] = json.loads(body)
    family = str(asked["model"])[: len("family-00")]
    for name in asked.keys() - _ALWAYS:
        if zlib.crc32(f"{family}/{name}".encode()) % ONE_IN == 0:
            error = {"message": f"Unknown parameter: '{name}'.", "type": "invalid_request_error", "param": name}
            error["code"] = "unknown_parameter"
            return _response("400 Bad Request", "application/json", json.dumps({"error": error}).encode())
    return answer(path, body)


#: Of a mixed fleet: fields to one that is refused, and refusals to one that is a 500; answers to one
#: that is a push-back, and the seconds that it names; models to two that are dead.
REFUSED_ONE_IN, FAULT_ONE_IN, PUSHED_ONE_IN, PUSHED_FOR, DEAD_ONE_IN = 10, 4, 33, 1, 40


def mixed_answer(path: str, body: bytes, number: int) -> bytes | None:
    """The n-th answer of a mixed fleet; None where the server hangs up."""
    asked: dict[str, Any] = json.loads(body)
    model = str(asked["model"])
    place = int(model.rpartition("-")[2]) % DEAD_ONE_IN
    if place == DEAD_ONE_IN // 2:
        return None
    if place == DEAD_ONE_IN // 4:
        return _refused("500 Internal Server Error", "the upstream is down")
    if number % PUSHED_ONE_IN == PUSHED_ONE_IN - 1:
        return _refused("429 Too Many Requests", "slow down", f"retry-after: {PUSHED_FOR}\r\n")
    for name in asked.keys() - _ALWAYS:
        lot = zlib.crc32(f"{model}/{name}".encode())
        if lot % REFUSED_ONE_IN == 0 and lot // REFUSED_ONE_IN % FAULT_ONE_IN == 0:
            words = f"litellm.APIError: AsyncCompletions.create() got an unexpected keyword argument '{name}'"
            return _refused("500 Internal Server Error", words)
        if lot % REFUSED_ONE_IN == 0:
            return _refused("400 Bad Request", f"Unknown parameter: '{name}'.")
    return answer(path, body)


def _refused(status: str, message: str, headers: str = "") -> bytes:
    error = {"error": {"message": message, "type": None, "param": None, "code": status[:3]}}
    return _response(status, "application/json", json.dumps(error).encode(), headers)


async def _paced(writer: asyncio.StreamWriter, answered: bytes, pace: float) -> None:
    """Write a streamed answer event by event."""
    head, _, events = answered.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    for event in events.split(b"\n\n")[:-1]:
        writer.write(event + b"\n\n")
        await asyncio.sleep(pace)


async def _serve(delay: float, pieces: int, models: int, mixed: bool, pace: float) -> None:
    numbers = itertools.count()
    listed = json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in fleet(models)]})

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                await asyncio.sleep(delay)
                method, path, _ = head.split(" ", 2)
                if method == "GET":
                    known = path.endswith("/models")
                    writer.write(
                        _response("200 OK" if known else "404 Not Found", "application/json", listed.encode() * known)
                    )
                elif mixed:
                    answered = mixed_answer(path, body, next(numbers))
                    if answered is None:
                        break
                    writer.write(answered)
                elif pace:
                    await _paced(writer, answer(path, body, pieces), pace)
                else:
                    writer.write(fleet_answer(path, body) if models else answer(path, body, pieces))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def slow_server(
    delay: float, pieces: int = 1, models: int = 0, mixed: bool = False, pace: float = 0.0
) -> Iterator[str]:
    """Run the server for as long as the block runs, with a fleet of so many models; gives its base address.

    `pace` is the seconds between two events of a stream, which otherwise come at once.
    """
    given = (str(delay), str(pieces), str(models), str(int(mixed)), str(pace))
    command = [sys.executable, "-m", "conformance.bench.server", *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own module
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextlib.contextmanager
def shim_before(url: str) -> Iterator[str]:
    """Run the shim in a process of its own before this address, for as long as the block runs; gives its address.

    It knows nothing beforehand, and what it learns is forgotten.
    """
    command = [sys.executable, "-m", "conformance", "shim", "--port=0", f"--base-url={url}"]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache}
        with subprocess.Popen(  # noqa: S603  our own module
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().strip().partition("=")[2].removesuffix("/v1")
            finally:
                process.kill()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1", float(sys.argv[5]))
        )
