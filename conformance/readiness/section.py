"""The part of a matrix that tells which clients work with which models. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from conformance.matrix.document import Matrix, by_model
from conformance.matrix.packing import Block, Packed
from conformance.parameters import Registry
from conformance.readiness.families import families_of, requests_for
from conformance.readiness.forecast import forecast
from conformance.readiness.meeting import Asked, by_plane
from conformance.readiness.needs import needs_of
from conformance.readiness.proof import ProofsByBody
from conformance.readiness.shapes import shapes_of
from conformance.readiness.whole import whole_body
from conformance.schemas.documents import (
    ClientProfile,
    ClientRequest,
    ClientRow,
    ClientsSection,
    ProfilesDocument,
    ReadinessRow,
)

#: Gives what became of clients' whole bodies with a model.
Proofs: TypeAlias = Callable[[str], ProofsByBody]


def no_proofs(_model: str) -> ProofsByBody:
    """The proofs of a run that asked no whole bodies."""
    return {}


def with_clients(matrix: Matrix, registry: Registry, profiles: ProfilesDocument, proofs: Proofs = no_proofs) -> Matrix:
    """A matrix with what it says about the clients that were captured, and what was proved of them."""
    clients: ClientsSection = {
        "profiles": [_row(each) for each in profiles["profiles"]],
        "readiness": Packed(_blocks(matrix, registry, profiles, proofs)),
    }
    return {**matrix, "clients": clients}


def _row(profile: ClientProfile) -> ClientRow:
    """What a matrix says of a client itself."""
    row: ClientRow = {
        "client": profile["client"],
        "title": profile["title"],
        "version": profile["version"],
        "captured_at": profile["captured_at"],
    }
    if "setup" in profile:
        row["setup"] = profile["setup"]
    return row


def _blocks(
    matrix: Matrix, registry: Registry, profiles: ProfilesDocument, proofs: Proofs
) -> Iterator[Block[ReadinessRow]]:
    """The rows of one model after another."""
    asking = _Asking(registry)
    for model, cells in by_model(matrix):
        families, there = families_of(profiles, model), by_plane(cells)
        proved, rows = proofs(model), []
        for profile in profiles["profiles"]:
            captured, asked = asking.of(profile, families)
            rows.append(forecast(profile["client"], model, captured, asked, there, proved))
        yield Block(rows)


class _Asking:
    """What clients ask for each family, worked out once."""

    def __init__(self, registry: Registry) -> None:
        self._shapes = {endpoint.value: shapes_of(registry, endpoint) for endpoint in registry.endpoints}
        self._known: dict[tuple[str, tuple[str, ...]], tuple[str, list[Asked]]] = {}

    def of(self, profile: ClientProfile, families: tuple[str, ...]) -> tuple[str, list[Asked]]:
        """A client's requests for the first of these families that it was captured for, and that family."""
        key = profile["client"], families
        if key not in self._known:
            captured, requests = requests_for(profile, families)
            self._known[key] = captured, [self._asked(each) for each in requests]
        return self._known[key]

    def _asked(self, request: ClientRequest) -> Asked:
        shapes = self._shapes.get(request["endpoint"])
        needs = needs_of(request["body"], shapes) if shapes else None
        key = whole_body(request).key(request["endpoint"])
        return Asked(request["way"], request["turn"], request["endpoint"], request["mode"], key, needs)
