"""What the cells of a model, and what was proved, make of a client's requests, for each way to run the client. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from conformance.readiness.meeting import Asked, CellsByPlane, meet
from conformance.readiness.proof import ProofsByBody, proved
from conformance.readiness.words import OF_VERDICT, Readiness, told_of_fields, told_of_ways
from conformance.schemas.documents import ReadinessField, ReadinessRow, ReadinessWay


def forecast(
    client: str, model: str, family: str, asked: Sequence[Asked], cells: CellsByPlane, proofs: ProofsByBody
) -> ReadinessRow:
    """Whether a client works with a model: its best way counts, and of a way the worst request.

    A way that the run did not measure counts only where it measured no other. `ways` come in this order.
    """
    found = [_way(name, requests, cells, proofs) for name, requests in _ways(asked).items()]
    ways = [way for _, way in sorted(found, key=lambda each: each[0])]
    return {
        "client": client,
        "model": model,
        "family": family,
        "way": ways[0]["way"] if ways else None,
        "readiness": ways[0]["readiness"] if ways else Readiness.UNKNOWN.value,
        "reason": told_of_ways(ways) if ways else f"not known: it was not captured for models like {family}",
        "ways": ways,
    }


def _ways(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    """The requests of each way; a way that goes to several endpoints is one for each of them."""
    endpoints: dict[str, set[str]] = {}
    for each in asked:
        endpoints.setdefault(each.way, set()).add(each.endpoint)
    ways: dict[str, list[Asked]] = {}
    for each in asked:
        name = each.way if len(endpoints[each.way]) == 1 else f"{each.way} ({each.endpoint})"
        ways.setdefault(name, []).append(each)
    return ways


def _way(
    name: str, asked: Sequence[Asked], cells: CellsByPlane, proofs: ProofsByBody
) -> tuple[tuple[bool, int], ReadinessWay]:
    """One way of a client, after its rank: what each of its requests meets, and the worst of that."""
    order, first = list(Readiness), min(each.turn for each in asked)
    met = [meet(each, cells) for each in asked]
    worst = max(met, key=lambda each: order.index(each.forecast))
    fields = list(_each_once(field for each in met for field in each.fields))
    way: ReadinessWay = {
        "way": name,
        "endpoint": worst.asked.endpoint,
        "mode": worst.asked.mode,
        "turn": worst.asked.turn,
        "readiness": worst.forecast.value,
        "reason": worst.missing or told_of_fields(worst.forecast, fields, first),
        "fields": fields,
    }
    way = proved(way, met, proofs)
    return (all(each.missing for each in met), order.index(Readiness(way["readiness"]))), way


def _each_once(fields: Iterable[ReadinessField]) -> Iterator[ReadinessField]:
    """Fields that several requests hold, where they are first; what breaks stands first."""
    seen: dict[tuple[str, str, str], ReadinessField] = {}
    for field in fields:
        seen.setdefault((field["field"], field["endpoint"], field["mode"]), field)
    order = list(Readiness)
    return iter(sorted(seen.values(), key=lambda field: (field["unsent"], -order.index(OF_VERDICT[field["verdict"]]))))
