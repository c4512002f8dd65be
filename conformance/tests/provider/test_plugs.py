"""Tests of `conformance.provider.integrations`, with the programs that they are for really installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from conformance.provider.gateway import LiteLLMProvider
from conformance.tests.helpers.gateways import (
    KEY,
    ScriptedGateway,
    closed_port,
    complete,
    listed_by,
    refusal,
    scripted_gateway,
)
from conformance.tests.helpers.running import Ended, run_llm

MODELS = ("claude-haiku-4-5", "gpt-5.2")
ROUTES = ("databricks", "azure")
#: The ways in which `llm` asks.
HOW = [
    pytest.param([], id="stream"),
    pytest.param(["--async"], id="async", marks=pytest.mark.slow),
    pytest.param(["--no-stream"], id="whole", marks=pytest.mark.slow),
]


def refuses_temperature(body: dict[str, Any]) -> Response:
    """The policy of a gateway that refuses one field, and answers else."""
    return refusal("temperature: Extra inputs are not permitted") if "temperature" in body else complete(body)


#: What the shipped table can know these models by: their routes, and the version of LiteLLM.
DECLARED = [{"model_group": name, "providers": [route]} for name, route in zip(MODELS, ROUTES, strict=True)]


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A gateway with a chat model and a Responses model, which has nothing against anything, and tells where it is."""
    with scripted_gateway(complete, listing=listed_by("1.109.3", *MODELS), declared=DECLARED) as running:
        yield running


class TestLlm:
    """`llm`, as a process."""

    pytest.importorskip("llm", reason="llm is not installed")

    def llm(self, home: Path, *arguments: str, **environ: str) -> Ended:
        """Run `llm` with `home` as its user's folder."""
        return run_llm(*arguments, home=home, env=environ)

    @pytest.mark.parametrize("how", HOW)
    def test_what_is_refused_is_mended(self, tmp_path: Path, how: list[str]) -> None:
        """Given a model that no table knows, when a field is refused, then it answers, and the next process knows."""
        with scripted_gateway(refuses_temperature, models=("house-model-7",)) as gateway:
            for _ in range(2):
                words = ("-m", "litellm/house-model-7", "hi", "-o", "temperature", "0.5", *how)
                ran = self.llm(tmp_path, *words, **gateway.environment)
                assert (ran.code, ran.out, ran.err) == (0, "OK\n", "")

        assert ["temperature" in body for body in gateway.seen] == [True, False, False]

    @pytest.mark.parametrize(
        ("model", "how"),
        [
            ("claude-haiku-4-5", []),
            ("claude-haiku-4-5", ["--async"]),
            ("gpt-5.2", ["--async"]),
            ("gpt-5.2", ["--no-stream"]),
        ],
        ids=["chat", "chat-async", "responses-async", "responses-whole"],
    )
    def test_a_prompt(self, tmp_path: Path, gateway: ScriptedGateway, model: str, how: list[str]) -> None:
        """Given a gateway, when one of its models is prompted, then it answers, and gets only what it takes."""
        refused = {
            "claude-haiku-4-5": {"frequency_penalty": "0.1", "presence_penalty": "0.1"},
            "gpt-5.2": {"temperature": "0.5"},
        }[model]
        options = [word for name, value in refused.items() for word in ("-o", name, value)]
        ran = self.llm(tmp_path, "-m", f"litellm/{model}", "hi", *options, *how, **gateway.environment)

        assert (ran.code, ran.out, ran.err) == (0, "OK\n", "")
        [body] = gateway.seen
        assert body["model"] == model
        assert not set(refused) & set(body)
        if model == "claude-haiku-4-5":
            assert body["max_tokens"] == 4096
        else:
            assert (body["store"], body["max_output_tokens"]) == (False, 8192)
        assert gateway.headers[0]["authorization"] == f"Bearer {KEY}"

    def test_the_models_are_listed(self, tmp_path: Path, gateway: ScriptedGateway) -> None:
        """Given a gateway, when models are listed, then its own are among them, and the next time without asking."""
        first = self.llm(tmp_path, "models", **gateway.environment)
        again = self.llm(tmp_path, "models", LITELLM_BASE_URL=gateway.base_url, LITELLM_API_KEY=KEY)

        for ran in (first, again):
            assert [line for line in ran.out.splitlines() if "litellm/" in line] == [
                f"LiteLLM: litellm/{model}" for model in MODELS
            ]
            assert ran.err == ""

    def test_a_stored_key(self, tmp_path: Path, gateway: ScriptedGateway) -> None:
        """Given a key that llm keeps, when a model is prompted, then it is used."""
        (tmp_path / "keys.json").write_text('{"litellm": "sk-stored-key"}')
        ran = self.llm(tmp_path, "-m", "litellm/claude-haiku-4-5", "hi", LITELLM_BASE_URL=gateway.base_url)

        assert (ran.code, ran.out) == (0, "OK\n")
        assert gateway.headers[0]["authorization"] == "Bearer sk-stored-key"

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({}, ""),
            ({"LITELLM_BASE_URL": ""}, ""),
            ({"LITELLM_BASE_URL": "http://127.0.0.1:1"}, "LITELLM_API_KEY is not set"),
            ({"LITELLM_BASE_URL": "nonsense", "LITELLM_API_KEY": KEY}, "is not an HTTP address"),
            ({"LITELLM_BASE_URL": f"http://127.0.0.1:{closed_port()}", "LITELLM_API_KEY": KEY}, "connection refused"),
            (
                {"LITELLM_BASE_URL": "http://a", "LITELLM_API_KEY": KEY, "LITELLM_SUPPORT_TABLE": "/nonexistent"},
                "cannot read the support table",
            ),
        ],
        ids=["no gateway", "an empty one", "no key", "no address", "nobody there", "no table"],
    )
    def test_llm_works_without(self, tmp_path: Path, environ: dict[str, str], words: str) -> None:
        """Given no gateway, or one that cannot be used, when llm runs, then it works, and at most one line tells."""
        ran = self.llm(tmp_path, "models", **environ)

        assert ran.code == 0
        assert "gpt-4o" in ran.out
        assert "litellm/" not in ran.out
        assert words in ran.err
        assert len(ran.err.splitlines()) == bool(words)
        assert KEY not in ran.err

    def test_down_after_it_was_up(self, tmp_path: Path) -> None:
        """Given a gateway that is gone, when a model is prompted, then it is known, and the error is one line."""
        with scripted_gateway(models=MODELS) as gone:
            self.llm(tmp_path, "models", **gone.environment)
        ran = self.llm(tmp_path, "-m", "litellm/gpt-5.2", "hi", **gone.environment)

        assert ran.code == 1
        assert ran.err.startswith("Error: the connection to the gateway failed")
        assert len(ran.err.splitlines()) == 1

    def test_errors_are_explained(self, tmp_path: Path) -> None:
        """Given a rate limit, when a model is prompted, then the error says what to do."""
        limit = {"type": "rate_limit_exceeded", "limit_type": "input_tokens_per_minute", "limit": 9, "retry_after": 0}
        with scripted_gateway(lambda _: JSONResponse({"error": limit}, 429), models=MODELS) as gateway:
            ran = self.llm(tmp_path, "-m", "litellm/claude-haiku-4-5", "hi", **gateway.environment)

        assert ran.code == 1
        assert "rate limit" in ran.err.lower()
        assert "claude-haiku-4-5" in ran.err


class TestPydanticAi:
    """pydantic-ai."""

    pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")

    def ask(self, gateway: ScriptedGateway, model: str, **chosen: Any) -> str:
        """What an agent answers."""
        from pydantic_ai import Agent

        from conformance.provider.integrations.pydantic_ai_models import litellm_model

        settings: Any = chosen

        async def run() -> str:
            provider = LiteLLMProvider(gateway.base_url, KEY)
            await provider.amodels()  # the list tells where the models are
            asked = litellm_model(model, provider=provider)
            async with asked.client:
                return str((await Agent(asked, model_settings=settings).run("hi")).output)

        return asyncio.run(run())

    def test_chat(self, gateway: ScriptedGateway) -> None:
        """Given a model that is best asked on chat, when an agent runs, then there, and with what it takes."""
        assert self.ask(gateway, "claude-haiku-4-5", presence_penalty=0.1, frequency_penalty=0.1) == "OK"
        [body] = gateway.seen
        assert set(body) == {"model", "messages", "max_completion_tokens", "stream"}
        assert body["max_completion_tokens"] == 4096

    def test_what_is_refused_is_mended(self) -> None:
        """Given a model that no table knows, when a field is refused, then agents answer, the next at once."""
        with scripted_gateway(refuses_temperature, models=("house-model-7",)) as gateway:
            for _ in range(2):
                assert self.ask(gateway, "house-model-7", temperature=0.5) == "OK"

        assert ["temperature" in body for body in gateway.seen] == [True, False, False]

    def test_responses(self, gateway: ScriptedGateway) -> None:
        """Given a model that is best asked on Responses, when an agent runs, then there, and with what it takes."""
        assert self.ask(gateway, "gpt-5.2", max_tokens=99, temperature=0.5) == "OK"
        [body] = gateway.seen
        assert body["max_output_tokens"] == 99
        assert "input" in body
        assert "temperature" not in body

    def test_errors_are_pydantic_ais_own(self) -> None:
        """Given a refusal, when an agent runs, then pydantic-ai's own exception tells it."""
        from pydantic_ai.exceptions import ModelHTTPError

        with (
            scripted_gateway(lambda _: refusal("no such thing")) as gateway,
            pytest.raises(ModelHTTPError, match="no such thing"),
        ):
            self.ask(gateway, "claude-haiku-4-5")

    @pytest.mark.parametrize(
        ("model", "images", "strict"), [("claude-haiku-4-5", True, True), ("llama-3", False, True)]
    )
    def test_profile(self, model: str, images: bool, strict: bool) -> None:
        """Given a model, when its profile is made, then it says what was measured and what the rules tell."""
        from conformance.provider.integrations.pydantic_ai_models import profile_of

        profile: Any = profile_of(LiteLLMProvider("http://h", KEY, cache_folder=Path("/nonexistent")).model(model))

        assert profile["supports_image_input"] is images
        assert profile["openai_supports_strict_tool_definition"] is strict
        assert profile["openai_chat_supports_max_completion_tokens"] is True
