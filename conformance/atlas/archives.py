"""The evidence of an atlas, read archive by archive: what shows each state that began with a release."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from conformance.atlas.files import CELLS
from conformance.atlas.history import ABSENT, Atlas, histories
from conformance.cassettes import format as cassette_format
from conformance.cassettes.folder import Folder
from conformance.errors import AtlasError
from conformance.types import Exchange

#: The rows of an archive's `cells.json`, by model, endpoint/mode and parameter.
Rows: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]


class Archives:
    """The archives beside an atlas. One that is not there holds nothing."""

    def __init__(self, atlas: Path) -> None:
        """`atlas` is the atlas's folder. Nothing is read yet."""
        self._folder = Folder(atlas)
        self._rows: dict[str, Rows] = {}

    def row(self, release: str, model: str, channel: str, parameter: str) -> Mapping[str, Any] | None:
        """The reason and the exchanges of a state that began with a release; None where the archive has none."""
        if release not in self._rows:
            text = self._read(release, CELLS)
            try:
                self._rows[release] = json.loads(text or "{}")
            except ValueError as error:
                raise AtlasError(f"{CELLS} of {release} is not JSON ({error}); restore the archive") from None
        return self._rows[release].get(model, {}).get(channel, {}).get(parameter)

    def unproven(self, atlas: Atlas, release: str) -> frozenset[str]:
        """The models of which a state begins with a release, and its archive does not show it."""
        return frozenset(
            place.model
            for place, history in histories(atlas)
            if history.get(release, ABSENT) != ABSENT and self.row(release, *place) is None
        )

    def exchanges(self, release: str, model: str) -> Mapping[str, Exchange]:
        """What was exchanged about a model at a release, as far as it shows a state that began there, by digest."""
        text = self._read(release, self._folder.cassette_path(model).name)
        if not text:
            return {}
        try:
            found = [
                cassette_format.exchange_from(model, interaction)
                for interaction in cassette_format.parse(text)["interactions"]
            ]
        except (KeyError, ValueError) as error:
            raise AtlasError(f"the evidence of {model} at {release} is damaged ({error}); restore it") from None
        return {each.request.digest: each for each in found}

    def _read(self, release: str, name: str) -> str:
        path = self._folder.path / "evidence" / f"{release}.zip"
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(name).decode("utf-8") if name in archive.namelist() else ""
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise AtlasError(f"cannot read {path} ({error}); restore it") from None
