"""Tests of `conformance.discover.listing` against real servers: the models, or one line that says why not."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from conformance.discover import listing as discovery
from conformance.discover.listing import Discovered, discover
from conformance.embedded.loopback import serving
from conformance.errors import DiscoveryError
from conformance.provider.target import Target
from conformance.tests.helpers.gateways import KEY, closed_port, http, raw_server
from conformance.types import Gateway, Model

CERTIFICATE = Path(__file__).parents[1] / "data" / "self_signed.pem"

#: What a gateway answers on its paths; everything else is a 404.
Pages = Mapping[str, Any]
Site = Callable[[Pages], Target]


@dataclass
class Memory:
    """The pages of the module's gateway, and what it was asked for."""

    pages: Pages = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)


MEMORY = Memory()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Put pages on the module's one gateway: a response, or what stands in its JSON."""

    def answer(request: Request) -> Response:
        MEMORY.asked.append(request)
        page = MEMORY.pages.get(request.url.path, JSONResponse({"detail": "Not Found"}, 404))
        return page if isinstance(page, Response) else JSONResponse(page)

    with serving(Starlette(routes=[Route("/{path:path}", answer)])) as base_url:

        def put(pages: Pages) -> Target:
            MEMORY.pages = pages
            MEMORY.asked.clear()
            return Target(base_url, KEY)

        yield put


def listing(*models: Any) -> dict[str, Any]:
    """The pages of a gateway that lists these ids or rows, and declares nothing."""
    rows = [{"id": model, "object": "model"} if isinstance(model, str) else model for model in models]
    return {"/v1/models": {"object": "list", "data": rows}}


def ids(found: Discovered) -> list[str]:
    """The ids of the models to measure."""
    return [model.id for model in found.models]


def failure(target: Target) -> str:
    """The one line that a failing discovery says."""
    with pytest.raises(DiscoveryError) as caught:
        discover(target)
    line = str(caught.value)
    assert "\n" not in line
    assert KEY not in line
    assert line.startswith(target.base_url)
    assert len(line) < 300
    assert caught.value.exit_code == 4
    assert caught.value.__cause__ is None
    return line


def test_sorted_and_once(site: Site) -> None:
    """Given ids out of order and twice, when the models are listed, then each is there once, in order."""
    assert ids(discover(site(listing("b", "a", "c/d", "a", "B", "local/x")))) == ["B", "a", "b", "c/d", "local/x"]


def test_bearer(site: Site) -> None:
    """Given a gateway, when it is asked, then every question carries the key and the suite's name."""
    discover(site(listing("a")))

    assert MEMORY.asked[0].url.path == "/v1/models"
    for request in MEMORY.asked:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["user-agent"].startswith("litellm-conformance/")


@pytest.mark.parametrize("mode", ["embedding", "image_generation", "audio_speech", "rerank"])
def test_what_does_not_chat(site: Site, mode: str) -> None:
    """Given models of other modes, when they are listed, then they are left out by name, and chat models are not."""
    rows = [{"id": f"m-{m}", "mode": m} for m in (mode, "chat", "completion", "responses")]

    found = discover(site(listing(*rows, {"id": "n", "mode": None}, {"id": "o", "mode": 7}, "p")))

    assert ids(found) == ["m-chat", "m-completion", "m-responses", "n", "o", "p"]
    assert found.left_out == ((f"m-{mode}", mode),)


def test_wildcards(site: Site) -> None:
    """Given a route for many models among the ids, when they are listed, then it is left out, being no model."""
    found = discover(site(listing("openai/*", "a", {"id": "*", "mode": "chat"})))

    assert (ids(found), found.left_out) == (["a"], (("*", "wildcard"), ("openai/*", "wildcard")))


def test_rows_without_a_name(site: Site) -> None:
    """Given rows without a text id among others, when they are listed, then the others are there."""
    found = discover(site(listing({"id": 7}, {"id": None}, {"id": ""}, "x", {"name": "y"}, {"id": ["z"]})))

    assert ids(found) == ["x"]


@pytest.mark.parametrize("model", ["a\ud800", "x" * 10_000, "a b\n", "../../etc", "é", '"}'])
def test_odd_ids(site: Site, model: str) -> None:
    """Given an odd id, when it is listed, then it is a model like any other."""
    page = Response(json.dumps(listing(model)["/v1/models"]), media_type="application/json")

    assert ids(discover(site({"/v1/models": page}))) == [model]


def info(model: Any, served_by: Any = None, mode: Any = None) -> dict[str, Any]:
    """A row of `/model/info`."""
    return {"model_name": model, "litellm_params": {"model": served_by}, "model_info": {"mode": mode}}


def test_what_the_gateway_declares(site: Site) -> None:
    """Given `/model/info`, when models are listed, then they have their mode, route and deployments."""
    pages = listing("alias", "claude", "embed", "plain") | {
        "/model/info": {
            "data": [
                info("claude", "databricks/claude-haiku", "chat"),
                info("alias", "azure/gpt", "chat"),
                info("alias", "databricks/gpt", "chat"),
                info("embed", "openai/embed", "embedding"),
                info("unlisted", "openai/x", "chat"),
            ]
        }
    }

    found = discover(site(pages))

    assert found.models == (
        Model(id="alias", mode="chat", served_by=("azure/gpt", "databricks/gpt"), deployments=2),
        Model(id="claude", mode="chat", route="databricks", served_by=("databricks/claude-haiku",)),
        Model(id="plain"),
    )
    assert found.left_out == (("embed", "embedding"),)


def test_what_only_groups_declare(site: Site) -> None:
    """Given a key that may read `/model_group/info` only, when models are listed, then their routes are known."""
    groups = [
        {"model_group": "claude", "providers": ["databricks"], "mode": "chat"},
        {"model_group": "alias", "providers": ["azure", "openai"], "mode": "chat"},
        {"model_group": "embed", "providers": ["openai"], "mode": "embedding"},
        {"model_group": "bare"},
    ]

    found = discover(site(listing("alias", "bare", "claude", "embed") | {"/model_group/info": {"data": groups}}))

    assert [(m.id, m.route, m.deployments) for m in found.models] == [
        ("alias", None, 2),
        ("bare", None, 1),
        ("claude", "databricks", 1),
    ]
    assert found.left_out == (("embed", "embedding"),)


@pytest.mark.parametrize(
    "page",
    [
        Response("no", 401),
        Response("<html>", 200),
        Response(b"\xff", 200),
        Response("[" * 100_000, 200),
        {"data": None},
        {"data": [7, {}, {"model_name": 7}, {"model_name": "a", "litellm_params": 7, "model_info": []}]},
        {"data": [{"model_name": "a", "litellm_params": {"model": ["x"]}, "model_info": {"mode": {}}}]},
        {"data": [{"model_group": ["a"]}, {"model_group": "a", "providers": "azure"}]},
        [],
        None,
    ],
    ids=["401", "html", "not-utf8", "deep", "null", "rows", "values", "groups", "array", "none"],
)
def test_declarations_are_never_needed(site: Site, page: Any) -> None:
    """Given a gateway that declares nothing readable, when models are listed, then that is no matter."""
    routes = ("/model/info", "/model_group/info", "/health/readiness", "/health/readiness/details")

    found = discover(site(listing("a") | dict.fromkeys(routes, page)))

    assert found.models == (Model(id="a"),)


@pytest.mark.parametrize(
    ("pages", "software", "version"),
    [
        ({}, None, None),
        ({"/health/readiness": {"litellm_version": "1.80.8"}}, "litellm", "1.80.8"),
        ({"/health/readiness/details": {"litellm_version": "1.109.1"}}, "litellm", "1.109.1"),
        ({"/health/readiness": {"litellm_version": "<script>"}}, None, None),
        ({"/health/readiness": {"litellm_version": 7}}, None, None),
        ({"/model/info": {"data": [info("a", "azure/a")]}}, "litellm", None),
    ],
    ids=["other", "readiness", "details", "odd", "number", "info"],
)
def test_software(site: Site, pages: Pages, software: str | None, version: str | None) -> None:
    """Given what a gateway tells of itself, when it is asked, then its software and version are known, or are not."""
    target = site(listing("a") | dict(pages))

    assert discover(target, "mine", simulated=True).gateway == Gateway(
        name="mine", url=target.base_url, software=software, version=version, simulated=True
    )


def test_version_in_a_header(site: Site) -> None:
    """Given the version in a header of the list, when models are listed, then that is the version."""
    page = JSONResponse(listing("a")["/v1/models"], headers={"x-litellm-version": "1.106.2"})

    gateway = discover(site({"/v1/models": page})).gateway

    assert (gateway.software, gateway.version) == ("litellm", "1.106.2")
    assert gateway.name == f"127.0.0.1-{gateway.url.rpartition(':')[2]}"


def error(message: str, status: int) -> Response:
    """LiteLLM's error, which repeats the key."""
    return JSONResponse({"error": {"message": f"{message} (key {KEY})", "code": str(status)}}, status)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (error("Invalid proxy server token", 401), "refuses the key (401); check the API key"),
        (error("not allowed", 403), "does not let this key list models (403); use a key"),
        (error("No connected db.", 400), "refuses the key (without a database"),
        (error("something", 400), "answers 400; check the address"),
        (error("gone", 404), "has no /v1/models (404); give the address without /v1"),
        (error("slow", 429), "limits the rate of requests (429); try again"),
        (error("boom", 500), "answers 500; check the address and the gateway's log"),
        (Response(f"<html>{KEY}</html>", 200), "answers with HTML; is this the API's address"),
        (Response(f" \n<!doctype html>{KEY}", 200), "answers with HTML"),
        (Response(f"hello {KEY}", 200), "answers with something that is not JSON"),
        (Response("", 200), "answers with something that is not JSON"),
        (Response("[" * 100_000, 200), "answers with something that is not JSON"),
        (Response(b"\xff\xfe\xff", 200), "answers with something that is not JSON"),
        (Response(None, 307, {"location": f"https://elsewhere/{KEY}"}), "redirects (307), and the key is not sent"),
        (Response(None, 302, {"location": f"http://[::bad/{KEY}"}), "redirects (302), and the key is not sent"),
        ({"models": [KEY]}, "answers JSON without a `data` list"),
        ([KEY], "answers JSON without a `data` list"),
        ({"data": {"id": KEY}}, "answers JSON without a `data` list"),
        ({"error": KEY}, "answers JSON without a `data` list"),
        ({"data": []}, "lists no models; give the key access"),
        ({"data": [{"id": 7}, 7, None]}, "lists 3 rows, but no `id` is a string"),
        ({"data": [{"id": "e", "mode": "embedding"}]}, "lists 1 models, but no chat model"),
    ],
)
def test_answers_that_list_nothing(site: Site, page: Any, words: str) -> None:
    """Given an answer that lists no chat models, when it is read, then one line says what to do, without the key."""
    assert words in failure(site({"/v1/models": page}))


def test_refused() -> None:
    """Given a port on which nobody listens, when it is asked, then the line says that."""
    assert "connection refused; is the gateway running" in failure(Target(f"http://127.0.0.1:{closed_port()}", KEY))


def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a name that nobody has, when it is asked, then the line says that."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert "no such host; check the name" in failure(Target("http://nobody.invalid", KEY))


@pytest.mark.parametrize("url", ["http://a b", "http://a\x00b", "http://" + "a" * 200, "http://xn--\u20ac"])
def test_addresses_that_are_none(url: str) -> None:
    """Given an address that no client can use, when it is asked, then the line says to check it."""
    assert "check" in failure(Target(url, KEY))


def test_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a gateway that accepts and is silent, when it is asked, then the line says that it took too long."""
    monkeypatch.setattr(discovery, "TIMEOUT", httpx.Timeout(0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = failure(Target(f"http://127.0.0.1:{silent.getsockname()[1]}", KEY))

    assert "did not answer in time" in line


def test_tls_against_plain_http(site: Site) -> None:
    """Given https in the address of a plain http port, when it is asked, then the line speaks of TLS."""
    line = failure(Target(site({}).base_url.replace("http:", "https:"), KEY))

    assert "TLS failed (" in line
    assert "check https or http" in line


def test_tls_with_a_certificate_nobody_trusts() -> None:
    """Given a self-signed certificate, when it is asked, then the line names the cause and the remedy."""
    with raw_server(http(b"{}"), CERTIFICATE) as base_url:
        line = failure(Target(base_url, KEY))

    assert "TLS failed (self-signed certificate)" in line
    assert "SSL_CERT_FILE" in line


def test_tls_with_a_certificate_that_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given that certificate in SSL_CERT_FILE, when it is asked, then the models are listed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with raw_server(http(json.dumps(listing("a")["/v1/models"]).encode()), CERTIFICATE) as base_url:
        assert ids(discover(Target(base_url, KEY))) == ["a"]


def test_http_against_a_tls_port() -> None:
    """Given http in the address of a TLS port, when it is asked, then one line says to check the address."""
    with raw_server(http(b"{}"), CERTIFICATE) as base_url:
        assert "check the address" in failure(Target(base_url.replace("https:", "http:"), KEY))


@pytest.mark.parametrize(
    "wire",
    [b"", b"nonsense\r\n\r\n", http(b"no gzip", content_encoding="gzip"), http(b"ab").replace(b": 2", b": 9")],
    ids=["nothing", "no-http", "bad-gzip", "short"],
)
def test_broken_answers(wire: bytes) -> None:
    """Given a server that breaks the protocol, when it is asked, then one line says that it cannot be read."""
    with raw_server(wire) as base_url:
        assert "cannot be read" in failure(Target(base_url, KEY))


def test_endless_answers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer that is larger than any list, when it is read, then it is not read to its end."""
    monkeypatch.setattr(discovery, "MAX_BODY", 2**20)

    assert "answers with more than 1 MiB; check the address" in failure(site({"/v1/models": Response("x" * 2**21)}))
