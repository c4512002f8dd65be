"""Tests of `conformance.atlas.files`: the shipped atlas, its evidence, and atlases that cannot be read."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from conformance.atlas import SHIPPED
from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder, dumped
from conformance.atlas.history import ABSENT, histories, supported
from conformance.atlas.honesty import honesty, shares
from conformance.embedded.config import HELD_BACK_FLEET, WIDE_FLEET, fleet
from conformance.errors import AtlasError
from conformance.secrets.scrubbing import Scrubber

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
    """Given the archives, when they are searched, then nothing in them is secret or tells whose machine it was."""
    for path in sorted((SHIPPED / "evidence").iterdir()):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                text = json.dumps(
                    json.loads(archive.read(name)), ensure_ascii=False
                )  # as it is read, not as it is spelt
                assert Scrubber().text(text) == text, (path.name, name)
                assert "/.cache/" not in text, (path.name, name)
                assert not re.search(r"/(home|root|Users)/", text), (path.name, name)


@pytest.mark.slow
def test_its_honesty_is_what_the_documents_say() -> None:
    """Given the shipped atlas, when each model and each release is foretold from the rest, then at most one in a
    hundred of the parameters that are taken would have been left out."""
    for name, counts in honesty(FOLDER.read()).items():
        assert shares(counts)["wrong"] <= 0.01, name
        assert shares(counts)["foretold"] > 0, name


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
