"""What is kept beside the cassettes, so that a recording says what it was planned from."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.cassettes.format import GATEWAY_VERSION
from conformance.discover.listing import Discovered
from conformance.matrix.document import gateway_row, model_row
from conformance.measure.runs import number_of
from conformance.schemas.documents import GatewayDocument, RecordedRun


def gateway_document(discovered: Discovered, run: RecordedRun, earlier: Sequence[RecordedRun] = ()) -> GatewayDocument:
    """What is kept beside the cassettes, so that the offline run is planned from the recording.

    `earlier` are the runs before this one whose exchanges are still needed. An older suite does not know of
    them, so a document that has some, or a numbered run, says that it is of a later format.
    """
    plain = not earlier and not number_of(run)
    document: GatewayDocument = {
        "schema_version": 1 if plain else GATEWAY_VERSION,
        "gateway": gateway_row(discovered.gateway),
        "run": run.copy(),
        "models": [model_row(model) for model in discovered.models],
        "left_out": [{"id": model, "mode": mode} for model, mode in discovered.left_out],
    }
    return {**document, "earlier": [each.copy() for each in earlier]} if earlier else document
