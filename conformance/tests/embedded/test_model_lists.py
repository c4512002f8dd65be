"""Tests of `conformance.embedded.model_lists`: whence a release's list of models comes, and how LiteLLM gets it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from conformance.embedded import embedded_gateway, environment, model_lists, process
from conformance.embedded.environment import DEFAULT_LITELLM_VERSION
from conformance.embedded.model_lists import MODEL_LIST, ServedList, list_of, served_list
from conformance.errors import EmbeddedGatewayError


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What uv was asked to install, in an empty cache folder; a release that ends in 9 is not there."""
    wanted: list[str] = []

    def run(command: Sequence[str], log: Path, _environment: Mapping[str, str], _folder: Path) -> int:
        wanted.append(command[-1])
        if command[-1].endswith("9"):
            log.write_text("No solution found", encoding="utf-8")
            return 1
        package = Path(command[command.index("--target") + 1], "litellm")
        package.mkdir()
        (package / MODEL_LIST).write_text(f'{{"{command[-1]}": {{}}}}', encoding="utf-8")
        return 0

    for module in (environment, model_lists):
        monkeypatch.setattr(module, "installations", lambda _name: tmp_path / "cache" / "lists")
    monkeypatch.setattr(process, "run", run)
    return wanted


def say(_line: str) -> None:
    """Nobody listens."""


def test_a_list_is_fetched_once(asked: list[str]) -> None:
    """Given a release, when its list is asked for twice, then LiteLLM's package is fetched once, and nothing else."""
    for _ in range(2):
        assert list_of("1.90.7", say).read_text(encoding="utf-8") == '{"litellm==1.90.7": {}}'
    assert asked == ["litellm==1.90.7"]
    assert [each.name for each in list_of("1.90.7", say).parent.iterdir()] == ["1.90.7.json"]


def test_a_list_that_cannot_be_fetched_is_an_error_of_one_line(asked: list[str]) -> None:
    """Given a release that is not there, or a compromised one, when its list is asked for, then an error says so."""
    with pytest.raises(EmbeddedGatewayError, match="could not be installed: No solution found"):
        list_of("1.90.9", say)
    with pytest.raises(EmbeddedGatewayError, match="compromised release"):
        list_of("1.82.7", say)
    assert asked == ["litellm==1.90.9"]


def test_a_release_without_a_list_is_an_error(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a package that has no list, when it is asked for, then an error says so in one line."""
    monkeypatch.setattr(model_lists, "MODEL_LIST", "elsewhere.json")
    with pytest.raises(EmbeddedGatewayError, match=re.escape("LiteLLM 1.90.7 brings no list of models")):
        list_of("1.90.7", say)
    assert asked == ["litellm==1.90.7"]


def test_a_list_is_served_while_it_is_needed(asked: list[str]) -> None:
    """Given a release, when its list is served, then it is what the URL answers, until the block ends."""
    with served_list("1.90.7", say) as served:
        assert httpx.get(served.url, trust_env=False).json() == {"litellm==1.90.7": {}}
        served.require_loaded("1.80.17")
    with pytest.raises(httpx.TransportError):
        httpx.get(served.url, trust_env=False)
    assert asked


def test_who_reads_faster_than_it_is_noted_has_loaded_the_list() -> None:
    """Given a list that was read a moment before this is noted, when it has to be loaded, then it is."""
    noted = threading.Event()
    threading.Timer(0.2, noted.set).start()
    ServedList("1.90.7", "http://127.0.0.1:1/", noted).require_loaded("1.80.17")


def test_a_list_that_nobody_has_loaded_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list that LiteLLM started without, when it has to be loaded, then an error says so."""
    monkeypatch.setattr(model_lists, "_NOTED_WITHIN", 0.0)
    served = ServedList("1.90.7", "http://127.0.0.1:1/", threading.Event())
    with pytest.raises(EmbeddedGatewayError, match=r"1\.80\.17 did not load the list of models of 1\.90\.7"):
        served.require_loaded("1.80.17")


@pytest.mark.slow
def test_litellm_goes_by_the_list_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list that says of all models that they take 4242 tokens, when LiteLLM starts with it, then its own
    information about models says so."""
    listed = json.loads(list_of(DEFAULT_LITELLM_VERSION, say).read_text(encoding="utf-8"))
    for row in listed.values():
        row["max_input_tokens"] = 4242
    place = tmp_path / "list.json"
    place.write_text(json.dumps(listed), encoding="utf-8")
    monkeypatch.setattr(model_lists, "list_of", lambda *_release: place)

    with embedded_gateway(model_list="1.109.3") as gateway:
        key = {"authorization": f"Bearer {gateway.api_key}"}
        told = httpx.get(f"{gateway.base_url}/model/info", headers=key, trust_env=False, timeout=30).json()["data"]

    lengths = {row["model_info"].get("max_input_tokens") for row in told}
    assert 4242 in lengths
    assert lengths <= {4242, None}
