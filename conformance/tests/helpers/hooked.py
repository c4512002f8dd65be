"""A real LiteLLM with the hook in it, in front of the simulators."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import litellm_config, litellm_environment
from conformance.embedded.process import Child
from conformance.tests.helpers.configured import configured_gateway
from conformance.tests.helpers.running import CHECKOUT

#: The line of `config.yaml`, and the one for releases that look for a file beside it.
HOOK, BESIDE = "conformance.provider.plugs.litellm_hook.hook", "conformance_hook.hook"

#: The first release that imports what is installed.
IMPORTS = (1, 95)

Change = Callable[[dict[str, Any]], None]


def _nothing(_config: dict[str, Any]) -> None:
    """The default for `change`."""


@contextlib.contextmanager
def hooked_gateway(
    version: str | None = None,
    *,
    change: Change = _nothing,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
    log_dir: Path | None = None,
) -> Iterator[EmbeddedGateway]:
    """Such a gateway, while the block runs; `change` gets LiteLLM's configuration, and `home` its user's folder.

    LiteLLM runs in an environment without any package of the suite: the hook is imported from this checkout.
    """
    beside = version is not None and tuple(map(int, version.split(".")[:2])) < IMPORTS

    def changed(simulators: str, fleet: str) -> dict[str, Any]:
        made = litellm_config(simulators, fleet)
        change(made)
        made["litellm_settings"]["callbacks"] = [BESIDE if beside else HOOK]
        return made

    def surrounded(key: str, folder: Path, model_list_url: str | None) -> dict[str, str]:
        if beside:
            (folder / "conformance_hook.py").write_text(f"from {HOOK.rpartition('.')[0]} import hook\n")
        return {**litellm_environment(key, home or folder, model_list_url), **(environment or {})}

    def child(*told: Any, **more: Any) -> Child:
        return Child(*told, **{"import_from": [CHECKOUT], **more})

    instead = {"litellm_config": changed, "litellm_environment": surrounded, "Child": child}
    with configured_gateway(version=version, log_dir=log_dir, **instead) as running:
        yield running
