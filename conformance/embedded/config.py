"""The fleet (`fleet.toml`) as a LiteLLM configuration, and the surroundings LiteLLM runs in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

# No telemetry, no downloads: with these LiteLLM opens no connection but to the simulators.
_OFFLINE = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_TELEMETRY": "False",
    # Without it LiteLLM waits 20 seconds for a tokenizer when a Llama model first streams.
    "HF_HUB_OFFLINE": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    # Not "DEV", in which LiteLLM reads any .env file it finds.
    "LITELLM_MODE": "PRODUCTION",
}


def fleet() -> dict[str, Any]:
    """The fleet as written in `fleet.toml`."""
    return tomllib.loads(Path(__file__).with_name("fleet.toml").read_text(encoding="utf-8"))


def litellm_config(simulators: str) -> dict[str, Any]:
    """LiteLLM's configuration with every upstream at `simulators`, a URL without trailing slash."""
    described = fleet()
    models = []
    for row in described["deployment"]:
        vendor = described["vendor"][row["vendor"]]["params"]
        params = {name: value.replace("{simulators}", simulators) for name, value in vendor.items()}
        models.append(
            {
                "model_name": row["name"],
                "litellm_params": {"model": row["model"], **params, **row.get("params", {})},
                # An id of its own keeps `x-litellm-model-id` the same from run to run.
                "model_info": {"id": row["id"], **row.get("info", {})},
            }
        )
    return {
        "model_list": models,
        "litellm_settings": {
            "drop_params": False,
            "num_retries": 0,
            "telemetry": False,
            "disable_hf_tokenizer_download": True,
        },
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
    }


def litellm_environment(master_key: str, home: Path) -> dict[str, str]:
    """Environment variables for LiteLLM, to be added to the few a child inherits."""
    # The key is passed here and not in the configuration file, so that it never reaches a disk.
    return {**_OFFLINE, "LITELLM_MASTER_KEY": master_key, "HOME": str(home), "USERPROFILE": str(home)}
