"""Real Pi, old and new, and models that the shipped table does not know: what is refused is mended, once for all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from conformance.embedded import EmbeddedGateway, embedded_gateway, gateway
from conformance.embedded.config import fleet, litellm_config
from conformance.provider.learned import Memory
from conformance.tests.embedded.pi_runs import Pi, new_pi_modules, pi_modules
from conformance.tests.running import Ended

pytestmark = pytest.mark.slow

SCHEMA = json.loads((Path(gateway.__file__).parents[1] / "schemas" / "learned.schema.json").read_text(encoding="utf-8"))
#: No pattern of the shipped table begins like this.
PREFIX = "team-"
NAMES = Counter(PREFIX + row["name"] for row in fleet()["deployment"] if "info" not in row)
MODELS = sorted(NAMES)


def renamed(simulators: str) -> dict[str, Any]:
    """The fleet's configuration, with names that no table knows."""
    made = litellm_config(simulators)
    for row in made["model_list"]:
        row["model_name"] = PREFIX + row["model_name"]
    return made


@pytest.fixture(scope="module")
def unknown() -> Iterator[EmbeddedGateway]:
    """A real LiteLLM whose models the shipped table does not know."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "litellm_config", renamed)
        with embedded_gateway() as running:
            yield running


@pytest.fixture(params=[pi_modules, new_pi_modules], ids=["0.73.1", "1.6.0"])
def pi(request: pytest.FixtureRequest, tmp_path: Path, unknown: EmbeddedGateway) -> Pi:
    """A Pi pointed at that gateway, which has learnt nothing yet."""
    reached = {"LITELLM_BASE_URL": unknown.base_url, "LITELLM_API_KEY": unknown.api_key}
    return Pi(request.param(), tmp_path / "home", reached)


def asked(pi: Pi) -> dict[str, Ended]:
    """What became of one prompt for each model, each in a process of its own."""
    with ThreadPoolExecutor(2) as together:
        return dict(zip(MODELS, together.map(lambda model: pi.ask("hi", model), MODELS), strict=True))


def learnt_file(pi: Pi) -> Path:
    """Where this Pi and the Python provider keep what they learnt."""
    return pi.home / ".cache" / "litellm-conformance" / "learned.json"


def test_every_model_answers_and_a_second_process_repeats_no_repair(pi: Pi, unknown: EmbeddedGateway) -> None:
    """Given models that refuse what Pi sends, when each is asked twice, then all answer, and each repair is made once.

    The first time a line on standard error tells of each repair; Python reads what was learnt.
    """
    first, again = asked(pi), asked(pi)

    assert {model: done.all for model, done in first.items() if done.code or not done.out.strip()} == {}
    told = [line for done in first.values() for line in done.err.splitlines()]
    assert told
    assert all(line.startswith("litellm: team-") and "mended and sent again" in line for line in told)
    # A name with two routes is now the one model and now the other.
    repeated = {model: done.all for model, done in again.items() if done.code or (done.err and NAMES[model] == 1)}
    assert repeated == {}
    text = learnt_file(pi).read_text(encoding="utf-8")
    document = json.loads(text)
    jsonschema_rs.validator_for(SCHEMA).validate(document)
    known = Memory(learnt_file(pi).parent).entries()
    assert {kind.gateway for kind in known} == {unknown.base_url}
    assert {entry.version for entry in known.values()} == {unknown.version}
    assert any(
        name == "store" and not each.supported for entry in known.values() for name, each in entry.parameters.items()
    )
    assert unknown.api_key not in text
