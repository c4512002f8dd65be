"""The mend of each parameter: settings of LiteLLM and Pi that leave it out, and what that costs. Pure.

The data is `mends.toml`, and for clients `clients.toml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.export.clients import load_clients
from conformance.export.mend_data import dropped


def mend_of(parameter: str, group: str, endpoint: str, fields: Sequence[str]) -> dict[str, Any]:
    """How to mend a parameter that is rejected on an endpoint; `fields` are its top-level request fields.

    The keys are those of `dropped`, and `pi`: a part of a model's entry in Pi's `models.json`, or None.
    """
    lever = load_clients()["pi"].lever_for(parameter, endpoint)
    return {**dropped(parameter, group, endpoint, fields), "pi": None if lever is None else lever.setting}
