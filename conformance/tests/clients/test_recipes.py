"""The recipes: every client can be run from what `clients.toml` says of it."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from conformance.clients.recipes import Recipe, load_recipes
from conformance.embedded.config import fleet
from conformance.errors import ClientError

RECIPES = load_recipes()
GIVEN = {"base_url": "http://127.0.0.1:1", "key": "sk-0", "prompt": "Hi", "home": "/h", "work": "/w"}
each_client = pytest.mark.parametrize("recipe", RECIPES.clients.values(), ids=lambda recipe: recipe.name)


@each_client
def test_every_placeholder_is_known(recipe: Recipe) -> None:
    """Given a client, when its recipe is filled for each way and family, then no placeholder is left."""
    for way in recipe.ways.values():
        for family in RECIPES.families.values():
            filled = recipe.filled({**GIVEN, **family, **way})
            texts = [*filled.command, *filled.environment.values(), *filled.files, *filled.files.values()]
            assert not any("${" in text for text in [*texts, str(filled.arguments)])


@each_client
def test_every_way_is_explained(recipe: Recipe) -> None:
    """Given a client, when its ways are read, then for each of them a sentence says what a user sets to get it, and
    what it says is part of the recipe."""
    assert set(recipe.setup) == set(recipe.ways)
    told = " ".join(recipe.setup.values())
    assert all(sentence.endswith(".") for sentence in recipe.setup.values())
    texts = [*recipe.command, *recipe.environment, *recipe.files, *recipe.files.values()]
    whole = " ".join([*texts, *(value for way in recipe.ways.values() for value in way.values())])
    words = {word for code in re.findall("`([^`]+)`", told) for word in re.findall(r"[A-Za-z_]{5,}", code)}
    assert [word for word in words if word not in whole] == []


@each_client
def test_packages_are_pinned(recipe: Recipe) -> None:
    """Given a client, when its packages are read, then each has one version, and the first is the client's."""
    assert all(re.fullmatch(r"@?[a-z0-9./\[\]-]+(@|==)\d+(\.\d+)+", package) for package in recipe.packages)
    assert recipe.packages[0].endswith(recipe.version)


def test_an_unknown_placeholder_is_named() -> None:
    """Given a recipe with a placeholder that nobody fills, when it is filled, then the error names both."""
    with pytest.raises(ClientError, match=r"codex has a placeholder that is not known: 'model'"):
        RECIPES.clients["codex"].filled({})


def test_an_unknown_client_is_named() -> None:
    """Given a name that no client has, when it is chosen, then the error names it, and the nearest that exists; where
    none is near, it lists all, and a long name is cut."""
    with pytest.raises(ClientError, match="no client is called 'codx'; did you mean 'codex'"):
        RECIPES.chosen(["codx"])
    every = ", ".join(RECIPES.clients)
    for name in ("nope", "x", "chat_completions"):  # nothing like any of them
        with pytest.raises(ClientError, match=rf"no client is called '{name}'; choose from {re.escape(every)}$"):
            RECIPES.chosen([name])
    with pytest.raises(ClientError, match=rf"no client is called 'x{{100}}…'; choose from {re.escape(every)}$"):
        RECIPES.chosen(["x" * 5000])
    assert [recipe.name for recipe in RECIPES.chosen(["llm", "pi"])] == ["llm", "pi"]
    assert [recipe.name for recipe in RECIPES.chosen(["llm", "pi", "llm"])] == ["llm", "pi"]  # each is run once
    assert RECIPES.chosen([]) == list(RECIPES.clients.values())


def test_families_are_the_fleets() -> None:
    """Given the families, when their models are looked for in the embedded fleet, then each is there."""
    assert {family["model"] for family in RECIPES.families.values()} <= {row["name"] for row in fleet()["deployment"]}


def test_recipes_reach_nothing_but_the_gateway() -> None:
    """Given the recipes, when addresses are looked for in them, then each is the gateway's."""
    text = resources.files("conformance.clients").joinpath("clients.toml").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\s\"']+", text) == []
