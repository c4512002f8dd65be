"""Whatever the way in which a gateway refuses, cells get the verdicts that are true, at a bounded price. No network."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from conformance.parameters import load_registry
from conformance.plan.cells import make_plan
from conformance.tests.helpers.policies import STYLES, Styled, held
from conformance.types import Endpoint, Model, Verdict

REGISTRY = load_registry()
GROUPS = make_plan([Model(id="m")], REGISTRY, REGISTRY.select("all"), tuple(Endpoint)).groups

#: What every answer is capped by, and what every request has: no policy refuses these by chance.
CAPS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
ALWAYS = {"messages", "input", *CAPS}
FIELDS = sorted({name for p in REGISTRY.parameters for body in p.bodies.values() for name in body} - ALWAYS)

#: The share of the other fields that a policy refuses, and how many policies there are of each kind.
REFUSED = 0.1
POLICIES = 5

#: Requests for each cell, where the words name the field, and where they do not.
MOST = {True: 0.5, False: 0.9}

STYLE = pytest.mark.parametrize("style", STYLES)
CAP = pytest.mark.parametrize(
    "caps",
    [
        pytest.param((), id="any cap", marks=pytest.mark.slow),
        pytest.param(CAPS[:1], id="one cap is refused"),
        pytest.param(CAPS, id="no cap is taken", marks=pytest.mark.slow),
    ],
)


@dataclass
class Tally:
    """What came of some policies."""

    cells: int = 0
    requests: int = 0
    unclear: int = 0
    wrong: list[str] = field(default_factory=list)


def tallied(style: str, caps: tuple[str, ...] = (), stumbles: float = 0.0, *, exhaustive: bool = False) -> Tally:
    """Measure all cells of a model behind gateways with random policies, and hold the verdicts against those."""
    tally = Tally()
    for seed in range(POLICIES):
        dice = random.Random(seed)  # noqa: S311  no secret
        refused = {*caps, *(name for name in FIELDS if dice.random() < REFUSED)}
        for number, group in enumerate(GROUPS):
            policy = Styled(STYLES[style], refused, stumbles, seed * len(GROUPS) + number)
            found = held(policy, group, exhaustive=exhaustive)
            tally.cells += len(found)
            tally.requests += len(policy.asked)
            for parameter in group.parameters:
                outcome = found[parameter.id]
                told = STYLES[style].names or not parameter.unknown_id  # else it may be the id that is not found
                tally.unclear += outcome.verdict is Verdict.INCONCLUSIVE and told
                if outcome.verdict not in {Verdict.INCONCLUSIVE, *policy.says(group, parameter)}:
                    tally.wrong.append(f"{seed} {group.endpoint} {group.mode} {parameter.id}: {outcome}")
    return tally


@CAP
@STYLE
def test_every_style_is_read(style: str, caps: tuple[str, ...]) -> None:
    """Given policies that refuse in one style, when all is measured, then verdicts are theirs, and requests are few."""
    tally = tallied(style, caps)
    assert tally.wrong == []
    assert tally.unclear == 0
    assert tally.requests <= MOST[STYLES[style].names] * tally.cells


@CAP
@STYLE
@pytest.mark.slow
def test_every_style_is_read_among_faults(style: str, caps: tuple[str, ...]) -> None:
    """Given a fault in every fifth answer besides, when all is measured, then no verdict is wrong, and few are open."""
    tally = tallied(style, caps, 0.2)
    assert tally.wrong == []
    assert tally.unclear < 0.01 * tally.cells


@pytest.mark.slow
@STYLE
def test_every_style_is_read_one_by_one(style: str) -> None:
    """Given a fault in every fifth answer, when each parameter is asked for alone, then no verdict is wrong either."""
    tally = tallied(style, stumbles=0.2, exhaustive=True)
    assert tally.wrong == []
    assert tally.unclear < 0.01 * tally.cells
