"""The atlas on disk: `atlas.json` with every history, and for each release the evidence of what began with it.

`evidence/1.90.7.zip` holds a cassette for each model, as `cassettes` writes them, with only the exchanges that show
a state which began with that release, and `cells.json`: for each such cell its reason and its exchanges by digest.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance.atlas import history
from conformance.atlas.history import Atlas, Place
from conformance.atlas.releases import in_order
from conformance.cassettes import format as cassette_format
from conformance.cassettes.folder import Folder
from conformance.errors import AtlasError
from conformance.files import prove_writable, write_atomically
from conformance.matrix.document import Matrix
from conformance.schemas import first_error
from conformance.secrets.scrubbing import Scrubber

#: The file in an evidence archive that says which exchanges show what.
CELLS = "cells.json"


class Added(NamedTuple):
    """What came with a release: how many states begin with it, the size of its evidence in bytes, and the release
    after it, where that has states now whose evidence was not kept, for they were those of the release before."""

    changed: int
    size: int
    unproven: str | None


class AtlasFolder:
    """A folder that holds an atlas; one that is not there yet holds an empty one."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path
        self.file = path / "atlas.json"

    def read(self) -> Atlas:
        """The atlas. Raises `AtlasError` for a file that cannot be read or is none."""
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return history.empty()
        except (OSError, UnicodeDecodeError) as error:
            raise AtlasError(f"cannot read the atlas {self.file} ({error}); restore it") from None
        try:
            atlas: Atlas = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise AtlasError(f"the atlas {self.file} is not JSON ({error}); restore it") from None
        if problem := first_error("atlas", atlas):
            raise AtlasError(f"the atlas {self.file} is none: {problem}; restore it")
        return atlas

    def prove_writable(self) -> None:
        """Prove that a release can be added, before minutes are spent on it. Raises `AtlasError`."""
        try:
            for folder in (self.path, self.path / "evidence"):
                prove_writable(folder)
        except OSError as error:
            raise AtlasError(
                f"cannot write to {self.path} ({error.strerror}); name another folder with --into"
            ) from None

    def add(self, version: str, matrix: Matrix, recording: Folder, seconds: int, model_list: str) -> Added:
        """Put a measured release in, or some of its models beside those that are there.

        Raises `AtlasError` where the atlas has cells of a model that were not measured anew with it, for their evidence
        would be lost, and where it cannot be written.
        """
        before = self.read()
        measured, known = {row["id"] for row in matrix["models"]}, history.snapshot(before, version)
        beside = [place for place in known if place.model not in measured]
        lost = known.keys() - history.states(matrix).keys() - set(beside)
        if lost:
            raise AtlasError(
                f"the atlas has {len(lost)} cells of {version} that were not measured anew, the first is "
                f"{' '.join(min(lost))}; measure all of them, or name another folder with --into"
            )
        releases = in_order({*before["releases"], version})
        earlier = before["releases"][version] if beside else {}
        row = {
            "measured_at": matrix["run"]["finished_at"],
            "cells": len(matrix["cells"]) + len(beside),
            "requests": matrix["run"]["requests"] + earlier.get("requests", 0),
            "seconds": seconds + earlier.get("seconds", 0),
            "simulated": matrix["gateway"]["simulated"],
            "model_list": model_list,
        }
        atlas, begun = history.with_release(before, version, matrix, row, releases)
        size = self._write_evidence(version, matrix, recording, begun, sorted({place.model for place in beside}))
        self._write(atlas)
        return Added(len(begun), size, _unproven(before, atlas, version))

    def relist(self, version: str, model_list: str) -> None:
        """Note that a release does the same with another list of models. Raises `AtlasError`."""
        atlas = self.read()
        atlas["releases"][version]["model_list"] = model_list
        self._write(atlas)

    def _write(self, atlas: Atlas) -> None:
        try:
            write_atomically(self.file, dumped(atlas))
        except OSError as error:
            raise AtlasError(f"cannot write {self.file} ({error.strerror}); name another folder with --into") from None

    def _write_evidence(
        self, version: str, matrix: Matrix, recording: Folder, begun: set[Place], beside: Sequence[str]
    ) -> int:
        """Write what shows the states that begin with a release; what shows those of the models beside stays."""
        path = self.path / "evidence" / f"{version}.zip"
        rows, stays = _kept(path, recording, beside)
        cells: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict), rows)
        digests: dict[str, set[str]] = defaultdict(set)
        scrub = Scrubber().text
        for cell in matrix["cells"]:
            place = Place(cell["model"], f"{cell['endpoint']}/{cell['mode']}", cell["parameter"])
            if place not in begun:
                continue
            shown = [each.rpartition("#")[2] for each in cell["evidence"]]
            cells[place.model][place.channel][place.parameter] = {
                "reason": scrub(cell["reason"]),  # what a server said was cut, perhaps within an address
                "evidence": shown,
                "roles": list(cell.get("roles", ())),
            }
            digests[place.model].update(shown)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            building = path.with_suffix(".part")
            with zipfile.ZipFile(building, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                _put(archive, CELLS, json.dumps(cells, separators=(",", ":")))
                for model in sorted(digests):
                    cassette = recording.cassette_path(model)
                    lines = _lines(cassette.read_text(encoding="utf-8"), digests[model])
                    _put(archive, cassette.name, cassette_format.whole({"model": model}, lines))
                for name, text in stays.items():
                    _put(archive, name, text)
            building.replace(path)
        except OSError as error:
            raise AtlasError(f"cannot write {path} ({error.strerror}); name another folder with --into") from None
        return path.stat().st_size


def _kept(path: Path, recording: Folder, models: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Of an archive what is about these models: their rows of `cells.json`, and their cassettes by name."""
    if not models:
        return {}, {}
    try:
        with zipfile.ZipFile(path) as archive:
            rows = json.loads(archive.read(CELLS))
            names = {recording.cassette_path(model).name for model in models} & set(archive.namelist())
            stays = {name: archive.read(name).decode("utf-8") for name in sorted(names)}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise AtlasError(f"cannot read {path} ({error}); restore it") from None
    return {model: rows[model] for model in models if model in rows}, stays


def _unproven(before: Atlas, after: Atlas, version: str) -> str | None:
    """The release after this one, where a state begins with it only now: its exchanges were not kept."""
    releases = list(after["releases"])
    if version == releases[-1]:
        return None
    following = releases[releases.index(version) + 1]
    known = {place for place, each in history.histories(before) if following in each}
    now = (place for place, each in history.histories(after) if each.get(following, history.ABSENT) != history.ABSENT)
    return following if any(place not in known for place in now) else None


def _lines(cassette: str, digests: set[str]) -> Iterable[str]:
    """The interactions of a cassette that have these digests, as they stand in it."""
    lines = cassette.partition("\n")[2].rpartition("\n]}")[0].split(",\n")
    return [line for line in lines if line and json.loads(line)["response"]["conformance"]["digest"] in digests]


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    # A time of its own would make two archives of the same exchanges differ.
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text)


def dumped(atlas: Atlas) -> str:
    """An atlas as text: a line for each cell, so that a release more is a readable difference."""
    return "".join(_dumped(atlas)) + "\n"


def _dumped(atlas: Atlas) -> Iterable[str]:
    compact = json.JSONEncoder(separators=(",", ":")).encode
    yield f'{{"schema_version":{atlas["schema_version"]},\n"releases":{{\n'
    yield ",\n".join(f"{compact(name)}:{compact(row)}" for name, row in atlas["releases"].items())
    yield '\n},\n"models":{\n'
    yield ",\n".join(f"{compact(name)}:{compact(row)}" for name, row in atlas["models"].items())
    yield '\n},\n"cells":{\n'
    for first, (model, channels) in enumerate(atlas["cells"].items()):
        yield (",\n" if first else "") + f"{compact(model)}:{{\n"
        for second, (channel, parameters) in enumerate(channels.items()):
            yield (",\n" if second else "") + f" {compact(channel)}:{{\n"
            yield ",\n".join(f"  {compact(name)}:{compact(each)}" for name, each in parameters.items())
            yield "}"
        yield "}"
    yield "}}"
