"""What several of these tests have: the pages' browser, and a command that measures nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.atlas import asking, command
from conformance.atlas.files import AtlasFolder
from conformance.atlas.measuring import Done, Wish
from conformance.errors import EmbeddedGatewayError
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.tests.atlas.building import fleet_of
from conformance.tests.helpers.shipped import RECORDING
from conformance.tests.report.browser.conftest import chromium, opened, pages

__all__ = ["cache", "chromium", "lists", "measured", "opened", "pages"]


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own: whoever measures for real holds the lock of the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(command, "installations", lambda _name: folder)
    return folder


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases that a command measured; those that end in 9 cannot be installed."""
    asked: list[str] = []

    def measure(version: str, wish: Wish, folder: AtlasFolder, _console: object) -> Done:
        if version.endswith("9"):
            raise EmbeddedGatewayError(f"LiteLLM {version} could not be installed")
        asked.append(f"{version} {wish.selection}" if wish.selection else version)
        fleet = vars(asking)["described_fleet"]("wide_fleet")["deployment"]
        models = wish.selection or ",".join(row["name"] for row in fleet)
        recorded = Replay(RECORDING, RECORDING.read_gateway(), load_registry(), selection=models).matrix()
        wanted = {each.id for each in wish.parameters}
        matrix: Any = {**recorded, "cells": [cell for cell in recorded["cells"] if cell["parameter"] in wanted]}
        return Done(version, len(matrix["cells"]), 3, 7.0, folder.add(version, matrix, RECORDING, 7, wish.model_list))

    monkeypatch.setattr(command, "measure_release", measure)
    monkeypatch.setattr(command, "last_releases", lambda: ["1.80.17", "1.81.9", "1.82.6"])
    monkeypatch.setattr(asking, "described_fleet", lambda _name: fleet_of("house-model"))
    return asked


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The lists of models that releases bring, to be filled."""
    brought: dict[str, Any] = {}

    def list_of(release: str, _say: object) -> Path:
        place = tmp_path_factory.mktemp("lists") / f"{release}.json"
        place.write_text(json.dumps(brought[release]), encoding="utf-8")
        return place

    monkeypatch.setattr(asking, "list_of", list_of)
    monkeypatch.setattr(asking, "described_fleet", lambda _name: fleet_of("house-model", "gpt-5.2"))
    return brought
