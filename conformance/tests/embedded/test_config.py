"""The fleet as LiteLLM gets it."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.embedded.config import fleet, litellm_config, litellm_environment

SIMULATORS = "http://127.0.0.1:1"


def test_every_upstream_is_on_loopback() -> None:
    """No address but the simulators' stands in the configuration."""
    text = json.dumps(litellm_config(SIMULATORS))
    assert text.count("http") == text.count(SIMULATORS) >= len(fleet()["deployment"])


def test_ids_are_given_and_unique() -> None:
    """Evidence is keyed on the deployment's id, so it may not change from run to run."""
    ids = [row["model_info"]["id"] for row in litellm_config(SIMULATORS)["model_list"]]
    assert len(set(ids)) == len(ids)


def test_nothing_is_dropped_retried_or_cooled_down() -> None:
    """LiteLLM must not hide what an upstream says."""
    config = litellm_config(SIMULATORS)
    assert config["litellm_settings"]["drop_params"] is False
    assert config["litellm_settings"]["num_retries"] == config["router_settings"]["num_retries"] == 0
    assert config["router_settings"]["disable_cooldowns"] is True


def test_the_master_key_stays_out_of_the_configuration_file() -> None:
    """It is handed over in the environment and never written down."""
    assert litellm_environment("sk-secret", Path("home"))["LITELLM_MASTER_KEY"] == "sk-secret"
    assert "master_key" not in json.dumps(litellm_config(SIMULATORS))


def test_it_goes_by_its_own_list_of_models_unless_it_is_given_one() -> None:
    """Given a list's address or none, when LiteLLM's surroundings are made, then it loads that one, or none."""
    own, given = (litellm_environment("", Path("home"), url) for url in (None, "http://127.0.0.1:1/"))

    assert own["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert "LITELLM_MODEL_COST_MAP_URL" not in own
    assert given.keys() - own.keys() == {"LITELLM_MODEL_COST_MAP_URL"}
    assert own.keys() - given.keys() == {"LITELLM_LOCAL_MODEL_COST_MAP"}


def test_one_name_stands_for_two_routes() -> None:
    """The alias that shows why evidence needs the deployment's id."""
    routes = [row["vendor"] for row in fleet()["deployment"] if row["name"] == "team-default"]
    assert routes == ["databricks", "openai"]


def test_every_provider_key_is_made_up() -> None:
    """Given releases that read a key from the environment only, when LiteLLM starts, then it gets none of a user's."""
    keys = {name: value for name, value in litellm_environment("", Path("home")).items() if name.endswith("_API_KEY")}
    assert keys == {"PERPLEXITYAI_API_KEY": "simulated"}
