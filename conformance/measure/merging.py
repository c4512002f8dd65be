"""Join the recordings of several machines (`--shard I/N`) into one, as one machine would have made it.

Nothing is guessed: recordings that contradict each other are refused, and so is a whole with gaps,
unless gaps were asked for.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.cassettes.folder import Folder
from conformance.cassettes.format import GATEWAY_FILE
from conformance.errors import CassetteError, DiscoveryError, first_of
from conformance.matrix.document import Matrix, model_from
from conformance.measure.replay import Replay
from conformance.parameters import Registry, load_registry
from conformance.plan.cells import select_models
from conformance.schemas.documents import GatewayDocument, RecordedRun
from conformance.types import Cause

#: What must be the same in all recordings, by its path in `gateway.json`, and what to call it.
_SAME = (
    (("gateway", "name"), "gateway"),
    (("gateway", "url"), "gateway's address"),
    (("gateway", "software"), "gateway's software"),
    (("gateway", "version"), "gateway's version"),
    (("gateway", "simulated"), "upstreams"),
    (("run", "parameters"), "parameters"),
    (("run", "endpoints"), "endpoints"),
    (("run", "exhaustive"), "--exhaustive"),
    (("run", "clients"), "--clients"),
    (("run", "selection"), "--models"),
    (("models",), "list of models"),
    (("left_out",), "list of models left out"),
    (("run", "number"), "number of runs"),
    (("earlier",), "earlier runs"),
)


@dataclass(frozen=True)
class Merged:
    """What a merger gave: the folder, how many recordings and models are in it, and its matrix."""

    folder: Path
    recordings: int
    models: int
    matrix: Matrix


def merge(folders: Sequence[Path], into: Path, *, partial: bool = False, registry: Registry | None = None) -> Merged:
    """Join recordings (folders that hold a `gateway.json`) into a new folder, which is written whole or not at all.

    With `partial`, missing models and cells are taken, and the result calls itself incomplete. Raises
    `CassetteError` for contradictions, for gaps, and for a folder that already holds something.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise CassetteError(f"{into} holds something already; name a new folder with --into")
    sources = [(Folder(path), Folder(path).read_gateway()) for path in dict.fromkeys(map(_resolved, folders))]
    _refuse_contradictions(sources)
    cassettes = _cassettes(sources)
    if not partial:
        _refuse_gaps(sources, cassettes)
    document = _joined([document for _, document in sources], complete=not partial)
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{into.name[:40]}.", dir=into.parent) as staged:
            made = Folder(Path(staged) / "merged")
            made.path.mkdir()
            for path in cassettes.values():
                shutil.copyfile(path, made.path / path.name)
            made.write_gateway(document)
            matrix = _judged(made, document, registry or load_registry(), partial=partial)
            made.path.replace(into)
    except OSError as error:
        raise CassetteError(f"cannot write {into} ({error.strerror}); name another folder with --into") from None
    return Merged(into, len(sources), len(cassettes), matrix)


def _resolved(path: Path) -> Path:
    if not (path / GATEWAY_FILE).is_file():
        raise CassetteError(
            f"{path} holds no recording; name a gateway's own folder, such as shard-1/cassettes/embedded"
        )
    return path.resolve()


Sources = Sequence[tuple[Folder, GatewayDocument]]


def _refuse_contradictions(sources: Sources) -> None:
    (first, told), *others = sources
    for folder, document in others:
        for path, name in _SAME:
            ours, theirs = _at(told, path), _at(document, path)
            if ours != theirs:
                shown = f" ({_short(ours)}, {_short(theirs)})"
                raise CassetteError(
                    f"{first.path} and {folder.path} differ in their {name}{shown}: they are not parts of one run; "
                    "record them again alike"
                )


def _at(document: Any, path: Sequence[str]) -> Any:
    """A part of a document; of its earlier runs what was planned, and not when and how it went."""
    for name in path:
        document = document.get(name)
    if path == ("earlier",):
        planned = ("parameters", "endpoints", "exhaustive", "clients")
        return [{name: run.get(name) for name in planned} for run in document or ()]
    return document


def _short(value: Any) -> str:
    return f"{len(value)} of them" if isinstance(value, list) else repr(value)[:60]


def _cassettes(sources: Sources) -> dict[str, Path]:
    """Each recorded model's cassette. Raises where two recordings hold one model, and not alike."""
    found: dict[str, Path] = {}
    for folder, document in sources:
        for row in document["models"]:
            model, path = row["id"], folder.evidence_path(row["id"])
            if not path.is_file():
                continue
            if model in found and found[model].read_bytes() != path.read_bytes():
                raise CassetteError(
                    f"{found[model]} and {path} both hold {model!r}, and differ; leave one of the recordings out"
                )
            found.setdefault(model, path)
    return found


def _refuse_gaps(sources: Sources, cassettes: Mapping[str, Path]) -> None:
    _, told = sources[0]
    for folder, document in sources:
        if not document["run"]["complete"]:
            raise CassetteError(
                f"the recording in {folder.path} was cut short; finish it, or accept the gap with --partial"
            )
    wanted = select_models([model_from(row) for row in told["models"]], told["run"]["selection"])
    missing = [model.id for model in wanted if model.id not in cassettes]
    if missing:
        shards = ", ".join(sorted({document["run"].get("shard", "no shard") for _, document in sources}))
        named = first_of([ascii(model) for model in missing])
        raise CassetteError(
            f"{len(missing)} of {len(wanted)} models are in none of the recordings ({shards}): {named}; "
            "add the missing shards, or accept the gap with --partial"
        )


def _joined(documents: Sequence[GatewayDocument], *, complete: bool) -> GatewayDocument:
    """The document of the whole: the first's, with the times, requests and completeness of all."""
    runs = [document["run"] for document in documents]
    whole: RecordedRun = {
        **runs[0],
        "started_at": min(run["started_at"] for run in runs),
        "finished_at": max(run["finished_at"] for run in runs),
        "requests": sum(run["requests"] for run in runs),
        "complete": complete,
    }
    whole.pop("shard", None)
    return {**documents[0], "run": whole}


def _judged(folder: Folder, document: GatewayDocument, registry: Registry, *, partial: bool) -> Matrix:
    """The matrix of the whole, which shows cells that no recording holds, and cassettes that are damaged."""
    try:
        matrix = Replay(folder, document, registry).matrix()
    except DiscoveryError as error:
        raise CassetteError(f"the recordings hold none of the models they list ({error})") from None
    if not partial and not matrix["run"]["complete"]:
        gaps = [cell for cell in matrix["cells"] if cell.get("cause") == Cause.NOT_RECORDED.value]
        raise CassetteError(
            f"{len(gaps)} of {len(matrix['cells'])} cells are not in the recordings, as of {gaps[0]['model']!r}: were "
            "they made by another version of this suite? Record them again, or accept the gap with --partial"
            if gaps
            else "the recordings are of several versions of the gateway; record them again, or give --partial"
        )
    return matrix
