"""Tests of `conformance.atlas.honesty`: predictions are counted as what they turned out to be."""

from __future__ import annotations

from conformance.atlas.honesty import honesty, shares
from conformance.tests.atlas.building import BY_BACKEND, PARAMETER, REFUSED, TAKEN, atlas_of_one


def test_a_family_that_agrees_is_foretold() -> None:
    """Given three models of a family that refuse, when each is left out, then the others foretell it rightly; the
    family as a whole nobody foretells."""
    models = {f"x/claude-{name}": {"1.90.0": REFUSED} for name in ("opus-4", "opus-5", "sonnet-5")}
    found = honesty(atlas_of_one(["1.90.0"], {**models, "x/gpt-5": {"1.90.0": TAKEN}}))

    assert found["model"] == {"right": 2, "wrong": 0, "silent": 1, "taken": 1}
    assert found["family"] == {"right": 0, "wrong": 0, "silent": 3, "taken": 1}


def test_an_exception_is_a_wrong_prediction() -> None:
    """Given one model that takes what its family refuses, when it is left out, then the prediction is wrong."""
    models = {f"x/claude-opus-{number}": {"1.90.0": REFUSED} for number in (4, 5, 7)}
    found = honesty(atlas_of_one(["1.90.0"], {**models, "x/claude-opus-6": {"1.90.0": TAKEN}}))

    assert found["model"]["wrong"] == 1
    assert shares({"right": 99, "wrong": 1, "silent": 101, "taken": 99}) == {"foretold": 99 / 200, "wrong": 0.01}


def test_what_is_not_declared_is_foretold_to_who_may_read_it() -> None:
    """Given models that are refused as nothing is declared for them, when each is left out, then another one foretells
    it to a client that knows this, also of another family; to one that does not nobody does."""
    states = {"x/claude-4": REFUSED, "x/gpt-5": REFUSED, "x/llama-4": TAKEN}
    declared = {model: {"1.90.0": [PARAMETER] if state == TAKEN else ["tools"]} for model, state in states.items()}
    atlas = atlas_of_one(["1.90.0"], {model: {"1.90.0": state} for model, state in states.items()}, declared=declared)

    told, untold = honesty(atlas), honesty(atlas, declarations=False)

    assert told["model"] == told["family"] == {"right": 2, "wrong": 0, "silent": 0, "taken": 1}
    assert untold["model"] == untold["family"] == {"right": 0, "wrong": 0, "silent": 2, "taken": 1}


def test_a_release_is_foretold_by_its_neighbours() -> None:
    """Given a refusal that comes and goes, when releases are left out, then only what both sides say is foretold."""
    history = {"1.81.0": BY_BACKEND, "1.100.0": TAKEN, "1.105.0": BY_BACKEND}
    releases = ["1.81.0", "1.90.0", "1.95.0", "1.100.0", "1.105.0"]

    found = honesty(atlas_of_one(releases, {"x/house": history}))

    assert found["release"] == {"right": 1, "wrong": 1, "silent": 2, "taken": 0}
