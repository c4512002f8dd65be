"""Who may use the shim: programs of this machine, and no web page in its browser. Pure.

A page can make a browser send requests to loopback. Its own name, resolved to 127.0.0.1 (DNS rebinding), shows in
`host`; what a script or a form of it sends has an `origin`; what it only embeds has `sec-fetch-site`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from conformance.shim.faults import Fault

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])\.?(:\d{1,5})?", re.IGNORECASE)

#: A request that no page has begun: somebody typed the address.
_TYPED = "none"


def refused(target: str, headers: Mapping[str, str]) -> Fault | None:
    """Why a request for this target, with these headers, is not passed on; None where it is."""
    if not target.startswith("/"):
        return Fault(400, "no_forward_proxy", "the shim is no HTTP proxy; give the client its address as base URL")
    if not _LOOPBACK.fullmatch(headers.get("host", "")):
        return Fault(403, "host_refused", "the Host of this request is not loopback; ask for 127.0.0.1 or localhost")
    if "origin" in headers or headers.get("sec-fetch-site", _TYPED) != _TYPED:
        return Fault(403, "origin_refused", "this request comes from a web page, and a page may not use the shim")
    if any(each.lower().replace("%2e", ".") in (".", "..") for each in target.partition("?")[0].split("/")):
        return Fault(400, "path_refused", "the path of this request has dots for steps; name the place itself")
    if headers.get("upgrade", "").strip().lower() == "websocket":
        # The one status that makes Codex use HTTP at once; after any other it tries again first.
        told = {"upgrade": "HTTP/1.1", "connection": "upgrade"}
        return Fault(426, "no_websocket", "there is no WebSocket here; use HTTP", told)
    return None
