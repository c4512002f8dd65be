"""Starts, watches and stops the embedded gateway: the simulators, and LiteLLM in front of them."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.embedded.config import DEFAULT_FLEET, litellm_config, litellm_environment
from conformance.embedded.environment import Environment, ensure_environment, require_extra
from conformance.embedded.model_lists import served_list
from conformance.embedded.process import Child, last_line, reserved_port
from conformance.errors import EmbeddedGatewayError

# An idle machine needs 10 seconds, a busy one has needed 57.
START_SECONDS = 90.0
_POLL_SECONDS = 0.1
_PACKAGE_PARENT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Received:
    """One request that reached a simulator, and the status it answered."""

    vendor: str
    path: str
    model: str
    body: dict[str, Any]
    status: int
    headers: dict[str, str]


@dataclass(frozen=True)
class EmbeddedGateway:
    """A running gateway: where it is, the key it wants, and what reached its upstreams."""

    base_url: str
    api_key: str
    version: str
    simulators_port: int
    name: str = "embedded"
    #: Its processes.
    children: tuple[Child, ...] = field(default=(), repr=False, compare=False)

    @property
    def ended(self) -> list[str]:
        """A line for each of its processes that ended on its own: which, how, and where its log is."""
        return [
            f"{child.log.stem}, a part of the embedded gateway, ended on its own: {child.end} The log is {child.log}."
            for child in self.children
            if child.status is not None
        ]

    def received(self) -> list[Received]:
        """Requests that reached the simulators since the start or the last clearing, oldest first."""
        _status, body = _ask(self.simulators_port, "GET", "/_received")
        return [Received(**entry) for entry in json.loads(body)]

    def clear_received(self) -> None:
        """Forget what reached the simulators."""
        _ask(self.simulators_port, "DELETE", "/_received")


def _say_nothing(_line: str) -> None:
    """The default for `say`."""


@contextmanager
def embedded_gateway(
    *,
    version: str | None = None,
    say: Callable[[str], None] = _say_nothing,
    log_dir: Path | None = None,
    fleet: str = DEFAULT_FLEET,
    model_list: str | None = None,
    port: int = 0,
) -> Iterator[EmbeddedGateway]:
    """A LiteLLM proxy of that version (None: the pinned default) over the simulators, while the block runs.

    `fleet` names the models it has (`config.fleet`). `model_list` is the release whose list of models it loads when it
    starts, in place of its own. `port` is where it listens; 0 takes a free one.
    `say` gets a line before anything that takes long. Logs go to `log_dir`, or to a folder that is
    kept only when something went wrong. Raises `EmbeddedGatewayError` when it cannot be installed or
    started. Both processes are gone when the block has ended, however it ended.
    """
    require_extra()
    environment = ensure_environment(version, say)
    logs = log_dir or Path(tempfile.mkdtemp(prefix="litellm-conformance-logs-"))
    logs.mkdir(parents=True, exist_ok=True)
    keep_logs = log_dir is not None
    try:
        with ExitStack() as cleanup:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="litellm-conformance-")))
            served = cleanup.enter_context(served_list(model_list, say)) if model_list else None
            children = _Children(cleanup, folder, logs)
            reserved = children.reserve(port)
            say(f"starting LiteLLM {environment.version} …")
            gateway = children.start(environment, fleet, served.url if served else None, reserved)
            if served:
                served.require_loaded(environment.version)
            try:
                yield gateway
            finally:
                for line in gateway.ended:
                    keep_logs = True
                    say(line)
    except EmbeddedGatewayError:
        keep_logs = True
        raise
    finally:
        if not keep_logs:
            shutil.rmtree(logs, ignore_errors=True)


class _Children:
    """The two processes of one gateway; the cleanup stack stops whatever was started."""

    def __init__(self, cleanup: ExitStack, folder: Path, logs: Path) -> None:
        self._started: list[Child] = []
        self._cleanup, self._folder, self._logs = cleanup, folder, logs
        self._deadline = time.monotonic() + START_SECONDS

    def reserve(self, wanted: int) -> int:
        """The port on which LiteLLM is to listen, kept for it. Raises `EmbeddedGatewayError` where it is taken."""
        try:
            return self._cleanup.enter_context(reserved_port(wanted))
        except OSError as error:
            raise EmbeddedGatewayError(
                f"port {wanted} cannot be used ({error.strerror}); give another one with --port"
            ) from None

    def start(self, environment: Environment, fleet: str, model_list_url: str | None, port: int) -> EmbeddedGateway:
        """Start both and return when both answer."""
        simulators_port = self._start_simulators()
        key = "sk-" + secrets.token_urlsafe(24)
        config = self._folder / "config.json"  # LiteLLM reads YAML, and JSON is YAML
        made = litellm_config(f"http://127.0.0.1:{simulators_port}", fleet)
        config.write_text(json.dumps(made), encoding="utf-8")
        litellm = self._start(
            "litellm",
            environment.python,
            "litellm:run_server",
            ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
            environment=litellm_environment(key, self._folder, model_list_url),
        )
        self._wait(f"LiteLLM {environment.version}", litellm, port, "/v1/models", key)
        url = f"http://127.0.0.1:{port}"
        return EmbeddedGateway(url, key, environment.version, simulators_port, children=tuple(self._started))

    def _start_simulators(self) -> int:
        port_file = self._folder / "simulators.port"
        child = self._start(
            "simulators",
            Path(sys.executable),
            "conformance.embedded.simulators",
            [str(port_file)],
            # Isolated, it finds no packages of the user's own site, and none that come by PYTHONPATH.
            import_from=[_PACKAGE_PARENT, *(Path(folder).absolute() for folder in sys.path)],
        )
        while not port_file.exists():
            self._still_starting("The upstream simulators", child)
        port = int(port_file.read_text(encoding="ascii"))
        self._wait("The upstream simulators", child, port, "/_ready")
        return port

    def _start(self, name: str, python: Path, target: str, arguments: list[str], **more: Any) -> Child:
        child = Child(python, target, arguments, log=self._logs / f"{name}.log", folder=self._folder, **more)
        self._cleanup.callback(child.stop)
        self._started.append(child)
        return child

    def _wait(self, what: str, child: Child, port: int, path: str, key: str = "") -> None:
        while True:
            self._still_starting(what, child)
            with suppress(OSError):
                if _ask(port, "GET", path, key)[0] == http.client.OK and not (key and self._is_another(port, path)):
                    return

    @staticmethod
    def _is_another(port: int, path: str) -> bool:
        """Whether a server without keys has the port: only this child knows which key is right, and so which is not."""
        return _ask(port, "GET", path, "sk-" + secrets.token_urlsafe(24))[0] == http.client.OK

    def _still_starting(self, what: str, child: Child) -> None:
        """Wait a moment, unless the child has ended or the time is up."""
        if child.status is not None:
            problem = f"ended while starting: {child.end}"
        elif time.monotonic() > self._deadline:
            problem = f"did not answer within {START_SECONDS:.0f} seconds: {last_line(child.log)}"
        else:
            time.sleep(_POLL_SECONDS)
            return
        raise EmbeddedGatewayError(f"{what} {problem} The log is {child.log}.")


def _ask(port: int, method: str, path: str, key: str = "") -> tuple[int, bytes]:
    """One request to a loopback port; no proxy and no TLS settings of the user can come between."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
