"""Large fleets: a test for each model, and what is kept in memory of the cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from conformance.cassettes.folder import Folder
from conformance.discover.listing import Discovered
from conformance.measure.gateway_document import gateway_document
from conformance.parameters import load_registry
from conformance.tests.helpers.gateways import refuses_cache_key, scripted_gateway
from conformance.tests.helpers.measured import FEW
from conformance.tests.helpers.running import Workplace, run_pytest
from conformance.types import Endpoint, Gateway, Model

REPLAY = ["conformance/suite", "--gateway=g"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Two models, measured."""
    place = Workplace(tmp_path_factory.mktemp("fleet"))
    with scripted_gateway(refuses_cache_key, ("claude-x", "gpt-y")) as gateway:
        ended = run_pytest("--live", FEW, "--gateway=g", "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    return place


@pytest.mark.parametrize("workers", [[], pytest.param(["-n2"], marks=pytest.mark.slow)])
def test_a_test_for_each_model(place: Workplace, workers: list[str]) -> None:
    """Given a recording, when there is a test for each model, then those pass, and the matrix has every cell."""
    before = place.matrix["cells"]
    ended = run_pytest(*REPLAY, "--test-per=model", *workers, *place.options, suite=False)
    assert ended.code == 0, ended.all
    assert "4 passed" in ended.out
    assert place.matrix["cells"] == before


def test_a_model_that_deviates(place: Workplace, tmp_path: Path) -> None:
    """Given a table that says otherwise, when there is a test for each model, then its test tells of each cell."""
    shipped = Workplace(tmp_path)
    options = [option for option in place.options if not option.startswith("--table")]
    table = shipped.table
    text = place.table.read_text(encoding="utf-8")
    table.write_text(text.replace('"supported":false', '"supported":true'), encoding="utf-8")
    ended = run_pytest(*REPLAY, "--test-per=model", *options, f"--table={table}", suite=False)
    assert ended.code == 1, ended.all
    assert len(re.findall("(?m)^measured: prompt_cache_key is rejected .*for 'claude-x'", ended.out)) == 4
    assert "test_model[claude-x]" in ended.out
    assert "test_model[gpt-y]" not in ended.out


@pytest.mark.parametrize(
    ("models", "option", "tests"),
    [
        (2, [], "test_cell"),
        (2, ["--test-per=model"], "test_model"),
        (220, [], "test_model"),
        (220, ["--test-per=cell"], "test_cell"),
    ],
)
def test_what_a_test_judges_depends_on_the_size(tmp_path: Path, models: int, option: list[str], tests: str) -> None:
    """Given a recording of more than 20,000 cells, when its tests are collected, then there is one for each model."""
    place, registry = Workplace(tmp_path), load_registry()
    fleet = tuple(Model(id=f"model-{number}") for number in range(models))
    run: Any = {"started_at": "s", "finished_at": "f", "complete": False, "requests": 0, "exhaustive": False}
    run |= {"selection": None, "parameters": [p.id for p in registry.select("core")], "endpoints": list(Endpoint)}
    document = gateway_document(Discovered(Gateway(name="g", url="http://g"), fleet, ()), run)
    Folder(tmp_path / "cassettes" / "g").write_gateway(document)
    place.table.write_bytes((Path(__file__).parents[2] / "provider" / "parameter_support.json").read_bytes())

    ended = run_pytest(*REPLAY, "--collect-only", "-q", *option, *place.options, suite=False)
    names = {line.partition("::")[2].partition("[")[0] for line in ended.out.splitlines() if "[" in line}
    assert names == {tests}, ended.all
