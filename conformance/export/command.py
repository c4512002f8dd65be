"""The command `export`: what is made is shown, put into a user's file, or into a folder with all others."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.errors import ExportError
from conformance.export.agents import MISSING, PLACEHOLDER
from conformance.export.clients import Client, load_clients
from conformance.export.facts import Facts
from conformance.export.formats import document_in
from conformance.export.making import Wishes, client_named, made
from conformance.export.outputs import Output, models_of
from conformance.export.writing import Existing, difference, read, rendered, write
from conformance.provider.files import at_home

#: Says a line to the user beside what is made.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to export: `facts` makes the facts for a client, of the modes that it uses. `into` is a user's file."""

    facts: Callable[[Client], Facts]
    wishes: Wishes
    into: Path | None = None
    to_write: bool = False


def export_one(name: str, request: Request, show: Say, say: Say) -> None:
    """Show the export for one client, or write it. Raises `ExportError`."""
    client = client_named(name)
    facts = request.facts(client)
    place = request.into or (usual_place(client) if request.to_write else None)
    existing = read(place) if place else None
    outputs = made(client, facts, request.wishes, _document(client, existing))
    if len(outputs) > 1 and not request.to_write:
        say(f"{client.title} has {len(outputs)} files, shown one after the other; --write puts each into its place")
    for number, output in enumerate(outputs):
        at = place if number == 0 else place.parent / output.name if place else None
        _one(output, at, existing if number == 0 else read(at) if at else None, request, show, say, number)


def _one(
    output: Output, place: Path | None, existing: Existing | None, request: Request, show: Say, say: Say, number: int
) -> None:
    text = rendered(output, existing)
    if output.absent:
        say(f"not in this file, and not added: {models_of(output.absent)}")
    if output.form == "json":
        for line in output.head:
            say(line)
    changes = difference(existing, text, str(place)) if place else ""
    if not request.to_write:
        if existing:
            say(changes.rstrip("\n") or f"{place}: nothing changes")
        if number:
            show(f"\n# {output.name}")
        show(text.rstrip("\n"))
        return
    if place is None or (existing and not changes):
        say(f"{place}: nothing changes")
        return
    say(changes.rstrip("\n"))
    backup = write(place, existing, text)
    say(f"written: {place}" + (f"; what was there is in {backup}" if backup else ""))
    if PLACEHOLDER in text:  # a comment in the middle of a file is easily overlooked
        say(f"NOTE {MISSING}")


def _document(client: Client, existing: Existing | None) -> dict[str, object] | None:
    if existing is None or client.format not in ("yaml", "toml", "json", "jsonc"):
        return None
    return document_in(client.format, existing.text, str(existing.path))


def usual_place(client: Client) -> Path:
    """Where the client's file is, or would be: under another of its names, where only that is there.

    Raises `ExportError` where its home folder is not known.
    """
    named = os.environ.get(client.variable, "").strip() if client.variable else ""
    usual = at_home(named, ExportError) / Path(client.file).name if named else at_home(client.file, ExportError)
    others = (usual.with_name(name) for name in client.also)
    return usual if usual.exists() else next((other for other in others if other.exists()), usual)


def export_all(folder: Path, request: Request, say: Say) -> None:
    """Write every export into a folder of its own for each client. Raises `ExportError`."""
    for client in load_clients().values():
        wishes = request.wishes
        spoken = tuple(each for each in wishes.endpoints if each in client.endpoints)
        if wishes.endpoints and not spoken:
            continue
        try:
            outputs = made(client, request.facts(client), replace(wishes, endpoints=spoken))
        except ExportError as error:
            earlier = f"; {folder / client.id} is of an earlier export" if (folder / client.id).exists() else ""
            say(f"{client.id}: left out: {error}{earlier}")
            continue
        for output in outputs:
            place = folder / client.id / Path(output.name).name
            existing = read(place)
            text = rendered(output, existing)
            if output.form == "json":
                _notes(place, output)
            if existing is not None and existing.text == text:
                say(f"{place}: nothing changes")
                continue
            write(place, existing, text)
            say(f"written: {place}")


def _notes(place: Path, output: Output) -> None:
    """What a file without comments cannot hold, beside it."""
    notes = place.with_name(f"{place.name}.txt")
    existing, text = read(notes), "\n".join(output.head) + "\n"
    if existing is None or existing.text != text:
        write(notes, existing, text)
