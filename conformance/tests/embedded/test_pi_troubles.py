"""Real Pi with the extension, in front of gateways that fail: what the user reads, and what is sent again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from conformance.tests.embedded.pi_runs import EXTENSION, Pi, new_pi_modules
from conformance.tests.helpers.gateways import (
    KEY,
    Policy,
    ScriptedGateway,
    closed_port,
    cut_stream,
    events,
    http,
    listed_by,
    raw_server,
    refusal,
    scripted_gateway,
)

OURS = ("-ne", "-e", str(EXTENSION / "index.ts"))
#: One of each wire, as the shipped table chooses it.
CLAUDE, GPT = "claude-x", "gpt-5.2"
#: Pi waits two seconds, then four, then eight before it asks again; these tests do not.
IMPATIENT = {"retry": {"baseDelayMs": 1}}
CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "half a wo"}, "finish_reason": None}]}
ITEM = {"type": "message", "id": "m", "role": "assistant", "content": []}
PART = {"type": "output_text", "text": "", "annotations": []}
HALF = (
    {"type": "response.created", "response": {"id": "r"}},
    {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
    {"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": PART},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "half a wo"},
)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def modules() -> Path:
    """Pi, installed."""
    return new_pi_modules()


@pytest.fixture
def pi(modules: Path, tmp_path: Path) -> Iterator[Pi]:
    """Pi with no gateway, and with settings that do not make it wait."""
    made = Pi(modules, tmp_path / "home")
    made.agent.mkdir(parents=True)
    (made.agent / "settings.json").write_text(json.dumps(IMPATIENT), encoding="utf-8")
    yield made
    assert KEY not in "\n".join(path.read_text("utf-8", "replace") for path in made.home.rglob("*") if path.is_file())


def answering(policy: Policy = lambda body: None, **more: Any) -> Any:
    """A gateway with a model of each wire."""
    return scripted_gateway(policy, (CLAUDE, GPT), **more)


def other_provider(pi: Pi, gateway: ScriptedGateway) -> tuple[str, ...]:
    """Another provider in this Pi, and the options that ask it."""
    models = [{"id": "other-model", "contextWindow": 100000, "maxTokens": 100}]
    row = {"baseUrl": f"{gateway.base_url}/v1", "api": "openai-completions", "apiKey": "sk-other", "models": models}
    (pi.agent / "models.json").write_text(json.dumps({"providers": {"other": row}}), encoding="utf-8")
    return (*OURS, "--no-session", "--provider", "other", "--model", "other-model", "-p", "hi")


LIMIT = {"type": "rate_limit_exceeded", "limit_type": "input_tokens_per_minute", "limit": 200000, "current": 200150}
WRAPPED = "litellm.RateLimitError: DatabricksException - " + json.dumps({"error": {**LIMIT, "retry_after": 15}})
LIMITS: dict[str, tuple[Response, str]] = {
    "structured": (JSONResponse({"error": {**LIMIT, "code": 429, "retry_after": 15}}, 429), "Retry after 15 s."),
    "wrapped": (refusal(WRAPPED, 429), "limit 200000, current 200150. Retry after 15 s."),
    "in a header": (refusal("Too many requests", 429, {"llm_provider-retry-after": "7"}), "Retry after 7 s."),
    "in the stream": (events({"error": {"message": WRAPPED, "code": "429"}}, "[DONE]"), "Retry after 15 s."),
    "databricks": (
        JSONResponse(
            {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Exceeded input tokens per minute rate limit."}, 429
        ),
        "wait 60 s and try again",
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_rate_limit_is_explained_and_asked_again_four_times_in_all(pi: Pi, name: str) -> None:
    """Given a lasting rate limit, when Pi gives up, then it says what limit, and nobody multiplied the requests."""
    answer, told = LIMITS[name]
    with answering(lambda body: answer) as gateway:
        done = pi.ask("hi", CLAUDE, env=gateway.environment)
    assert (done.code, done.out) == (1, "")
    assert f"The rate limit of {CLAUDE} was reached" in done.err
    assert told in done.err
    assert "switch to a smaller model" in done.err
    assert len(gateway.seen) == 4


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_a_refusal_is_not_repeated_whatever_figures_it_names(pi: Pi, model: str) -> None:
    """Given a 400 with a 500 and a 429 in its text, when Pi reads it, then it asks once."""
    with answering(lambda body: refusal("max_tokens: at most 15000 or 14290, timeout or server error")) as gateway:
        done = pi.ask("hi", model, env=gateway.environment)
    assert (done.code, len(gateway.seen)) == (1, 1)
    assert "at most 15000 or 14290" in done.err.replace("\u2060", "")


def test_a_server_error_is_repeated(pi: Pi) -> None:
    """Given a 500 that passes, when Pi asks again, then the answer is there and nothing else."""
    with answering(lambda body: None if len(gateway.seen) > 2 else refusal("overloaded", 500)) as gateway:
        done = pi.ask("hi", CLAUDE, env=gateway.environment)
    assert (done.code, done.out, done.err, len(gateway.seen)) == (0, "OK\n", "", 3)


def test_a_prompt_that_is_too_long_carries_the_word_that_pi_compacts_by(pi: Pi) -> None:
    """Given LiteLLM's own class of error and no vendor's words, when it is told, then Pi knows what it is."""
    message = "litellm.ContextWindowExceededError: litellm.BadRequestError: 15000 of them are not to be had"
    with answering(lambda body: refusal(message)) as gateway:
        done = pi.ask("hi", CLAUDE, "--mode", "json", env=gateway.environment)
    found = [json.loads(line) for line in done.out.splitlines()]
    assert "(context_length_exceeded)" in done.out
    # There is nothing to compact yet, but the message goes out of the context, as of no other error.
    assert [event["entry"]["type"] for event in found if event["type"] == "entry_appended"][-1] == "context_edit"
    assert not [event for event in found if event["type"] == "auto_retry_start"]


CUTS: dict[str, tuple[str, Response]] = {
    "chat, no end": (CLAUDE, events(CHUNK)),
    "chat, connection lost": (CLAUDE, cut_stream(CHUNK)),
    "responses, no end": (GPT, events(*HALF)),
    "responses, connection lost": (GPT, cut_stream(*HALF)),
    "nothing at all": (GPT, events()),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_stream_that_stops_mid_word_is_no_answer(pi: Pi, name: str) -> None:
    """Given a stream that breaks off, when Pi gives up, then it fails, and shows no half answer as a whole one."""
    model, answer = CUTS[name]
    with answering(lambda body: answer) as gateway:
        done = pi.ask("hi", model, env=gateway.environment)
    assert (done.code, done.out) == (1, "")
    assert any(words in done.err for words in ("terminated", "ended without finish_reason", "ended before a terminal"))
    assert 2 <= len(gateway.seen) <= 4


def test_an_answer_at_its_length_limit_is_whole(pi: Pi) -> None:
    """Given `response.incomplete`, when Pi reads it, then the answer is shown and not repeated."""
    item = {**ITEM, "content": [{**PART, "text": "half a wo"}]}
    done_item = {"type": "response.output_item.done", "output_index": 0, "item": item}
    used = {"input_tokens": 8, "output_tokens": 8192, "total_tokens": 8200}  # all that it may: less, and Pi makes room
    why = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": used}
    end = {"type": "response.incomplete", "response": {"id": "r", **why}}
    with answering(lambda body: events(*HALF, done_item, end)) as gateway:
        done = pi.ask("hi", GPT, env=gateway.environment)
    assert (done.out, len(gateway.seen)) == ("half a wo\n", 1)
    assert "limit" in done.err


BODIES: dict[str, tuple[bytes, str]] = {
    "10 MB": (json.dumps({"error": {"message": "x" * 10_000_000}}).encode(), "x" * 1000),
    "10 MB of brackets": (b"[" * 10_000_000, "["),
    "no UTF-8": (b'{"error": {"message": "\xff\xfe broken \x80"}}', "broken"),
    "empty": (b"", "(400) and gave no reason"),
    "a page": (b"<html><body>Bad gateway</body></html>", "Bad gateway"),
}


@pytest.mark.parametrize("name", BODIES)
def test_any_error_body_ends_as_a_short_text(pi: Pi, name: str) -> None:
    """Given an error body of any size and bytes, when it is shown, then it is short, and Pi ends at once."""
    body, told = BODIES[name]
    with answering(lambda _: Response(body, 400, media_type="application/json")) as gateway:
        done = pi.ask("hi", CLAUDE, env=gateway.environment)
    assert (done.code, done.out, len(gateway.seen)) == (1, "", 1)
    assert told in done.err
    assert len(done.err) < 3000


def test_bytes_that_are_no_text_do_not_stop_a_stream(pi: Pi) -> None:
    """Given invalid UTF-8 in a stream, when it is read, then what can be read is shown."""
    chunk = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a\xffb"},"finish_reason":"stop"}]}\n\n'
    with answering(lambda _: Response(chunk + b"data: [DONE]\n\n", media_type="text/event-stream")) as gateway:
        done = pi.ask("hi", CLAUDE, env=gateway.environment)
    assert (done.code, done.out, done.err) == (0, "a\ufffdb\n", "")


def test_other_providers_work_when_the_gateway_is_down(pi: Pi) -> None:
    """Given nobody at our gateway's address, when another provider is asked, then it answers as it always did."""
    with scripted_gateway() as other:
        asked = other_provider(pi, other)
        alone = pi.run(*asked)
        env = {"LITELLM_BASE_URL": f"http://127.0.0.1:{closed_port()}", "LITELLM_API_KEY": KEY}
        beside = pi.run(*asked, env=env)
    assert (alone.code, alone.out, alone.err) == (0, "OK\n", "")
    assert (beside.code, beside.out) == (0, "OK\n")
    why = "refuses the connection; is the gateway running, and is the port right?"
    assert beside.err == f"litellm: {env['LITELLM_BASE_URL']} {why}\n"
    assert other.seen[0].keys() == other.seen[1].keys()
    assert {headers["authorization"] for headers in other.headers} == {"Bearer sk-other"}


def test_other_providers_keep_what_our_models_refuse(pi: Pi) -> None:
    """Given our gateway up, when another provider's model with a name like ours is asked, then nothing is left out."""
    with answering() as ours, scripted_gateway() as other:
        done = pi.run(*other_provider(pi, other), env=ours.environment)
    assert (done.code, done.out, done.err) == (0, "OK\n", "")
    assert other.seen[0]["store"] is False
    assert ours.seen == []


def test_the_last_list_is_used_when_the_gateway_does_not_answer(pi: Pi) -> None:
    """Given a list from before, when the gateway is down or hangs, then its models are there, with a warning."""
    hang = False

    def listing(request: Request) -> Response:
        if hang:
            time.sleep(5)
        return JSONResponse({"data": [{"id": CLAUDE}, {"id": GPT}]})

    with answering(listing=listing) as gateway:
        assert CLAUDE in pi.run(*OURS, "--list-models", "litellm", env=gateway.environment).all
        hang = True
        slow = pi.run(*OURS, "--list-models", "litellm", env=gateway.environment)
    down = pi.run(*OURS, "--list-models", "litellm", env=gateway.environment)
    stranger = pi.run(*OURS, "--list-models", "litellm", env={**gateway.environment, "LITELLM_API_KEY": "sk-else"})
    assert GPT in slow.all
    assert "did not answer in time" in slow.err
    assert GPT in down.all
    assert "refuses the connection" in down.err
    assert "using the 2 models that it listed on" in down.err
    assert GPT not in stranger.all  # the list belongs to the key


def test_a_cache_that_cannot_be_read_or_written_is_no_trouble(pi: Pi) -> None:
    """Given garbage in place of the list, and a file in place of its folder, then nothing is said of either."""
    cache = pi.agent / "cache"
    with answering() as gateway:
        assert pi.run(*OURS, "--list-models", "litellm", env=gateway.environment).code == 0
        [kept] = cache.iterdir()
        if os.name == "posix":
            assert kept.stat().st_mode & 0o077 == 0
        kept.write_bytes(b"\xff{not json")
        assert (pi.ask("hi", CLAUDE, env=gateway.environment).all) == "OK\n"
        kept.unlink()
        cache.rmdir()
        cache.write_text("in the way", encoding="utf-8")
        assert (pi.ask("hi", CLAUDE, env=gateway.environment).all) == "OK\n"


DEFAULT = {"models": ["*"], "statements": {}}
TABLES: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "cannot be read"),
    "no table": ("[]", "is not a support table"),
    "newer": (json.dumps({"schema_version": 2, "rules": []}), "newer than 1; update this package"),
    "bad rule": (json.dumps({"schema_version": 1, "rules": [{"modles": ["*"]}, DEFAULT]}), "unknown key 'modles'"),
    "no default": (json.dumps({"schema_version": 1, "rules": []}), "the last rule must be the default"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_used_is_told_and_left_out(pi: Pi, tmp_path: Path, name: str) -> None:
    """Given a user's table that is broken, then one line says so, and the shipped one still holds."""
    text, told = TABLES[name]
    table = tmp_path / "table.json"
    table.write_text(text, encoding="utf-8")
    declared = [{"model_group": "claude-haiku-4-5", "providers": ["databricks"]}]
    with answering(listing=listed_by("1.109.3", "claude-haiku-4-5"), declared=declared) as gateway:
        done = pi.ask("hi", "claude-haiku-4-5", env={**gateway.environment, "LITELLM_SUPPORT_TABLE": str(table)})
    assert (done.code, done.out) == (0, "OK\n")
    [line] = [line for line in done.err.splitlines() if line.startswith("litellm: ")]
    assert told in line
    assert line.endswith("; going on without it")
    assert "store" not in gateway.seen[0]


def test_the_users_table_comes_first(pi: Pi, tmp_path: Path) -> None:
    """Given a table of the user's own, when a model is asked, then what it says is refused is left out."""
    statement = {"supported": False, "source": "me"}
    rule = {"models": [CLAUDE], "statements": {"stream_options": statement, "tools": statement}}
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"schema_version": 1, "rules": [rule, DEFAULT]}), encoding="utf-8")
    with answering() as gateway:
        assert pi.ask("hi", CLAUDE, env=gateway.environment).all == "OK\n"
        assert pi.ask("hi", CLAUDE, env={**gateway.environment, "LITELLM_SUPPORT_TABLE": str(table)}).all == "OK\n"
    assert [{"stream_options", "tools"} & body.keys() for body in gateway.seen] == [{"stream_options", "tools"}, set()]


@pytest.mark.parametrize("key", ["!touch${IFS}pwned", "HOME", "$HOME"])
def test_a_key_is_a_key_and_nothing_else(pi: Pi, key: str) -> None:
    """Given a key that Pi would run, or look up as a variable, when a model is asked, then it is sent as it is."""
    with answering() as gateway:
        done = pi.ask("hi", CLAUDE, env={**gateway.environment, "LITELLM_API_KEY": key})
    assert done.all == "OK\n"
    assert gateway.headers[0]["authorization"] == f"Bearer {key}"
    assert list(pi.work.iterdir()) == []


def test_a_key_given_to_pi_itself_wins(pi: Pi) -> None:
    """Given `--api-key`, when a model is asked, then that key is sent."""
    with answering() as gateway:
        assert pi.ask("hi", CLAUDE, "--api-key", "sk-from-the-command-line", env=gateway.environment).out == "OK\n"
    assert gateway.headers[0]["authorization"] == "Bearer sk-from-the-command-line"


WRONG: dict[str, tuple[Mapping[str, str], str]] = {
    "nothing": ({}, "set LITELLM_BASE_URL and LITELLM_API_KEY"),
    "no key": ({"LITELLM_BASE_URL": "http://127.0.0.1:9"}, "LITELLM_API_KEY is not set"),
    "no URL": (
        {"LITELLM_BASE_URL": "proxy.example", "LITELLM_API_KEY": KEY},
        "LITELLM_BASE_URL is not an HTTP address",
    ),
    "credentials": ({"LITELLM_BASE_URL": "http://a:b@127.0.0.1:9", "LITELLM_API_KEY": KEY}, "holds credentials"),
    "query": ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1?x=1", "OPENAI_API_KEY": KEY}, "OPENAI_BASE_URL holds a query"),
    "key": ({"LITELLM_BASE_URL": "http://127.0.0.1:9", "LITELLM_API_KEY": "sk-\u00e9"}, "an HTTP header cannot carry"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_address_that_cannot_be_one_is_told_in_one_line(pi: Pi, name: str) -> None:
    """Given an environment that names no usable gateway, when its models are listed, then one line says why."""
    env, told = WRONG[name]
    done = pi.run(*OURS, "--list-models", "litellm", env=env)
    [line] = [line for line in done.err.splitlines() if line.startswith("litellm: ")]
    assert done.code == 0
    assert told in line
    assert "a:b" not in done.all


LISTS: dict[str, tuple[bytes, str]] = {
    "a page": (http(b"<html>"), "not JSON"),
    "no list": (http(b'{"object": "list"}'), "without a list of models"),
    "no model": (http(b'{"data": [{"id": ""}, 7, {"id": "a*"}, {"id": "e", "mode": "embedding"}]}'), "no chat model"),
    "no UTF-8": (http(b'{"data": [\xff\xfe]}'), "not JSON"),
    "refused": (http(b"{}", "401 Unauthorized"), "refuses the key (401)"),
    "elsewhere": (http(b"", "302 Found", location="http://127.0.0.1:9/"), "answers 302"),
    "no HTTP": (b"\x00\x01\x02", "cannot be reached"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_none_is_told_in_one_line(pi: Pi, name: str) -> None:
    """Given any answer instead of a model list, when Pi starts, then one line says what it was."""
    answer, told = LISTS[name]
    with raw_server(answer) as url:
        done = pi.run(*OURS, "--list-models", "litellm", env={"LITELLM_BASE_URL": url, "LITELLM_API_KEY": KEY})
    [line] = [line for line in done.err.splitlines() if line.startswith("litellm: ")]
    assert done.code == 0
    assert told in line


def test_refresh_asks_for_the_models_again(pi: Pi) -> None:
    """Given `/litellm-refresh`, when the gateway has another model since, then it is asked, and Pi goes on."""
    asked = 0

    def listing(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return JSONResponse({"data": [{"id": CLAUDE}, *([{"id": GPT}] if asked > 1 else [])]})

    with answering(listing=listing) as gateway:
        done = pi.ask("/litellm-refresh", CLAUDE, "hi", env=gateway.environment)
        assert (done.all, asked) == ("OK\n", 2)
    assert GPT in pi.run(*OURS, "--list-models", "litellm", env=gateway.environment).all


def test_bytes_of_a_stream_arrive_one_by_one(pi: Pi) -> None:
    """Given a stream cut into single bytes, when it is read, then no event is lost and none is doubled."""
    end = {**CHUNK, "choices": [{"index": 0, "delta": {"content": "rd \u00e9\U0001f600"}, "finish_reason": "stop"}]}
    text = "".join(f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in (CHUNK, end)) + "data: [DONE]\n\n"

    async def bytes_of() -> Any:
        for byte in text.encode():
            yield bytes([byte])

    with answering(lambda _: StreamingResponse(bytes_of(), media_type="text/event-stream")) as gateway:
        done = pi.ask("hi", CLAUDE, env=gateway.environment)
    assert (done.code, done.out, done.err) == (0, "half a word \u00e9\U0001f600\n", "")


@pytest.mark.parametrize("model", [CLAUDE, GPT])
@pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
def test_headers_of_the_gateways_own(pi: Pi, model: str, key: str) -> None:
    """Given LITELLM_HEADERS, when Pi asks, then list and requests have them, and neither error nor cache tells them."""
    token, listed = "house-token-that-looks-like-none", []

    def listing(request: Request) -> Response:
        listed.append(request.headers)
        return JSONResponse({"data": [{"id": CLAUDE}, {"id": GPT}]})

    env = {"LITELLM_API_KEY": key, "LITELLM_HEADERS": f"X-House: {token}\nx-team: ml"}
    with answering(lambda body: refusal(f"not with {token}"), listing=listing) as gateway:
        done = pi.ask("hi", model, env={**gateway.environment, **env})
    assert "not with [key]" in done.err
    for headers in (listed[0], gateway.headers[0]):
        assert (headers["x-house"], headers["x-team"]) == (token, "ml")
        assert headers.get("authorization") == (f"Bearer {key}" if key else None)
    kept = [path for path in pi.home.rglob("*") if path.is_file()]
    assert token not in "".join(path.read_text("utf-8", "replace") + path.name for path in kept)
    assert token not in done.all


def test_a_header_takes_the_place_of_the_key(pi: Pi) -> None:
    """Given an authorization header, when Pi asks, then that goes, and no Bearer."""
    with answering(lambda body: refusal("no")) as gateway:
        pi.ask("hi", CLAUDE, env={**gateway.environment, "LITELLM_HEADERS": '{"Authorization": "Token house-token-1"}'})
    assert gateway.headers[0]["authorization"] == "Token house-token-1"


def test_malformed_headers_are_one_line(pi: Pi) -> None:
    """Given LITELLM_HEADERS that hold no header, when Pi starts, then one line says so, without the text."""
    with answering() as gateway:
        done = pi.ask("hi", CLAUDE, env={**gateway.environment, "LITELLM_HEADERS": "house-token-that-looks-like-none"})
    assert "litellm: LITELLM_HEADERS: header 1 has no valid name" in done.err
    assert "house-token" not in done.all
