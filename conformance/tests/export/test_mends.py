"""Tests of how to mend what is refused."""

from __future__ import annotations

from conformance.export.mend_data import known_names
from conformance.export.mends import mend_of
from conformance.parameters import load_registry


def test_mends_speak_of_what_there_is() -> None:
    """Given the registry, when mends are looked up, then every parameter has a cost, and no row is of nothing."""
    groups, names = known_names()
    parameters = load_registry().parameters
    assert groups == {p.group for p in parameters}
    assert names <= {p.id for p in parameters} | {p.path for p in parameters}
    for parameter in parameters:
        for endpoint, body in parameter.bodies.items():
            mend = mend_of(parameter.id, parameter.group, endpoint, tuple(body))
            assert mend["cost"], parameter.id
            assert mend["drop"] or mend["advice"], parameter.id


def test_mends_by_endpoint_value_and_default() -> None:
    """Given parameters, when mends are looked up, then the id wins over the path, and the path over the group."""
    chat, responses = "chat_completions", "responses"
    assert mend_of("store:false", "privacy", chat, ["store"])["pi"] == [{"compat": {"supportsStore": False}}]
    assert mend_of("store:false", "privacy", responses, ["store"])["pi"] == []
    assert mend_of("tools.strict:true", "tools", responses, ["tools"])["drop"] == ["tools[*].strict"]
    assert mend_of("tools.strict:true", "tools", chat, ["tools"])["drop"] == ["tools[*].function.strict"]
    assert mend_of("messages.role:developer", "messages", chat, ["messages"])["drop"] == []
    assert mend_of("brand_new", "other", chat, ["a", "b"]) == {
        "cost": None,
        "advice": None,
        "default": False,
        "drop": ["a", "b"],
        "allow": ["a", "b"],
        "exports": {name: [{"unless": (), "every": ()}] for name in ("litellm", "vercel-ai", "litellm-sdk")},
        "pi": [],
        "stuck": False,
    }
