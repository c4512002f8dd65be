"""The hook's steps, as LiteLLM takes them, without LiteLLM: what is sent, what is told, and what breaks nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conformance.provider.integrations import litellm_hook
from conformance.provider.integrations.litellm_hook import ConformanceHook, header_value
from conformance.provider.repair.account import Account
from conformance.provider.repair.learned import Memory
from conformance.provider.table import Rule, Statement, SupportTable, load_table
from conformance.tests.helpers.hook_steps import POLICY, answer, policy, ready
from conformance.tests.helpers.litellm import CLAUDE, GPT, Refused, Routed
from conformance.tests.helpers.mending import NOTHING


@pytest.fixture
def hook(tmp_path: Path) -> ConformanceHook:
    """A hook with the shipped table, which has learnt nothing."""
    return ConformanceHook(Account(load_table(), "named", Memory(tmp_path)), "1.109.3")


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Stands for LiteLLM's package: what it declares, by what serves a deployment. It fails on others."""
    module, declared = ModuleType("litellm"), dict[str, list[str]]()
    monkeypatch.setattr(litellm_hook, "_KEPT", {})

    def ask(model: str, custom_llm_provider: str) -> list[str]:
        assert model.startswith(f"{custom_llm_provider}/")
        return declared[model]

    vars(module)["get_supported_openai_params"] = ask
    monkeypatch.setitem(sys.modules, "litellm", module)
    return declared


def test_each_deployment_gets_what_it_takes(hook: ConformanceHook) -> None:
    """Given one name for two deployments, when each is called, then what one refuses still reaches the other."""
    routed = Routed(store=True, prompt_cache_key="k")

    sent = ready(hook, routed, CLAUDE)
    told = answer(hook, routed)

    assert not {"store", "prompt_cache_key"} & sent.keys()
    assert sent["messages"] is routed.body["messages"]
    assert told == "prompt_cache_key, store"
    assert {"store", "prompt_cache_key"} <= ready(hook, routed, GPT).keys()
    assert answer(hook, routed) is None


def test_a_name_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a name that the shipped table guesses about, when another model serves it, then that gets what it takes."""
    monkeypatch.setattr(litellm_hook, "_installed", lambda: "1.109.3")
    ours = ConformanceHook.from_env(tmp_path)
    routed = Routed("aresponses", group="claude-quick", prompt_cache_key="k")

    assert ready(ours, routed, GPT)["prompt_cache_key"] == "k"
    assert "prompt_cache_key" not in ready(ours, routed, CLAUDE)


def test_the_users_rules_by_name_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a table of the user's with a rule for a name, when it is asked for, then the rule holds."""
    own = tmp_path / "own.json"
    rules = [
        {"models": ["claude-quick"], "statements": {"seed": {"supported": False, "source": "s"}}},
        {"models": ["*"], "statements": {}},
    ]
    own.write_text(
        json.dumps({"schema_version": 1, "sources": {"s": {"kind": "override", "reason": "r"}}, "rules": rules})
    )
    monkeypatch.setenv("LITELLM_SUPPORT_TABLE", str(own))

    sent = ready(ConformanceHook.from_env(tmp_path), Routed(group="claude-quick", seed=1), GPT)

    assert "seed" not in sent


def test_a_rule_of_the_gateways_own(tmp_path: Path) -> None:
    """Given rules for this gateway and for another, when a name is asked for, then the first holds, the other not."""
    rules = [
        Rule(("house",), {name: Statement(False, "s")}, gateways=(gateway,))
        for name, gateway in (("store", "proxy.example-4000"), ("seed", "other.example"))
    ]
    ours = ConformanceHook(Account(SupportTable((*rules, *NOTHING.rules)), "named", Memory(tmp_path)))

    sent = ready(ours, Routed(store=True, seed=1), CLAUDE)

    assert "store" not in sent
    assert sent["seed"] == 1


def test_what_the_operator_lets_through_is_sent(hook: ConformanceHook) -> None:
    """Given a field that a deployment lets through, when the table refuses it, then it is sent; the rest is not."""
    sent = ready(hook, Routed(store=True, prompt_cache_key="k"), CLAUDE, allowed_openai_params=["prompt_cache_key"])

    assert sent["prompt_cache_key"] == "k"
    assert "store" not in sent


def test_a_router_that_knows_no_retries_of_a_request(hook: ConformanceHook) -> None:
    """Given a release that hands them on, when a deployment is called, then they do not reach it."""
    routed = Routed("aresponses")
    kwargs = {**routed.to(CLAUDE), POLICY: policy(hook, routed)}

    for call in ("aresponses", "aembedding"):
        assert POLICY not in (asyncio.run(hook.async_pre_call_deployment_hook(kwargs, call)) or kwargs)


def test_a_failure_inside_breaks_nothing(
    hook: ConformanceHook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a hook that fails, when a request comes, then it goes on as it came, and one line says so, with no word
    of the request."""

    def broken(*_: Any) -> None:
        raise KeyError("secret prompt")

    monkeypatch.setattr(litellm_hook, "read_call", broken)
    routed = Routed(store=True)

    assert ready(hook, routed, CLAUDE) == routed.to(CLAUDE)
    assert answer(hook, routed) is None
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "litellm-conformance: the hook failed, a request goes on as it came: KeyError"
    ]


@pytest.mark.parametrize("data", [{}, {"litellm_call_id": None}, {"litellm_call_id": 7, "litellm_logging_obj": 7}])
def test_requests_that_nobody_knows(hook: ConformanceHook, data: dict[str, Any]) -> None:
    """Given answers and failures of requests that were never seen, when they are told, then nothing happens."""
    assert asyncio.run(hook.async_post_call_response_headers_hook(data, None, None)) is None
    asyncio.run(hook.async_log_success_event(data, None, None, None))
    asyncio.run(hook.async_log_failure_event({**data, "exception": Refused("store")}, None, None, None))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LITELLM_SUPPORT_TABLE", "/nonexistent", "cannot read the support table"),
        (
            "LITELLM_SUPPORT_TABLE",
            "~no-such-user/table.json",
            "nobody knows the home folder in ~no-such-user/table.json",
        ),
        ("LITELLM_REPAIR", "x", "set it to"),
    ],
)
def test_a_setting_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str, words: str
) -> None:
    """Given such a setting, when LiteLLM starts, then it starts, one line tells, and requests go on as they come."""
    monkeypatch.setenv(name, value)
    off, routed = ConformanceHook.from_env(), Routed(store=True)

    assert ready(off, routed, CLAUDE) == routed.to(CLAUDE)
    assert policy(off, routed) == {}
    assert answer(off, routed) is None
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("litellm-conformance: the hook is off")
    assert words in line


def test_a_start_that_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Given a mistake of ours, when LiteLLM starts, then it starts, one line tells, and requests go on as they come."""

    def fail() -> None:
        raise KeyError("what a user wrote")

    monkeypatch.setattr("conformance.provider.integrations.litellm_hook.layered_table", fail)
    off, routed = ConformanceHook.from_env(), Routed(store=True)

    assert ready(off, routed, CLAUDE) == routed.to(CLAUDE)
    [line] = [record.getMessage() for record in caplog.records]
    assert line == (
        "litellm-conformance: the hook is off, requests go on as they come: it failed (KeyError); please report this"
    )


@pytest.mark.parametrize(
    ("dropped", "expected"),
    [
        ((), ""),
        (("store", "messages.role:developer"), "store, messages.role:developer"),
        (("include:a\r\nx-evil: 1", "store"), "include, store"),
        (("include:a, b", "include:ü"), "include"),
        (("\r\n",), ""),
        (tuple(f"field_{number}" * 20 for number in range(99)), None),
    ],
)
def test_the_header_holds_what_a_header_can(dropped: tuple[str, ...], expected: str | None) -> None:
    """Given names with values that clients sent, when the header is made, then nothing in it is but printable ASCII."""
    told = header_value(dropped)

    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 2010
    if expected is not None:
        assert told == expected


def test_what_litellm_does_not_declare_is_left_out(
    tmp_path: Path, litellm: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a table that knows what is refused if it is not declared, when LiteLLM sends to a deployment, then that
    goes without it, and after a minute by what LiteLLM has learnt since. Where it fails, declares nothing or goes by a
    `base_model`, all is sent."""
    rule = Rule(("*",), {"seed": Statement(False, "s"), "user": Statement(False, "s")}, declared=("no",))
    ours = ConformanceHook(Account(SupportTable((rule, *NOTHING.rules)), "named", Memory(tmp_path)), "1.109.3")

    def sent(model: str, **more: Any) -> list[str]:
        made = ready(ours, Routed(seed=1, user="u"), model, **more)
        return [name for name in ("seed", "user") if name in made]

    litellm[GPT] = ["seed"]
    assert sent(GPT) == ["seed"]
    litellm[GPT] = ["user"]
    assert sent(GPT) == ["seed"]
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert sent(GPT) == ["user"]
    assert sent(CLAUDE) == ["seed", "user"]
    litellm["azure/ours"] = []
    assert sent("azure/ours") == ["seed", "user"]
    assert sent(GPT, model_info={"base_model": "azure/gpt-5.2"}) == ["seed", "user"]
    assert sent(GPT, base_model="azure/gpt-5.2") == ["seed", "user"]
    assert sent("no-route") == ["seed", "user"]
