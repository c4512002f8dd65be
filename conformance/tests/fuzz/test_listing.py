"""Fuzzing of what a gateway lists and declares, in the suite and in the provider, and of the list kept on disk."""

from __future__ import annotations

import gzip
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.discover.listing import Discovered, discover
from conformance.errors import ConformanceError, DiscoveryError
from conformance.exchange.budget import estimate
from conformance.judge.settling import fewest_requests
from conformance.matrix.document import model_from, model_row
from conformance.measure.gateway_document import gateway_document
from conformance.parameters import load_registry
from conformance.plan.cells import make_plan
from conformance.provider.errors import GatewayError
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models.cache import cache_file, read_models, write_models
from conformance.provider.models.catalogue import Listed
from conformance.provider.models.fetching import Asking, fetch
from conformance.provider.target import Target
from conformance.provider.transport import http_library
from conformance.schemas import first_error
from conformance.tests.fuzz.strategies import HEADERS, STATUSES, content_of, damaged, mutated
from conformance.types import Endpoint

KEY = "sk-a-key-that-must-not-show"
TARGET = Target("http://gateway.example", KEY)
REGISTRY = load_registry()

LIST = {"object": "list", "data": [{"id": "a", "object": "model"}, {"id": "b", "mode": "chat"}, {"id": "a"}]}
GROUPS = {
    "data": [
        {
            "model_group": "a",
            "providers": ["openai", "azure"],
            "mode": "chat",
            "max_input_tokens": 1000.0,
            "input_cost_per_token": 1e-6,
            "output_cost_per_token": "2e-6",
            "supports_vision": True,
            "supported_openai_params": ["temperature", "tools"],
        },
        {"model_group": "b", "supported_openai_params": None},
    ]
}
DEPLOYMENTS = {
    "data": [
        {
            "model_name": name,
            "litellm_params": {"model": f"databricks/{number}"},
            "model_info": {"id": str(number), "mode": "chat", "max_tokens": 64, "input_cost_per_token": 0},
        }
        for number, name in enumerate("aab")
    ]
}
READY = {"status": "healthy", "litellm_version": "1.109.1"}

#: The answers to every address that discovery asks, each with anything wrong with it.
ANSWERS = st.tuples(
    *(damaged(mutated([seed], 3).map(content_of)) for seed in (LIST, GROUPS, DEPLOYMENTS, READY)),
    st.lists(st.just(200) | st.just(200) | STATUSES, min_size=4, max_size=4),
    HEADERS,
)
_PLACES = {"/v1/models": 0, "/model_group/info": 1, "/model/info": 2}


def discovered(answers: Sequence[bytes], statuses: Sequence[int], headers: dict[str, str]) -> Discovered:
    """Discover a gateway that answers like this."""

    def answer(request: httpx.Request) -> httpx.Response:
        place = _PLACES.get(request.url.path, 3)
        raw = [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers.items()]
        return httpx.Response(statuses[place], headers=raw, stream=httpx.ByteStream(answers[place]))

    client = partial(httpx.AsyncClient, transport=httpx.MockTransport(answer))
    with mock.patch.object(httpx, "AsyncClient", client), mock.patch.object(httpx, "create_ssl_context"):
        return discover(TARGET)


def one_line(error: ConformanceError) -> None:
    """What holds for everything that a user is told: it is one line, and no key is in it."""
    assert "\n" not in str(error)
    assert KEY not in str(error)


@given(ANSWERS)
def test_any_gateway(answers: Any) -> None:
    """Given any answers to discovery, when a gateway is asked, then it can be planned, or one line says why not."""
    *contents, statuses, headers = answers
    try:
        found = discovered(contents, statuses, headers)
    except DiscoveryError as error:
        one_line(error)
        return
    assert len({model.id for model in found.models}) == len(found.models) > 0
    assert all(model_from(json.loads(json.dumps(model_row(model)))) == model for model in found.models)
    assert first_error("gateway", gateway_document(found, _RUN)) is None
    assert all(
        math.isfinite(each) and each >= 0 for price in found.prices.values() for each in (price.input, price.output)
    )
    assert found.gateway.version is None or found.gateway.version.isprintable()
    groups = make_plan(found.models[:2], REGISTRY, REGISTRY.select("store"), tuple(Endpoint)).groups
    assert "\n" not in str(estimate([(group, fewest_requests(group)) for group in groups[:4]], found.prices))


@pytest.mark.parametrize("value", ["café", "\x80", "日本"])
def test_headers_that_are_no_ascii(value: str) -> None:
    """Given a gateway that sends a header in another language, when it is discovered, then its models are listed."""
    contents = [json.dumps(each).encode() for each in (LIST, GROUPS, DEPLOYMENTS, READY)]
    found = discovered(contents, [200] * 4, {"server": value})

    assert [model.id for model in found.models] == ["a", "b"]
    assert found.models[0].deployments == 2
    assert found.gateway.version == "1.109.1"


@pytest.mark.parametrize("version", ["\x1b[2J", "9" * 101, "\u202e1.80"])
def test_a_version_that_no_terminal_should_show(version: str) -> None:
    """Given a gateway that tells an odd version in a header, when it is discovered, then the other one is kept."""
    contents = [json.dumps(each).encode() for each in (LIST, GROUPS, DEPLOYMENTS, READY)]

    assert discovered(contents, [200] * 4, {"x-litellm-version": version}).gateway.version == "1.109.1"


_TIMES: dict[str, Any] = {"started_at": "2026-11-22T12:00:00Z", "finished_at": "2026-11-22T12:00:00Z"}
_ASKED: dict[str, Any] = {"parameters": [], "endpoints": [], "exhaustive": False, "selection": None}
_RUN: Any = {**_TIMES, **_ASKED, "complete": True, "requests": 1}


@given(ANSWERS)
def test_any_list_for_the_provider(answers: Any) -> None:
    """Given any answers, when the provider lists models, then they are usable and kept, or one line says why not."""
    contents, statuses = answers[:3], answers[4]
    try:
        models = listed(contents, statuses)
    except GatewayError as error:
        one_line(error)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_models(TARGET, models, Path(folder))
        kept = read_models(TARGET, Path(folder))
        assert kept is not None
        assert kept.models == tuple(replace(each, parameters=None) for each in models)  # they grow old sooner
        for model in LiteLLMProvider(TARGET.base_url, KEY, cache_folder=Path(folder)).models():
            assert model.context_window > 0
            assert model.max_tokens > 0


def listed(contents: Sequence[bytes], statuses: Sequence[int]) -> tuple[Listed, ...]:
    """What the provider makes of these answers."""
    asking = Asking(TARGET)
    for reading in asking:
        place = _PLACES.get(reading.url.removeprefix(TARGET.base_url), 3)
        with reading:
            reading.begin(statuses[place], {})
            reading.add(contents[place])
    return asking.fetched().models


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_a_list_packed_as_nobody_asked(encoding: str) -> None:
    """Given a list that is packed in layers, when the provider fetches it, then it is not unpacked, and one line."""
    library = http_library()
    headers = {"content-encoding": encoding}

    def answer(_request: Any) -> Any:
        return library.Response(200, headers=headers, stream=library.ByteStream(gzip.compress(gzip.compress(b"{}"))))

    client = partial(library.Client, transport=library.MockTransport(answer))
    with mock.patch.object(library, "Client", client), pytest.raises(GatewayError, match="not requested") as caught:
        fetch(TARGET)
    one_line(caught.value)


def test_a_limit_below_one() -> None:
    """Given a gateway that declares half a token for a limit, when it is listed, then that is no limit."""
    row = {"model_name": "a", "model_info": {"max_tokens": 0.5, "max_input_tokens": 1.5}}
    answers: list[Any] = [LIST, {"data": []}, {"data": [row]}, {}]
    contents = [json.dumps(each).encode() for each in answers]

    assert listed(contents, [200] * 4)[0].declared == {"max_input_tokens": 1}


KEPT = {
    "schema_version": 1,
    "base_url": TARGET.base_url,
    "fetched_at": 1.7e9,
    "models": [{"id": "a", "declared": {"max_tokens": 5, "supports_vision": True}, "route": None}],
}


@given(damaged(mutated([KEPT], 2).map(content_of)))
def test_any_kept_list(content: bytes) -> None:
    """Given a kept list with anything wrong with it, when it is read, then there is one, or none."""
    with tempfile.TemporaryDirectory() as folder:
        cache_file(TARGET, Path(folder)).write_bytes(content)
        kept = read_models(TARGET, Path(folder))

        assert kept is None or (kept.models and kept.age >= 0)


def test_a_kept_list_of_an_impossible_time() -> None:
    """Given a kept list whose time no float can hold, when it is read, then there is none."""
    with tempfile.TemporaryDirectory() as folder:
        cache_file(TARGET, Path(folder)).write_text(json.dumps({**KEPT, "fetched_at": 10**400}))

        assert read_models(TARGET, Path(folder)) is None
