"""The hook's steps, as LiteLLM takes them, without LiteLLM: what is sent, sent again, remembered and told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from conformance.provider.headers import DROPPED_HEADER
from conformance.provider.integrations import litellm_hook
from conformance.provider.integrations.litellm_hook import ConformanceHook, header_value
from conformance.provider.repair.account import Account
from conformance.provider.repair.learned import Memory
from conformance.provider.table import Rule, Statement, SupportTable, load_table
from conformance.tests.helpers.litellm import CLAUDE, GPT, Refused, Routed

REFUSED = "store: Extra inputs are not permitted"
POLICY = "model_group_retry_policy"
NOTHING = SupportTable((Rule(("*",), {}),))


@pytest.fixture
def hook(tmp_path: Path) -> ConformanceHook:
    """A hook with the shipped table, which has learnt nothing."""
    return ConformanceHook(Account(load_table(), "named", Memory(tmp_path)), "1.109.3")


@pytest.fixture
def unknowing(tmp_path: Path) -> ConformanceHook:
    """A hook with a table that knows nothing, and nothing learnt."""
    return ConformanceHook(Account(NOTHING, "named", Memory(tmp_path)), "1.109.3")


def ready(hook: ConformanceHook, routed: Routed, model: str, **more: Any) -> dict[str, Any]:
    """What LiteLLM sends to a deployment."""
    kwargs = routed.to(model, **more)
    made = asyncio.run(hook.async_pre_call_deployment_hook(kwargs, routed.call))
    return kwargs if made is None else made


def refuse(
    hook: ConformanceHook,
    routed: Routed,
    words: str = REFUSED,
    status: int = 400,
    model: str = CLAUDE,
    old: bool = False,
) -> None:
    """A refusal, told in both ways that releases have; old ones have one."""
    error = Refused(words, status)
    if not old:
        asyncio.run(hook.async_post_call_failure_deployment_hook(routed.data, error, routed.call, fallback_depth=None))
    told = {
        "litellm_call_id": routed.data["litellm_call_id"],
        "model": model.partition("/")[2],
        "exception": error,
    }
    asyncio.run(hook.async_log_failure_event(kwargs=told, response_obj=None, start_time=0, end_time=0))


def answer(hook: ConformanceHook, routed: Routed) -> str | None:
    """An answer with its end; what its header says."""
    made = asyncio.run(hook.async_post_call_response_headers_hook(routed.data, None, object()))
    told = {"litellm_call_id": routed.data["litellm_call_id"]}
    asyncio.run(hook.async_log_success_event(kwargs=told, response_obj=None, start_time=0, end_time=0))
    return (made or {}).get(DROPPED_HEADER)


def policy(hook: ConformanceHook, routed: Routed, data: dict[str, Any] | None = None) -> Mapping[str, Any]:
    """The retries that the router gets for a request."""
    asked = {"litellm_call_id": routed.data["litellm_call_id"], **(data or {})}
    made: Mapping[str, Any] = asyncio.run(hook.async_pre_call_hook(None, None, asked, routed.call)).get(POLICY, {})
    return made


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


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("stream", [{}, {"stream": True}], ids=["whole", "stream"])
@pytest.mark.parametrize("call", ["acompletion", "aresponses", "anthropic_messages"])
def test_a_refusal_is_mended_by_the_retry(
    unknowing: ConformanceHook, tmp_path: Path, call: str, stream: dict[str, Any], old: bool
) -> None:
    """Given a field that is refused, when the router tries again, then without it, and other processes know it."""
    routed = Routed(call, store=True, seed=1, **stream)
    retries = policy(unknowing, routed)
    assert "house" not in retries
    assert ready(unknowing, routed, CLAUDE)["store"] is True
    refuse(unknowing, routed, old=old)

    assert "house" in retries
    assert retries["house"] == retries.get("house")
    assert retries["house"]["BadRequestErrorRetries"] == 2
    again = ready(unknowing, routed, CLAUDE)
    told = answer(unknowing, routed)

    assert "store" not in again
    assert again["seed"] == 1
    assert told == "store"
    assert "house" not in retries
    another = ConformanceHook(Account(NOTHING, "named", Memory(tmp_path)), "1.109.3")
    later = Routed(call, store=True, **stream)
    assert "store" not in ready(another, later, CLAUDE)
    assert answer(another, later) == "store"


def test_two_refusals_of_one_request(unknowing: ConformanceHook) -> None:
    """Given fields that are refused one after the other, when each is mended, then both are left out and told."""
    routed = Routed(store=True, seed=1)
    for words in (REFUSED, "seed: Extra inputs are not permitted"):
        ready(unknowing, routed, CLAUDE)
        refuse(unknowing, routed, words)
    sent = ready(unknowing, routed, CLAUDE)

    assert not {"store", "seed"} & sent.keys()
    assert answer(unknowing, routed) == "store, seed"


@pytest.mark.parametrize(("kind", "mended"), [("BadRequestError", True), ("RateLimitError", False)])
def test_a_second_refusal_that_only_the_router_tells(unknowing: ConformanceHook, kind: str, mended: bool) -> None:
    """Given an old release, which tells of one failure, when the router tries again, then its own list is read: the
    last entry of this request, and none of another."""
    routed = Routed(store=True, seed=1)
    ready(unknowing, routed, CLAUDE)
    refuse(unknowing, routed, old=True)
    ready(unknowing, routed, CLAUDE)
    words = "seed: Extra inputs are not permitted"
    routed.data["litellm_metadata"] = {
        "model_group": "house",
        "previous_models": [
            {"exception_type": kind, "exception_string": words, "litellm_logging_obj": routed.log},
            {"exception_type": "BadRequestError", "exception_string": "n: bad", "litellm_logging_obj": object()},
            "nonsense",
        ],
    }

    assert ("seed" not in ready(unknowing, routed, CLAUDE)) is mended


def test_without_a_retry_the_next_request_is_right(unknowing: ConformanceHook) -> None:
    """Given a router that does not try again, when the next request comes, then it is right, and that is remembered."""
    first, second = Routed(store=True, request_id="1"), Routed(store=True, request_id="2")
    ready(unknowing, first, CLAUDE)
    refuse(unknowing, first)

    assert "store" not in ready(unknowing, second, CLAUDE)
    assert answer(unknowing, second) == "store"
    third = Routed(store=True, request_id="3")
    assert "store" not in ready(unknowing, third, CLAUDE)


def test_a_search_goes_on_within_its_request(tmp_path: Path) -> None:
    """Given a refusal that names nothing, when it is searched, then the retry has less, and the next request all."""
    ours = ConformanceHook(Account(NOTHING, "search", Memory(tmp_path)), "1.109.3")
    routed = Routed(store=True, request_id="1")
    ready(ours, routed, CLAUDE)
    refuse(ours, routed, "Bad Request")

    assert ready(ours, Routed(store=True, request_id="2"), CLAUDE)["store"] is True
    assert "store" not in ready(ours, routed, CLAUDE)
    answer(ours, routed)
    assert "store" not in ready(ours, Routed(store=True, request_id="3"), CLAUDE)


def test_nothing_unproven_is_remembered(unknowing: ConformanceHook, tmp_path: Path) -> None:
    """Given a refusal that leaving the field out does not help, when it is refused again, then nothing is learnt."""
    routed = Routed(store=True, request_id="1")
    for _ in range(2):
        ready(unknowing, routed, CLAUDE)
        refuse(unknowing, routed)

    assert "house" not in policy(unknowing, routed)
    assert ready(unknowing, Routed(store=True, request_id="2"), CLAUDE)["store"] is True
    assert Memory(tmp_path).entries() == {}


def test_another_deployment_begins_anew(unknowing: ConformanceHook) -> None:
    """Given a refusal of one deployment, when the router tries another one, then that gets all."""
    routed = Routed(store=True)
    ready(unknowing, routed, CLAUDE)
    refuse(unknowing, routed)

    assert ready(unknowing, routed, GPT)["store"] is True
    assert answer(unknowing, routed) is None


def test_two_requests_of_one_id(unknowing: ConformanceHook) -> None:
    """Given a client that gives one id to two requests, when one is refused, then the other's deployment is not
    blamed for it."""
    first, second = Routed(store=True), Routed(group="other", store=True)
    ready(unknowing, first, CLAUDE)
    ready(unknowing, second, GPT)
    refuse(unknowing, first, old=True)

    assert ready(unknowing, Routed(store=True, request_id="3"), GPT)["store"] is True


@pytest.mark.parametrize(
    ("words", "status"),
    [("store: Extra inputs are not permitted", 429), ("no deployments available", 503), ("messages is wrong", 400)],
)
def test_what_is_not_mended_is_not_sent_again(unknowing: ConformanceHook, words: str, status: int) -> None:
    """Given an error that is about no field, or about a limit, when it is told, then the router hears of no retry."""
    routed = Routed(store=True)
    retries = policy(unknowing, routed)
    ready(unknowing, routed, CLAUDE)
    refuse(unknowing, routed, words, status)

    assert "house" not in retries
    assert retries.get("house") is None


def test_the_operators_retries_hold(unknowing: ConformanceHook) -> None:
    """Given retries that were set before, when nothing was mended, then they hold; a copy still knows of repairs."""
    routed = Routed(store=True)
    retries = policy(unknowing, routed, {POLICY: {"house": {"RateLimitErrorRetries": 5}}})
    copied = deepcopy(retries)
    assert copied["house"] == {"RateLimitErrorRetries": 5}
    ready(unknowing, routed, CLAUDE)
    refuse(unknowing, routed)

    assert "BadRequestErrorRetries" in copied["house"]


def test_a_router_that_knows_no_retries_of_a_request(hook: ConformanceHook) -> None:
    """Given a release that hands them on, when a deployment is called, then they do not reach it."""
    routed = Routed("aresponses")
    kwargs = {**routed.to(CLAUDE), POLICY: policy(hook, routed)}

    for call in ("aresponses", "aembedding"):
        assert POLICY not in (asyncio.run(hook.async_pre_call_deployment_hook(kwargs, call)) or kwargs)


def test_a_new_version_forgets(tmp_path: Path) -> None:
    """Given something learnt, when LiteLLM was updated, then the first answer forgets it."""
    for version, stays in (("1.0", False), ("1.1", True)):
        ours = ConformanceHook(Account(NOTHING, "named", Memory(tmp_path)), version)
        routed = Routed(store=True)
        ready(ours, routed, CLAUDE)
        if version == "1.0":
            refuse(ours, routed)
            ready(ours, routed, CLAUDE)
        answer(ours, routed)
        assert ("store" in ready(ours, Routed(store=True), CLAUDE)) is stays


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
    [("LITELLM_SUPPORT_TABLE", "/nonexistent", "cannot read the support table"), ("LITELLM_REPAIR", "x", "set it to")],
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


def test_repairs_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given LITELLM_REPAIR=off, when requests are refused, then the table holds, and nothing is sent again."""
    monkeypatch.setenv("LITELLM_REPAIR", "off")
    monkeypatch.setattr(litellm_hook, "_installed", lambda: "1.109.3")
    ours, routed = ConformanceHook.from_env(tmp_path), Routed(store=True, house_rule=1)

    assert "store" not in ready(ours, routed, CLAUDE)
    refuse(ours, routed, "house_rule: Extra inputs are not permitted")
    assert policy(ours, routed) == {}
    assert ready(ours, routed, CLAUDE)["house_rule"] == 1


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
