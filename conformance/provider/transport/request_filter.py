"""What all transports and clients share: from a request to what may be sent of it, and the account of repairs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from conformance.provider.errors import ConformanceError
from conformance.provider.json_text import edited
from conformance.provider.refusals.dialects import served_from_words
from conformance.provider.repair import RepairEvent, RepairMode
from conformance.provider.repair.account import MAX_KEPT, Account
from conformance.provider.repair.learned import Memory, RequestKind, address
from conformance.provider.table import Question
from conformance.provider.table.layers import Table, layered_table
from conformance.provider.target import gateway_name, make_target
from conformance.provider.transport.features import apart, with_features
from conformance.provider.transport.mending import Sent, with_content
from conformance.provider.whereabouts import Whereabouts

logger = logging.getLogger("conformance.provider")

#: How the addresses of the endpoints end that the table speaks of.
ENDPOINTS = {"/chat/completions": "chat_completions", "/responses": "responses", "/v1/messages": "messages"}

#: The headers that hold a key, besides `authorization`.
_KEYS = ("api-key", "x-api-key")

#: Bodies above this many bytes are sent as they are: decoding them would hold the request up.
MAX_BODY = 64 * 1024 * 1024

#: The environment variable that says what is mended.
REPAIR_VARIABLE = "LITELLM_REPAIR"

#: Called with model, endpoint and parameter, once for each model and parameter left out.
OnDrop: TypeAlias = Callable[[str, str, str], None]

#: Called for each request that is mended and sent once more.
OnRepair: TypeAlias = Callable[[RepairEvent], None]


class RequestFilter:
    """What all transports and clients share: from a request to what may be sent of it.

    `table` is a file whose rules go over the shipped ones, or a table that is loaded and holds alone.
    With `base_url`, only requests to that gateway are filtered. `gateway`, `gateway_version` and
    `route` are for rules that hold for some only; without them the gateway is named by the request's
    address, and the version and what serves a model by the gateway's list and its answers. `repair`
    says what is done about a refusal: `named` mends what it names (the default, unless `LITELLM_REPAIR`
    says otherwise), `search` also looks for what it does not name, `off` does nothing. What was learnt
    is kept in `cache_folder`, by default the user's own cache.
    Raises `TableError` for a table that cannot be used, `TargetError` for such a `base_url`, and
    `ConformanceError` for such a `repair`.
    """

    def __init__(
        self,
        *,
        table: Table | None = None,
        base_url: str | None = None,
        on_drop: OnDrop | None = None,
        gateway: str | None = None,
        gateway_version: str | None = None,
        route: str | None = None,
        repair: RepairMode | None = None,
        on_repair: OnRepair | None = None,
        cache_folder: Path | None = None,
    ) -> None:
        """Load the table."""
        self.table = layered_table(table)
        self.repair = repair_mode(repair)
        self.memory = Memory(cache_folder)
        #: What serves each model, and the gateway's version, as answers and lists tell it.
        self.whereabouts = Whereabouts(cache_folder)
        self._base = None if base_url is None else _place(make_target(base_url, "unused").base_url)
        self._on_drop, self._on_repair = on_drop, on_repair
        self._route, self._version = route, gateway_version
        self._gateway = gateway
        self._addresses: dict[str, str] = {}
        self._account = Account(self.table, self.repair, self.memory)

    def ready(self, request: Any) -> Sent:
        """What to send in place of a request: itself, or one without the fields that its model refuses."""
        try:
            return self._ready(request)
        except Exception:
            logger.debug("a request was sent unfiltered, because it could not be read", exc_info=True)
            return Sent(request)

    def replaced(self, request: Any) -> Any:
        """The request itself, or one in its place without the fields that its model refuses."""
        return self.ready(request).request

    def reads(self, method: str, url: str, headers: Mapping[str, str]) -> str | None:
        """The endpoint of a request whose body has to be read; None for one that is sent as it is."""
        endpoint = self._endpoint(url) if method == "POST" else None
        if endpoint is None or headers.get("content-encoding", "identity") != "identity":
            return None
        return endpoint if "json" in headers.get("content-type", "") else None

    def filtered(self, content: bytes, endpoint: str, url: str) -> bytes | None:
        """A body without what its model refuses, or None where all of it can be sent."""
        return self._sent(None, content, endpoint, url, {})[1]

    def repaired(self, event: RepairEvent) -> None:
        """Tell that a request is mended and sent once more."""
        logger.info("%s", event)
        if self._on_repair is not None:
            try:
                self._on_repair(event)
            except Exception:
                logger.exception("on_repair failed")

    def told(self, sent: Sent, headers: Mapping[str, str]) -> None:
        """Take note of what an answer's headers tell of the gateway."""
        if sent.kind is not None:
            self.whereabouts.told(sent.kind.gateway, sent.kind.model, headers)

    def said(self, sent: Sent, refusal: str) -> None:
        """Take note of what a refusal's words tell of what was asked behind the gateway."""
        served = served_from_words(refusal)
        if sent.kind is not None and served:
            self.whereabouts.said(sent.kind.gateway, sent.kind.model, served)

    def answered(self, sent: Sent, version: str | None) -> None:
        """Keep what the answer to a request has taught."""
        if sent.kind is not None and sent.repair is not None:
            self._account.answered(sent.kind, sent.repair, sent.tried_again, version)

    def unfinished(self, sent: Sent) -> None:
        """Let the next request of the kind go on where this one's repairs have ended; nothing of it is proven yet."""
        if sent.kind is not None and sent.repair is not None:
            self._account.unfinished(sent.kind, sent.repair.unfinished)

    def _ready(self, request: Any) -> Sent:
        url, headers = str(request.url), request.headers
        endpoint = self.reads(request.method, url, headers)
        if endpoint is None:
            return Sent(request)
        try:
            content: bytes = request.content
        except RuntimeError:  # a streaming body, which each library's own exception says
            return Sent(request)
        if len(content) > MAX_BODY:
            return Sent(request)
        sent, made, changed = self._sent(request, content, endpoint, url, headers)
        if made is not None:
            sent.request = with_content(request, made, changed)
        return sent

    def _sent(
        self, request: Any, content: bytes, endpoint: str, url: str, headers: Mapping[str, str]
    ) -> tuple[Sent, bytes | None, Mapping[str, str]]:
        """What is known of a request with this body, and the body and headers to send instead where there are any."""
        text = content.decode()
        body = json.loads(text)
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str):
            return Sent(request), None, {}
        mode = "stream" if body.get("stream") is True else "whole"
        kind = RequestKind(self._address(url), model, endpoint, mode)
        version = self._version or self.whereabouts.version(kind.gateway)
        gateway = self._gateway or gateway_name(url)
        served = () if self._route else self.whereabouts.served_by(kind.gateway, model)
        declared = None if self._route else self.whereabouts.declared(kind.gateway, model)
        question = Question(model, endpoint, mode, self._route, gateway, version, served, declared=declared)
        begun = self._account.begin(kind, with_features(body, headers), question, _key(headers))
        found = begun.found
        for parameter in found.dropped:
            self._report(model, endpoint, parameter, found.instead.get(parameter))
        sent = Sent(request, kind, text, body, found.dropped, begun.tried_again, begun.repair)
        if not found.dropped:
            return sent, None, {}
        made, changed = apart(found.body, body)
        return sent, edited(text, body, made).encode(), changed

    def _address(self, url: str) -> str:
        found = self._addresses.get(url)
        if found is None:
            if len(self._addresses) >= MAX_KEPT:
                self._addresses.clear()
            found = self._addresses[url] = address(url)
        return found

    def _endpoint(self, url: str) -> str | None:
        if self._base is not None and not _within(_place(url), self._base):
            return None
        path = urlsplit(url).path.rstrip("/")
        return next((name for ending, name in ENDPOINTS.items() if path.endswith(ending)), None)

    def _report(self, model: str, endpoint: str, parameter: str, instead: str | None) -> None:
        if not self._account.is_news(model, parameter):
            return
        done = f"sent {instead} instead" if instead else "left out"
        logger.info("%s does not take %s on %s: %s", model, parameter, endpoint, done)
        if self._on_drop is not None:
            try:
                self._on_drop(model, endpoint, parameter)
            except Exception:
                logger.exception("on_drop failed")


def repair_mode(given: str | None) -> RepairMode:
    """What is to be mended, as given or as the environment says. Raises `ConformanceError`."""
    name, value = ("repair", given) if given is not None else (REPAIR_VARIABLE, os.environ.get(REPAIR_VARIABLE, ""))
    known: dict[str, RepairMode] = {"": "named", "named": "named", "search": "search", "off": "off"}
    mode = known.get(value.strip().lower()) if isinstance(value, str) and (value or given is None) else None
    if mode is None:
        raise ConformanceError(f"{name} is {value!r}; set it to named, search or off")
    return mode


def _key(headers: Mapping[str, str]) -> str:
    """What must not be told of a request."""
    bearer = headers.get("authorization", "").rpartition(" ")[2]
    return bearer or next((headers[name] for name in _KEYS if name in headers), "")


def _place(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _within(place: tuple[Any, ...], base: tuple[Any, ...]) -> bool:
    return place[:3] == base[:3] and f"{place[3]}/".startswith(f"{base[3]}/")
