"""How things stand at one release of the atlas, as a matrix: so that it compares as any other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.atlas.archives import Archives
from conformance.atlas.history import Atlas, release_of, snapshot
from conformance.matrix.document import cell_row, make_matrix
from conformance.parameters import Registry
from conformance.provider.table import split_parameter
from conformance.schemas.documents import Cell, Matrix
from conformance.types import CellKey, Endpoint, Evidence, Gateway, Judgement, Mode, Model, RejectedBy, Role, Verdict

#: What can only be meant as a release or a minor version: `1.90.7`, `1.90`, also one that there is not.
_RELEASE = re.compile(r"v?\d{1,9}(\.\d{1,9}){1,3}\w*", re.ASCII)


def names_release(text: str) -> bool:
    """Whether a text looks like a release."""
    return _RELEASE.fullmatch(text) is not None


def standing_at(atlas: Atlas, archives: Archives, name: str, registry: Registry) -> Matrix:
    """The matrix of a release. Each cell has the reason and the exchanges with which its state began, and names the
    archive that holds them.

    Raises `AtlasError` for a release that the atlas has not, and for an archive that cannot be read.
    """
    release = release_of(atlas, name)
    row = atlas["releases"][release]
    measured_at = row["measured_at"]
    return make_matrix(
        Gateway(name="atlas", url="", software="litellm", version=release, simulated=row["simulated"]),
        {
            "mode": "live",
            "started_at": measured_at,
            "finished_at": measured_at,
            "complete": True,
            "requests": row["requests"],
            "selection": None,
        },
        [Model(id=model, route=each["route"], served_by=(model,)) for model, each in atlas["models"].items()],
        list(_cells(atlas, release, archives, registry)),
    )


def _cells(atlas: Atlas, release: str, archives: Archives, registry: Registry) -> Iterator[Cell]:
    """A row for each cell that the atlas has at a release."""
    releases = list(atlas["releases"])
    sofar = releases[releases.index(release) :: -1]
    known = {parameter.id: parameter for parameter in registry.parameters}
    for place, state in snapshot(atlas, release).items():
        history = atlas["cells"][place.model][place.channel][place.parameter]
        begun = next(each for each in sofar if each in history)
        shown = archives.row(begun, *place) or {"reason": "", "evidence": []}
        endpoint, _, mode = place.channel.partition("/")
        bodies = known[place.parameter].bodies if place.parameter in known else {}
        fields = bodies.get(Endpoint(endpoint), (split_parameter(place.parameter)[0],))
        roles = map(Role, shown.get("roles", ()))  # an old archive has none
        verdict, _, by = state.partition(":")
        judgement = Judgement(
            key=CellKey(place.model, Endpoint(endpoint), Mode(mode), place.parameter),
            fields=tuple(fields),
            verdict=Verdict(verdict),
            reason=shown["reason"],
            rejected_by=RejectedBy(by) if by else None,
            evidence=tuple(Evidence(next(roles, None), digest) for digest in shown["evidence"]),
        )
        yield cell_row(judgement, None, f"{begun}.zip")
