"""Drives a capture: each client, each of its ways, each family of models; what was sent becomes a profile."""

from __future__ import annotations

import errno
import getpass
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from conformance.clients.answering import Answering, Call, Sent, answering
from conformance.clients.profiles import FILE, joined, profiles_before, renewed, unwritable, write_profiles
from conformance.clients.recipes import Recipe, Recipes, load_recipes
from conformance.clients.running import Installed, Ran, install, run
from conformance.clients.scrubbing import Stripper
from conformance.errors import ClientError, StoppedError
from conformance.files import installations, prove_writable
from conformance.schemas.documents import ClientProfile, ClientRequest
from conformance.text.counting import counted

#: Headers that change what a backend accepts in a body.
_HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta")


__all__ = ["FILE", "capture", "captured"]


def capture(path: Path, only: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Renew the profiles in `path`: those of the clients in `only`, or of all. Returns the names left out.

    What is not renewed stays as it was; a new file begins with the shipped profiles.
    `say` gets a line for each client and for whatever went wrong. The file is written after each client,
    so that what was captured stays if the rest is interrupted. Raises `ClientError` where the file or the cache
    folder cannot be used, before any client is installed, and `StoppedError` after Ctrl-C.
    """
    recipes = load_recipes()
    chosen = recipes.chosen(only)
    root = installations("clients")
    _prove(path, root)
    families = {name: family["model"] for name, family in recipes.families.items()}
    kept: list[str] = []
    missed: list[str] = []
    try:
        with answering(list(families.values())) as gateway:
            for recipe in chosen:
                try:
                    profile = captured(recipe, recipes, install(recipe, root, say), gateway, say)
                except (ClientError, OSError) as error:
                    say(f"{recipe.name}: left out: {error}")
                    missed.append(recipe.name)
                    continue
                new = renewed(profiles_before(path), [profile], order=list(recipes.clients), families=families)
                write_profiles(path, new)
                kept.append(recipe.name)
                say(f"{recipe.name}: {recipe.version}, {counted(len(profile['requests']), 'request')}")
    except KeyboardInterrupt:
        told = (
            f"{', '.join(kept)} captured, and kept in {path}" if kept else f"nothing was captured, {path} is as it was"
        )
        rest = " ".join(f"--only {recipe.name}" for recipe in chosen if recipe.name not in kept)
        raise StoppedError(f"interrupted: {told}; capture the rest with {rest}") from None
    return missed


def _prove(path: Path, root: Path) -> None:
    """Raise `ClientError` where the profiles could not be read or written, or nothing could be installed."""
    try:
        prove_writable(path.parent)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        profiles_before(path)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        prove_writable(root)
    except OSError as error:
        raise ClientError(
            f"cannot install clients to {root} ({error.strerror}); name another cache folder in XDG_CACHE_HOME"
        ) from None


def captured(
    recipe: Recipe, recipes: Recipes, installed: Installed, gateway: Answering, say: Callable[[str], None]
) -> ClientProfile:
    """The profile of one client. Raises `ClientError` where it sent nothing at all to a model."""
    requests: list[ClientRequest] = []
    for way, more in recipe.ways.items():
        for family, values in recipes.families.items():
            ran, sent = _one_run(recipe, recipes, installed, gateway, {**values, **more})
            found = list(_requests(sent, way, family))
            if ran.code != 0 or not found:
                ended = "was ended at its time limit" if ran.code is None else f"ended with {ran.code}"
                say(f"{recipe.name}: {way}, {family}: {ended} after {counted(len(found), 'request')}: {ran.said}")
            requests += found
    if not requests:
        raise ClientError(f"{recipe.name} sent no request that a model answers")
    return {
        "client": recipe.name,
        "title": recipe.title,
        "version": recipe.version,
        "captured_at": datetime.now(UTC).date().isoformat(),
        "setup": dict(recipe.setup),
        "requests": joined(requests),
    }


def _one_run(
    recipe: Recipe, recipes: Recipes, installed: Installed, gateway: Answering, values: Mapping[str, str]
) -> tuple[Ran, list[Sent]]:
    """One prompt for one model, in folders of its own: how it ended, and what it sent to a model, stripped."""
    key = f"sk-{secrets.token_hex(20)}"
    with tempfile.TemporaryDirectory(prefix="conformance-client-", ignore_cleanup_errors=True) as made:
        home, work = Path(made).resolve() / "home", Path(made).resolve() / "work"
        for folder in (home, work):
            folder.mkdir()
        for name, text in recipes.files.items():
            (work / name).write_text(text, encoding="utf-8")
        places = {"base_url": gateway.base_url, "key": key, "prompt": recipes.prompt}
        filled = recipe.filled({**places, "home": str(home), "work": str(work), **values})
        gateway.sent.clear()
        gateway.call = Call(filled.call, filled.arguments) if filled.call else None
        ran = run(filled, installed, home, work)
        names = (getpass.getuser(), socket.gethostname(), Path(made).name, str(home), str(work))
    stripper = Stripper(model=values["model"], secrets=[key], names=names)
    said = stripper.said(ran.said)
    asked = [each for each in gateway.sent if each.endpoint is not None]
    return Ran(ran.code, said), [
        replace(each, headers=stripper.headers(each.headers, _HEADERS), body=stripper.body(each.body)) for each in asked
    ]


def _requests(sent: Sequence[Sent], way: str, family: str) -> Iterator[ClientRequest]:
    """What went to a model in one run, numbered in the order in which it came."""
    for turn, each in enumerate(sent, 1):
        if each.endpoint is None:
            continue
        yield {
            "way": way,
            "turn": turn,
            "families": [family],
            "endpoint": each.endpoint,
            "mode": "stream" if each.body.get("stream") is True else "whole",
            "method": "POST",
            "path": each.path,
            "headers": dict(each.headers),
            "body": each.body,
        }
