"""What LiteLLM is about to send, read as a request: what the client sent of it, and nothing of LiteLLM's own."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.provider.integrations.litellm_calls import Call, changed, read_call, served_by
from conformance.tests.helpers.litellm import CLAUDE, GPT, Routed

HEADER = "anthropic-beta"


def read(kwargs: dict[str, Any], call: str) -> Call:
    """The call, which has to be one."""
    found = read_call(kwargs, call, "1.109.3")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("call", "endpoint"),
    [("acompletion", "chat_completions"), ("aresponses", "responses"), ("anthropic_messages", "messages")],
)
@pytest.mark.parametrize("mode", ["whole", "stream"])
def test_what_is_asked_of_a_table(call: str, endpoint: str, mode: str) -> None:
    """Given a call of each kind, when it is read, then the deployment, the names of model and gateway, and the version
    are known, and the body is what the client sent."""
    fields: dict[str, Any] = {"stream": True} if mode == "stream" else {}
    routed = Routed(call, temperature=1, **fields)
    found = read(routed.to(CLAUDE), call)

    assert found.kind == ("https://databricks.example", CLAUDE, endpoint, mode)
    asked = found.question
    assert (asked.model, asked.served_by) == ("house", (CLAUDE,))
    assert (asked.endpoint, asked.mode) == (endpoint, mode)
    assert (asked.gateway, asked.gateway_version) == ("proxy.example-4000", "1.109.3")
    assert found.body == {**routed.body, "model": CLAUDE}
    assert found.key == "sk-upstream"


@pytest.mark.parametrize(
    ("call", "change"),
    [
        ("acompletion", {"proxy_server_request": {"url": "http://p/v1/responses", "body": {}}}),
        ("acompletion", {"proxy_server_request": {"url": "http://p/v1/models", "body": {}}}),
        ("acompletion", {"proxy_server_request": {"url": "http://p/v1/chat/completions", "body": None}}),
        ("acompletion", {"proxy_server_request": {}}),
        ("acompletion", {"proxy_server_request": None}),
        ("acompletion", {"model": None}),
        ("aembedding", {}),
        ("None", {}),
    ],
)
def test_what_is_no_request_of_a_client(call: str, change: dict[str, Any]) -> None:
    """Given a bridge's own call, another endpoint, or nothing to go by, when it is read, then it is none."""
    assert read_call({**Routed().to(CLAUDE), **change}, call, None) is None


@pytest.mark.parametrize(
    ("model", "provider", "info", "expected"),
    [
        (CLAUDE, None, None, CLAUDE),
        (CLAUDE, "databricks", {}, CLAUDE),
        ("gpt-5.2", "azure", None, GPT),
        ("anthropic/claude-opus-4-8", "openrouter", None, "openrouter/anthropic/claude-opus-4-8"),
        ("openrouter/anthropic/claude-opus-4-8", None, None, "openrouter/anthropic/claude-opus-4-8"),
        ("azure/our-deployment", None, {"base_model": "azure/gpt-5.2"}, GPT),
        ("azure/our-deployment", "azure", {"base_model": "gpt-5.2"}, GPT),
        (GPT, None, {"base_model": "azure/gpt-4o"}, GPT),
        ("azure/our-deployment", None, {"base_model": None}, "azure/our-deployment"),
        ("gpt-5.2", None, None, "gpt-5.2"),
        ("gpt-5.2", 7, "nonsense", "gpt-5.2"),
    ],
)
def test_what_serves_a_model(model: str, provider: Any, info: Any, expected: str) -> None:
    """Given a deployment, when it is named, then as LiteLLM names it, by what it is where its own name says nothing."""
    assert served_by(model, provider, info) == expected


def test_what_litellm_declares_goes_with_the_question() -> None:
    """Given a deployment, when it is read, then LiteLLM is asked what it declares for what serves it; not where it goes
    by a `base_model`."""

    def declares(served: str) -> tuple[str, ...]:
        return ("seed", served)

    for more, expected in (
        ({}, ("seed", GPT)),
        ({"model_info": {"base_model": "azure/gpt-5.2"}}, None),
        ({"base_model": "azure/gpt-5.2"}, None),
        ({"model_info": {"base_model": None}}, ("seed", GPT)),
    ):
        found = read_call(Routed().to(GPT, **more), "acompletion", None, declares)
        assert found is not None
        assert found.question.declared == expected


@pytest.mark.parametrize(("base", "expected"), [(None, "https://azure"), ("http://h:1/v1?key=secret", "http://h:1")])
def test_where_a_deployment_is(base: str | None, expected: str) -> None:
    """Given a deployment with and without an address, when it is read, then the memory has a place for it, no key."""
    assert read(Routed().to(GPT, api_base=base), "acompletion").kind.gateway == expected


def test_labels_of_litellm_stay_out() -> None:
    """Given labels, when the client's and LiteLLM's are one, then they are none of the body; elsewhere they are."""
    labels = {"session": "7"}

    assert "metadata" not in read(Routed(metadata=labels).to(CLAUDE), "acompletion").body
    assert read(Routed("aresponses", metadata=labels).to(CLAUDE), "aresponses").body["metadata"] == labels


def test_only_the_clients_part_is_changed() -> None:
    """Given a request of which something is left out and renamed, when it is put back, then all else is as it was."""
    routed = Routed(store=True, max_tokens=9, temperature=1)
    kwargs = routed.to(CLAUDE, store_in_litellm=True)
    before = dict(kwargs)
    call = read(kwargs, "acompletion")
    made = {name: value for name, value in call.body.items() if name not in ("store", "max_tokens")}
    made["max_completion_tokens"] = 9

    new = changed(kwargs, call, made)

    assert kwargs == before
    expected = {name: value for name, value in before.items() if name not in ("store", "max_tokens")}
    assert new == {**expected, "max_completion_tokens": 9}


ROW = {"custom_llm_provider": "anthropic", "extra_headers": {"Anthropic-Beta": "a-1, b-2", "x-other": "o"}}


@pytest.mark.parametrize("held", [ROW, [ROW, "nonsense", {"custom_llm_provider": "databricks"}]], ids=["row", "rows"])
@pytest.mark.parametrize(
    ("kept", "left"),
    [(["b-2"], {"Anthropic-Beta": "b-2", "x-other": "o"}), ([], {"x-other": "o"})],
    ids=["one", "none"],
)
def test_the_header_of_features_is_a_field(held: Any, kept: list[str], left: dict[str, str]) -> None:
    """Given the header as old and new releases keep it, when values are left out, then those, and nothing else."""
    kwargs = Routed("anthropic_messages").to(CLAUDE, provider_specific_header=held)
    call = read(kwargs, "anthropic_messages")
    assert call.body[HEADER] == ["a-1", "b-2"]

    new = changed(kwargs, call, {**call.body, HEADER: kept})["provider_specific_header"]

    first, *others = new if isinstance(held, list) else [new]
    assert first == {"custom_llm_provider": "anthropic", "extra_headers": left}
    assert others == (held[1:] if isinstance(held, list) else [])
    assert HEADER not in changed(kwargs, call, call.body)


@pytest.mark.parametrize(
    ("told", "expected"), [(["store", "n", "store"], ("n", "store")), (None, ()), ("store", ()), ([7], ())]
)
def test_what_the_operator_lets_through(told: Any, expected: tuple[str, ...]) -> None:
    """Given fields that LiteLLM is told to let through, when a call is read, then they are known."""
    assert read(Routed().to(GPT, allowed_openai_params=told), "acompletion").allowed == expected
