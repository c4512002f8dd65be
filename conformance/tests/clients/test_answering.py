"""The gateway that records clients: it takes everything, calls one tool, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conformance.clients.answering import Answering, Call, answering

READ = {"type": "object", "properties": {"path": {"type": "string"}}}
ASKED = [{"role": "user", "content": "Reply with the word OK."}]
#: For each path: a request with a tool, the items that answer the call, and where the arguments of the call stand.
WIRES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "/v1/chat/completions": (
        {"messages": ASKED, "tools": [{"type": "function", "function": {"name": "read", "parameters": READ}}]},
        [{"role": "tool", "tool_call_id": "call_1", "content": "A note."}],
    ),
    "/v1/responses": (
        {"input": ASKED, "tools": [{"type": "function", "name": "read", "parameters": READ}]},
        [{"type": "function_call_output", "call_id": "call_1", "output": "A note."}],
    ),
    "/v1/messages": (
        {"messages": ASKED, "tools": [{"name": "read", "input_schema": READ}], "max_tokens": 1},
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "A note."}]}],
    ),
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Answering]:
    """A running gateway that calls `read` where it can."""
    with answering(["gpt-5.2"]) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(gateway: Answering) -> None:
    """Nothing was sent yet."""
    gateway.sent.clear()
    gateway.call = Call("read", {"path": "notes.txt"})


def ask(gateway: Answering, path: str, body: Any) -> str:
    """The text of a successful answer."""
    answer = httpx.post(f"{gateway.base_url}{path}", json=body, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", WIRES)
def test_a_turn_with_a_tool(gateway: Answering, path: str, stream: bool) -> None:
    """Given a client with a tool, when it asks and brings back the answer, then the tool is called once."""
    body, answers = WIRES[path]
    field = "input" if "input" in body else "messages"
    first = ask(gateway, path, {**body, "model": "gpt-5.2", "stream": stream})
    last = ask(gateway, path, {**body, "model": "gpt-5.2", "stream": stream, field: [*ASKED, *answers]})

    assert '"read"' in first
    assert '"read"' not in last.replace(json.dumps(body["tools"], separators=(",", ":")), "")
    assert [(sent.endpoint, sent.body["stream"]) for sent in gateway.sent] == [
        ({"completions": "chat_completions"}.get(path.rpartition("/")[2], path.rpartition("/")[2]), stream)
    ] * 2


def test_a_tool_that_is_not_offered(gateway: Answering) -> None:
    """Given a client without the tool, or without any, when it asks, then it gets words, whatever it sends besides."""
    for more in ({}, {"tools": WIRES["/v1/chat/completions"][0]["tools"], "tool_choice": "auto"}):
        gateway.call = Call("write", {})
        body = {"model": "gpt-5.2", "messages": ASKED, "no_such_field": [1], **more}
        message = json.loads(ask(gateway, "/v1/chat/completions", body))["choices"][0]["message"]
        assert message["content"] == "OK"
        assert message["reasoning_content"]


def test_a_tool_that_is_demanded(gateway: Answering) -> None:
    """Given a client that demands a tool, when it asks, then that tool is called, with arguments that fit."""
    gateway.call = None
    body = {**WIRES["/v1/chat/completions"][0], "model": "gpt-5.2", "tool_choice": "required"}
    [call] = json.loads(ask(gateway, "/v1/chat/completions", body))["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"path": "text"}


def test_what_clients_ask_besides(gateway: Answering) -> None:
    """Given what clients ask beside answers, when they do, then models are listed, and else it is not found."""
    get = httpx.Client(base_url=gateway.base_url, trust_env=False)
    with contextlib.closing(get):
        assert [row["id"] for row in get.get("/v1/models").json()["data"]] == ["gpt-5.2"]
        assert [row["model_name"] for row in get.get("/v1/model/info").json()["data"]] == ["gpt-5.2"]
        assert get.post("/v1/messages/count_tokens", json={}).json() == {"input_tokens": 10}
        assert get.get("/else").status_code == 404
        assert get.post("/v1/chat/completions", content=b"no JSON").status_code == 404
    assert {sent.endpoint for sent in gateway.sent} == {None}
