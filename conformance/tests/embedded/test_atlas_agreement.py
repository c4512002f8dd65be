"""What the atlas says of its newest release equals what the simulators saw, and what is measured today."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from conformance.atlas import SHIPPED
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Place, snapshot, state_of
from conformance.embedded import embedded_gateway
from conformance.embedded.config import WIDE_FLEET
from conformance.tests.embedded.agreeing import Measured, measure

pytestmark = pytest.mark.slow

ATLAS = AtlasFolder(SHIPPED).read()
NEWEST = list(ATLAS["releases"])[-1]

#: A model of each vendor that has a wire format of its own; the variable CONFORMANCE_ATLAS names others (`*` takes
#: seven minutes).
MODELS = (
    "databricks/databricks-claude-opus-4-8",
    "azure/gpt-5.5",
    "anthropic/claude-sonnet-5",
    "gemini/gemini-3.8-flash",
    "bedrock/us.amazon.nova-pro-v1:0",
    "cohere/command-a-plus-05-2026",
    "ollama_chat/qwen3:32b",
)


#: What is no contradiction: where LiteLLM cannot count tokens (Bedrock, Vertex), its answer does not tell who refused.
EXCEPTION = "count_tokens: rejected: nobody is blamed"


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    """The cells of the newest release, asked one request after another."""
    with embedded_gateway(version=NEWEST, fleet=WIDE_FLEET) as gateway:
        yield measure(gateway, os.environ.get("CONFORMANCE_ATLAS", ",".join(MODELS)), "core")


def test_the_simulators_saw_what_the_atlas_says(measured: Measured) -> None:
    """Given models of the wide fleet on the newest release, when their cells are judged from outside, then no verdict
    contradicts what reached a simulator."""
    cells, wrong = measured.cells(), [each for each in measured.wrong() if EXCEPTION not in each]
    print(f"{len(cells) - len(wrong)} of {len(cells)} verdicts agree with what the upstream saw")  # noqa: T201  the figure is the point
    assert wrong == []


def test_the_atlas_says_what_is_measured(measured: Measured) -> None:
    """Given the same models, when they are measured again, then each cell is as the atlas has it.

    It may say less: most of it was measured before a field that is refused as such was told from one whose
    prerequisite is refused.
    """
    known = snapshot(ATLAS, NEWEST)
    differing = []
    for group, parameter, outcome in measured.cells():
        place = Place(group.model.id, f"{group.endpoint}/{group.mode}", parameter.id)
        state = state_of(outcome.verdict, outcome.rejected_by)
        says_less = known.get(place) == "not_applicable" and state.startswith("rejected")
        if known.get(place) != state and not says_less:
            differing.append(f"{' '.join(place)}: {known.get(place)} in the atlas, {state} now ({outcome.reason})")
    assert measured.cells()
    assert differing == []
