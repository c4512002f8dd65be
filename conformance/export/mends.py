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

    The keys are those of `dropped`, and two more. `exports` has, for each client that can be told about it, on what
    that helps: for each setting what must not be refused (`unless`), and what must be (`every`). `pi` has in the same
    order the parts of a model's entry in Pi's `models.json`.
    """
    exports = {
        client.id: [{"unless": unless, "every": every} for unless, every in conditions]
        for client in load_clients().values()
        if (conditions := client.conditions_of(parameter, endpoint))
    }
    pi = [lever.setting for lever in load_clients()["pi"].levers_for(parameter, endpoint)]
    return {**dropped(parameter, group, endpoint, fields), "exports": exports, "pi": pi}
