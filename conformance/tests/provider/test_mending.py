"""Tests of `conformance.provider.transport.mending`: what is refused is mended once, remembered, and explained."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse

from conformance.provider.errors import ConformanceError
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models import Model
from conformance.provider.repair import RepairEvent
from conformance.provider.stream.events import Done, Event, Start
from conformance.provider.transport import http_client
from conformance.provider.transport.mending import EXTENSION
from conformance.tests.helpers.gateways import (
    KEY,
    events,
    refusal,
    scripted_gateway,
    success,
)
from conformance.tests.helpers.mending import CHAT, INPUT, NOTHING, WORDS, Send, blocking, filtering, post, refuses
from conformance.tests.provider.test_transport import every_way


@every_way
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("body", [CHAT, INPUT], ids=["chat", "responses"])
def test_what_is_refused_is_mended_once(send: Send, body: dict[str, Any], stream: bool) -> None:
    """Given a gateway that refuses two fields, when a client asks twice, then both answers come, the second at once."""
    told: list[RepairEvent] = []
    rules = filtering(on_repair=told.append)
    with scripted_gateway(refuses("store", "seed")) as gateway:
        first, answer = post(rules, gateway, send, {**body, "stream": stream})
        repairs = len(gateway.seen) - 1
        second, _ = post(rules, gateway, send, {**body, "stream": stream})

    assert (first, second, repairs, len(gateway.seen)) == (200, 200, 2, 4)
    assert b"OK" in answer
    assert "store" not in gateway.seen[3]
    assert "seed" not in gateway.seen[3]
    assert [each.parameters for each in told] == [("store",), ("seed",)]
    assert [each.attempt for each in told] == [1, 2]


REFUSAL = {"error": {"message": WORDS, "code": 400}}
CREATED = {"type": "response.created", "response": {"id": "r"}}
FAILED = {"type": "response.failed", "response": {"error": {"code": "400", "message": WORDS}}}
FORMS: dict[str, tuple[dict[str, Any], Callable[[], Response]]] = {
    "status 400": (CHAT, lambda: JSONResponse(REFUSAL, 400)),
    "status 500": (CHAT, lambda: JSONResponse(REFUSAL, 500)),
    "status 422, plain text": (CHAT, lambda: Response("store: Extra inputs are not permitted", 422)),
    "status 400, packed": (
        CHAT,
        lambda: Response(
            gzip.compress(json.dumps(REFUSAL).encode()), 400, {"content-encoding": "gzip"}, "application/json"
        ),
    ),
    "status 200": (CHAT, lambda: JSONResponse(REFUSAL)),
    "status 200, a list": (CHAT, lambda: JSONResponse([REFUSAL])),
    "status 200, responses": (INPUT, lambda: JSONResponse({"status": "failed", **REFUSAL, "output": []})),
    "an event": (CHAT, lambda: events(REFUSAL, "[DONE]")),
    "an event with a name": (
        CHAT,
        lambda: Response(f"event: error\r\ndata: {json.dumps(REFUSAL)}\r\n\r\n", media_type="text/event-stream"),
    ),
    "an event after a comment": (
        CHAT,
        lambda: Response(f": wait\n\ndata: {json.dumps(REFUSAL)}\n\n", media_type="text/event-stream"),
    ),
    "a failed response": (INPUT, lambda: events(CREATED, FAILED)),
    "an error event": (INPUT, lambda: events({"type": "error", "message": WORDS})),
}


@pytest.mark.parametrize("form", FORMS)
@every_way
def test_every_form_of_a_refusal_is_mended(send: Send, form: str) -> None:
    """Given a refusal in any form, when it comes before an answer, then the mended request is answered."""
    body, refused = FORMS[form]
    body = {**body, "stream": "event" in form or "response" in form}
    with scripted_gateway(lambda sent: refused() if "store" in sent else None) as gateway:
        status, answer = post(filtering(), gateway, send, body)

    assert status == 200
    assert b"OK" in answer
    assert len(gateway.seen) == 2


@every_way
def test_what_has_begun_is_never_sent_again(send: Send) -> None:
    """Given an error after the first word of an answer, when a client reads it, then it gets both, and no repair."""
    word = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    with scripted_gateway(lambda body: events(word, REFUSAL)) as gateway:
        status, answer = post(filtering(), gateway, send, {**CHAT, "stream": True})

    assert (status, len(gateway.seen)) == (200, 1)
    assert b"Hel" in answer
    assert b"Extra inputs" in answer


ELSEWHERE = {
    "the key": (401, "store: Extra inputs are not permitted"),
    "a limit": (429, "store: Extra inputs are not permitted"),
    "the budget": (400, "Budget has been exceeded! store: Extra inputs are not permitted"),
    "the context": (400, "This model's maximum context length is 10 tokens. store: Extra inputs are not permitted"),
    "a filter": (400, "content_filter: store: Extra inputs are not permitted"),
    "the model": (400, "Invalid model name passed in model=store. store: Extra inputs are not permitted"),
    "no name": (400, "invalid request"),
    "a field that was not sent": (400, "logit_bias: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("about", ELSEWHERE)
def test_an_error_about_something_else_is_given_on(about: str) -> None:
    """Given an error that is about something else, when a client asks, then it gets the error as it came, at once."""
    status, words = ELSEWHERE[about]
    with scripted_gateway(lambda body: refusal(words, status)) as gateway:
        answered, content = post(filtering(), gateway, blocking)

    assert (answered, len(gateway.seen)) == (status, 1)
    assert json.loads(content)["error"]["message"] == words


def test_what_remains_is_explained(caplog: pytest.LogCaptureFixture) -> None:
    """Given a refusal of what makes the request, when a client asks, then the error says what was kept and tried."""
    body = {**CHAT, "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
    with scripted_gateway(refuses("store", "tool_choice")) as gateway:
        status, content = post(filtering(), gateway, blocking, body)

    message = json.loads(content)["error"]["message"]
    assert (status, len(gateway.seen)) == (400, 2)
    assert message.startswith("tool_choice: Extra inputs are not permitted [litellm-conformance: ")
    assert "the answer must call a tool" in message
    assert "leaving these out did not help: store" in message


def test_more_offenders_than_repairs_are_mended_by_the_next_request() -> None:
    """Given six fields that are refused one by one, when a client asks again, then the second request gets through."""
    names = ("store", "seed", "user", "top_p", "temperature", "logit_bias")
    body = {**CHAT, "user": "u", "top_p": 1, "temperature": 0.1, "logit_bias": {}}
    rules = filtering()
    with scripted_gateway(refuses(*names)) as gateway:
        answers = [post(rules, gateway, blocking, body) for _ in range(3)]

    assert [status for status, _ in answers] == [400, 200, 200]
    assert b"send it again" in answers[0][1]
    assert len(gateway.seen) == 5 + 2 + 1
    assert not set(names) & set(gateway.seen[-1])


def test_a_refusal_in_a_stream_is_explained() -> None:
    """Given a streamed refusal that remains, when a client reads it, then the event says why, and the rest follows."""
    with scripted_gateway(lambda body: events(REFUSAL, "[DONE]")) as gateway:
        _, content = post(filtering(), gateway, blocking, {**CHAT, "stream": True})

    lines = content.decode().split("\n\n")
    assert "leaving these out did not help: store" in json.loads(lines[0].removeprefix("data: "))["error"]["message"]
    assert lines[1] == "data: [DONE]"
    assert len(gateway.seen) == 2


def test_a_stream_is_not_held_back() -> None:
    """Given a stream whose second word waits for the first to be read, when it is read, then both come."""
    read = threading.Event()

    async def words() -> AsyncIterator[bytes]:
        for number in (1, 2):
            yield f'data: {{"choices": [{{"delta": {{"content": "w{number}"}}}}]}}\n\n'.encode()
            while number == 1 and not read.is_set():
                await _a_moment()

    def answer(_: dict[str, Any]) -> Response:
        return StreamingResponse(words(), media_type="text/event-stream")

    with scripted_gateway(answer) as gateway, http_client(filtering(), library=httpx, trust_env=False) as client:
        url = f"{gateway.base_url}/v1/chat/completions"
        with client.stream("POST", url, json={**CHAT, "stream": True}) as response:
            chunks = response.iter_bytes()
            first = next(chunks)
            read.set()
            rest = b"".join(chunks)

    assert b"w1" in first
    assert b"w2" in rest


async def _a_moment() -> None:
    await asyncio.sleep(0.01)


def test_words_without_names_are_searched_where_that_is_wanted() -> None:
    """Given a gateway that does not say what it refuses, when searching is wanted, then it ends in few requests."""
    body = {**CHAT, "user": "u", "top_p": 1, "temperature": 0.1, "logit_bias": {}}
    rules = filtering(repair="search")
    with scripted_gateway(lambda sent: refusal("invalid request") if "seed" in sent else None) as gateway:
        counts = []
        for _ in range(6):
            before = len(gateway.seen)
            assert post(rules, gateway, blocking, body)[0] == 200
            counts.append(len(gateway.seen) - before)

    assert max(counts) <= 6
    assert counts[-1] == 1
    assert set(body) - set(gateway.seen[-1]) == {"seed"}


@pytest.mark.parametrize(("given", "variable"), [("off", None), (None, "off"), (None, " OFF ")])
def test_repair_can_be_off(monkeypatch: pytest.MonkeyPatch, given: Any, variable: str | None) -> None:
    """Given that nothing is to be mended, when a field is refused, then the error comes as it is."""
    if variable is not None:
        monkeypatch.setenv("LITELLM_REPAIR", variable)
    with scripted_gateway(refuses("store")) as gateway:
        status, content = post(filtering(repair=given), gateway, blocking)

    assert (status, len(gateway.seen)) == (400, 1)
    assert json.loads(content)["error"]["message"] == WORDS


@pytest.mark.parametrize("given", ["", "sometimes", 1])
def test_a_setting_that_is_none(monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    """Given a setting that is none, when a filter is made, then one line says what it must be."""
    with pytest.raises(ConformanceError, match="set it to named, search or off"):
        filtering(repair=given)
    monkeypatch.setenv("LITELLM_REPAIR", "sometimes")
    with pytest.raises(ConformanceError, match="LITELLM_REPAIR is 'sometimes'"):
        filtering()


def test_a_listener_that_fails_disturbs_nobody() -> None:
    """Given a listener that fails, when a request is mended, then the answer comes all the same."""

    def fail(_: RepairEvent) -> None:
        raise RuntimeError("mine")

    with scripted_gateway(refuses("store")) as gateway:
        assert post(filtering(on_repair=fail), gateway, blocking)[0] == 200


@pytest.mark.parametrize("body", [CHAT, INPUT], ids=["chat", "responses"])
def test_a_stream_of_the_providers_own_is_mended(tmp_path: Path, body: dict[str, Any]) -> None:
    """Given a provider's own stream, when a field is refused, then it begins with what was left out, and ends well."""
    told: list[RepairEvent] = []
    wire = "responses" if "input" in body else "chat_completions"
    model = Model("m", "m", False, ("text",), None, 128_000, 4096, {"wire": wire})
    hi = [{"role": "user", "content": "hi"}]

    async def ask(url: str) -> list[Event]:
        provider = LiteLLMProvider(url, KEY, table=NOTHING, cache_folder=tmp_path, on_repair=told.append)
        async with provider as ours:
            return [event async for event in ours.stream(model, hi, parameters={"seed": 1})]

    words = [{"error": {"message": "seed: Extra inputs are not permitted"}}]
    with scripted_gateway(lambda sent: events(*words) if "seed" in sent else None) as gateway:
        found = asyncio.run(ask(gateway.base_url))
        again = asyncio.run(ask(gateway.base_url))

    assert isinstance(found[0], Start)
    assert found[0].dropped == ("seed",)
    assert isinstance(found[-1], Done)
    assert isinstance(again[-1], Done)
    assert [each.parameters for each in told] == [("seed",)]
    assert len(gateway.seen) == 3


def test_a_response_tells_what_was_left_out() -> None:
    """Given a request that was mended, when its response is looked at, then it tells what was left out."""
    with (
        scripted_gateway(refuses("store")) as gateway,
        http_client(filtering(), library=httpx, trust_env=False) as client,
    ):
        response = client.post(f"{gateway.base_url}/v1/chat/completions", json=CHAT)

    assert response.extensions[EXTENSION] == ("store",)
    assert success(CHAT).status_code == response.status_code


def test_a_response_tells_of_its_own_request_only() -> None:
    """Given more fields than one request may be mended for, when the next one has none of them, then nothing is said
    to be left out of it; and of one that has two of them, these two are."""
    names = ("seed", "user", "store", "top_k", "logprobs", "metadata")
    told = []
    with (
        scripted_gateway(refuses(*names)) as gateway,
        http_client(filtering(), library=httpx, trust_env=False) as client,
    ):
        url, bare = f"{gateway.base_url}/v1/chat/completions", {"model": "m", "messages": CHAT["messages"]}
        assert client.post(url, json={**bare, **dict.fromkeys(names, 1)}).status_code == 400
        for body in (bare, {**bare, "seed": 1, "store": True}):
            response = client.post(url, json=body)
            assert response.status_code == 200
            told.append(sorted(response.extensions.get(EXTENSION, ())))

    assert told == [[], ["seed", "store"]]
