"""The export for LiteLLM on a real LiteLLM: what it promises to mend is mended, and nothing else changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import litellm_config
from conformance.export.dropping import dropping
from conformance.schemas.documents import Cell
from conformance.tests.helpers.configured import configured_gateway
from conformance.tests.helpers.exports import merged_into, shipped_facts
from conformance.tests.helpers.running import Workplace, run_pytest
from conformance.tests.helpers.shipped import shipped_matrix
from conformance.types import STATEMENTS, Endpoint, Verdict

#: Models of five vendors; of several behind one name chance decides. CONFORMANCE_EXPORT names others.
MODELS = tuple(
    os.environ.get(
        "CONFORMANCE_EXPORT",
        "claude-haiku-4-5,gemini-2-5-flash,gpt-5.2,nova-pro,house-model",
    ).split(",")
)

#: LiteLLM 1.109.1 loses adaptive thinking of a deployment that has `allowed_openai_params` of its own as soon as it is
#: told to leave out anything besides: here the operator's configuration meets the export.
EXCEPTIONS = {("claude-sonnet-4-5", "messages", "thinking:adaptive")}


@pytest.fixture(scope="module")
def mended() -> Iterator[EmbeddedGateway]:
    """The embedded gateway, with the export merged into its configuration."""

    def config(simulators: str, _fleet: str) -> dict[str, Any]:
        text = "# the operator's\n" + yaml.safe_dump(litellm_config(simulators), sort_keys=False)
        merged = merged_into("litellm", text)
        assert "# the operator's\n" in merged
        assert merged_into("litellm", merged) == merged
        made: dict[str, Any] = yaml.safe_load(merged)
        return made

    with configured_gateway(litellm_config=config) as running:
        yield running


def key(cell: Cell) -> tuple[str, str, str, str]:
    """The coordinates of a cell."""
    return cell["model"], cell["endpoint"], cell["mode"], cell["parameter"]


def statement(cell: Cell) -> bool | None:
    """Whether the cell says that the parameter can be sent."""
    return STATEMENTS[Verdict(cell["verdict"])]


@pytest.mark.slow
def test_what_is_promised_is_mended_and_nothing_else_changes(mended: EmbeddedGateway, tmp_path: Path) -> None:
    """Given LiteLLM with its export, when it is measured again, then what the export promised is no longer refused, and
    what was taken is taken as before."""
    place = Workplace(tmp_path)
    named = {"LITELLM_BASE_URL": mended.base_url, "LITELLM_API_KEY": mended.api_key}
    options = [
        "--live",
        "--update-table",
        "--parameters=all",
        "--gateway=mended",
        f"--models={','.join(MODELS)}",
        *place.options,
    ]
    ended = run_pytest(*options, "-n0", "-q", env=named)
    assert (tmp_path / "reports" / "matrix.json").is_file(), ended.all[-2000:]
    after = {key(cell): cell for cell in place.matrix["cells"]}
    facts = shipped_facts("litellm")
    promised = {
        (name, said.endpoint, said.parameter)
        for name in MODELS
        for said in dropping(facts.models[name], tuple(Endpoint)).promised
    }
    wrong: list[tuple[str, ...]] = []
    mended_count = 0
    for cell in shipped_matrix()["cells"]:
        model, endpoint, _, parameter = key(cell)
        if model not in MODELS or (model, endpoint, parameter) in EXCEPTIONS:
            continue
        now = after[key(cell)]
        if (model, endpoint, parameter) in promised:
            mended_count += 1
            if statement(now) is not True:
                wrong.append((*key(cell), "promised", now["verdict"], now["reason"][:150]))
        elif statement(cell) is True and now["verdict"] != cell["verdict"] and not _as_good(cell, now):
            wrong.append((*key(cell), cell["verdict"], now["verdict"], now["reason"][:150]))
        # What builds on a field that was refused was refused with it, and not asked.
        elif statement(cell) is None and statement(now) is False and cell.get("cause") != "prerequisite_rejected":
            wrong.append((*key(cell), "is refused now", now["reason"][:150]))
    assert not wrong, json.dumps(wrong, indent=1)
    assert mended_count > 15 * len(MODELS)


def _as_good(before: Cell, now: Cell) -> bool:
    """True where the answer shows the same as before, and only a control of the suite's own tells less now.

    The controls send a wrong value of a field that LiteLLM now leaves out.
    """
    return {before["verdict"], now["verdict"]} == {"honoured", "accepted"} and now["reason"].startswith(
        before["reason"].rstrip(".")
    )
