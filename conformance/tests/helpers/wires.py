"""A server that keeps the bytes of each request, and answers as a script says, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

#: What answers: bytes, after which the server hangs up, or what talks over the connection until it returns.
Script: TypeAlias = bytes | Callable[[socket.socket], None]


class Recorder:
    """The requests that came, as they came."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.all: list[bytes] = []

    @property
    def raw(self) -> bytes:
        """The last request."""
        return self.all[-1] if self.all else b""

    @property
    def body(self) -> bytes:
        """The bytes after the head."""
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def head(self) -> str:
        """The request line and headers, in small letters."""
        return self.raw.partition(b"\r\n\r\n")[0].decode().lower()


@contextlib.contextmanager
def recording_server(script: Script) -> Iterator[tuple[str, Recorder]]:
    """Run such a server for as long as the block runs; gives its base address, and what it has seen."""
    seen = Recorder()

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := request_on(connection):
                seen.all.append(request)
                if isinstance(script, bytes):
                    connection.sendall(script)
                    return
                script(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", seen
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def request_on(connection: socket.socket) -> bytes:
    """All bytes of the next request; none where its client has hung up."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = connection.recv(65536)
        if not more:
            return b""
        raw += more
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
    while len(body) < int(fields.get(b"content-length", 0)):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
