"""Measures one release: installs it, runs it over the wide fleet, and keeps what is new in the atlas."""

from __future__ import annotations

import functools
import shutil
import time
from dataclasses import dataclass

from rich.console import Console

from conformance.atlas.files import Added, AtlasFolder
from conformance.cassettes.folder import Folder
from conformance.cassettes.format import GATEWAY_FILE
from conformance.embedded.config import WIDE_FLEET
from conformance.embedded.environment import ensure_environment, is_installed, remove_environment
from conformance.embedded.model_lists import list_of
from conformance.exchange.sender import Traffic
from conformance.files import installations
from conformance.measure.job import Job
from conformance.measure.live import run_live
from conformance.measure.replay import Replay
from conformance.parameters import Registry
from conformance.secrets.leaks import Watch
from conformance.types import Endpoint, Parameter, digest_of

#: What recordings of the atlas are filed under while a release is measured.
GATEWAY = "atlas"


@dataclass(frozen=True)
class Wish:
    """What to ask a release: these parameters of the models that fit `selection`."""

    registry: Registry
    parameters: tuple[Parameter, ...]
    #: The release whose list of models LiteLLM goes by.
    model_list: str
    selection: str | None = None
    concurrency: int = 8


@dataclass(frozen=True)
class Done:
    """What measuring a release took, and what it brought."""

    version: str
    cells: int
    requests: int
    seconds: float
    added: Added


def measure_release(version: str, wish: Wish, folder: AtlasFolder, console: Console) -> Done:
    """Measure one release and put it into the atlas; what was begun before goes on.

    The environment is removed again, unless it was there before. Raises `ConformanceError`.
    """
    say = functools.partial(console.print, highlight=False, markup=False, soft_wrap=True)
    started = time.monotonic()
    other_list = wish.model_list if wish.model_list != version else None
    if other_list:
        list_of(other_list, say)  # before an environment is installed for nothing
    was_there = is_installed(version)
    ensure_environment(version, say)
    # Another plan has another recording: what was begun goes on only with the same one.
    plan = digest_of(wish.model_list, wish.selection, 0)
    recordings = installations("atlas") / f"{version}-{plan}"
    recording = Folder(recordings / GATEWAY)
    begun = (recording.path / GATEWAY_FILE).exists()
    job = Job(
        target=None,
        fleet=WIDE_FLEET,
        gateway=GATEWAY,
        cassettes=recordings,
        registry=wish.registry,
        parameters=wish.parameters,
        endpoints=tuple(Endpoint),
        selection=wish.selection,
        concurrency=wish.concurrency,
        litellm_version=version,
        model_list=other_list,
        recorded=recording.read_gateway() if begun else None,
        resume=begun,
    )
    job.interruption.listen()
    try:
        document = run_live(job, console, Traffic(), Watch())
    finally:
        job.interruption.restore()
    matrix = Replay(recording, document, wish.registry).matrix()
    seconds = time.monotonic() - started
    added = folder.add(version, matrix, recording, round(seconds), wish.model_list)
    if not was_there:
        remove_environment(version)
    shutil.rmtree(recordings, ignore_errors=True)
    return Done(version, len(matrix["cells"]), matrix["run"]["requests"], seconds, added)
