"""The captured profiles: whole, of the clients that the recipes name, and with nothing of anybody's machine."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.clients.profiles import (
    FILE,
    as_text,
    joined,
    load_profiles,
    renewed,
    write_profiles,
)
from conformance.clients.recipes import load_recipes
from conformance.embedded.config import fleet
from conformance.errors import ClientError
from conformance.readiness.families import family_of
from conformance.schemas.documents import ClientProfile, ClientRequest
from conformance.secrets.scrubbing import Scrubber
from conformance.tests.helpers.running import run_command

RECIPES = load_recipes()
PROFILES = load_profiles()
each_profile = pytest.mark.parametrize("profile", PROFILES["profiles"], ids=lambda profile: profile["client"])


def request(family: str, turn: int = 1, **body: Any) -> ClientRequest:
    """A request of a client."""
    return {
        "way": "default",
        "turn": turn,
        "families": [family],
        "endpoint": "chat_completions",
        "mode": "whole",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": {},
        "body": body,
    }


def profile_of(client: str, version: str = "1.0") -> ClientProfile:
    """A profile with one request."""
    return {
        "client": client,
        "title": client,
        "version": version,
        "captured_at": "2026-01-01",
        "requests": [request("claude", messages=[])],
    }


class TestShipped:
    """The file that comes with the package."""

    def test_every_client_was_captured(self) -> None:
        """Given the recipes, when the profiles are read, then each client has one, of the version in its recipe, and it
        explains the ways as the recipe does."""
        versions = {name: recipe.version for name, recipe in RECIPES.clients.items()}
        assert {each["client"]: each["version"] for each in PROFILES["profiles"]} == versions
        setup = {name: recipe.setup for name, recipe in RECIPES.clients.items()}
        assert {each["client"]: each["setup"] for each in PROFILES["profiles"]} == setup
        assert PROFILES["families"] == {name: family["model"] for name, family in RECIPES.families.items()}

    @each_profile
    def test_every_way_and_family(self, profile: ClientProfile) -> None:
        """Given a client, when its requests are counted, then each way of it was seen to ask each family."""
        seen = {(each["way"], family) for each in profile["requests"] for family in each["families"]}
        ways = RECIPES.clients[profile["client"]].ways
        assert seen == {(way, family) for way in ways for family in RECIPES.families}

    @each_profile
    def test_a_turn_with_a_tool(self, profile: ClientProfile) -> None:
        """Given a client with tools, when its requests are read, then each way brings back what its tool answered."""
        call = RECIPES.clients[profile["client"]].call
        brought = {
            each["way"]
            for each in profile["requests"]
            if re.search(r'"(?:tool_call_id|tool_use_id)"|"function_call_output"', json.dumps(each["body"]))
        }
        assert brought == (set(RECIPES.clients[profile["client"]].ways) if call else set())

    @each_profile
    def test_nothing_of_a_machine(self, profile: ClientProfile) -> None:
        """Given a profile, when keys, paths, addresses and long texts are looked for in it, then there is none."""
        text = json.dumps(profile, ensure_ascii=False)
        assert Scrubber().text(text) == text
        assert re.findall(r"[\"' ](?:/(?!v1/)|~/|[A-Z]:\\)[\w.-]+", text) == []
        assert re.findall(r"127\.0\.0\.1|localhost|\bsk-|(?i:authorization|api-key)", text) == []
        assert set(re.findall(r"https?://[^/\"]+", text)) <= {
            "http://json-schema.org",
            "https://json-schema.org",
        }
        assert [each for each in re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text) if not each.startswith("0000")] == []
        assert [each for each in _texts(profile["requests"]) if len(each) > 100 and not each.startswith("{")] == []

    @pytest.mark.parametrize("field", ["tools", "messages", "input", "max_tokens", "reasoning_effort", "thinking"])
    def test_fields_that_clients_are_known_for(self, field: str) -> None:
        """Given all clients, when a field that agents send is looked for, then some client was seen to send it."""
        assert any(field in each["body"] for profile in PROFILES["profiles"] for each in profile["requests"])


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) and "beta" not in value and "20" not in value else []


def test_the_file_is_as_it_is_written() -> None:
    """Given the shipped file, when it is read and written again, then it is the same, byte for byte."""
    assert as_text(PROFILES) == FILE.read_text(encoding="utf-8")


def test_families_that_are_asked_alike_are_joined() -> None:
    """Given requests of several families, when they are joined, then equal ones are one, with all families, once."""
    found = joined([request("claude", a=1), request("claude", 2, a=1), request("llama", a=1), request("llama", a=2)])
    assert [(each["families"], each["turn"], each["body"]) for each in found] == [
        (["claude", "llama"], 1, {"a": 1}),
        (["llama"], 1, {"a": 2}),
    ]


def test_one_profile_is_renewed() -> None:
    """Given profiles, when one client is captured anew, then its profile is new, and the rest stays."""
    old = renewed(None, [profile_of("pi"), profile_of("llm")], order=["llm", "pi", "codex"], families={"claude": "c"})
    new = renewed(old, [profile_of("pi", "2.0")], order=["llm", "pi"], families={"claude": "c"})
    assert [(each["client"], each["version"]) for each in old["profiles"]] == [("llm", "1.0"), ("pi", "1.0")]
    assert [(each["client"], each["version"]) for each in new["profiles"]] == [("llm", "1.0"), ("pi", "2.0")]
    gone = renewed(old, [], order=["pi"], families={})
    assert [each["client"] for each in gone["profiles"]] == ["pi"]


def test_every_model_has_a_family() -> None:
    """Given the embedded fleet's models, when their families are asked for, then each has one that was captured."""
    models = {row["name"] for row in fleet()["deployment"]}
    assert {family_of(PROFILES, model) for model in models} == set(RECIPES.families)
    assert family_of(PROFILES, "databricks-gpt-5-1") == "gpt-5"
    assert family_of(PROFILES, "team-default") == "unknown"


def test_clients_are_listed() -> None:
    """Given the shipped profiles, when the clients are listed, then each stands there by the name that `--clients`
    takes, with its version and the day of its capture; below that are its ways, with what a user sets to get them."""
    ended = run_command("clients", "list", env={"COLUMNS": "400"})
    assert ended.code == 0, ended.all
    clients, _, ways = ended.out.partition("\n\n")
    lines = clients.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [each["client"] for each in PROFILES["profiles"]]
    for line, each in zip(lines, PROFILES["profiles"], strict=True):
        assert each["version"] in line
        assert each["captured_at"] in line
    told = [line.split(maxsplit=2) for line in ways.splitlines()[1:]]
    assert [(name, way, setup.rstrip()) for name, way, setup in told] == [
        (each["client"], way, setup) for each in PROFILES["profiles"] for way, setup in each["setup"].items()
    ]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"schema_version": 9, "families": {}, "profiles": []}',
        '{"schema_version": 1, "families": {}, "profiles": []}',
        None,
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    """Given a file that holds no profiles, when it is read, then one line says so, and what to do."""
    file = tmp_path / "profiles.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ClientError, match=r"profiles\.json .*\); restore the file, or delete it") as raised:
        load_profiles(file)
    assert len(str(raised.value).splitlines()) == 1


def test_nothing_wrong_is_written(tmp_path: Path) -> None:
    """Given a capture that fits no schema, when it is written, then the error says why, and there is no file."""
    document = copy.deepcopy(PROFILES)
    document["profiles"][0]["requests"][0]["body"]["model"] = "gpt-5.2"
    with pytest.raises(ClientError, match=r"profiles\[0\]\.requests\[0\]\.body"):
        write_profiles(tmp_path / "profiles.json", document)
    assert not list(tmp_path.iterdir())
