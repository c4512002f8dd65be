"""What the shipped recording says, and exports that are made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from conformance.__main__ import commands
from conformance.errors import ConformanceError
from conformance.export.clients import load_clients
from conformance.export.facts import Facts, facts_of
from conformance.export.formats import document_in
from conformance.export.making import Wishes, made
from conformance.export.outputs import Output
from conformance.export.writing import Existing, rendered
from conformance.tests.helpers.shipped import REGISTRY, shipped_matrix


def shipped_facts(client: str, *models: str, url: str = "http://127.0.0.1:4000") -> Facts:
    """What the shipped recording says for a client."""
    facts = facts_of(shipped_matrix(), REGISTRY, "a test", models or ("*",), load_clients()[client].modes)
    return Facts(**{**vars(facts), "url": url})


def outputs_for(client: str, *models: str, url: str = "http://127.0.0.1:4000", **wishes: Any) -> list[Output]:
    """The export for a client, of the shipped recording."""
    return made(load_clients()[client], shipped_facts(client, *models, url=url), Wishes(**wishes))


def merged_into(client: str, text: str, url: str = "http://127.0.0.1:4000", **wishes: Any) -> str:
    """A user's text with the export for a client in it."""
    known = load_clients()[client]
    there = document_in(known.format, text, "the text")
    output = made(known, shipped_facts(client, url=url), Wishes(**wishes), there)[0]
    return rendered(output, Existing(Path(known.file), text, "\n", bom=False))


def texts_for(client: str, *models: str, url: str = "http://127.0.0.1:4000", **wishes: Any) -> dict[str, str]:
    """The files of a client's export, by name."""
    return {output.name: rendered(output, None) for output in outputs_for(client, *models, url=url, **wishes)}


#: The address of the gateway that some files have.
HERE = ("--base-url", "http://127.0.0.1")


def export(*options: str) -> Result:
    """Run the command; a user's mistake is its exception."""
    return CliRunner().invoke(commands, ["export", *options])


def told(ended: Result) -> str:
    """The one line of a user's mistake."""
    assert isinstance(ended.exception, ConformanceError), ended.output
    assert "\n" not in str(ended.exception)
    return str(ended.exception)
