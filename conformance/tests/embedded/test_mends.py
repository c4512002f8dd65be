"""The page's mends on a real LiteLLM: what it says to configure turns each refusal into a success."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest

from conformance.answers.reading import Answer, read_answer
from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import litellm_config
from conformance.export.mends import mend_of
from conformance.parameters import load_registry
from conformance.schemas.documents import Cell
from conformance.tests.helpers.configured import configured_gateway
from conformance.tests.helpers.shipped import shipped_matrix
from conformance.types import Endpoint, Mode, Parameter, Request, Response

REGISTRY = load_registry()
PARAMETERS = {parameter.id: parameter for parameter in REGISTRY.parameters}
#: Where the setting for another parameter mends this one along.
ELSEWISE = {(model, "responses", "tool_choice") for model in ("claude-sonnet-4-6-bedrock", "nova-pro")}


@pytest.fixture(scope="module")
def refused() -> list[Cell]:
    """The whole answers of the shipped recording that refuse, of models with one deployment.

    Not of messages: there LiteLLM refuses some fields before it drops any.
    """
    cells = [c for c in shipped_matrix()["cells"] if c["endpoint"] in ("chat_completions", "responses")]
    return [c for c in cells if c["verdict"] == "rejected" and c["mode"] == "whole" and not c.get("split")]


@pytest.fixture(scope="module")
def mended(refused: list[Cell]) -> Iterator[EmbeddedGateway]:
    """The embedded gateway, configured as the page says for all that its models refuse."""
    drops: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in refused:
        drops[cell["model"]] |= dict.fromkeys(_drop(cell))

    def config(simulators: str, _fleet: str) -> dict[str, Any]:
        made = litellm_config(simulators)
        for row in made["model_list"]:
            row["litellm_params"]["additional_drop_params"] = list(drops[row["model_name"]])
        return made

    with configured_gateway(litellm_config=config) as running:
        yield running


def _drop(cell: Cell) -> list[str]:
    group = PARAMETERS[cell["parameter"]].group
    settings: list[str] = mend_of(cell["parameter"], group, cell["endpoint"], cell["fields"])["drop"]
    return settings


@pytest.mark.slow
def test_dropping_mends(mended: EmbeddedGateway, refused: list[Cell]) -> None:
    """Given a refused parameter, when LiteLLM is configured as its mend says, then the same request succeeds."""
    with httpx.Client(headers={"authorization": f"Bearer {mended.api_key}"}, timeout=60) as client:

        def answer(endpoint: Endpoint, model: str, body: dict[str, Any], asked: Parameter | None = None) -> Answer:
            entry, door = REGISTRY.endpoints[endpoint], asked.door if asked else ""
            url = f"{mended.base_url.removesuffix('/v1')}/v1{entry.path}{door}"
            received = client.post(url, json=body, headers={**entry.headers, **(asked.headers if asked else {})})
            request = Request(model, endpoint, Mode.WHOLE, body, door=door)
            return read_answer(request, Response(status=received.status_code, body=received.content))

        @cache
        def baseline_of(endpoint: Endpoint, model: str, context: str | None) -> dict[str, Any]:
            entry = REGISTRY.endpoints[endpoint]
            more = REGISTRY.contexts[context][endpoint].body if context else {}
            baselines = ({"model": model, **entry.body, **cap, **more} for cap in entry.caps)
            return next(body for body in baselines if answer(endpoint, model, body).ok)

        tried, wrong = 0, []
        for cell in refused:
            endpoint, parameter = Endpoint(cell["endpoint"]), PARAMETERS[cell["parameter"]]
            baseline = baseline_of(endpoint, cell["model"], parameter.context)
            kept = {name: value for name, value in baseline.items() if name not in parameter.without}
            mends = _drop(cell)
            found = answer(endpoint, cell["model"], {**kept, **parameter.bodies[endpoint]}, parameter)
            if found.ok is not bool(mends) and (cell["model"], endpoint, parameter.path) not in ELSEWISE:
                wrong.append((cell["model"], endpoint.value, parameter.id, mends, (found.refusal or "")[:200]))
            tried += bool(mends)
    assert not wrong
    assert tried > 200
