"""Tests of `conformance.atlas.files`: the shipped atlas, its evidence, and atlases that cannot be read."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest

from conformance.atlas import SHIPPED
from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder, dumped
from conformance.atlas.history import ABSENT, histories, supported
from conformance.atlas.honesty import honesty, shares
from conformance.atlas.published import FILE, publish, published
from conformance.embedded.config import HELD_BACK_FLEET, WIDE_FLEET, fleet
from conformance.errors import AtlasError
from conformance.provider.table import SupportTable, load_table
from conformance.schemas import first_error
from conformance.secrets.scrubbing import Scrubber
from conformance.support.deriving import carried_by
from conformance.tests.atlas.building import atlas_of_one
from conformance.tests.atlas.figures import README, Figure, figures_of, with_figures
from conformance.tests.helpers.running import CHECKOUT

FOLDER = AtlasFolder(SHIPPED)


def test_the_shipped_atlas_is_written_as_it_reads() -> None:
    """Given the shipped atlas, when it is written anew, then nothing differs."""
    assert dumped(FOLDER.read()) == FOLDER.file.read_text(encoding="utf-8")


def test_each_change_has_its_evidence() -> None:
    """Given each release, when what began with it is looked up, then its exchanges are there and say so."""
    atlas, archives = FOLDER.read(), Archives(SHIPPED)
    checked = 0
    for version in atlas["releases"]:
        begun = [place for place, history in histories(atlas) if history.get(version, ABSENT) != ABSENT]
        for place in begun:
            row = archives.row(version, *place)
            assert row is not None, (version, place)
            assert row["reason"], (version, place)
        for place in begun[:: max(1, len(begun) // 20)]:
            state = atlas["cells"][place.model][place.channel][place.parameter][version]
            row, exchanges = archives.row(version, *place), archives.exchanges(version, place.model)
            assert row is not None
            assert set(row["evidence"]) <= set(exchanges), (version, place)
            if supported(state) is True:
                assert any(exchanges[digest].response.status == 200 for digest in row["evidence"])
            checked += 1
    assert checked >= 20


@pytest.mark.slow
def test_the_archives_hold_no_secret_and_no_place_of_a_machine() -> None:
    """Given the archives, when they are searched, then nothing in them is secret or tells whose machine it was.

    Of each release every third model is looked at, and all of the newest.
    """
    *_, newest = FOLDER.read()["releases"]
    for path in sorted((SHIPPED / "evidence").iterdir()):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for name in names if path.stem == newest else names[::3]:
                text = json.dumps(
                    json.loads(archive.read(name)), ensure_ascii=False
                )  # as it is read, not as it is spelt
                assert Scrubber().text(text) == text, (path.name, name)
                assert "/.cache/" not in text, (path.name, name)
                assert not re.search(r"/(home|root|Users)/", text), (path.name, name)


def test_the_documents_say_what_is_published() -> None:
    """Given what was counted for the shipped atlas, when the documents are read, then they say the same."""
    document = published(FOLDER)
    assert document is not None
    for figure in figures_of(FOLDER.read(), document):
        text = (CHECKOUT / figure.document).read_text(encoding="utf-8")
        assert text == with_figures(text, figure), f"{figure.document} is older than the atlas: run .ci/figures"


def test_figures_of_another_atlas_are_written() -> None:
    """Given an atlas with one more release and a worse prediction, when a document is renewed, then it says so, and
    nothing else changes."""
    document = published(FOLDER)
    assert document is not None
    atlas, worse = FOLDER.read(), deepcopy(document)
    worse["clients"][1]["left_out"]["model"]["wrong"] *= 100
    more = {**atlas, "releases": {**atlas["releases"], "1.200.3": atlas["releases"]["1.109.3"]}}
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    made = text
    for figure in figures_of(more, worse):
        made = with_figures(made, figure) if figure.document.name == "README.md" else made

    before, after = (
        [line for line in each.splitlines() if line not in other] for each, other in ((text, made), (made, text))
    )
    assert len(before) == len(after) == 2
    assert f"{len(more['releases'])} releases from 1.80 to 1.200, " in after[0]
    assert re.match(r"1\d\.\d\d % and 49 % if the key", after[1])


def test_a_figure_without_a_place_is_told() -> None:
    """Given a document whose words have changed, when a figure is written, then it says which one has no place."""
    with pytest.raises(ValueError, match=r"README.md has 0 places for 'leaves out"):
        with_figures("It leaves nothing out.", Figure(README, "leaves out (.*)", ("all",)))


def test_little_that_is_taken_would_be_left_out() -> None:
    """Given what was counted, when a share is wrong, then it is one in a hundred at most."""
    document = published(FOLDER)
    assert document is not None
    for client in document["clients"]:
        assert all(shares(counts)["wrong"] <= 0.01 for counts in client["left_out"].values())


@pytest.mark.slow
def test_what_is_published_is_what_comes_out() -> None:
    """Given the shipped atlas, when each model, family and release is foretold from the rest, then that comes out as it
    was published."""
    document = published(FOLDER)
    assert document is not None
    for client in document["clients"]:
        assert honesty(FOLDER.read(), declarations=client["declarations"]) == client["left_out"]


def test_what_was_counted_for_another_atlas_is_not_published(tmp_path: Path) -> None:
    """Given what was counted, when the atlas is another one by now, or the file is damaged, then nothing is said."""
    folder = AtlasFolder(tmp_path)
    atlas = atlas_of_one(["1.90.0"], {"x/claude-5": {"1.90.0": "accepted"}})
    folder.file.write_text(dumped(atlas), encoding="utf-8")
    assert published(folder) is None
    document = publish(folder, SupportTable(()))
    assert published(folder) == document
    assert first_error("honesty", document) is None

    folder.file.write_text(dumped({**atlas, "models": {}}), encoding="utf-8")
    assert published(folder) is None
    folder.file.write_text(dumped(atlas), encoding="utf-8")
    assert published(folder) == document
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    assert published(folder) is None


def test_the_published_statements_are_those_of_the_table() -> None:
    """Given the shipped table, when its statements from the atlas are counted, then they are as many as published."""
    document = published(FOLDER)
    assert document is not None
    carried = carried_by(load_table())
    found = Counter(carried.sources[each.source]["how"] for rule in carried.rules for each in rule.statements.values())
    assert found == {row["how"]: row["count"] for row in document["statements"]}


def test_what_is_held_back_is_in_no_atlas() -> None:
    """Given the models that show how far the knowledge carries, when the atlas is searched, then it has none."""
    wide, held_back = ({row["model"] for row in fleet(name)["deployment"]} for name in (WIDE_FLEET, HELD_BACK_FLEET))
    assert held_back
    assert not wide & held_back
    assert set(FOLDER.read()["models"]) == wide


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is none"),
        (json.dumps({"schema_version": 9, "releases": {}, "models": {}, "cells": {}}), "is none"),
        ("\udcff", "cannot read"),
    ],
)
def test_an_atlas_that_cannot_be_read_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    """Given a damaged atlas, when it is read, then the error is one line with the file and what to do."""
    (tmp_path / "atlas.json").write_text(content, encoding="utf-8", errors="surrogateescape")

    with pytest.raises(AtlasError, match=words) as raised:
        AtlasFolder(tmp_path).read()

    assert "\n" not in str(raised.value)
    assert "restore it" in str(raised.value)
