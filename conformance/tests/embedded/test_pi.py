"""Real Pi with the extension, in front of the embedded gateway: what it shows, sends, and gets back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.tests.embedded.pi_runs import EXTENSION, Pi, new_pi_modules
from conformance.tests.helpers.gateways import scripted_gateway
from conformance.tests.helpers.running import Ended

CHAT_MODELS = sorted({row["name"] for row in fleet()["deployment"] if "info" not in row})
OK = "Reply with the word OK."
#: A deployment's own id: LiteLLM serves it, and lists it nowhere.
UNLISTED = "compatible-house-model"
CUSTOM = f'Warning: Model "{UNLISTED}" not found for provider "litellm". Using custom model id.\n'


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def modules() -> Path:
    """Pi, installed."""
    return new_pi_modules()


@pytest.fixture
def pi(modules: Path, tmp_path: Path, gateway: EmbeddedGateway) -> Iterator[Pi]:
    """Pi pointed at the embedded gateway, whose simulators have received nothing yet."""
    gateway.clear_received()
    yield Pi(modules, tmp_path / "home", {"LITELLM_BASE_URL": gateway.base_url, "LITELLM_API_KEY": gateway.api_key})
    left = "\n".join(path.read_text("utf-8", "replace") for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert gateway.api_key not in left


def listed(text: str) -> dict[str, dict[str, str]]:
    """The table that `--list-models` prints, by model."""
    lines = [line.split() for line in text.splitlines()]
    start = next(index for index, words in enumerate(lines) if words[:2] == ["provider", "model"])
    return {words[1]: dict(zip(lines[start], words, strict=True)) for words in lines[start + 1 :]}


def test_lists_every_chat_model_with_a_conservative_longest_answer(pi: Pi) -> None:
    """Given the fleet, when models are listed, then all that chat are there, and none may ask for much."""
    done = pi.run("-ne", "-e", str(EXTENSION / "index.ts"), "--list-models", "litellm")
    models = listed(done.all)
    assert done.code == 0
    assert sorted(models) == CHAT_MODELS
    assert {name: row["max-out"] for name, row in models.items()} == {
        name: "8.2K" if "opus-4-6" in name or "gpt-5" in name else "4.1K" for name in CHAT_MODELS
    }
    assert (
        models["claude-opus-4-6"] | {"context": "1M", "thinking": "yes", "images": "yes"} == models["claude-opus-4-6"]
    )


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "gpt-5.2", "gemini-2-5-flash", UNLISTED])
def test_answers_one_prompt_streamed_and_says_nothing_else(pi: Pi, gateway: EmbeddedGateway, model: str) -> None:
    """Given a model of each backend, or one that no list knows, when asked, then the answer is all that is printed."""
    done = pi.ask(OK, model)
    [received] = gateway.received()
    assert (done.code, done.out, done.err) == (0, "OK\n", CUSTOM if model == UNLISTED else "")
    assert received.body.get("stream") is True or "stream" in received.path
    assert received.status == 200


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "gpt-5.2", "databricks-gpt-5-1", "gemini-2-5-flash", "o3"])
def test_a_tool_is_called_and_the_thoughts_before_it_are_replayed(pi: Pi, gateway: EmbeddedGateway, model: str) -> None:
    """Given a thinking model that calls a tool, when it goes on, then it is sent its own turn and the tool's result."""
    pi.work.mkdir(parents=True)
    (pi.work / "text").write_text("the file's content", encoding="utf-8")
    messages = pi.messages("Please use read.", model, "--thinking", "medium")
    again = gateway.received()[-1]
    assert [message["role"] for message in messages] == ["user", "assistant", "toolResult", "assistant"]
    assert messages[1]["stopReason"] == "toolUse"
    assert [block["type"] for block in messages[1]["content"]][-1] == "toolCall"
    assert messages[-1]["stopReason"] == "stop", messages[-1].get("errorMessage")
    assert [received.status for received in gateway.received()] == [200, 200]
    assert "the file's content" in json.dumps(again.body)
    if model == "claude-haiku-4-5":  # its thoughts come back without the signature that it wants to see
        assert ["thinking" in received.body for received in gateway.received()] == [True, False]
    if "input" in again.body:
        kinds = [item.get("type") for item in again.body["input"]]
        assert kinds[-3:] == ["reasoning", "function_call", "function_call_output"]
        assert again.body["input"][-3]["encrypted_content"]


def test_what_models_receive_is_what_they_take(pi: Pi, gateway: EmbeddedGateway) -> None:
    """Given Pi told to think and to cache for long, when each model is asked, then nobody refuses anything."""

    def ask(model: str) -> Ended:
        return pi.ask(OK, model, "--thinking", "high", env={"PI_CACHE_RETENTION": "long"})

    with ThreadPoolExecutor(4) as together:
        ended = dict(zip(CHAT_MODELS, together.map(ask, CHAT_MODELS), strict=True))
    assert {model: done.all for model, done in ended.items()} == dict.fromkeys(CHAT_MODELS, "OK\n")
    received = gateway.received()
    assert len(received) == len(CHAT_MODELS)
    assert {each.status for each in received} == {200}
    budgets = [
        (each.body["max_tokens"], each.body["thinking"]["budget_tokens"])
        for each in received
        if "budget_tokens" in each.body.get("thinking", {})
    ]
    assert len(budgets) >= 3
    assert all(most > budget for most, budget in budgets)
    with_key = {each.model for each in received if "prompt_cache_key" in each.body}
    assert {"gpt-5.2", "gpt-4.1", "o3", "databricks-gpt-5-1", "house-model"} <= with_key
    assert not any("claude" in model or "gemini" in model for model in with_key)


def test_without_the_table_the_same_request_is_refused_and_mended(pi: Pi) -> None:
    """Given a copy of the extension whose table cannot be read, then it says so, and Claude refuses what it sends.

    What was refused is mended and told, unless the user wants none of that.
    """
    copy = installed(pi)
    (copy / "data" / "parameter_support.json").write_text("{", encoding="utf-8")
    asked = ("--no-session", "--provider", "litellm", "--model", "claude-haiku-4-5", "-p", OK)
    refused = pi.run(*asked, env={"LITELLM_REPAIR": "off"})
    assert (refused.code, refused.out) == (1, "")
    assert "parameter_support.json cannot be read" in refused.err
    assert "going on without it" in refused.err
    assert "does not support parameters: ['store'" in refused.err
    assert "Measure it: pytest --live --models='claude-haiku-4-5' --update-table" in refused.err
    mended = pi.run(*asked)
    assert (mended.code, mended.out) == (0, "OK\n")
    assert "claude-haiku-4-5 refuses store" in mended.err
    assert pi.run(*asked).err == "".join(line for line in mended.err.splitlines(True) if "going on without it" in line)


def installed(pi: Pi, *options: str) -> Path:
    """The extension, installed by this package's own command into this Pi's home."""
    done = pi.python("pi", "install", *options)
    assert done.code == 0, done.all
    return pi.agent / "extensions" / "litellm-conformance"


def test_the_installed_copy_is_found_by_itself(pi: Pi) -> None:
    """Given `pi install` of this package, when Pi starts without options, then the models are there; and gone again."""
    would = pi.python("pi", "install", "--dry-run")
    assert (would.out.startswith("would write "), pi.agent.exists()) == (True, False)
    copy = installed(pi)
    found = pi.run("--list-models", "litellm")
    assert sorted(listed(found.all)) == CHAT_MODELS
    assert pi.run("--no-session", "--provider", "litellm", "--model", "gpt-5.2", "-p", OK).out == "OK\n"
    assert pi.python("pi", "install").out.startswith("replaced ")
    assert not list(copy.rglob("*.test.ts"))
    assert pi.python("pi", "install", "--uninstall").out == f"removed {copy}\n"
    assert "No models available" in pi.run("--list-models", "litellm").all
    assert "nothing to remove" in pi.python("pi", "install", "--uninstall").out


def test_pi_installs_the_folder_itself(pi: Pi) -> None:
    """Given `pi install ./folder` of Pi's own, when Pi starts, then the models are there, with no copy made."""
    done = pi.run("install", str(EXTENSION))
    assert done.code == 0, done.all
    assert sorted(listed(pi.run("--list-models", "litellm").all)) == CHAT_MODELS
    assert pi.run("remove", str(EXTENSION)).code == 0


def test_no_other_address_gets_the_key(pi: Pi) -> None:
    """Given variables that send other providers elsewhere, when ours is asked, then nothing goes there."""
    seen: list[Any] = []
    with scripted_gateway(lambda body: seen.append(body), ("trap",)) as trap:
        names = ("OPENAI_BASE_URL", "AZURE_OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OPENAI_API_BASE")
        env = dict.fromkeys(names, f"{trap.base_url}/v1") | {"OPENAI_API_KEY": "sk-other", "AZURE_OPENAI_API_KEY": "x"}
        for model in ("claude-haiku-4-5", "gpt-5.2"):
            assert pi.ask(OK, model, env=env).out == "OK\n"
    assert seen == []


def test_a_longer_answer_is_the_users_choice(pi: Pi, gateway: EmbeddedGateway) -> None:
    """Given `LITELLM_MAX_TOKENS`, when a model is asked, then it may answer that much; a bad figure is told."""
    assert pi.ask(OK, "gpt-5.2", env={"LITELLM_MAX_TOKENS": "20000"}).out == "OK\n"
    assert gateway.received()[-1].body["max_output_tokens"] == 20000
    told = pi.ask(OK, "gpt-5.2", env={"LITELLM_MAX_TOKENS": "many"})
    assert (told.out, told.err) == ("OK\n", "litellm: LITELLM_MAX_TOKENS is no number of tokens; going on without it\n")
    assert gateway.received()[-1].body["max_output_tokens"] == 8192
