"""Each model gets the way of a client that works, with the settings that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.export.choosing import Choice, choices
from conformance.export.clients import load_clients
from conformance.export.facts import facts_of
from conformance.parameters import load_registry
from conformance.tests.helpers.agents import field, with_agents
from conformance.tests.helpers.pages import cell, matrix_with

PI = load_clients()["pi"]


def way(name: str, endpoint: str, *refused: str) -> dict[str, Any]:
    """What Pi does in a way in which these fields are refused."""
    fields = [field(each, "breaks", endpoint=endpoint, mode="stream") for each in refused]
    readiness = "breaks" if refused else "works"
    told = {"readiness": readiness, "reason": f"{readiness}.", "endpoint": endpoint, "mode": "stream", "turn": 1}
    return {"way": name, **told, "fields": fields}


def choice(*ways: dict[str, Any], more: tuple[dict[str, Any], ...] = ()) -> Choice:
    """What is chosen for a model with which Pi does so; its cells are those of the ways, and more."""
    cells = [
        cell(model="m", parameter=each["field"], endpoint=each["endpoint"], mode="stream", verdict="rejected")
        for one in ways
        for each in one["fields"]
    ]
    cells += [cell(model="m", parameter="n", endpoint=each["endpoint"], mode="stream") for each in ways]
    first = ways[0]
    row = {"client": "pi", "model": "m", "family": "unknown", "way": first["way"], "readiness": first["readiness"]}
    matrix = with_agents(matrix_with([*cells, *more]), [{**row, "reason": "so.", "ways": list(ways)}])
    facts = facts_of(matrix, load_registry(), "a test", modes=PI.modes)
    [found] = choices(PI, facts, PI.endpoints)
    return found


def settings(found: Choice) -> Mapping[str, Any]:
    """The settings without the wire."""
    return {name: value for name, value in found.settings.items() if name != "api"}


def test_a_way_that_settings_mend_is_as_good_as_any() -> None:
    """Given a way that breaks on what a setting mends, when chosen, then that way is used, with the setting."""
    found = choice(way("chat", "chat_completions", "store:false"), way("messages", "messages"))
    assert (found.way.name, settings(found), found.works) == ("chat", {"compat": {"supportsStore": False}}, True)


def test_a_way_that_no_setting_mends_is_left_for_another() -> None:
    """Given a way that no setting mends, when chosen, then another is used."""
    found = choice(way("chat", "chat_completions", "tools.strange"), way("responses", "responses", "prompt_cache_key"))
    assert (found.way.name, settings(found)) == ("responses", {"compat": {"promptCacheKeyMode": "disabled"}})


def test_what_no_way_mends_is_said() -> None:
    """Given ways that no setting mends, when chosen, then the one that breaks on least is used, and that is said."""
    found = choice(way("chat", "chat_completions", "a", "b"), way("responses", "responses", "store:false"))
    assert (found.way.name, [said.parameter for said in found.left]) == ("responses", ["store:false"])


def test_what_would_be_sent_instead_must_be_taken() -> None:
    """Given two names of one field, both refused, when chosen, then neither takes the other's place."""
    found = choice(way("chat", "chat_completions", "max_tokens", "max_completion_tokens"))
    assert len(found.left) == 2
    assert settings(found) == {}


def test_levels_by_their_own_names() -> None:
    """Given some levels that are refused, when chosen, then these are hidden; if all are, the model does not reason."""

    def level(name: str, verdict: str) -> dict[str, Any]:
        return cell(model="m", parameter=f"reasoning_effort:{name}", mode="stream", verdict=verdict)

    some = choice(way("chat", "chat_completions"), more=(level("none", "rejected"), level("low", "accepted")))
    every = choice(way("chat", "chat_completions"), more=(level("none", "rejected"), level("low", "rejected")))
    assert settings(some) == {"thinkingLevelMap": {"off": None}}
    assert settings(every) == {"reasoning": False}


def test_what_nobody_measured_is_said() -> None:
    """Given a way with a field that nobody measured, when chosen, then one that is known goes first, or it is said."""
    asked = way("chat", "chat_completions")
    asked["fields"] = [{**field("strange", "unknown", mode="stream"), "verdict": "not_measured", "parameter": None}]
    known = way("responses", "responses")
    assert [said.parameter for said in choice(asked).unknown] == ["strange"]
    assert choice(asked, known).way.name == "responses"
