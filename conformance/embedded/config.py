"""The fleet (`fleet.toml`) as a LiteLLM configuration, and the surroundings LiteLLM runs in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypedDict

#: The fleet of the shipped recording, the one of the atlas, and models that the atlas has not.
DEFAULT_FLEET, WIDE_FLEET, HELD_BACK_FLEET = "fleet", "wide_fleet", "held_back_fleet"


class Fleet(TypedDict):
    """LiteLLM's parameters by simulated vendor, and the deployments, each of one vendor."""

    vendor: dict[str, dict[str, Any]]
    deployment: list[dict[str, Any]]


#: With it LiteLLM does not load today's list of models when it starts.
_OWN_LIST = "LITELLM_LOCAL_MODEL_COST_MAP"

# No telemetry, no downloads: with these LiteLLM opens no connection but to the simulators.
_ENVIRONMENT = {
    _OWN_LIST: "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_TELEMETRY": "False",
    # Without it LiteLLM waits 20 seconds for a tokenizer when a Llama model first streams.
    "HF_HUB_OFFLINE": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    # Older releases (1.81) read Perplexity's key for responses only from here.
    "PERPLEXITYAI_API_KEY": "simulated",
    # Not "DEV", in which LiteLLM reads any .env file it finds.
    "LITELLM_MODE": "PRODUCTION",
}


def fleet(name: str = DEFAULT_FLEET) -> Fleet:
    """A fleet as its file says it, with the vendors of the fleets before it."""
    described = _read(name)
    rows: list[dict[str, Any]] = described.get("deployment", [])
    rows += [
        {"name": model, "id": model, "model": model, "vendor": route["vendor"]}
        for route in described.get("route", ())
        for model in route["models"]
    ]
    vendors = {
        vendor: row for each in (DEFAULT_FLEET, WIDE_FLEET) for vendor, row in _read(each).get("vendor", {}).items()
    }
    return {"vendor": vendors, "deployment": rows}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def litellm_config(simulators: str, name: str = DEFAULT_FLEET) -> dict[str, Any]:
    """LiteLLM's configuration of a fleet with every upstream at `simulators`, a URL without trailing slash."""
    described = fleet(name)
    models = []
    for row in described["deployment"]:
        vendor = described["vendor"][row["vendor"]]["params"]
        upstream = row["model"].partition("/")[2]
        params = {
            key: value.replace("{simulators}", simulators).replace("{upstream}", upstream)
            for key, value in vendor.items()
        }
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


def litellm_environment(master_key: str, home: Path, model_list_url: str | None = None) -> dict[str, str]:
    """Environment variables for LiteLLM, to be added to the few a child inherits.

    It goes by its own list of models, or by the one at `model_list_url`.
    """
    # The key is passed here and not in the configuration file, so that it never reaches a disk.
    own = {**_ENVIRONMENT, "LITELLM_MASTER_KEY": master_key, "HOME": str(home), "USERPROFILE": str(home)}
    if model_list_url is not None:
        del own[_OWN_LIST]
        own["LITELLM_MODEL_COST_MAP_URL"] = model_list_url
    return own
