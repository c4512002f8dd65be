"""What the tests of many machines share."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.tests.helpers.gateways import refuses_cache_key, scripted_gateway
from conformance.tests.helpers.measured import FEW, FLEET
from conformance.tests.helpers.running import run_pytest


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of one gateway, and the same gateway measured whole: `1/g`, `2/g`, `3/g`, `whole/g`."""
    root = tmp_path_factory.mktemp("shards")
    with scripted_gateway(refuses_cache_key, FLEET) as gateway:
        for name in ("1", "2", "3", "whole"):
            shard = [] if name == "whole" else [f"--shard={name}/3"]
            options = ["--live", FEW, "--gateway=g", "--update-table", "-p", "no:allure_pytest", *shard]
            places = [f"--cassettes={root / name}", f"--reports={root / name}-r", f"--table={root / name}-table.json"]
            ended = run_pytest(*options, *places, env=gateway.environment)
            assert ended.code == 0, ended.all
    return root
