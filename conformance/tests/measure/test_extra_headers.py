"""Gateways that want more than a Bearer key: headers by option and by variable, which are secrets as the key is."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from conformance.provider.errors import TargetError
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models.cache import cache_file
from conformance.provider.stream import Done, Error
from conformance.provider.target import Target, make_target, target_from_env
from conformance.secrets.leaks import holds, leaking
from conformance.tests.helpers.gateways import KEY, ScriptedGateway, complete, refusal, scripted_gateway, success
from conformance.tests.helpers.running import Workplace, run_pytest

FEW = "--parameters=store"
CONFIG, TOKEN = "pc-house-config-1a2b", "house-token-that-looks-like-none"
WANTED = {"x-portkey-config": CONFIG, "authorization": f"Token {TOKEN}"}
SECRETS = (KEY, CONFIG, TOKEN)


def welcome(headers: Any) -> bool:
    """True where a request brings what this gateway wants."""
    return all(headers.get(name) == value for name, value in WANTED.items())


def listing(request: Request) -> Response:
    """The models, for those who bring the headers."""
    if not welcome(request.headers):
        return JSONResponse({"error": "who are you?"}, 401)
    return JSONResponse({"data": [{"id": "claude-x"}]})


def echoes(body: dict[str, Any]) -> Response:
    """A gateway that says its callers' secrets in bodies and in headers."""
    said = f"config {CONFIG}, token {TOKEN}, escaped {json.dumps(json.dumps(CONFIG))}, hex {TOKEN.encode().hex()}"
    if "store" in body:
        return refusal(f"store is not known: {said}", headers={"x-request-id": TOKEN})
    return success(body, note=said)


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A gateway that lists its models only for those who bring the headers, and repeats what they bring."""
    with scripted_gateway(echoes, listing=listing) as running:
        yield running


def as_lines(headers: dict[str, str]) -> str:
    """The headers as a variable holds them."""
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


@pytest.mark.parametrize("how", ["options", "lines", "JSON", "no key"])
def test_headers_open_the_gateway_and_reach_no_file(place: Workplace, gateway: ScriptedGateway, how: str) -> None:
    """Given a gateway that wants headers, when it is measured, then each request has them, and no file or line."""
    env, options = dict(gateway.environment), []
    if how == "options":
        options = [f"--header={name.title()}: {value}" for name, value in WANTED.items()]
    else:
        env["LITELLM_HEADERS"] = json.dumps(WANTED) if how == "JSON" else as_lines(WANTED)
    if how == "no key":
        del env["LITELLM_API_KEY"]
    ended = run_pytest("--live", FEW, "-vv", "-l", *options, *place.options, "--update-table", env=env)
    assert ended.code == 0, ended.all
    assert place.matrix["run"]["complete"] is True
    assert gateway.headers
    assert all(welcome(headers) for headers in gateway.headers)
    assert list(leaking((path for path in place.root.rglob("*") if path.is_file()), SECRETS)) == []
    assert [line for line in ended.all.splitlines() if holds(line.encode(), SECRETS)] == []


def test_option_goes_before_the_variable() -> None:
    """Given a header in the variable and by option, when the gateway is named, then the option's value counts."""
    environ = {"LITELLM_BASE_URL": "http://a", "LITELLM_API_KEY": KEY, "LITELLM_HEADERS": "x-a: one\nx-b: two"}
    target = target_from_env(environ, headers={"x-a": "three"})
    assert target is not None
    assert target.headers == {"x-a": "three", "x-b": "two"}
    assert target.request_headers == {"authorization": f"Bearer {KEY}", "x-a": "three", "x-b": "two"}


def test_headers_go_to_no_stranger() -> None:
    """Given headers beside the other pair of variables, when the gateway is named, then one line refuses that."""
    environ = {"OPENAI_BASE_URL": "http://a", "OPENAI_API_KEY": KEY, "LITELLM_HEADERS": f"x-a: {CONFIG}"}
    with pytest.raises(TargetError, match=r"^LITELLM_HEADERS is set, and LITELLM_BASE_URL is not") as caught:
        target_from_env(environ)
    assert CONFIG not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "options", "says"),
    [
        ({}, ["--header", f"{CONFIG}"], "--header: header 1 has no valid name; write one 'Name: value' on each line"),
        (
            {},
            ["--header=x-ok: fine", f"--header=x-a: {CONFIG}é"],
            "--header: header 2 (x-a) needs a value of printable",
        ),
        ({}, [f"--header=x-a: {CONFIG}\nx-b: c"], "--header: header 1 (x-a) needs a value"),
        ({}, ["--header=content-length: 7"], "--header: header 1 (content-length) is one that the client sets itself"),
        (
            {"LITELLM_HEADERS": f'{{"x-a": "{CONFIG}"'},
            [],
            "LITELLM_HEADERS begins like a JSON object, but is not valid JSON",
        ),
        ({"LITELLM_HEADERS": CONFIG}, [], "LITELLM_HEADERS: header 1 has no valid name"),
        ({"LITELLM_BASE_URL": ""}, [f"--header=x-a: {CONFIG}"], "--header is for a gateway of your own"),
    ],
)
def test_malformed_headers_are_one_line(place: Workplace, env: dict[str, str], options: list[str], says: str) -> None:
    """Given a header that no request can carry, when pytest runs, then one line says which, without its value."""
    named = {"LITELLM_BASE_URL": "http://127.0.0.1:9", "LITELLM_API_KEY": KEY}
    ended = run_pytest("--live", FEW, *options, *place.options, env={**named, **env})
    assert ended.code == 4, ended.all
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert CONFIG not in ended.all


@pytest.mark.parametrize("word", ["claude-house-x", "chat_completions", "store:true"])
def test_a_value_that_is_an_ordinary_name_is_refused(place: Workplace, word: str) -> None:
    """Given a header whose value is a model's or a parameter's name, when measured, then nothing is sent, one line."""
    with scripted_gateway(models=("claude-house-x",)) as gateway:
        env = {**gateway.environment, "LITELLM_HEADERS": f"x-route: {word}"}
        ended = run_pytest("--live", "--update-table", FEW, *place.options, env=env)
        assert gateway.seen == []
    assert ended.code == 4, ended.all
    assert "is also part of a name that the gateway lists" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_headers_are_not_shown() -> None:
    """Given a target with headers, when it or its provider is printed, then no value is."""
    target = make_target("http://h", KEY, headers=WANTED)
    shown = repr(target) + repr(LiteLLMProvider("http://h", KEY, headers=WANTED, cache_folder=Path("/nonexistent")))
    assert not holds(shown.encode(), SECRETS)


def test_other_headers_have_a_list_of_their_own(tmp_path: Path) -> None:
    """Given one key with several headers, when lists are kept, then each has its own file, which tells none of them."""
    targets = [Target("http://a", KEY), *(make_target("http://a", KEY, headers={"x-a": x}) for x in (CONFIG, TOKEN))]
    names = [cache_file(target, tmp_path).name for target in targets]
    assert len(set(names)) == 3
    assert not holds(" ".join(names).encode(), SECRETS)


class TestProvider:
    """The provider and its plugs, in front of a gateway that wants headers."""

    def provider(self, gateway: ScriptedGateway, folder: Path, key: str = KEY) -> LiteLLMProvider:
        """A provider that takes the headers from the environment."""
        environ = {"LITELLM_BASE_URL": gateway.base_url, "LITELLM_API_KEY": key, "LITELLM_HEADERS": as_lines(WANTED)}
        return LiteLLMProvider.from_env(environ, cache_folder=folder)

    @pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
    def test_models_and_streams(self, gateway: ScriptedGateway, tmp_path: Path, key: str) -> None:
        """Given such a gateway, when models are listed and one is asked, then both work, once with each header."""
        pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
        ours = self.provider(gateway, tmp_path, key)

        async def run() -> list[Any]:
            async with ours:
                [model] = await ours.amodels()
                return [event async for event in ours.stream(model, [{"role": "user", "content": "hi"}])]

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert [model.id for model in ours.models(max_age=0)] == ["claude-x"]
            assert isinstance(asyncio.run(run())[-1], Done)
        [headers] = gateway.headers
        assert welcome(headers)
        kept = "".join(path.read_text("utf-8") + path.name for path in tmp_path.iterdir())
        assert not holds(kept.encode(), SECRETS)

    def test_without_a_key_no_bearer_goes(self, tmp_path: Path) -> None:
        """Given a gateway that one other header opens, when it is asked without a key, then no Bearer is sent."""
        pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
        seen: list[Request] = []

        def open_to_all(request: Request) -> Response:
            seen.append(request)
            return JSONResponse({"data": [{"id": "claude-x"}]})

        with scripted_gateway(listing=open_to_all) as gateway:
            ours = LiteLLMProvider(gateway.base_url, "", headers={"api-key": TOKEN}, cache_folder=tmp_path)

            async def run() -> None:
                async with ours:
                    async for _ in ours.stream(ours.models()[0], [{"role": "user", "content": "hi"}]):
                        pass

            asyncio.run(run())
        for headers in (seen[0].headers, gateway.headers[0]):
            assert headers["api-key"] == TOKEN
            assert "authorization" not in headers

    @pytest.mark.parametrize("how", ["llm", "llm --async", "pydantic-ai"])
    def test_plugs_send_no_bearer_without_a_key(self, tmp_path: Path, how: str) -> None:
        """Given a gateway that one other header opens, when a plug asks it without a key, then no Bearer is sent."""
        from conformance.tests.provider.test_plugs import TestLlm

        with scripted_gateway(complete, models=("claude-x",)) as gateway:
            if how == "pydantic-ai":
                pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")
                ours = LiteLLMProvider(gateway.base_url, "", headers={"api-key": TOKEN}, cache_folder=tmp_path)
                assert self.agent(ours, "claude-x") == "OK"
            else:
                pytest.importorskip("llm", reason="llm is not installed")
                env = {"LITELLM_BASE_URL": gateway.base_url, "LITELLM_HEADERS": f"api-key: {TOKEN}"}
                ran = TestLlm().llm(tmp_path, "-m", "litellm/claude-x", "hi", *how.split()[1:], **env)
                assert (ran.code, ran.out, ran.err) == (0, "OK\n", "")
        assert gateway.headers[0]["api-key"] == TOKEN
        assert "authorization" not in gateway.headers[0]

    def agent(self, provider: LiteLLMProvider, model: str) -> str:
        """What an agent of pydantic-ai answers."""
        from pydantic_ai import Agent

        from conformance.provider.integrations.pydantic_ai_models import litellm_model

        asked = litellm_model(model, provider=provider)

        async def run() -> str:
            async with asked.client:
                return str((await Agent(asked).run("hi")).output)

        return asyncio.run(run())

    def test_errors_hold_no_secret(self, tmp_path: Path) -> None:
        """Given a refusal that repeats the headers, when a stream ends with it, then the error does not."""
        pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
        with scripted_gateway(lambda body: refusal(f"{CONFIG} with {KEY} and Token {TOKEN}")) as gateway:
            ours = self.provider(gateway, tmp_path)

            async def run() -> list[Any]:
                async with ours:
                    return [event async for event in ours.stream("claude-x", [{"role": "user", "content": "hi"}])]

            last = asyncio.run(run())[-1]
        assert isinstance(last, Error)
        assert "[key] with [key] and [key]" in last.text
        assert not holds(repr(last).encode(), SECRETS)

    @pytest.mark.parametrize("model", ["claude-x", "gpt-5.2"])
    def test_pydantic_ai(self, tmp_path: Path, model: str) -> None:
        """Given such a gateway, when an agent of pydantic-ai asks, then its request has the headers."""
        pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")

        with scripted_gateway(complete) as gateway:
            assert self.agent(self.provider(gateway, tmp_path), model) == "OK"
            assert welcome(gateway.headers[0])

    @pytest.mark.parametrize(
        "how", [pytest.param([], id="sync"), pytest.param(["--async"], id="async", marks=pytest.mark.slow)]
    )
    @pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
    def test_llm(self, tmp_path: Path, how: list[str], key: str) -> None:
        """Given such a gateway, when `llm` asks, then its requests have the headers, also without a key."""
        pytest.importorskip("llm", reason="llm is not installed")
        from conformance.tests.provider.test_plugs import TestLlm

        with scripted_gateway(complete, listing=listing) as gateway:
            env = {**gateway.environment, "LITELLM_API_KEY": key, "LITELLM_HEADERS": json.dumps(WANTED)}
            ran = TestLlm().llm(tmp_path, "-m", "litellm/claude-x", "hi", *how, **env)
            assert (ran.code, ran.out, ran.err) == (0, "OK\n", "")
            assert welcome(gateway.headers[0])
