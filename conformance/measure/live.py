"""A live run from end to end: gateway, discovery, plan, recording. Called once, in the controller."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from conformance.cassettes.folder import Folder
from conformance.clients.profiles import shipped_profiles
from conformance.discover.listing import Discovered, discover
from conformance.embedded import embedded_gateway, is_compromised
from conformance.errors import CassetteError, ConformanceError, NothingShownError, first_of
from conformance.exchange.budget import Budget, estimate
from conformance.exchange.sender import Sender, Traffic, now
from conformance.files import installations
from conformance.judge.settling import fewest_requests
from conformance.matrix.document import gateway_row, model_row
from conformance.measure.gateway_document import gateway_document
from conformance.measure.job import Job
from conformance.measure.progress import Display
from conformance.measure.recorder import Progress, record
from conformance.measure.runs import (
    kept_numbers,
    measured_by,
    needed_beside,
    number_for,
    number_of,
    runs_of,
    with_its_models,
)
from conformance.plan.cells import Plan, make_plan, refuse_useless_patterns, select_models
from conformance.provider.target import Target
from conformance.readiness.whole import bodies_of
from conformance.schemas.documents import GatewayDocument, RecordedRun
from conformance.secrets.leaks import Watch
from conformance.secrets.scrubbing import Scrubber
from conformance.text.counting import counted
from conformance.types import Endpoint, Mode, Model


def run_live(job: Job, console: Console, traffic: Traffic, watch: Watch) -> GatewayDocument:
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
        simulated = job.target is None
        # A LiteLLM of our own tells in a traceback where it is installed, and that names the user.
        installed = [str(installations("litellm")), str(Path(sys.base_prefix, "lib"))]
        places = [target.base_url, *(installed if simulated else ())]
        folder = Folder(folder.path, Scrubber(target.secrets, places))
        discovered = discover(target, job.gateway, simulated=simulated)
        if simulated:  # its port is a random one, and no fact about it
            gateway = replace(discovered.gateway, url="http://127.0.0.1")
            discovered = replace(discovered, gateway=gateway)
        if job.named:
            refuse_useless_patterns(discovered.models, job.selection)
        chosen = select_models(discovered.models, job.selection)
        if job.resume and job.recorded is not None:
            _refuse_other_recording(discovered, chosen, job.recorded, job, folder)
        chosen = job.shard.of(chosen) if job.shard else chosen
        run, earlier = _run_row(job, discovered)
        stays = needed_beside(run, earlier, discovered.models)
        if stays and job.recorded is not None and not job.resume:
            _refuse_beside(discovered, job.recorded, folder)
        bodies = bodies_of(shipped_profiles(), job.registry, job.clients)
        plan = make_plan(chosen, job.registry, job.parameters, job.endpoints, number_of(run), bodies)
        _refuse_open_secrets(watch, discovered, job)
        budget = Budget(job.budget_requests, job.budget_usd, discovered.prices)
        for line in _announced(discovered, plan, job):
            say(watch.scrubber.credentials(line))
        budget.require_prices(plan.models)
        return _measure(job, target, folder, discovered, plan, run, earlier, console, traffic, budget)


def _refuse_open_secrets(watch: Watch, discovered: Discovered, job: Job) -> None:
    """Refuse secrets that are ordinary words here: what is written would lose its models' and parameters' names."""
    names = [text for model in discovered.models for text in (model.id, model.route or "", *model.served_by)]
    names += [discovered.gateway.name, *(parameter.id for parameter in job.parameters), *job.endpoints]
    if watch.scrubber.holds_secret("\n".join(names)):
        raise ConformanceError(
            "the key, or the value of a header, is also part of a name that the gateway lists, or of a parameter's: "
            "the suite cannot keep it out of the recordings; use another key, or leave that header out"
        )


def _run_row(job: Job, discovered: Discovered) -> tuple[RecordedRun, list[RecordedRun]]:
    """This run as `gateway.json` holds it while it lasts, and the runs before it that the recording still holds."""
    before = runs_of(job.recorded) if job.recorded is not None else []
    run: RecordedRun = {
        "started_at": before[0]["started_at"] if job.resume and before else now(),
        "finished_at": now(),
        "complete": False,
        "requests": 0,
        "parameters": [parameter.id for parameter in job.parameters],
        "selection": job.selection,
        "exhaustive": job.exhaustive,
        "endpoints": [endpoint.value for endpoint in job.endpoints],
    }
    if job.clients:
        run["clients"] = list(job.clients)
    if job.shard:
        run["shard"] = str(job.shard)
    if job.resume and before:
        number, before = number_of(before[0]), before[1:]
    else:
        number = number_for(run, before)
    if number:
        run["number"] = number
    rows = job.recorded["models"] if job.recorded is not None else []
    listed = [model_row(model) for model in discovered.models]
    # A run with the same plan is replaced model by model, and one that asked for less is: until then both are there.
    return run, [with_its_models(each, rows, listed) for each in before if not _replaced(run, each, discovered.models)]


def _replaced(run: RecordedRun, other: RecordedRun, listed: Sequence[Model]) -> bool:
    """True where every exchange of another run is made anew by this one, under the same digest."""
    return number_of(run) == number_of(other) and measured_by(other, listed) <= measured_by(run, listed)


def _differing(discovered: Discovered, recorded: GatewayDocument, folder: Folder) -> str | None:
    """In what the gateway differs from the recorded one, or None."""
    now, before = folder.as_written(gateway_row(discovered.gateway)), recorded["gateway"]
    for told, is_now, was in (
        ("of a gateway on", _host(now), _host(before)),  # its port may be another: ports are forwarded
        ("of software", now["software"], before["software"]),
        ("of version", now["version"], before["version"]),
    ):
        if is_now and is_now != was:  # what is not told now, answers may have told before
            return f"the recording in {folder.path} is {told} {was or 'unknown'}, and not {is_now}"
    return None


def _refuse_beside(discovered: Discovered, recorded: GatewayDocument, folder: Folder) -> None:
    """Refuse to add to what another gateway answered."""
    if difference := _differing(discovered, recorded, folder):
        raise CassetteError(
            f"{difference}, and this run measures only a part of it anew: the two cannot stand in one recording. "
            "Measure all that it holds, replace it with --fresh, or name another --gateway"
        )


def _refuse_other_recording(
    discovered: Discovered, chosen: Sequence[Model], recorded: GatewayDocument, job: Job, folder: Folder
) -> None:
    """Refuse to go on with what another gateway answered, and to leave out what was begun."""
    if difference := _differing(discovered, recorded, folder):
        raise CassetteError(f"{difference}; measure again without --resume")
    begun = {model.id for model in select_models(discovered.models, recorded["run"]["selection"])}
    left_out = sorted(begun - {model.id for model in chosen})
    for option, names in (
        ("--models", left_out if job.selection else []),
        ("--parameters", _without(recorded["run"]["parameters"], [each.id for each in job.parameters])),
        ("--endpoints", _without(recorded["run"]["endpoints"], job.endpoints)),
        ("--clients", _without(recorded["run"].get("clients", []), job.clients)),
    ):
        if names:
            raise CassetteError(
                f"the recording in {folder.path} covers more: {option} leaves out {names[0]!r}; "
                f"leave {option} out, or measure again without --resume"
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
    embedded = embedded_gateway(version=job.litellm_version, say=say, fleet=job.fleet, model_list=job.model_list)
    with embedded as gateway:
        yield Target(gateway.base_url, gateway.api_key)


def _announced(discovered: Discovered, plan: Plan, job: Job) -> Iterator[str]:
    gateway = discovered.gateway
    told = f"{gateway.software or 'gateway'} {gateway.version or ''}".strip()
    stand_in = ", simulated upstreams" if gateway.simulated else ""
    yield f"gateway: {job.gateway} ({told}{stand_in})"
    if gateway.software == "litellm" and gateway.version and is_compromised(gateway.version):
        yield (
            f"WARNING: LiteLLM {gateway.version} is a release with malicious code in it; replace it, and every "
            "secret on its machine"
        )
    if discovered.left_out:
        named = first_of([f"{model!r} ({mode})" for model, mode in discovered.left_out])
        yield f"left out, as they do not chat: {named}"
    if job.unreached:
        yield f"NOTE --endpoints leaves out clients: {first_of(job.unreached, 20)}"
    if job.send:
        # Groups of one endpoint and mode take as many requests, whatever their model.
        each: dict[tuple[Endpoint, Mode], int] = {}
        for group in plan.groups:
            if (group.endpoint, group.mode) not in each:
                each[group.endpoint, group.mode] = fewest_requests(group, exhaustive=job.exhaustive)
        cost = estimate(((group, each[group.endpoint, group.mode]) for group in plan.groups), discovered.prices)
        if job.clients:
            yield f"clients, asked whole: {first_of(job.clients, 20)}"
        yield (
            f"measuring {counted(plan.size, 'cell')}: {counted(cost.requests, 'request')} "
            f"to {counted(len(plan.models), 'model')} if everything is taken, "
            f"{job.concurrency} at a time; most refusals need a few more"
        )
        yield f"for these, {cost}"
    if job.resume and job.recorded is not None and job.send:
        begun = job.recorded["run"]["started_at"]
        yield f"continuing the recording of {begun}; what it has answered is not sent again, and costs nothing"


def _measure(
    job: Job,
    target: Target,
    folder: Folder,
    discovered: Discovered,
    plan: Plan,
    run: RecordedRun,
    earlier: list[RecordedRun],
    console: Console,
    traffic: Traffic,
    budget: Budget,
) -> GatewayDocument:
    if not job.send:
        return gateway_document(discovered, run, earlier)
    folder.write_gateway(gateway_document(discovered, run, earlier))
    progress = Progress(plan.size, traffic)
    litellm = discovered.gateway.software == "litellm"
    display = Display(progress, console)
    sender = Sender(target, job.registry.paths, job.concurrency, traffic, budget=budget)
    work = record(
        plan,
        sender,
        folder,
        progress,
        display,
        exhaustive=job.exhaustive,
        litellm=litellm,
        since=run["started_at"] if job.resume and job.recorded is not None else None,
        beside=kept_numbers(run, earlier),
        fresh=job.fresh,
    )
    unchanged: GatewayDocument | None = None
    try:
        with display.shown():
            job.interruption.run(_unwrapped(work))
        if len(progress.undecided) == len(plan.models):
            unchanged = job.recorded
            raise NothingShownError(
                f"no cell of any model could be decided, so the recording in {folder.path} stays as it was; "
                "check the gateway, or replace the recording with --fresh"
            )
        if progress.undecided:
            named = first_of(progress.undecided)
            told = f"NOTE nothing could be decided of {named}; what was recorded of them before stays"
            console.print(told, highlight=False, markup=False, soft_wrap=True)
        run["complete"] = True
        earlier = needed_beside(run, earlier, discovered.models)
        if job.fresh:
            folder.remove_others(model.id for model in plan.models)
    finally:
        run |= {"finished_at": now(), "requests": traffic.requests + progress.kept}
        if progress.versions:  # the answers know it best
            run["litellm"] = litellm  # and the dialogue was held without knowing it, where discovery did not tell
            [(version, _)] = progress.versions.most_common(1)
            discovered = replace(discovered, gateway=replace(discovered.gateway, software="litellm", version=version))
        try:
            folder.write_gateway(unchanged or gateway_document(discovered, run, earlier))
        except CassetteError:
            if run["complete"]:  # else what stopped the run says more
                raise
    return gateway_document(discovered, run, earlier)


async def _unwrapped(recording: Coroutine[Any, Any, None]) -> None:
    """Run the recording; a user's error inside its tasks comes out as itself, not as a group.

    `except*` cannot do it: Python 3.11.2 wraps what is raised in it in a group, and 3.11.7 does not.
    """
    try:
        await recording
    except BaseExceptionGroup as group:
        ours, others = group.split(ConformanceError)
        if ours is None or others is not None:
            raise
        error: BaseException = ours
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
