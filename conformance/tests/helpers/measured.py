"""A small recording and its table, made once for a session."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

from conformance.tests.helpers.gateways import refuses_cache_key, scripted_gateway
from conformance.tests.helpers.running import Workplace, run_pytest

REFUSED = "litellm.UnsupportedParamsError: databricks does not support parameters: ['prompt_cache_key'], for model=x"


#: The parameters that the scripted gateways know.
FEW = "--parameters=store,prompt_cache_key"

#: Models that are split among machines.
FLEET = tuple(f"{family}-{letter}" for family in ("claude", "gpt") for letter in "abcd")


#: The policy of a LiteLLM whose Claude refuses `prompt_cache_key`.
litellm_refuses_cache_key = functools.partial(refuses_cache_key, words=REFUSED)


def recorded(place: Workplace) -> None:
    """Measure a scripted gateway as `embedded` and take its table over; tests after the first get a copy."""
    first = Workplace(place.root.parent / "recorded")
    if not first.table.exists():
        with scripted_gateway(litellm_refuses_cache_key, ("claude-x", "gpt-y")) as gateway:
            ended = run_pytest(
                "--live", FEW, "--gateway=embedded", "--update-table", *first.options, env=gateway.environment
            )
        assert ended.code == 0, ended.all
    shutil.copytree(first.root, place.root, dirs_exist_ok=True)


def cells(path: Path) -> dict[tuple[str, ...], str]:
    """The verdicts in a matrix."""
    matrix = json.loads(path.read_text("utf-8"))
    return {(c["model"], c["endpoint"], c["mode"], c["parameter"]): c["verdict"] for c in matrix["cells"]}
