"""What the hook does with refusals, as LiteLLM tells them, without LiteLLM: mend, send again, remember."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from conformance.provider.integrations import litellm_hook
from conformance.provider.integrations.litellm_hook import ConformanceHook
from conformance.provider.repair import account
from conformance.provider.repair.account import Account
from conformance.provider.repair.learned import Memory, RequestKind
from conformance.tests.helpers.hook_steps import POLICY, REFUSED, answer, policy, ready, refuse
from conformance.tests.helpers.litellm import CLAUDE, GPT, Routed
from conformance.tests.helpers.mending import NOTHING


@pytest.fixture
def unknowing(tmp_path: Path) -> ConformanceHook:
    """A hook with a table that knows nothing, and nothing learnt."""
    return ConformanceHook(Account(NOTHING, "named", Memory(tmp_path)), "1.109.3")


class Slow(Memory):
    """A memory on a slow disk: before something learnt is there, and after something was looked up, others do more."""

    before: Callable[[], object] = staticmethod(int)
    after: Callable[[RequestKind], object] = staticmethod(id)

    def learn(self, *said: Any) -> None:
        """Learn, after what others do."""
        self.before()
        super().learn(*said)

    def known(self, kind: RequestKind) -> Mapping[str, bool]:
        """What was known before the others did something."""
        found = super().known(kind)
        self.after(kind)
        return found


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


def test_what_is_being_written_is_known(tmp_path: Path) -> None:
    """Given a disk that is slow, when a request comes while what the one before has taught is written, then it is
    right already."""
    memory, sent = Slow(tmp_path), list[dict[str, Any]]()
    ours = ConformanceHook(Account(NOTHING, "named", memory), "1.109.3")
    memory.before = lambda: sent.append(ready(ours, Routed(store=True, request_id="2"), CLAUDE))
    first = Routed(store=True, request_id="1")
    ready(ours, first, CLAUDE)
    refuse(ours, first)
    ready(ours, first, CLAUDE)
    answer(ours, first)

    assert ["store" in each for each in sent] == [False]
    assert "store" not in ready(ours, Routed(store=True, request_id="3"), CLAUDE)


def test_what_is_learnt_while_it_is_looked_up(tmp_path: Path) -> None:
    """Given a request that looks up what is known, when another has learnt more meanwhile, then the next one has it."""
    memory = Slow(tmp_path)
    ours = ConformanceHook(Account(NOTHING, "named", memory), "1.109.3")
    memory.after = lambda kind: Memory.learn(memory, kind, "1.109.3", {"store": False}, "backend")
    ready(ours, Routed(store=True, request_id="1"), CLAUDE)
    memory.after = id

    assert "store" not in ready(ours, Routed(store=True, request_id="2"), CLAUDE)


def test_an_answer_proves_nothing_of_what_its_request_did_not_hold(unknowing: ConformanceHook, tmp_path: Path) -> None:
    """Given a field that was refused, when a request without it is answered before the retry, then nothing is
    learnt."""
    first = Routed(store=True, request_id="1")
    ready(unknowing, first, CLAUDE)
    refuse(unknowing, first)
    other = Routed(request_id="2")
    ready(unknowing, other, CLAUDE)
    answer(unknowing, other)

    assert Memory(tmp_path).entries() == {}
    assert "store" not in ready(unknowing, first, CLAUDE)


@pytest.mark.parametrize("retries", [True, False], ids=["a router that retries", "one that does not"])
def test_nobody_pays_for_what_is_tried_again(
    unknowing: ConformanceHook, monkeypatch: pytest.MonkeyPatch, retries: bool
) -> None:
    """Given three fields that were learnt, when requests follow, then they are tried again one by one, and only where
    the router is known to send a request again."""
    monkeypatch.setattr(account, "TRY_AGAIN_EVERY", 3)
    names = ("store", "seed", "n")
    failed, tried = 0, []
    for number in range(30):
        routed = Routed(request_id=str(number), store=1, seed=1, n=1)
        for attempt in range(3 if retries else 1):
            sent = ready(unknowing, routed, CLAUDE)
            held = [name for name in names if name in sent]
            if number > 3 and attempt == 0:
                tried.append(held)
            if not held:
                answer(unknowing, routed)
                break
            refuse(unknowing, routed, f"{held[0]}: Extra inputs are not permitted")
        else:
            failed += 1

    assert failed == (1 if retries else 3)
    assert {len(each) for each in tried} == ({0, 1} if retries else {0})
    assert {name for each in tried for name in each} == ({*names} if retries else set())


def test_the_answer_to_another_request_of_the_same_id(unknowing: ConformanceHook, tmp_path: Path) -> None:
    """Given a client that gives one id to two requests, when one is answered, then nothing is proven of the other."""
    first, second = Routed(group="other"), Routed(store=True)
    ready(unknowing, first, GPT)
    ready(unknowing, second, CLAUDE)
    refuse(unknowing, second)
    ready(unknowing, second, CLAUDE)
    told = {"litellm_call_id": "r", "model": GPT.partition("/")[2]}
    asyncio.run(unknowing.async_log_success_event(kwargs=told, response_obj=None, start_time=0, end_time=0))

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


def test_repairs_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given LITELLM_REPAIR=off, when requests are refused, then the table holds, and nothing is sent again."""
    monkeypatch.setenv("LITELLM_REPAIR", "off")
    monkeypatch.setattr(litellm_hook, "_installed", lambda: "1.109.3")
    ours, routed = ConformanceHook.from_env(tmp_path), Routed(store=True, house_rule=1)

    assert "store" not in ready(ours, routed, CLAUDE)
    refuse(ours, routed, "house_rule: Extra inputs are not permitted")
    assert policy(ours, routed) == {}
    assert ready(ours, routed, CLAUDE)["house_rule"] == 1
