"""Tests of `conformance.atlas.rules`: what carries over to what nobody measured, and what does not."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.atlas.history import Atlas, declared_at, histories, snapshot, supported
from conformance.atlas.writing import rules_of
from conformance.provider.table import Question, Rule, SupportTable
from conformance.tests.atlas.building import BY_BACKEND, PARAMETER, REFUSED, TAKEN, atlas_of_one

DEFAULT = Rule(("*",), {})

#: A declaration without the parameter.
OTHERS = ["tools"]


def table_of(atlas: Atlas, doubted: bool = False) -> SupportTable:
    """The rules of an atlas, as a table that knows nothing else."""
    rules, sources = rules_of(atlas, lambda _path, _endpoint: (), lambda _endpoint, _parameter: doubted)
    return SupportTable((*rules, DEFAULT), sources)


def refuses(
    table: SupportTable,
    served: str | None,
    version: str | None = "1.90.0",
    alias: str = "team-model",
    declared: Sequence[str] | None = None,
) -> bool:
    """Whether a table refuses the parameter of a model that is served so; None where nobody told."""
    asked = Question(
        alias,
        "chat_completions",
        "whole",
        gateway_version=version,
        served_by=(served,) if served else (),
        declared=None if declared is None else tuple(declared),
    )
    found = table.lookup(asked, PARAMETER)
    return found is not None and not found.supported


def one_release(**states: str) -> Atlas:
    """An atlas of one release: `route__model=state`, with `-` for `_` in the model's name."""
    models = {}
    for name, state in states.items():
        route, _, model = name.partition("__")
        models[f"{route}/{model.replace('_', '-')}"] = {"1.90.0": state}
    return atlas_of_one(["1.90.0"], models)


def test_a_known_family_is_followed() -> None:
    """Given a family whose measured models all refuse, when a new size is asked for, then it is refused."""
    table = table_of(one_release(x__claude_opus_4_8=REFUSED, x__claude_sonnet_5=REFUSED, x__gpt_5=TAKEN))

    assert refuses(table, "x/claude-haiku-5-5")
    assert refuses(table, "x/claude-opus-9")
    assert not refuses(table, "x/gpt-5-mini")
    assert not refuses(table, "x/unheard-of")


def test_a_version_may_begin_a_refusal() -> None:
    """Given a family that refuses from a version on, when others are asked for, then newer ones refuse, older ones do
    not, and in between nobody speaks."""
    table = table_of(
        one_release(
            x__claude_opus_4_5=TAKEN,
            x__claude_sonnet_4_6=TAKEN,
            x__claude_opus_4_8=BY_BACKEND,
            x__claude_sonnet_5=BY_BACKEND,
            x__claude_opus_5_5=BY_BACKEND,
        )
    )

    assert refuses(table, "x/claude-haiku-5")
    assert refuses(table, "x/claude-opus-6")
    assert not refuses(table, "x/claude-opus-4-7")
    assert not refuses(table, "x/claude-opus-4-1")


GPT = ("x/gpt-4-1", "x/gpt-5-1", "x/gpt-5-5", "x/gpt-6-1")


def two_releases(*pairs: tuple[str, str], lists: Sequence[str] = ("1.90.0", "1.90.0")) -> SupportTable:
    """The table of a family of four versions, measured on an old and a new release with these lists of models."""
    models = {
        model: {"1.80.0": old, "1.90.0": new} if new != old else {"1.80.0": old}
        for model, (old, new) in zip(GPT, pairs, strict=True)
    }
    atlas = atlas_of_one(["1.80.0", "1.90.0"], models)
    for row, model_list in zip(atlas["releases"].values(), lists, strict=True):
        row["model_list"] = model_list
    return table_of(atlas)


@pytest.mark.parametrize("no", [REFUSED, BY_BACKEND])
def test_a_list_of_what_is_refused_holds_no_name_of_next_year(no: str) -> None:
    """Given newer versions of which a field is refused that an older release took, when a version of a later year is
    asked for, then it is sent: no list of the gateway has it. Of the versions that it has heard of, it is refused."""
    listed = two_releases((TAKEN, TAKEN), (TAKEN, no), (TAKEN, no), (TAKEN, no))
    always = two_releases((no, no), (no, no), (no, no), (no, no))

    assert refuses(listed, "x/gpt-5-3")
    assert refuses(listed, "x/gpt-6-2")
    assert not refuses(listed, "x/gpt-7")
    assert refuses(always, "x/gpt-7")


@pytest.mark.parametrize(
    ("state", "lists", "refused"),
    [
        (REFUSED, ("1.90.0", "1.90.0"), True),
        (REFUSED, ("1.80.0", "1.90.0"), False),
        (BY_BACKEND, ("1.80.0", "1.90.0"), True),
    ],
)
def test_what_a_later_release_takes_with_another_list_an_older_one_may_take(
    state: str, lists: Sequence[str], refused: bool
) -> None:
    """Given an old release that refuses what the next one takes, when it is asked, then it is left out where both went
    by one list of models. Where LiteLLM refused by another list it is sent: it may have loaded the newer one by now."""
    table = two_releases((TAKEN, TAKEN), (TAKEN, TAKEN), (state, TAKEN), (state, TAKEN), lists=lists)

    assert refuses(table, "x/gpt-5-5", "1.80.0") is refused
    assert refuses(table, "x/gpt-6-1", "1.80.0") is refused
    assert not refuses(table, "x/gpt-5-1", "1.80.0")
    assert not refuses(table, "x/gpt-5-5", "1.90.0")


def test_a_list_explains_nothing_where_a_later_release_takes_it_with_the_same_one() -> None:
    """Given three releases of which the middle one was measured with another list, when the last one takes with the
    list of the first what that refused, then the release made the difference: it is left out at the first."""
    for middle, last, refused in ((TAKEN, "1.80.0", True), (REFUSED, "1.80.0", True), (TAKEN, "1.90.0", False)):
        history = {"1.80.0": REFUSED, "1.85.0": middle, "1.90.0": TAKEN}
        atlas = atlas_of_one(list(history), {f"x/gpt-5-{size}": history for size in range(4)})
        for row, model_list in zip(atlas["releases"].values(), ("1.80.0", "1.85.0", last), strict=True):
            row["model_list"] = model_list
        assert refuses(table_of(atlas), "x/gpt-5-1", "1.80.0") is refused, (middle, last)


def test_few_do_not_speak_for_others() -> None:
    """Given one model of a family, or two that a backend refuses, when another is asked for, then it is sent."""
    table = table_of(
        one_release(x__claude_opus_5=REFUSED, x__gpt_5=TAKEN, x__gemini_3=BY_BACKEND, x__gemini_3_1=BY_BACKEND)
    )

    assert refuses(table, "x/claude-opus-5")
    assert not refuses(table, "x/claude-sonnet-5")
    assert refuses(table, "x/gemini-3")
    assert not refuses(table, "x/gemini-3-2")


def test_a_route_speaks_where_all_agree() -> None:
    """Given a route where models of three families are refused, when another is asked for, then it is refused there."""
    states = {"x__claude_5": REFUSED, "x__gpt_5": REFUSED, "x__llama_4": REFUSED, "x__qwen3": REFUSED}
    everywhere, all_but_one = table_of(one_release(**states)), table_of(one_release(**states, x__gemini_3=TAKEN))

    assert refuses(everywhere, "x/unheard-of")
    assert not refuses(all_but_one, "x/unheard-of")
    assert refuses(all_but_one, "x/qwen3")


def test_an_unknown_route_or_version_falls_open() -> None:
    """Given a route that refuses at some releases, when another route or release is asked for, then all is sent."""
    names = ("claude-4", "claude-5", "claude-6")
    models = {f"x/{name}": {"1.81.0": TAKEN, "1.90.0": BY_BACKEND, "1.100.0": TAKEN} for name in names}
    table = table_of(atlas_of_one(["1.81.0", "1.90.0", "1.100.0"], models))

    assert refuses(table, "x/claude-4", "1.90.0")
    assert not refuses(table, "y/claude-4", "1.90.0")
    for version in ("1.80.0", "1.81.0", "1.89.0", "1.95.0", "1.100.0", "2.0.0", None):
        assert not refuses(table, "x/claude-4", version), version


def test_between_releases_that_agree_they_speak_and_after_the_newest_the_newest() -> None:
    """Given releases, when one between or after them is asked for, then those beside it speak where they agree."""
    models = {f"x/{name}": {"1.81.0": TAKEN, "1.90.0": REFUSED} for name in ("claude-4", "claude-5")}
    table = table_of(atlas_of_one(["1.81.0", "1.90.0", "1.95.0"], models))

    assert refuses(table, "x/claude-5", "1.92.3")
    assert refuses(table, "x/claude-5", "1.120.0")
    assert not refuses(table, "x/claude-5", "1.85.0")


def test_releases_that_agree_in_other_words_speak_for_what_lies_between() -> None:
    """Given a refusal that its family shares from a release on, when one between the two is asked for, then it is
    refused: both sides say so, one of the model and one of its family."""
    models = {"x/claude-5": {"1.90.0": REFUSED}, "x/claude-6": {"1.90.0": TAKEN, "1.95.0": REFUSED}}
    table = table_of(atlas_of_one(["1.90.0", "1.95.0"], models))

    assert refuses(table, "x/claude-5", "1.92.0")
    assert not refuses(table, "x/claude-6", "1.92.0")


def test_what_is_not_known_between_two_that_agree_is_as_they_are() -> None:
    """Given a release that could not tell, between two that agree, when it is asked for, then they speak."""
    history = {"1.81.0": REFUSED, "1.90.0": "inconclusive", "1.95.0": REFUSED}
    table = table_of(atlas_of_one(["1.81.0", "1.90.0", "1.95.0"], {"x/house": history}))

    assert refuses(table, "x/house", "1.90.0")


def test_where_the_route_is_not_known_all_routes_have_to_agree() -> None:
    """Given a family that all routes refuse, and one that only some do, when no route is known, then one is refused."""
    table = table_of(
        one_release(x__claude_4=REFUSED, y__claude_5=REFUSED, x__gpt_4=REFUSED, x__gpt_5=REFUSED, y__gpt_5=TAKEN)
    )

    assert refuses(table, None, alias="claude-opus-4-5")
    assert not refuses(table, None, alias="gpt-5")
    assert not refuses(table, "z/claude-opus-4-5")


def test_a_name_over_several_routes_gets_what_all_of_them_take() -> None:
    """Given a name over two routes, when one of them refuses, then the name does."""
    table = table_of(one_release(x__claude_5=REFUSED, y__gpt_5=TAKEN))
    asked = Question("m", "chat_completions", "whole", gateway_version="1.90.0", served_by=("x/claude-5", "y/gpt-5"))

    found = table.lookup(asked, PARAMETER)

    assert found is not None
    assert not found.supported


def declaring(states: Mapping[str, str], declared: Mapping[str, bool | None]) -> SupportTable:
    """The table of one release with these states, which declares the parameter for some models."""
    lists: Mapping[bool | None, list[str] | None] = {None: None, True: [PARAMETER], False: OTHERS}
    names = {model: {"1.90.0": lists[can]} for model, can in declared.items()}
    models = {model: {"1.90.0": state} for model, state in states.items()}
    return table_of(atlas_of_one(["1.90.0"], models, declared=names))


def test_one_model_tells_what_its_route_refuses_undeclared() -> None:
    """Given a route that refuses the one model for which it does not declare a parameter, when any other model there is
    asked for, then it is refused where it is not declared, and sent where it is, or where nobody knows."""
    table = declaring({"x/gpt-4": REFUSED, "x/claude-5": TAKEN}, {"x/gpt-4": False, "x/claude-5": True})

    assert refuses(table, "x/unheard-of", declared=OTHERS)
    assert refuses(table, "x/claude-5", declared=OTHERS)
    assert not refuses(table, "x/unheard-of", declared=[PARAMETER])
    assert not refuses(table, "x/unheard-of")
    assert not refuses(table, "y/gpt-4", declared=OTHERS)


def test_what_is_refused_undeclared_is_sent_where_it_is_declared() -> None:
    """Given models that LiteLLM refuses as it does not declare the parameter for them, when a gateway declares it for
    one of them or their like, then it is sent: that gateway has another list of models. Where nobody knows it is
    refused."""
    states = {"x/claude-4": REFUSED, "x/claude-5": REFUSED, "x/gpt-5": TAKEN}
    table = declaring(states, {"x/claude-4": False, "x/claude-5": False, "x/gpt-5": True})

    for model in ("x/claude-4", "x/claude-opus-5-1"):
        assert refuses(table, model)
        assert refuses(table, model, declared=OTHERS)
        assert not refuses(table, model, declared=[PARAMETER])


@pytest.mark.parametrize(("state", "declared"), [(BY_BACKEND, False), (REFUSED, True), (REFUSED, None)])
def test_what_is_refused_for_another_reason_stays_refused(state: str, declared: bool | None) -> None:
    """Given models that a backend refuses, or LiteLLM though it declares the parameter, or that declare nothing, when
    one is asked for, then it is refused whatever is declared, and nothing is said of others."""
    states = {f"x/claude-{number}": state for number in (4, 5, 6)}
    table = declaring({**states, "x/gpt-5": TAKEN}, dict.fromkeys(states, declared) | {"x/gpt-5": True})

    for said in (None, OTHERS, [PARAMETER]):
        assert refuses(table, "x/claude-5", declared=said)
        assert not refuses(table, "x/unheard-of", declared=said)


def test_a_parameter_that_no_model_declares_is_not_of_that_kind() -> None:
    """Given a parameter that LiteLLM declares for nobody, as `messages`, when it refuses it to one, then that tells
    nothing of others."""
    table = declaring({"x/gpt-4": REFUSED, "x/claude-5": REFUSED}, {"x/gpt-4": False, "x/claude-5": False})

    assert refuses(table, "x/gpt-4", declared=OTHERS)
    assert not refuses(table, "x/unheard-of", declared=OTHERS)


def test_three_routes_tell_of_all_where_none_says_otherwise() -> None:
    """Given three routes that refuse what they do not declare, when another route is asked for, then it is refused
    there, too; not if there are but two, or one that lets a model through, unless nine times as many refuse."""

    def table(refusing: int, letting_through: int) -> SupportTable:
        states = {f"r{number}/gpt-4": REFUSED for number in range(refusing)}
        states |= {f"s{number}/gpt-4": TAKEN for number in range(letting_through)}
        declared: dict[str, bool | None] = dict.fromkeys(states, False)
        return declaring({**states, "z/claude-5": TAKEN}, {**declared, "z/claude-5": True})

    assert refuses(table(3, 0), "y/unheard-of", declared=OTHERS)
    assert refuses(table(3, 0), "z/unheard-of", declared=OTHERS)
    assert not refuses(table(2, 0), "z/unheard-of", declared=OTHERS)
    assert not refuses(table(8, 1), "z/unheard-of", declared=OTHERS)
    assert refuses(table(9, 1), "z/unheard-of", declared=OTHERS)
    assert not refuses(table(9, 1), "y/unheard-of", declared=OTHERS)
    assert not refuses(table(9, 1), "s0/unheard-of", declared=OTHERS)
    assert refuses(table(9, 1), "r0/unheard-of", declared=OTHERS)


def test_a_family_tells_of_its_own_where_the_route_lets_others_through() -> None:
    """Given a route that lets a model of one family through undeclared, when models of another one are refused, then
    that one is, and no third."""
    states = {"x/claude-4": REFUSED, "x/gpt-5": TAKEN, "x/gemini-3": TAKEN}
    table = declaring(states, {"x/claude-4": False, "x/gpt-5": False, "x/gemini-3": True})

    assert refuses(table, "x/claude-opus-9", declared=OTHERS)
    assert not refuses(table, "x/gpt-9", declared=OTHERS)
    assert not refuses(table, "x/gemini-9", declared=OTHERS)


_NAMES = ("claude-opus-4-5", "claude-opus-4-8", "claude-sonnet-5", "gpt-4.1", "gpt-5.2", "gpt-6", "house", "llama-3")
_STATES = st.sampled_from([TAKEN, REFUSED, BY_BACKEND, "ignored", "inconclusive"])
_RELEASES = ("1.81.0", "1.90.0", "1.100.0")
_ATLASES = st.dictionaries(
    st.tuples(st.sampled_from(["x", "y", "bedrock/invoke"]), st.sampled_from(_NAMES)).map("/".join),
    st.tuples(*(_STATES for _ in _RELEASES)),
    min_size=1,
)


_DECLARED = st.dictionaries(
    st.sampled_from([f"{route}/{name}" for route in ("x", "y", "bedrock/invoke") for name in _NAMES]),
    st.dictionaries(st.sampled_from(_RELEASES), st.sampled_from([None, [], OTHERS, [PARAMETER]]), min_size=1),
)


@settings(max_examples=300)
@given(_ATLASES, st.booleans(), st.booleans(), _DECLARED)
def test_every_measured_cell_is_reproduced(
    measured: Mapping[str, Sequence[str]],
    doubted: bool,
    own_lists: bool,
    declared: Mapping[str, Mapping[str, list[str] | None]],
) -> None:
    """Given any atlas, when a measured model is asked about at a measured release, then the rules say what was
    measured, whether the client knows what is declared or not; each statement says how it is known, and no rule stands
    twice. What LiteLLM refused, and took later by another list of models, is not looked at."""
    models = {
        model: {
            release: state
            for number, (release, state) in enumerate(zip(_RELEASES, states, strict=True))
            if number == 0 or states[number - 1] != state
        }
        for model, states in measured.items()
    }
    told = {
        model: {release: each[release] for release in _RELEASES if release in each}
        for model, each in declared.items()
        if model in models
    }
    channels = ("chat_completions/whole", "chat_completions/stream")
    atlas = atlas_of_one(_RELEASES, models, channels, told)
    if own_lists:
        for release, row in atlas["releases"].items():
            row["model_list"] = release
    table = table_of(atlas, doubted)

    for release in _RELEASES:
        for place, state in snapshot(atlas, release).items():
            later = measured[place.model][_RELEASES.index(release) + 1 :]
            doubtful = own_lists and state == REFUSED and any(supported(each) for each in later)
            if supported(state) is not None and not doubtful:
                for known in (None, declared_at(atlas, place.model)[release]):
                    said = refuses(table, place.model, release, declared=known)
                    assert said is not supported(state), (place, release, known)
    assert sum(1 for _ in histories(atlas)) == 2 * len(models)
    for rule in table.rules[:-1]:
        assert all(table.sources[statement.source]["kind"] == "atlas" for statement in rule.statements.values())
    assert all(one != other for one, other in itertools.combinations(table.rules, 2))
