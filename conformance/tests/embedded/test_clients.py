"""Real clients against the real LiteLLM: what fails by itself works through us, and nothing refused gets through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.embedded import EmbeddedGateway
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models import Model
from conformance.provider.transport import AsyncFilteringTransport, FilteringTransport, async_http_client, http_client

openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed")

from conformance.provider.stream.events import Done, Error, Event, Start, ToolCallEnd  # noqa: E402
from conformance.tests.helpers.running import run_llm  # noqa: E402

HELLO = "Reply with the word OK."
ASK: Any = [{"role": "user", "content": HELLO}]

#: Models, and what each upstream refuses of what is sent to it on chat: by LiteLLM's word or the backend's.
REFUSED: dict[str, dict[str, Any]] = {
    "claude-haiku-4-5": {"prompt_cache_key": "k", "seed": 3, "logit_bias": {"1": 1}},
    "claude-sonnet-4-5": {"prompt_cache_key": "k"},
    "gemini-2-5-flash": {"prompt_cache_key": "k", "store": True},
    "gpt-5.2": {"temperature": 0.5, "stop": ["x"]},
    "nova-pro": {"parallel_tool_calls": True, "reasoning_effort": "low", "seed": 3},
}
TAKEN = ("gpt-5.2", "gpt-4.1", "o3")
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(autouse=True)
def fresh(gateway: EmbeddedGateway) -> None:
    """Upstreams that have received nothing, and a list that has told what serves each model."""
    LiteLLMProvider(gateway.base_url, gateway.api_key).models()
    gateway.clear_received()


@pytest.fixture
def ours(gateway: EmbeddedGateway, tmp_path: Path) -> LiteLLMProvider:
    """A provider for the gateway, with a cache of its own."""
    provider = LiteLLMProvider(gateway.base_url, gateway.api_key, cache_folder=tmp_path)
    provider.models()
    return provider


def received(gateway: EmbeddedGateway) -> list[dict[str, Any]]:
    """What the upstreams got, which they must all have taken."""
    found = gateway.received()
    assert [request.status for request in found] == [200] * len(found), found
    return [request.body for request in found]


def clients() -> Iterator[Any]:
    """Each way to give the SDK our filter, over both libraries that it can be built on."""
    for library in (httpx, httpx2):
        name = library.__name__
        inner, later = library.HTTPTransport, library.AsyncHTTPTransport
        yield pytest.param(lambda library=library: http_client(library=library), id=f"{name}-client")
        yield pytest.param(
            lambda library=library, inner=inner: library.Client(transport=FilteringTransport(inner())),
            id=f"{name}-transport",
        )
        yield pytest.param(lambda library=library: async_http_client(library=library), id=f"{name}-async-client")
        yield pytest.param(
            lambda library=library, later=later: library.AsyncClient(transport=AsyncFilteringTransport(later())),
            id=f"{name}-async-transport",
        )


def ask(gateway: EmbeddedGateway, client: Any, endpoint: str, **body: Any) -> str:
    """The text of an answer that the SDK gets through this client, streamed or whole."""
    named = {"base_url": f"{gateway.base_url}/v1", "api_key": gateway.api_key, "http_client": client, "max_retries": 0}
    if isinstance(client, httpx.Client | httpx2.Client):
        with openai.OpenAI(**named) as sdk:
            answer = _create(sdk, endpoint)(**body)
            return _text(list(answer) if body.get("stream") else [answer])

    async def run() -> str:
        async with openai.AsyncOpenAI(**named) as sdk:
            answer = await _create(sdk, endpoint)(**body)
            return _text([piece async for piece in answer] if body.get("stream") else [answer])

    return asyncio.run(run())


def _create(sdk: Any, endpoint: str) -> Any:
    return sdk.responses.create if endpoint == "responses" else sdk.chat.completions.create


def _text(pieces: list[Any]) -> str:
    found = []
    for piece in pieces:
        for choice in getattr(piece, "choices", ()):
            found += [(choice.delta if hasattr(choice, "delta") else choice.message).content or ""]
        if getattr(piece, "type", "") == "response.output_text.delta":
            found.append(piece.delta)
        found.append(getattr(piece, "output_text", ""))
    return "".join(found)


class TestOpenAI:
    """The OpenAI SDK."""

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    @pytest.mark.parametrize("model", REFUSED)
    def test_what_fails_without_us_works_with_us(self, gateway: EmbeddedGateway, model: str, stream: bool) -> None:
        """Given what a model refuses, when it is sent, then it fails by itself, and through us the model answers. The
        first answer tells where the model runs; from then on nothing refused is sent at all."""
        body = {"model": model, "messages": ASK, "stream": stream, "extra_body": REFUSED[model]}
        with pytest.raises(openai.APIError):
            ask(gateway, httpx2.Client(trust_env=False), "chat", **body)

        assert ask(gateway, http_client(trust_env=False), "chat", **body) == "OK"
        gateway.clear_received()
        assert ask(gateway, http_client(trust_env=False), "chat", **body) == "OK"
        [sent] = received(gateway)
        assert not set(REFUSED[model]) & set(sent)

    @pytest.mark.parametrize("make", list(clients()))
    @pytest.mark.parametrize("endpoint", ["chat", "responses"])
    def test_every_kind_of_client(self, gateway: EmbeddedGateway, make: Any, endpoint: str) -> None:
        """Given each kind of client, when it asks through us, streamed and whole, then nothing refused gets through."""
        said = "input" if endpoint == "responses" else "messages"
        for stream in (False, True):
            extra = {"prompt_cache_key": "k", "safety_identifier": "s"}
            body = {"model": "claude-haiku-4-5", said: ASK, "stream": stream, "extra_body": extra}
            assert ask(gateway, make(), endpoint, **body) == "OK"
        assert not any("prompt_cache_key" in sent or "safety_identifier" in sent for sent in received(gateway))

    @pytest.mark.parametrize("endpoint", ["chat", "responses"])
    @pytest.mark.parametrize("model", TAKEN)
    def test_what_is_taken_gets_through(self, gateway: EmbeddedGateway, model: str, endpoint: str) -> None:
        """Given a model that takes it, when a cache key is sent through us, then its upstream gets it."""
        said = "input" if endpoint == "responses" else "messages"
        body = {"model": model, said: ASK, "prompt_cache_key": "session", "store": False}

        assert ask(gateway, http_client(trust_env=False), endpoint, **body) == "OK"
        [sent] = received(gateway)
        assert (sent["prompt_cache_key"], sent["store"]) == ("session", False)


class TestModels:
    """The list of models."""

    @pytest.mark.parametrize("way", ["sync", "async"])
    def test_the_fleet(self, ours: LiteLLMProvider, way: str) -> None:
        """Given the gateway, when its models are listed, then every chat model, with what is declared of it."""
        models = {each.id: each for each in (ours.models() if way == "sync" else asyncio.run(ours.amodels()))}

        assert {"claude-haiku-4-5", "gpt-5.2", "gemini-2-5-flash", "house-model", "team-default"} <= set(models)
        assert "text-embedding-3-small" not in models
        haiku, house = models["claude-haiku-4-5"], models["house-model"]
        assert (haiku.reasoning, haiku.input, haiku.max_tokens, haiku.route) == (
            True,
            ("text", "image"),
            4096,
            "databricks",
        )
        assert haiku.context_window == 200_000
        assert haiku.cost is not None
        assert 0.9 < haiku.cost.input < 1.1 < haiku.cost.output < 5.1
        assert house.cost is None
        assert models["claude-opus-4-6"].max_tokens == 8192
        assert models["team-default"].route is None

    def test_a_wrong_key(self, gateway: EmbeddedGateway, tmp_path: Path) -> None:
        """Given a wrong key, when models are listed, then one line says that it is refused."""
        with pytest.raises(Exception, match="refuses the key"):
            LiteLLMProvider(gateway.base_url, "sk-wrong", cache_folder=tmp_path).models()


def told(ours: LiteLLMProvider, model: str | Model, messages: Any = ASK, **options: Any) -> list[Event]:
    """The events of one answer."""

    async def run() -> list[Event]:
        async with ours:
            return [event async for event in ours.stream(model, messages, **options)]

    return asyncio.run(run())


class TestStream:
    """Our own streams."""

    @pytest.mark.parametrize("model", [*REFUSED, "databricks-gpt-5-1", "gpt-4.1", "o3", "house-model", "team-default"])
    def test_every_route(self, gateway: EmbeddedGateway, ours: LiteLLMProvider, model: str) -> None:
        """Given every option at once, when each route's model streams, then it answers, and refuses nothing."""
        ours.models()
        *before, last = told(ours, model, session_id="session", reasoning="low", parameters={"temperature": 0.5})

        assert isinstance(last, Done), last
        assert isinstance(before[0], Start)
        assert last.message["content"] == "OK"
        assert last.usage is not None
        assert last.usage.output > 0
        assert last.cost is not None or model == "house-model"
        [sent] = received(gateway)
        key_is_sent = model in {*TAKEN, "databricks-gpt-5-1", "house-model"}
        assert (sent.get("prompt_cache_key") == "session") is key_is_sent

    @pytest.mark.parametrize(
        "model", ["claude-haiku-4-5", "claude-opus-4-6", "gpt-5.2", "gemini-2-5-flash", "nova-pro"]
    )
    def test_a_turn_with_a_tool(self, gateway: EmbeddedGateway, ours: LiteLLMProvider, model: str) -> None:
        """Given a tool, when a model calls it and gets its result, then it goes on, its reasoning with it."""
        asked = [{"role": "user", "content": "Use get_weather for Paris."}]
        options: Any = {"session_id": "session", "reasoning": "low", "tools": [WEATHER]}
        first = told(ours, model, asked, **options)
        done = first[-1]
        assert isinstance(done, Done), done
        assert done.stop_reason == "tool_calls"
        [call] = [event for event in first if isinstance(event, ToolCallEnd)]
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        last = told(ours, model, [*asked, done.message, result], **options)[-1]

        assert isinstance(last, Done), last
        _, second = received(gateway)
        assert call.id in str(second) or model.startswith("gemini")
        assert "sunny" in str(second)
        if model == "gpt-5.2":
            assert any(item.get("encrypted_content") for item in second["input"])
        if model == "claude-opus-4-6":  # to Databricks, LiteLLM sends no thinking back
            assert "'signature'" in str(second)

    def test_a_model_that_is_none(self, ours: LiteLLMProvider) -> None:
        """Given a model that the gateway does not have, when asked, then one error tells so."""
        [error] = told(ours, "no-such-model")

        assert isinstance(error, Error)
        assert error.status == 400
        assert "no-such-model" in error.text


def test_pydantic_ai(gateway: EmbeddedGateway, ours: LiteLLMProvider) -> None:
    """Given an agent with a tool, when it runs on each wire, whole and streamed, then nothing refused gets through."""
    pydantic_ai = pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")
    from conformance.provider.integrations.pydantic_ai_models import litellm_model

    async def run(model: str) -> None:
        asked = litellm_model(model, provider=ours)
        settings = {"seed": 3, "temperature": 0.5, "parallel_tool_calls": True, "openai_prompt_cache_key": "session"}
        agent: Any = pydantic_ai.Agent(asked, model_settings=settings)
        looked: list[str] = []

        @agent.tool_plain  # type: ignore[untyped-decorator]  # of an agent that may not be installed
        def get_weather(city: str) -> str:
            looked.append(city)
            return "sunny"

        async with asked.client:
            assert (await agent.run(HELLO)).output == "OK"
            async with agent.run_stream(HELLO) as streamed:
                assert "".join([text async for text in streamed.stream_text(delta=True)]) == "OK"
            await agent.run("Use get_weather for Paris.", usage_limits=pydantic_ai.UsageLimits(request_limit=2))
            assert looked

    for model in ("claude-haiku-4-5", "claude-sonnet-4-5", "databricks-meta-llama-3-3-70b-instruct", "gpt-5.2"):
        gateway.clear_received()
        asyncio.run(run(model))
        sent = received(gateway)
        assert len(sent) == 4
        keys = {body.get("prompt_cache_key") for body in sent}
        assert keys == ({"session"} if model == "gpt-5.2" else {None})


@pytest.mark.parametrize("how", [[], *(pytest.param([o], marks=pytest.mark.slow) for o in ("--no-stream", "--async"))])
def test_llm(gateway: EmbeddedGateway, tmp_path: Path, how: list[str]) -> None:
    """Given `llm` as a process, when it prompts models of each wire, then they answer, and refuse nothing."""
    pytest.importorskip("llm", reason="llm is not installed")
    env = {"LITELLM_BASE_URL": gateway.base_url, "LITELLM_API_KEY": gateway.api_key}
    for model, option in (("claude-haiku-4-5", ["-o", "seed", "3"]), ("gpt-5.2", ["-o", "temperature", "0.5"])):
        ran = run_llm("-m", f"litellm/{model}", HELLO, *option, *how, home=tmp_path, env=env)
        assert (ran.code, ran.out.strip()) == (0, "OK"), ran.err
    haiku, gpt = received(gateway)
    assert "seed" not in haiku
    assert "temperature" not in gpt
