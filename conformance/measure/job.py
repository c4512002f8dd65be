"""What a live run is asked to measure: the options of pytest, and what an earlier run was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.cassettes.folder import Folder, recordings_beside
from conformance.cassettes.format import GATEWAY_FILE
from conformance.clients.profiles import shipped_profiles
from conformance.embedded.config import DEFAULT_FLEET
from conformance.errors import CassetteError, first_of
from conformance.measure.interruption import Interruption
from conformance.measure.settings import Settings
from conformance.parameters import Registry
from conformance.plan.cells import select_endpoints
from conformance.plan.shards import Shard, shard_from
from conformance.provider.target import Target
from conformance.readiness.whole import needed_by, reached, select_clients
from conformance.schemas.documents import GatewayDocument, ProfilesDocument
from conformance.types import Endpoint, Parameter


@dataclass(frozen=True)
class Job:
    """What a live run is asked to measure, and where its recordings go.

    `recorded` is the document of the recording that is there, as `Folder.read_gateway` gives it: with `resume`
    its newest run goes on, else this run is added to it. None where there is none. With `fresh` there is none
    either: this run replaces whatever lies in the folder, when it is done. `clients` are those whose whole bodies
    are asked, and `unreached` says of the others that were named which endpoints they speak instead. If the user
    `named` the selection in this run, each of its patterns has to fit a model. Without a target the gateway is an
    embedded one, with `litellm_version`, the models of `fleet`, and the list of models of the release `model_list`
    (None: its own).
    """

    target: Target | None
    gateway: str
    cassettes: Path
    registry: Registry
    parameters: tuple[Parameter, ...]
    endpoints: tuple[Endpoint, ...]
    clients: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    selection: str | None = None
    named: bool = False
    shard: Shard | None = None
    concurrency: int = 8
    exhaustive: bool = False
    litellm_version: str | None = None
    fleet: str = DEFAULT_FLEET
    model_list: str | None = None
    send: bool = True
    budget_requests: int | None = None
    budget_usd: float | None = None
    recorded: GatewayDocument | None = None
    resume: bool = False
    fresh: bool = False
    interruption: Interruption = field(default_factory=Interruption)


def job_from(
    config: pytest.Config, settings: Settings, registry: Registry, folder: Folder, interruption: Interruption
) -> Job:
    """The job of a live run; with `--resume`, what the options leave open is as it was.

    Raises `CassetteError` where the recording cannot be read, is not there to be resumed, is another shard's, or is of
    simulators and this run is not.
    """
    option = config.option
    recorded, resume = _recorded(folder, fresh=option.fresh, resume=option.resume), option.resume
    if recorded:
        _refuse_other_kind(recorded, settings.target, folder)
    before: Mapping[str, Any] = recorded["run"] if resume and recorded else {}
    shard, was = settings.shard, shard_from(before.get("shard"))
    if resume and shard and shard != was:
        raise CassetteError(
            f"the recording in {folder.path} is {f'shard {was}' if was else 'of all models'}, and not shard "
            f"{shard}; leave --shard out, or record into another folder with --cassettes"
        )
    clients = option.clients or ",".join(before.get("clients", ()))
    endpoints = select_endpoints(option.endpoints or ",".join(before.get("endpoints", ())))
    profiles = select_clients(shipped_profiles(), clients)
    profiles, unreached = reached(profiles, endpoints) if clients else (profiles, ())
    return Job(
        target=settings.target,
        gateway=settings.gateway,
        cassettes=settings.cassettes,
        registry=registry,
        parameters=asked_by(option.parameters, before.get("parameters"), profiles if clients else None, registry),
        clients=tuple(each["client"] for each in profiles["profiles"]) if clients else (),
        endpoints=endpoints,
        unreached=unreached,
        selection=settings.selection or before.get("selection"),
        named=bool(settings.selection),
        shard=shard or was,
        concurrency=option.concurrency,
        exhaustive=option.exhaustive or before.get("exhaustive", False),
        litellm_version=option.litellm_version,
        send=not option.collectonly,
        budget_requests=option.budget_requests,
        budget_usd=option.budget_usd,
        recorded=recorded,
        resume=resume,
        fresh=option.fresh,
        interruption=interruption,
    )


def asked_by(
    named: str | None, before: Sequence[str] | None, profiles: ProfilesDocument | None, registry: Registry
) -> tuple[Parameter, ...]:
    """The parameters of a run: those `--parameters` names, else those asked before, else those that clients need.

    What a run asked is a list of ids. It is no choice of `--parameters`, where an id may also name a field or a group.
    """
    if named:
        return registry.select(named)
    if before:
        gone = [name for name in before if name not in registry.by_id]
        if gone:
            raise CassetteError(
                f"the recording asks about {first_of(gone)}, which this version does not know; "
                "measure again without --resume"
            )
        return registry.known(before)
    return needed_by(profiles, registry) if profiles else registry.select("core")


def _refuse_other_kind(recorded: GatewayDocument, target: Target | None, folder: Folder) -> None:
    """Refuse to call simulators' answers those of a real gateway, or the other way round.

    Also where this run asks for all that was recorded: what it cannot decide, or does not come to, stays as it was.
    """
    embedded = "the embedded gateway with its simulators"
    is_of, measures = recorded["gateway"]["simulated"], target is None
    if is_of != measures:
        raise CassetteError(
            f"the recording in {folder.path} is of {embedded if is_of else 'a gateway of your own'}, and this run "
            f"measures {target.name if target else embedded}; name another --gateway, or replace it with --fresh"
        )


def _recorded(folder: Folder, *, fresh: bool, resume: bool) -> GatewayDocument | None:
    """The recording that a run goes on with or adds to; None where there is none, or it is to be replaced."""
    there = (folder.path / GATEWAY_FILE).exists()
    if resume and not there:  # all of it would be asked, and paid for, by who wanted the rest
        raise CassetteError(
            f"nothing to resume in {folder.path}; {recordings_beside(folder.path)}; name one of them with --gateway, "
            "or leave --resume out to begin one"
        )
    if fresh or not there:
        return None
    try:
        return folder.read_gateway()
    except CassetteError as error:
        if resume:
            raise
        raise CassetteError(f"{error.args[0]}; or replace it with --fresh") from None
