"""Which whole bodies of clients prove most, and which parameters clients need at all. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.errors import ClientError, first_of, meant, quoted
from conformance.parameters import Registry
from conformance.plan.cells import Bodies, WholeBody, no_bodies
from conformance.readiness.families import families_of, requests_for
from conformance.readiness.needs import Needs, needs_of
from conformance.readiness.shapes import Shapes, shapes_of
from conformance.schemas.documents import ClientRequest, ProfilesDocument
from conformance.types import Endpoint, Mode, Parameter

#: What `--clients` calls all of them.
ALL = "all"

#: What stands in a profile for what only the model's own answer could hold: it cannot be asked as it is.
_OPAQUE = '"opaque"'


def select_clients(profiles: ProfilesDocument, names: str | None) -> ProfilesDocument:
    """The profiles of the clients that `--clients` names, or `all`; all by default. Raises `ClientError` for others."""
    if not names:
        return profiles
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if ALL in wanted:  # with others beside it, as in --parameters
        return profiles
    known = [profile["client"] for profile in profiles["profiles"]]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        name = (unknown or [""])[0]
        raise ClientError(
            f"--clients: {quoted(name)} was not captured; choose all, or some of {first_of(known, 30)}"
            f"{meant(name, [ALL, *known])}"
        )
    return {**profiles, "profiles": [each for each in profiles["profiles"] if each["client"] in wanted]}


def reached(profiles: ProfilesDocument, endpoints: Sequence[Endpoint]) -> tuple[ProfilesDocument, tuple[str, ...]]:
    """The profiles of the clients that speak one of these endpoints; and of each other one, what it speaks instead.

    Raises `ClientError` where no client speaks any.
    """
    named = set(endpoints)
    spoken = {
        profile["client"]: [
            each for each in Endpoint if each in {request["endpoint"] for request in profile["requests"]}
        ]
        for profile in profiles["profiles"]
    }
    there = [each for each in profiles["profiles"] if named & set(spoken[each["client"]])]
    others = tuple(
        f"{client} speaks only {' and '.join(only)}" for client, only in spoken.items() if not named & set(only)
    )
    if not there:
        raise ClientError(f"--clients: {first_of(others, 20)}; name that with --endpoints, or leave --endpoints out")
    return {**profiles, "profiles": there}, others


def needed_by(profiles: ProfilesDocument, registry: Registry) -> tuple[Parameter, ...]:
    """The parameters that decide whether these clients work: those in their bodies, and what tells of those.

    Raises `ClientError` where there are none: the clients speak only endpoints that nothing asks about.
    """
    wanted: set[str] = set()
    for endpoint, shapes in _shapes(registry).items():
        for request in _requests(profiles):
            if request["endpoint"] == endpoint.value:
                needs = needs_of(request["body"], shapes)
                wanted.update(needs.parameters)
                for name in needs.parameters:
                    wanted.update(shapes.replayed.get(name, ()))
                for others in needs.values.values():
                    wanted.update(others)
    if not wanted:
        named = first_of([profile["client"] for profile in profiles["profiles"]])
        raise ClientError(f"--clients: no parameter asks about anything that {named} sends; name others as well")
    return registry.known(tuple(wanted | _built_on(wanted, registry)))


def _built_on(names: set[str], registry: Registry) -> set[str]:
    """What parameters build on, and what that builds on in turn: asked beside them, it tells who is to blame."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        parameter = registry.by_id[waiting.pop()]
        contexts = registry.contexts.get(parameter.context, {}) if parameter.context else {}
        needed = {contexts[endpoint].parameter for endpoint in parameter.bodies if endpoint in contexts}
        needed |= {parameter.after, parameter.against} & registry.by_id.keys()
        waiting += needed - found
        found |= needed
    return found


def bodies_of(profiles: ProfilesDocument, registry: Registry, clients: Sequence[str]) -> Bodies:
    """What to ask whole of these clients: of each way the largest body, and the one without tools.

    What holds something of a model's earlier answer is left out, for it would be refused as nobody's.
    """
    if not clients:
        return no_bodies
    shapes = _shapes(registry)
    asked: ProfilesDocument = {
        **profiles,
        "profiles": [each for each in profiles["profiles"] if each["client"] in clients],
    }
    known: dict[tuple[tuple[str, ...], Endpoint, Mode], tuple[WholeBody, ...]] = {}

    def bodies(model: str, endpoint: Endpoint, mode: Mode) -> tuple[WholeBody, ...]:
        place = families_of(profiles, model), endpoint, mode
        if place not in known:
            known[place] = tuple(_chosen(asked, *place, shapes[endpoint]))
        return known[place]

    return bodies


def _shapes(registry: Registry) -> dict[Endpoint, Shapes]:
    return {endpoint: shapes_of(registry, endpoint) for endpoint in registry.endpoints}


def _requests(profiles: ProfilesDocument) -> Iterator[ClientRequest]:
    return (request for profile in profiles["profiles"] for request in profile["requests"])


def _chosen(
    profiles: ProfilesDocument, families: Sequence[str], endpoint: Endpoint, mode: Mode, shapes: Shapes
) -> Iterator[WholeBody]:
    """The bodies to ask for models of these families, on one endpoint, in one mode: each once, whoever sends it."""
    seen: set[str] = set()
    for profile in profiles["profiles"]:
        _, requests = requests_for(profile, families)
        there = [each for each in requests if each["endpoint"] == endpoint.value and each["mode"] == mode.value]
        for way in dict.fromkeys(each["way"] for each in there):
            for sent in _telling([whole_body(each) for each in there if each["way"] == way], shapes):
                if sent.key(endpoint) not in seen:
                    seen.add(sent.key(endpoint))
                    yield sent


def whole_body(request: ClientRequest) -> WholeBody:
    """What a captured request puts on the wire."""
    return WholeBody(request["body"], request["headers"])


def _telling(bodies: Sequence[WholeBody], shapes: Shapes) -> Iterator[WholeBody]:
    """Of the bodies of one way the one that needs most, and the one that needs most without tools."""
    needs = [(needs_of(sent.body, shapes), sent) for sent in bodies]
    askable = [(_size(need), sent) for need, sent in needs if not _is_reply(need, sent.body, shapes)]
    for group in (
        [each for each in askable if "tools" in each[1].body],
        [each for each in askable if "tools" not in each[1].body],
    ):
        if group:
            yield max(group, key=lambda each: each[0])[1]


def _size(needs: Needs) -> int:
    return len(needs.parameters) + len(needs.values) + len(needs.unasked)


def _is_reply(needs: Needs, body: Mapping[str, Any], shapes: Shapes) -> bool:
    """True for a body that holds what only this model's earlier answer could hold."""
    return any(name in shapes.replayed for name in needs.parameters) or _OPAQUE in json.dumps(body)
