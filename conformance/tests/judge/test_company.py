"""Which parameters share a request, and what a refusal of several says of each. No network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.judge.batching import batches
from conformance.judge.naming import at_fault, blamed, finds_nothing, is_certain
from conformance.judge.verdicts import answer_of
from conformance.tests.helpers.building import CHAT, exchanged, succeeded
from conformance.tests.helpers.policies import Policy, Watched, group, held, ok, parameter, refusal
from conformance.types import Parameter, Request, Response, Verdict

TOOL = {"type": "function", "function": {"name": "f"}}


def of_the_tool(name: str, value: Any = True) -> Parameter:
    """A parameter that is a property of the one tool."""
    row = parameter("tools", [{**TOOL, name: value}], context="tools")
    return replace(row, id=f"tools.{name}:{value}".lower())


STRICT, LOOSE, CACHED, EAGER = (
    of_the_tool("strict"),
    of_the_tool("strict", value=False),
    of_the_tool("cache_control", {"type": "ephemeral"}),
    of_the_tool("eager_input_streaming"),
)


def named(parameters: list[Parameter], words: str) -> list[str]:
    """The ids of those that a refusal is certain to mean."""
    answer = answer_of(exchanged(group(parameters).request({}), refusal(words)))
    culprits = at_fault(parameters, group(), answer)
    return [each.id for each in culprits] if culprits and is_certain(culprits, parameters, group(), answer) else []


def test_properties_of_one_tool_travel_together() -> None:
    """Given several properties of one tool, when they are sent, then they share a request, but for two values."""
    found = [[each.id for each in batch] for batch in batches([STRICT, LOOSE, CACHED, EAGER], group())]
    assert found == [[STRICT.id, CACHED.id, EAGER.id], [LOOSE.id]]


def test_a_plain_field_has_one_parameter_at_a_time() -> None:
    """Given two parameters that send the same plain value, when they are put into requests, then each has its own."""
    warm, both = (
        parameter("warm"),
        replace(parameter("warm"), id="warm+nucleus", bodies={CHAT: {"warm": 1, "nucleus": 1}}),
    )
    assert len(list(batches([warm, both], group()))) == 2


def test_an_id_of_nothing_goes_alone() -> None:
    """Given a parameter whose id nothing has, when it is put into requests, then it has its own."""
    missing = replace(parameter("conversation", "conv_0"), unknown_id="conv_0")
    assert [len(batch) for batch in batches([parameter("alpha"), missing, parameter("beta")], group())] == [2, 1]


def test_a_property_that_is_refused_costs_its_company_nothing() -> None:
    """Given a gateway that refuses one property of a tool, when several are asked for, then the others pass."""
    refuses = (
        lambda r: any("eager_input_streaming" in tool for tool in r.body.get("tools", ())),
        lambda _: refusal("tools.0.custom.eager_input_streaming: Extra inputs are not permitted"),
    )
    policy = Watched(refuses)
    found = held(policy, group([STRICT, LOOSE, CACHED, EAGER]))

    assert {name: outcome.verdict for name, outcome in found.items()} == {
        STRICT.id: Verdict.ACCEPTED,
        LOOSE.id: Verdict.ACCEPTED,
        CACHED.id: Verdict.ACCEPTED,
        EAGER.id: Verdict.REJECTED,
    }
    assert len([request for request in policy.asked if refuses[0](request)]) == 1


def test_a_place_that_all_share_tells_nothing() -> None:
    """Given a refusal of what all of several send, then none of them is certain to be meant."""
    assert named([STRICT, CACHED, EAGER], "tools.0.type: Extra inputs are not permitted") == []


def test_what_the_context_sends_is_nobodys_own() -> None:
    """Given a refusal of the tools that passed before, when it comes in company, then each is asked for alone."""
    words = "openai does not support parameters: ['tools'], for model=responses/o4-mini"
    assert named([STRICT], words) == []
    refuses = (lambda r: "beta" in r.body and any("strict" in t for t in r.body["tools"]), lambda _: refusal(words))
    found = held(Watched(refuses), group([parameter("beta", context="tools"), STRICT, CACHED]))
    assert {outcome.verdict for outcome in found.values()} == {Verdict.ACCEPTED}


def test_several_that_are_named() -> None:
    """Given a refusal that names two properties of one tool, then both are meant, and the third is not."""
    words = "tools.0.strict: Extra inputs are not permitted, tools.0.cache_control: Extra inputs are not permitted"
    assert named([STRICT, CACHED, EAGER], words) == [STRICT.id, CACHED.id]


@pytest.mark.parametrize(
    ("words", "certain"),
    [
        (
            "Unsupported value: 'warm' does not support 0.2 with this model. Only the default (1) value is supported.",
            True,
        ),
        ("O-series models don't support warm=0.2. Only warm=1 is supported.", True),
        ("Unsupported value: 'warm' does not support 0.2 while beta is given.", False),
        ("Unsupported value: 'warm' is out of range.", False),
        ("Unsupported value: 'warm' does not support 10.2 with this model.", False),
    ],
)
def test_a_value_that_is_quoted(words: str, *, certain: bool) -> None:
    """Given a refusal of a value, when it quotes it and speaks of no company, then it needs not be asked for alone."""
    company = [parameter("warm", 0.2), parameter("beta")]
    answer = answer_of(exchanged(group(company).request({}), refusal(words)))
    assert is_certain(company[:1], company, group(), answer) is certain


def test_what_is_observed_later_is_not_in_the_company_of_its_source() -> None:
    """Given a parameter that builds on another, when both are asked for, then its field is not in the other's probe."""
    source, other = parameter("tools", [TOOL]), replace(parameter("edits"), id="edits:other")
    later = replace(parameter("edits", 2), id="edits:later", context="tools")
    policy = Policy()
    held(policy, group([other, source, later]))

    alone = [request for request in policy.asked if "tools" in request.body and "edits" not in request.body]
    assert alone
    assert all(request.body["edits"] == 2 for request in policy.asked if {"tools", "edits"} <= request.body.keys())


MISSING = replace(
    parameter("conversation", "conv_0"), unknown_id="conv_0", unobservable="", effects={CHAT: "looked_up"}
)


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (refusal("Conversation with id 'conv_0' not found.", 404), Verdict.ACCEPTED, "was looked for and not found"),
        (refusal("conversation: Extra inputs are not permitted"), Verdict.REJECTED, "Extra inputs are not permitted"),
        (refusal("Not Found", 404), Verdict.INCONCLUSIVE, "Not Found"),
        (refusal("Model 'conv' not found."), Verdict.INCONCLUSIVE, "not found"),
    ],
)
def test_an_id_that_nothing_has(answer: Response, verdict: Verdict, words: str) -> None:
    """Given an id that nothing has, when it is refused, then the words decide: what is not found was read."""
    found = held(Watched((lambda r: "conversation" in r.body, lambda _: answer)), group([MISSING]))[MISSING.id]
    assert found.verdict is verdict
    assert words in found.reason


def test_an_answer_in_spite_of_an_id_that_nothing_has() -> None:
    """Given an id that nothing has, when there is an answer, then nobody looked: it is ignored."""
    found = held(Watched((lambda r: "conversation" in r.body, ok)), group([MISSING]))[MISSING.id]
    assert found.verdict is Verdict.IGNORED
    assert "nobody looked for it" in found.reason


def test_another_id_is_not_this_one() -> None:
    """Given a refusal that does not find something else, then nothing is said of the field."""
    answer = answer_of(exchanged(group().request({}), refusal("Item with id 'rs_1' not found.", 404)))
    assert not finds_nothing(MISSING, answer)


def of_tier(value: str) -> Parameter:
    """A parameter whose effect an answer shows: the tier that gave it."""
    return replace(parameter("service_tier", value), unobservable="", effects={CHAT: "tier"})


@pytest.mark.parametrize(("spoils", "verdict"), [(True, Verdict.HONOURED), (False, Verdict.IGNORED)])
def test_what_has_no_effect_in_company_is_asked_for_alone(*, spoils: bool, verdict: Verdict) -> None:
    """Given a parameter without effect beside another, when it has one alone, then its company was why."""

    def answer(request: Request) -> Response:
        hidden = not spoils or "alpha" in request.body
        return succeeded(request, service_tier="default" if hidden else request.body.get("service_tier", "default"))

    policy = Watched((lambda r: "bogus_key" not in r.body, answer))
    found = held(policy, group([parameter("alpha"), of_tier("flex")]))
    asked = [set(request.body) & {"alpha", "service_tier"} for request in policy.asked]

    assert found["service_tier:flex"].verdict is verdict
    assert asked.count({"alpha", "service_tier"}) == 1
    assert asked.count({"service_tier"}) == 1


def test_what_is_refused_alone_is_refused() -> None:
    """Given a parameter that passes beside another and does nothing there, when it is refused alone, that counts."""
    refused = (lambda r: "service_tier" in r.body and "alpha" not in r.body, lambda _: refusal("service_tier: no", 400))
    shown = (lambda r: "bogus_key" not in r.body, lambda r: succeeded(r, service_tier="default"))
    found = held(Watched(refused, shown), group([parameter("alpha"), of_tier("flex")]))
    assert found["service_tier:flex"].verdict is Verdict.REJECTED
    assert found["alpha"].verdict is Verdict.ACCEPTED


def test_what_is_sent_back_comes_from_an_answer_of_its_own() -> None:
    """Given a source whose answer in company has nothing to send back, then it is asked for alone first."""
    source, after = parameter("alpha"), replace(parameter("before", "{answer.id}"), id="before", after="alpha")
    lacks_id = (lambda r: "alpha" in r.body and "beta" in r.body, ok)
    has_id = (lambda r: "alpha" in r.body, lambda r: succeeded(r, id="a1"))
    policy = Watched(lacks_id, has_id)
    found = held(policy, group([source, parameter("beta"), after]))

    assert found["before"].verdict is Verdict.ACCEPTED
    assert [request.body["before"] for request in policy.asked if "before" in request.body] == ["a1"]


@pytest.mark.parametrize(
    ("words", "blames"),
    [
        ("tools.0: Input tag 'web_search_20250305' found using 'type' does not match any of the expected tags", True),
        ("a server-side tool (tool type 'web_search_20250305') is not supported", True),
        ("tools of type 'function' are not supported on this model", False),
        ("web_search_20250305x", False),
    ],
)
def test_a_value_that_only_one_sends_names_it(words: str, *, blames: bool) -> None:
    """Given a refusal that names no field, when it quotes what only one parameter sends, then it means that one."""
    search = replace(parameter("tools", [{"type": "web_search_20250305"}]), id="tools.type:web_search")
    answer = answer_of(exchanged(group([search]).request({}), refusal(words)))
    assert blamed([search, parameter("beta")], CHAT, answer) == ([search] if blames else [])


@pytest.mark.parametrize("source_first", [True, False])
def test_a_field_that_is_refused_is_refused_whatever_it_builds_on(*, source_first: bool) -> None:
    """Given a field that is refused, when a value of it builds on something refused too, then the refusal counts."""
    source, plain = parameter("tools", [TOOL]), replace(parameter("edits"), id="edits")
    later = replace(parameter("edits", 2), id="edits:later", context="tools")
    asked = [source, plain, later] if source_first else [plain, later, source]
    found = held(Policy(refused=frozenset({"tools", "edits"})), group(asked))
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(found, Verdict.REJECTED)


def test_what_a_refusal_names_beside_its_culprit_is_not_refused_as_such() -> None:
    """Given a refusal of a field and of tools that have passed before, then only the field is refused."""
    words = "x does not support parameters: ['tools', 'alpha'], for model=m"
    refuses = (lambda r: "alpha" in r.body, lambda _: refusal(words))
    found = held(Watched(refuses), group([parameter("alpha", context="tools"), STRICT, CACHED]))
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "alpha": Verdict.REJECTED,
        STRICT.id: Verdict.ACCEPTED,
        CACHED.id: Verdict.ACCEPTED,
    }


def test_a_value_that_a_context_forbids_is_asked_for_alone() -> None:
    """Given a refusal that quotes a value and speaks of the company's context, then it is not certain."""
    company = [parameter("warm", 0.2), parameter("choice", context="tools")]
    words = "Unsupported value: 'warm' does not support 0.2 with tools."
    answer = answer_of(exchanged(group(company).request({}), refusal(words)))
    assert not is_certain(company[:1], company, group(), answer)


@pytest.mark.parametrize(
    ("words", "verdict"), [("Conversation with id 'conv_0' not found.", Verdict.ACCEPTED), ("no", Verdict.INCONCLUSIVE)]
)
def test_an_id_of_nothing_after_a_rate_limit(words: str, verdict: Verdict) -> None:
    """Given a rate limit first, when the id is not found later, then the field is read; other words say nothing."""
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return refusal("slow down", 429) if len(asked) <= 3 else refusal(words, 404)

    found = held(Watched((lambda r: "conversation" in r.body, answer)), group([MISSING]))[MISSING.id]
    assert found.verdict is verdict
