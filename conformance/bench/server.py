"""A server that answers every request after a fixed delay, in a process of its own.

A streamed answer has as many pieces of text as the server is told, one by default.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

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
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def _serve(delay: float, pieces: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                await asyncio.sleep(delay)
                writer.write(answer(head.split(" ", 2)[1], body, pieces))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def slow_server(delay: float, pieces: int = 1) -> Iterator[str]:
    """Run the server for as long as the block runs; gives its base address."""
    command = [sys.executable, "-m", "conformance.bench.server", str(delay), str(pieces)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own module
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
