"""The third endpoint, Anthropic's Messages API: what is left out, what is mended, and Anthropic's own SDK in front."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from conformance.clients.profiles import load_profiles
from conformance.provider.filter import filter_request
from conformance.provider.rate_limits import format_rate_limit_error, parse_rate_limit_error
from conformance.provider.repair import Repair, RepairEvent
from conformance.provider.repair.learned import Memory
from conformance.provider.table import Question, Rule, Statement, SupportTable
from conformance.provider.table.layers import with_learnt
from conformance.provider.transport import RequestFilter, async_http_client, http_client
from conformance.tests.helpers.gateways import KEY, ScriptedGateway, named_events, scripted_gateway
from conformance.tests.helpers.mending import CHAT, NOTHING, Send, blocking, filtering, post
from conformance.tests.provider.test_transport import every_way

MARK = {"type": "ephemeral"}
BODY: dict[str, Any] = {
    "model": "m",
    "max_tokens": 64,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "a secret prompt", "cache_control": MARK}]}],
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True}],
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "metadata": {"user_id": "u"},
}
BETAS = {"anthropic-beta": "context-management-2025-06-27, effort-2025-11-24", "x-api-key": KEY, "x-own": "a"}
WORDS = "tools.0.custom.strict: Extra inputs are not permitted"
BUDGET = '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".'
NO = Statement(False, "s")
TABLE = SupportTable(
    (
        Rule(
            ("m",),
            {"tools.strict": NO, "system.cache_control": NO, "anthropic-beta:effort-2025-11-24": NO},
            endpoints=("messages",),
        ),
        Rule(("*",), {}),
    )
)


def error(words: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    """An error in Anthropic's form."""
    return {"type": "error", "error": {"type": kind, "message": words}}


def wrapped(words: str) -> dict[str, Any]:
    """The same as LiteLLM 1.109.1 hands it on."""
    inner = json.dumps({**error(words), "request_id": "req_1"})
    return error(f"litellm.BadRequestError: AnthropicException - {inner}\n\nLiteLLM: model group 'm' failed.")


def ask(
    rules: RequestFilter,
    gateway: ScriptedGateway,
    body: dict[str, Any],
    send: Send = blocking,
    path: str = "/v1/messages?beta=true",
) -> tuple[int, bytes]:
    """Status and body of what a client of this endpoint gets."""
    status, _, content = send(rules, "POST", f"{gateway.base_url}{path}", json=body, headers=BETAS)
    return status, content


def refuses_strict(body: dict[str, Any]) -> Response | None:
    """The policy of a gateway that takes no `strict` in a tool."""
    return JSONResponse(wrapped(WORDS), 400) if "strict" in body.get("tools", [{}])[0] else None


@every_way
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true"])
def test_what_the_table_refuses_is_left_out(send: Send, path: str) -> None:
    """Given a table, when a request goes to the endpoint, then places in lists and a header's value are left out."""
    with scripted_gateway() as gateway:
        ask(RequestFilter(table=TABLE, repair="off"), gateway, BODY, send, path)

    tools, system = [{"name": "f", "input_schema": {"type": "object"}}], [{"type": "text", "text": "Be brief."}]
    assert gateway.seen == [{**BODY, "tools": tools, "system": system}]
    assert gateway.headers[0]["anthropic-beta"] == "context-management-2025-06-27"
    assert gateway.headers[0]["x-own"] == "a"


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens?beta=true", "/v1/chat/completions"])
def test_what_is_no_such_request_is_not_touched(path: str) -> None:
    """Given rules for this endpoint, when tokens are counted or a chat is asked, then all of it is sent."""
    with scripted_gateway() as gateway:
        ask(RequestFilter(table=TABLE), gateway, BODY, path=path)

    assert gateway.seen == [BODY]
    assert gateway.headers[0]["anthropic-beta"] == BETAS["anthropic-beta"]


def test_another_address_that_ends_alike_is_not_touched() -> None:
    """Given the messages of OpenAI's threads, when one is posted, then it is none of these requests."""
    filtered = RequestFilter(table=TABLE)
    request = httpx.Request("POST", "http://h/v1/threads/t/messages", json=BODY)

    assert filtered.replaced(request) is request


@every_way
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_refused_is_mended_once(send: Send, stream: bool) -> None:
    """Given a gateway that refuses one field after another, when asked twice, then the second answer comes at once."""
    told: list[RepairEvent] = []
    rules = filtering(on_repair=told.append)

    def policy(body: dict[str, Any]) -> Response | None:
        if body["thinking"]["type"] == "enabled":
            return JSONResponse(error(BUDGET), 400)
        if "cache_control" in body["system"][0]:
            return JSONResponse(wrapped("system.0.cache_control: Extra inputs are not permitted"), 400)
        return None

    with scripted_gateway(policy) as gateway:
        answers = [ask(rules, gateway, {**BODY, "stream": stream}, send) for _ in range(2)]

    assert [status for status, _ in answers] == [200, 200]
    assert all(b"OK" in content for _, content in answers)
    assert len(gateway.seen) == 4
    mended = {**BODY, "stream": stream, "thinking": {"type": "adaptive"}}
    assert gateway.seen[2] == gateway.seen[3] == {**mended, "system": [{"type": "text", "text": "Be brief."}]}
    assert [(each.endpoint, each.parameters) for each in told] == [
        ("messages", ("thinking:enabled",)),
        ("messages", ("system.cache_control",)),
    ]
    assert told[0].instead == {"thinking:enabled": "adaptive"}


START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}}
FORMS: dict[str, Callable[[], Response]] = {
    "Anthropic's": lambda: JSONResponse(error(WORDS), 400),
    "LiteLLM's": lambda: JSONResponse(wrapped(WORDS), 400),
    "Bedrock's": lambda: JSONResponse({"message": "#/tools/0: extraneous key [strict] is not permitted"}, 400),
    "status 200": lambda: JSONResponse(error(WORDS)),
    "an event": lambda: named_events(error(WORDS)),
    "an event after the answer's head": lambda: named_events(START, {"type": "ping"}, wrapped(WORDS)),
}


@pytest.mark.parametrize("form", FORMS)
@every_way
def test_every_form_of_a_refusal_is_mended(send: Send, form: str) -> None:
    """Given a refusal in any form, when it comes before an answer, then the mended request is answered."""
    body = {**BODY, "stream": "event" in form}
    with scripted_gateway(lambda sent: FORMS[form]() if refuses_strict(sent) else None) as gateway:
        status, content = ask(filtering(), gateway, body, send)

    assert (status, len(gateway.seen)) == (200, 2)
    assert b"OK" in content
    assert WORDS.encode() not in content


@every_way
def test_what_has_begun_is_never_sent_again(send: Send) -> None:
    """Given an error after the first word of an answer, when a client reads it, then it gets both, and no repair."""
    word = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}
    with scripted_gateway(lambda _: named_events(START, word, error(WORDS))) as gateway:
        status, content = ask(filtering(), gateway, {**BODY, "stream": True}, send)

    assert (status, len(gateway.seen)) == (200, 1)
    assert b"Hel" in content
    assert WORDS.encode() in content


@every_way
@pytest.mark.parametrize("betas", [BETAS["anthropic-beta"], "effort-2025-11-24"], ids=["one of two", "the only one"])
def test_one_value_of_a_header_is_mended(send: Send, betas: str) -> None:
    """Given a backend that does not know a header's value, when it says so, then just this value goes, also later."""
    refused = "Unexpected value(s) `effort-2025-11-24` for the `anthropic-beta` header. Please try without the header."
    rules = filtering()

    def policy(_: dict[str, Any]) -> Response | None:
        sent = gateway.headers[-1].get("anthropic-beta", "")
        return JSONResponse(wrapped(refused), 400) if "effort" in sent else None

    with scripted_gateway(policy) as gateway:
        for _ in range(2):
            url, headers = f"{gateway.base_url}/v1/messages", {**BETAS, "anthropic-beta": betas}
            assert send(rules, "POST", url, json=BODY, headers=headers)[0] == 200

    left = [headers.get("anthropic-beta") for headers in gateway.headers]
    kept = None if betas == "effort-2025-11-24" else "context-management-2025-06-27"
    assert left == [betas, kept, kept]
    assert gateway.seen == [BODY] * 3


def test_a_field_of_the_headers_name_is_the_bodys_own() -> None:
    """Given a body with a field of the header's name, when something else is left out, then both stay as they are."""
    body = {**BODY, "anthropic-beta": "mine"}
    with scripted_gateway() as gateway:
        ask(RequestFilter(table=TABLE, repair="off"), gateway, body)

    assert gateway.seen[0]["anthropic-beta"] == "mine"
    assert gateway.headers[0]["anthropic-beta"] == BETAS["anthropic-beta"]


def test_what_is_learnt_holds_for_this_endpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given what one client has learnt, when others ask, then here it is known, on chat it is not; no key is told."""
    caplog.set_level(logging.DEBUG, "conformance.provider")
    with scripted_gateway(refuses_strict) as gateway:
        for _ in range(2):
            ask(filtering(cache_folder=tmp_path), gateway, BODY)
        post(filtering(cache_folder=tmp_path), gateway, blocking, {**CHAT, "tools": [{"type": "function"}]})

    (kind,) = Memory(tmp_path).entries()
    assert (kind.endpoint, kind.gateway, kind.mode) == ("messages", gateway.base_url, "whole")
    assert len(gateway.seen) == 4
    assert KEY not in (tmp_path / "learned.json").read_text() + caplog.text


def test_a_key_in_its_own_header_is_not_told() -> None:
    """Given a refusal that repeats the key, when it is mended, then what is told of it has none."""
    told: list[RepairEvent] = []

    def policy(body: dict[str, Any]) -> Response | None:
        return JSONResponse(error(f"{WORDS} {KEY}"), 400) if refuses_strict(body) else None

    with scripted_gateway(policy) as gateway:
        ask(filtering(on_repair=told.append), gateway, BODY)

    assert "[key]" in told[0].words
    assert KEY not in str(told[0])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("max_tokens: Extra inputs are not permitted", "every request needs a cap"),
        ("system.0.text: Extra inputs are not permitted", "the model would do something else"),
        ("messages.0.content.0.text: Extra inputs are not permitted", "it is the request itself"),
    ],
)
def test_what_makes_the_request_is_kept_and_explained(words: str, why: str) -> None:
    """Given a refusal of what makes the request, when a client asks, then it is not sent again, and is told why."""
    with scripted_gateway(lambda _: JSONResponse(error(words), 400)) as gateway:
        status, content = ask(filtering(), gateway, BODY)

    assert (status, len(gateway.seen)) == (400, 1)
    assert why in json.loads(content)["error"]["message"]


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Where each field lies that a client has sent, but for what is a tool's own."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}{name}"
            if name not in ("input", "input_schema"):
                yield from paths(inner, f"{path}{name}.")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths(item, f"{path}{number}.")


SENT = [
    {"model": "m", **each["body"]}
    for profile in load_profiles()["profiles"]
    for each in profile["requests"]
    if each["endpoint"] == "messages"
]


@pytest.mark.parametrize("body", SENT, ids=[f"{number}" for number in range(len(SENT))])
def test_each_field_that_clients_send_is_mended_or_explained(body: dict[str, Any]) -> None:
    """Given what real clients send, when a field is refused, then it goes, now and next time, or is explained."""
    for path in paths(body):
        question = Question("m", "messages", "stream" if body.get("stream") else "whole")
        repair = Repair(body, body, question, NOTHING)
        made = repair.next_body(400, json.dumps(error(f"{path}: Extra inputs are not permitted")))

        assert (made is None) == bool(repair.kept), path
        assert made is None or made != body, path
        known = with_learnt(NOTHING, repair.learnt)
        assert made is None or filter_request(body, "m", "messages", table=known).body == made, path


@pytest.mark.parametrize("how", ["whole", "stream"])
@pytest.mark.parametrize("way", ["sync", "async"])
def test_anthropics_own_sdk(how: str, way: str) -> None:
    """Given Anthropic's SDK over our client, when a field is refused, then it gets its answer, and the next at once."""
    anthropic = pytest.importorskip("anthropic", reason="Anthropic's SDK is not installed")
    rules, body = filtering(), {name: value for name, value in BODY.items() if name != "metadata"}

    async def later(url: str) -> str:
        async with async_http_client(rules, trust_env=False) as client:
            sdk = anthropic.AsyncAnthropic(base_url=url, api_key=KEY, http_client=client, max_retries=0)
            if how == "whole":
                return str((await sdk.messages.create(**body)).content[0].text)
            async with sdk.messages.stream(**body) as stream:
                return str(await stream.get_final_text())

    def now(url: str) -> str:
        with http_client(rules, trust_env=False) as client:
            sdk = anthropic.Anthropic(base_url=url, api_key=KEY, http_client=client, max_retries=0)
            if how == "whole":
                return str(sdk.messages.create(**body).content[0].text)
            with sdk.messages.stream(**body) as stream:
                return str(stream.get_final_text())

    with scripted_gateway(refuses_strict) as gateway:
        said = [now(gateway.base_url) if way == "sync" else asyncio.run(later(gateway.base_url)) for _ in range(2)]

    assert said == ["OK", "OK"]
    assert len(gateway.seen) == 3
    assert [sorted(tool) for sent in gateway.seen for tool in sent["tools"]] == [
        ["input_schema", "name", "strict"],
        ["input_schema", "name"],
        ["input_schema", "name"],
    ]


def test_limits_by_anthropics_own_sdk() -> None:
    """Given an overload and a limit, when Anthropic's SDK raises them, then each is explained from the exception."""
    anthropic = pytest.importorskip("anthropic", reason="Anthropic's SDK is not installed")
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "retry-after": "12",
    }
    answers = [
        JSONResponse(error("Overloaded", "overloaded_error"), 529, {"retry-after": "7"}),
        JSONResponse(error("This request would exceed your rate limit", "rate_limit_error"), 429, headers),
    ]
    told = []
    with scripted_gateway(lambda _: answers.pop(0)) as gateway, http_client(filtering(), trust_env=False) as client:
        sdk = anthropic.Anthropic(base_url=gateway.base_url, api_key=KEY, http_client=client, max_retries=0)
        for _ in range(2):
            with pytest.raises(anthropic.APIStatusError) as raised:
                sdk.messages.create(model="m", max_tokens=8, messages=[{"role": "user", "content": "hi"}])
            limit = parse_rate_limit_error(raised.value)
            assert limit is not None
            told.append(format_rate_limit_error(limit, model="m"))

    assert told[0].startswith("The vendor of m is overloaded, which is not a rate limit of yours. Retry after 7 s.")
    assert told[1].startswith("The rate limit of m was reached: input tokens per minute, limit 30000, current 30000.")
    assert "Retry after 12 s." in told[1]
    assert len(gateway.seen) == 2
