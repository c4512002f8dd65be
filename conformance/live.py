"""A live run from end to end: gateway, discovery, plan, recording. Called once, in the controller."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from conformance.budget import Budget, estimate
from conformance.cassettes import Folder
from conformance.discovery import Discovered, discover
from conformance.embedded import embedded_gateway, is_compromised
from conformance.errors import CassetteError, ConformanceError
from conformance.exchange import Sender, Traffic, now
from conformance.interruption import Interruption
from conformance.leaks import Watch
from conformance.matrix import gateway_row
from conformance.parameters import Registry
from conformance.plan import Plan, make_plan, select_models
from conformance.probing import fewest_requests
from conformance.progress import Display
from conformance.provider.target import Target
from conformance.recording import Progress, record
from conformance.replay import gateway_document
from conformance.scrub import Scrubber
from conformance.shards import Shard
from conformance.types import Endpoint, Mode, Model, Parameter

#: The name of the embedded gateway's recordings.
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Job:
    """What a live run is asked to measure, and where its recordings go.

    `recorded` is the document of a recording to go on with, as `Folder.read_gateway` gives it.
    """

    target: Target | None
    gateway: str
    cassettes: Path
    registry: Registry
    parameters: tuple[Parameter, ...]
    endpoints: tuple[Endpoint, ...]
    selection: str | None = None
    shard: Shard | None = None
    concurrency: int = 8
    exhaustive: bool = False
    litellm_version: str | None = None
    send: bool = True
    budget_requests: int | None = None
    budget_usd: float | None = None
    recorded: Mapping[str, Any] | None = None
    interruption: Interruption = field(default_factory=Interruption)


def run_live(job: Job, console: Console, traffic: Traffic, watch: Watch) -> dict[str, Any]:
    """Measure a gateway and write its recordings; what is exchanged before an interruption is kept.

    `traffic` counts what is sent, also for a caller whose run is interrupted; `watch` learns the
    key. Returns the document that describes the recording. With `job.send` off the gateway is only
    asked for its models, and nothing is written. Raises `ConformanceError` for whatever a user can cause.
    """
    say = functools.partial(console.print, highlight=False, markup=False, soft_wrap=True)
    folder = Folder(job.cassettes / job.gateway)
    if job.send:
        folder.prepare()
    with folder.locked() if job.send else contextlib.nullcontext(), _gateway(job, say) as target:
        watch.over(*target.secrets)
        folder = Folder(folder.path, Scrubber(target.secrets, [target.base_url]))
        simulated = job.target is None
        discovered = discover(target, job.gateway, simulated=simulated)
        if simulated:  # its port is a random one, and no fact about it
            gateway = replace(discovered.gateway, url="http://127.0.0.1")
            discovered = replace(discovered, gateway=gateway)
        chosen = select_models(discovered.models, job.selection)
        _refuse_other_recording(discovered, chosen, job, folder)
        chosen = job.shard.of(chosen) if job.shard else chosen
        plan = make_plan(chosen, job.registry, job.parameters, job.endpoints)
        _refuse_open_secrets(watch, discovered, job)
        budget = Budget(job.budget_requests, job.budget_usd, discovered.prices)
        for line in _announced(discovered, plan, job):
            say(watch.scrubber.credentials(line))
        budget.require_prices(plan.models)
        return _measure(job, target, folder, discovered, plan, console, traffic, budget)


def _refuse_open_secrets(watch: Watch, discovered: Discovered, job: Job) -> None:
    """Refuse secrets that are ordinary words here: what is written would lose its models' and parameters' names."""
    names = [text for model in discovered.models for text in (model.id, model.route or "", *model.served_by)]
    names += [discovered.gateway.name, *(parameter.id for parameter in job.parameters), *job.endpoints]
    if watch.scrubber.holds_secret("\n".join(names)):
        raise ConformanceError(
            "the key, or the value of a header, is also part of a name that the gateway lists, or of a parameter's: "
            "it cannot be kept out of the recordings; use another key, or leave that header out"
        )


def _refuse_other_recording(discovered: Discovered, chosen: Sequence[Model], job: Job, folder: Folder) -> None:
    """Refuse to go on with what another gateway answered, and to leave out what was begun."""
    if job.recorded is None:
        return
    now, before = folder.as_written(gateway_row(discovered.gateway)), job.recorded["gateway"]
    for told, is_now, was in (
        ("of a gateway on", _host(now), _host(before)),  # its port may be another: ports are forwarded
        ("of software", now["software"], before["software"]),
        ("of version", now["version"], before["version"]),
    ):
        if is_now and is_now != was:  # what is not told now, answers may have told before
            raise CassetteError(
                f"the recording in {folder.path} is {told} {was or 'unknown'}, and not {is_now}; "
                "measure it anew, without --resume"
            )
    begun = {model.id for model in select_models(discovered.models, job.recorded["run"]["selection"])}
    left_out = sorted(begun - {model.id for model in chosen})
    for option, names in (
        ("--models", left_out if job.selection else []),
        ("--parameters", _without(job.recorded["run"]["parameters"], [each.id for each in job.parameters])),
        ("--endpoints", _without(job.recorded["run"]["endpoints"], job.endpoints)),
    ):
        if names:
            raise CassetteError(
                f"the recording in {folder.path} began with more: {option} leaves out {names[0]!r}; "
                f"leave {option} out, or measure anew, without --resume"
            )


def _host(gateway: Mapping[str, Any]) -> str | None:
    return urlsplit(str(gateway["url"])).hostname


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in others]


@contextlib.contextmanager
def _gateway(job: Job, say: Callable[[str], None]) -> Iterator[Target]:
    """The gateway named, or an embedded one for as long as the block runs."""
    if job.target is not None:
        yield job.target
        return
    with embedded_gateway(version=job.litellm_version, say=say) as gateway:
        yield Target(gateway.base_url, gateway.api_key)


def _announced(discovered: Discovered, plan: Plan, job: Job) -> Iterator[str]:
    gateway = discovered.gateway
    told = f"{gateway.software or 'gateway'} {gateway.version or ''}".strip()
    stand_in = ", simulated upstreams" if gateway.simulated else ""
    yield f"gateway: {job.gateway} ({told}{stand_in})"
    if gateway.software == "litellm" and gateway.version and is_compromised(gateway.version):
        yield (
            f"WARNING: LiteLLM {gateway.version} is a release with malicious code in it; replace it, and every "
            "secret that its machine held"
        )
    if discovered.left_out:
        named = ", ".join(f"{model!r} ({mode})" for model, mode in discovered.left_out[:5])
        more = f", and {len(discovered.left_out) - 5} more" if len(discovered.left_out) > 5 else ""
        yield f"left out, as they do not chat: {named}{more}"
    if job.send:
        # Groups of one endpoint and mode take as many requests, whatever their model.
        each: dict[tuple[Endpoint, Mode], int] = {}
        for group in plan.groups:
            if (group.endpoint, group.mode) not in each:
                each[group.endpoint, group.mode] = fewest_requests(group, exhaustive=job.exhaustive)
        cost = estimate(((group, each[group.endpoint, group.mode]) for group in plan.groups), discovered.prices)
        yield (
            f"measuring {plan.size} cells: at least {cost.requests} requests to {len(plan.models)} models, "
            f"{job.concurrency} at once; refusals are asked about again"
        )
        yield f"for these, {cost}"
    if job.recorded is not None and job.send:
        yield f"going on with the recording of {job.recorded['run']['started_at']}; what it holds is not asked again"


def _measure(
    job: Job,
    target: Target,
    folder: Folder,
    discovered: Discovered,
    plan: Plan,
    console: Console,
    traffic: Traffic,
    budget: Budget,
) -> dict[str, Any]:
    since = job.recorded["run"]["started_at"] if job.recorded else None
    run: dict[str, Any] = {
        "started_at": since or now(),
        "finished_at": now(),
        "complete": False,
        "requests": 0,
        "parameters": [parameter.id for parameter in job.parameters],
        "selection": job.selection,
        "exhaustive": job.exhaustive,
        "endpoints": [endpoint.value for endpoint in job.endpoints],
    }
    if job.shard:
        run["shard"] = str(job.shard)
    if not job.send:
        return gateway_document(discovered, run)
    folder.write_gateway(gateway_document(discovered, run))
    progress = Progress(plan.size, traffic)
    litellm = discovered.gateway.software == "litellm"
    display = Display(progress, console)
    sender = Sender(target, job.registry.paths, job.concurrency, traffic, budget=budget)
    work = record(plan, sender, folder, progress, display, exhaustive=job.exhaustive, litellm=litellm, since=since)
    try:
        with display.shown():
            job.interruption.run(_unwrapped(work))
        run["complete"] = True
    finally:
        run |= {"finished_at": now(), "requests": traffic.requests + progress.kept}
        if progress.versions:  # the answers know it best
            [(version, _)] = progress.versions.most_common(1)
            discovered = replace(discovered, gateway=replace(discovered.gateway, software="litellm", version=version))
        try:
            folder.write_gateway(gateway_document(discovered, run))
        except CassetteError:
            if run["complete"]:  # else what stopped the run says more
                raise
    return gateway_document(discovered, run)


async def _unwrapped(recording: Coroutine[Any, Any, None]) -> None:
    """Run the recording; a user's error inside its tasks comes out as itself, not as a group."""
    try:
        await recording
    except* ConformanceError as group:
        raise group.exceptions[0] from None
