"""The table of clients says only what there is, and the document shows the same."""

from __future__ import annotations

import json
import re

import pytest

from conformance.clients.profiles import shipped_profiles
from conformance.export.clients import Client, load_clients
from conformance.export.formats import COMMENTS
from conformance.parameters import load_registry
from conformance.tests.helpers.export_table import PAGE, renewed

CLIENTS = load_clients()
REGISTRY = load_registry()
each_client = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)


def test_the_document_shows_the_table() -> None:
    """Given clients.toml, when the document is made anew, then it is as it was.

    `python -m conformance.tests.helpers.export_table` makes it anew.
    """
    text = PAGE.read_text("utf-8")
    assert renewed(text) == text


@each_client
def test_levers_are_about_parameters(client: Client) -> None:
    """Given a client, when its levers are read, then each is about a parameter on an endpoint that has it."""
    for lever in client.levers:
        json.loads(lever.template)
        assert set(lever.endpoints) <= set(client.endpoints)
        for name in (*lever.parameters, *lever.unless, *(each for each in lever.every if each != "$path")):
            about = [each for each in REGISTRY.parameters if name in (each.id, each.path)]
            assert any(set(lever.endpoints) & {*each.bodies} for each in about), (name, lever.endpoints)
        for value in lever.values:
            known = {each.id for each in REGISTRY.parameters}
            assert any(f"{path}:{value}" in known for path in lever.parameters), value


@each_client
def test_what_is_captured_is_there(client: Client) -> None:
    """Given a client that was captured, when its ways are read, then the profiles have them, in the version proven."""
    assert client.format in COMMENTS
    assert client.docs
    assert all(re.fullmatch(r"https://\S+", url) for url in client.docs)
    assert client.proof.endswith(".")
    if client.captured is None:
        return
    [profile] = [each for each in shipped_profiles()["profiles"] if each["client"] == client.captured]
    assert profile["version"] == client.version
    there = {(each["way"], each["endpoint"]) for each in profile["requests"]}
    for way in client.ways:
        assert {(name, way.endpoint) for name in way.captured} <= there
