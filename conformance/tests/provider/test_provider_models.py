"""Tests of the provider's models: what is read from a gateway, what the rules fill in, and what needs no gateway."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from conformance.provider.errors import TargetError
from conformance.provider.gateway import LiteLLMProvider, StaleModelsWarning
from conformance.provider.models import Cost
from conformance.provider.models.cache import cache_file, write_models
from conformance.provider.models.catalogue import Listed
from conformance.provider.target import Target
from conformance.tests.helpers.gateways import KEY, closed_port, http
from conformance.tests.helpers.listings import GROUP, each_way, listing, provider


@each_way
def test_declared_beside_known_by_rule(tmp_path: Path, ask: Any) -> None:
    """Given a gateway that declares one model of two, when asked, then declarations win and rules fill in."""
    with listing([{"id": "claude-haiku-4-5"}, {"id": "gpt-5.9"}], [GROUP]) as url:
        haiku, gpt = ask(provider(url, tmp_path))

    assert (haiku.id, haiku.name, haiku.reasoning, haiku.input) == (*["claude-haiku-4-5"] * 2, True, ("text", "image"))
    assert haiku.cost == Cost(0.1, 5.0)
    assert (haiku.context_window, haiku.max_tokens, haiku.route) == (200_000, 4096, "databricks")
    assert haiku.compat["wire"] == "chat_completions"
    assert (gpt.reasoning, gpt.cost, gpt.max_tokens, gpt.route) == (True, None, 8192, None)
    assert gpt.compat["wire"] == "responses"


@each_way
def test_the_key_goes_to_the_gateway_alone(tmp_path: Path, ask: Any) -> None:
    """Given a gateway, when asked, then each route once, with the key in a header and nowhere else."""
    seen: list[Request] = []
    with listing(seen=seen) as url:
        ask(provider(url, tmp_path))

    assert [request.url.path for request in seen] == ["/v1/models", "/model_group/info", "/model/info"]
    assert {request.headers["authorization"] for request in seen} == {f"Bearer {KEY}"}
    assert not any(KEY in str(request.url) for request in seen)


@each_way
@pytest.mark.parametrize("answer", [http(b"", "500 No"), http(b"<html>"), http(b"[]"), http(b'{"data": [1]}'), b""])
def test_declarations_are_welcome_and_not_needed(tmp_path: Path, ask: Any, answer: bytes) -> None:
    """Given a list, and nonsense where declarations should be, when asked, then the rules fill in."""

    class Raw(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            head, _, body = answer.partition(b"\r\n\r\n")
            await Response(body, int(head.split()[1]) if head else 204)(scope, receive, send)

    with listing([{"id": "m"}], Raw(), Raw()) as url:
        [model] = ask(provider(url, tmp_path))

    assert (model.id, model.max_tokens) == ("m", 4096)


@pytest.mark.slow
def test_ten_thousand_models(tmp_path: Path) -> None:
    """Given 10,000 models with all they declare (20 MB), when asked, then all are listed, and kept."""
    rows = [{"id": f"m-{number}"} for number in range(10_000)]
    groups = [{**GROUP, "model_group": row["id"], "supported_openai_params": ["x" * 100] * 20} for row in rows]
    with listing(rows, groups) as url:
        models = provider(url, tmp_path).models()
        again = provider(url, tmp_path).models()

    assert len(models) == 10_000
    assert again == models
    assert models[0].cost == Cost(0.1, 5.0)


class TestProvider:
    """What needs no gateway."""

    def test_from_the_environment(self) -> None:
        """Given an environment, when a provider is made of it, then it is for the gateway named there."""
        ours = LiteLLMProvider.from_env({"LITELLM_BASE_URL": "http://h:1/team/v1/", "LITELLM_API_KEY": KEY})

        assert ours.target == Target("http://h:1/team", KEY)
        assert KEY not in repr(ours)

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({}, "no gateway is named; set LITELLM_BASE_URL and LITELLM_API_KEY"),
            ({"LITELLM_BASE_URL": "http://h"}, "LITELLM_API_KEY is not set"),
            ({"LITELLM_BASE_URL": f"http://u:{KEY}@h", "LITELLM_API_KEY": KEY}, "holds credentials"),
            ({"LITELLM_BASE_URL": f"http://h?key={KEY}", "LITELLM_API_KEY": KEY}, "holds a query"),
        ],
    )
    def test_an_environment_that_names_none(self, environ: dict[str, str], words: str) -> None:
        """Given an environment that names no gateway, when a provider is made of it, then one line says so."""
        with pytest.raises(TargetError, match=words) as caught:
            LiteLLMProvider.from_env(environ)
        assert KEY not in str(caught.value)

    def test_a_model_that_nobody_listed(self, tmp_path: Path) -> None:
        """Given no list, when a model is asked for, then the rules tell of it, and nobody is asked."""
        model = provider("http://127.0.0.1:1", tmp_path).model("claude-opus-4-6")

        assert (model.reasoning, model.context_window, model.max_tokens) == (True, 200_000, 8192)
        assert model.compat["wire"] == "chat_completions"

    def test_a_model_that_was_listed(self, tmp_path: Path) -> None:
        """Given a kept list, when a model is asked for, then what was declared of it is known."""
        write_models(Target("http://a", KEY), [Listed("m", {"max_input_tokens": 5000})], tmp_path)

        assert provider("http://a", tmp_path).model("m").context_window == 5000

    @pytest.mark.parametrize("model_id", ["", " ", None, 7])
    def test_ids_that_are_none(self, tmp_path: Path, model_id: Any) -> None:
        """Given an id that is none, when its model is asked for, then that is a `ValueError`."""
        with pytest.raises(ValueError, match="must be a string that is not empty"):
            provider("http://a", tmp_path).model(model_id)

    def test_a_list_from_the_future_is_old(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Given a list dated in the future, when asked, then the gateway is asked again."""
        caplog.set_level(logging.CRITICAL)
        target = Target(f"http://127.0.0.1:{closed_port()}", KEY)
        file = cache_file(target, tmp_path)
        write_models(target, [Listed("m")], tmp_path)
        file.write_text(json.dumps({**json.loads(file.read_text()), "fetched_at": time.time() + 1e6}))

        with pytest.warns(StaleModelsWarning, match="at an unknown time"):
            assert provider(target.base_url, tmp_path).models()[0].id == "m"
