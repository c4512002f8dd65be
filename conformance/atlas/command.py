"""`python -m conformance atlas`: which releases are to be measured, with progress and an estimate."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from conformance.atlas import SHIPPED
from conformance.atlas.asking import Asking
from conformance.atlas.carrying import carried_table, carry
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Atlas
from conformance.atlas.measuring import Done, measure_release
from conformance.atlas.published import publish, published
from conformance.atlas.releases import in_order, last_releases, named_releases
from conformance.embedded.environment import require_extra
from conformance.errors import AtlasError, EmbeddedGatewayError, StoppedError
from conformance.files import installations, made_for_installations
from conformance.parameters import Registry, load_registry
from conformance.provider.table import SupportTable, shipped_table_path
from conformance.support.overrides import load_overrides

# A release takes about so long on two cores, installation included: what is said before the first one is done.
_SECONDS = 360.0


def add_releases(
    versions: str | None,
    models: str | None,
    parameters: str,
    into: Path | None,
    *,
    again: bool = False,
    todays_list: bool = False,
) -> None:
    """Measure these releases, or the last of each minor version, and add each to an atlas when it is done.

    What the atlas has already is measured only `again`: of a release that lacks some models, or the evidence of some,
    only these are. With `todays_list` those models are measured again, too, of which the newest release's list of
    models says something else than the list that a release was measured with. A release that nobody named and that
    cannot be installed is left out. Raises `ConformanceError`.
    """
    require_extra()
    try:
        with _alone():
            _add_releases(versions, models, parameters, into, again=again, todays_list=todays_list)
    except KeyboardInterrupt:
        raise StoppedError("stopped; what was measured is kept, and the same command goes on") from None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One run at a time: it removes the environments that another may be using. Raises `AtlasError`."""
    from filelock import FileLock, Timeout

    place = made_for_installations(installations("atlas"))
    lock = FileLock(place / "running.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:  # of this lock alone, and not of one that the run waits for
        raise AtlasError("another process measures releases on this machine; wait until it is done") from None
    try:
        yield
    finally:
        lock.release()


def _add_releases(
    versions: str | None, models: str | None, parameters: str, into: Path | None, *, again: bool, todays_list: bool
) -> None:
    registry = load_registry()
    folder, console = AtlasFolder(into or SHIPPED), Console()
    say = functools.partial(_say, console)
    atlas = folder.read()
    folder.prove_writable()
    wanted = last_releases() if versions is None else named_releases(versions)
    if todays_list and versions is None:  # the last ones have been others
        wanted = in_order({*wanted, *atlas["releases"]})
    asking = Asking(registry, registry.select(parameters), models, again, todays_list)
    asking.require_all_parameters(folder)
    left = asking.still_to_ask(folder, wanted)
    there = sum(version in atlas["releases"] for version in wanted)
    say(f"atlas: {folder.path}; {len(wanted)} releases, {there} of them are there already")
    beside = replace(asking, again=False, todays_list=False)
    done: list[Done] = []
    while left:
        version = _next(left, folder.read())
        left.remove(version)
        try:
            this = (asking if version in wanted else beside).wish(folder, version, say)
            if this is None:
                continue
            say(f"LiteLLM {version}: {_estimate(done, len(left) + 1)}")
            done.append(measure_release(version, this, folder, console))
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped while LiteLLM {version} was measured; what was measured is kept, and the same command goes on"
            ) from None
        except EmbeddedGatewayError as error:
            if versions:
                raise
            # Some releases pin what no index has any more. The others are measured all the same.
            say(f"left out: {error}")
            # Without its list of models there may be nothing to ask of them.
            left = asking.still_to_ask(folder, left)
            continue
        say(_told(done[-1]))
        if folder.path == SHIPPED:  # at once: the next release may never be done
            _carry(folder, registry)
        following = done[-1].added.unproven
        if following and following not in left and beside.still_to_ask(folder, [following]):
            say(f"LiteLLM {following} differs from the release before it now; what shows that is asked again")
            left.insert(0, following)
    if folder.file.exists() and published(folder) is None:
        say("counting how often its predictions are right …")
        publish(folder, _carried(folder, registry))
    if folder.path == SHIPPED:
        _carry(folder, registry)  # a release that is only noted with a newer list changes the rules, too
        say(f"rules: {shipped_table_path()}; renew what the recording says beside them: pytest --update-table")


def _next(left: Sequence[str], atlas: Atlas) -> str:
    """The release that comes next: one that is newer than all that the atlas has, for the others need its list of
    models; then the oldest."""
    newest = in_order({*left, *atlas["releases"]})[-1]
    return left[0] if newest in atlas["releases"] else newest


def _carried(folder: AtlasFolder, registry: Registry) -> SupportTable:
    return carried_table(folder.read(), registry, load_overrides())


def _carry(folder: AtlasFolder, registry: Registry) -> None:
    carry(shipped_table_path(), _carried(folder, registry))


def _estimate(done: Sequence[Done], left: int) -> str:
    each = sum(one.seconds for one in done) / len(done) if done else _SECONDS
    return f"about {max(1, round(each * left / 60))} minutes to go"


def _told(done: Done) -> str:
    return (
        f"LiteLLM {done.version}: {done.cells} cells, {done.added.changed} other than before, "
        f"{done.requests} requests, {done.seconds:.0f} s, {done.added.size / 1e6:.2f} MB of evidence"
    )


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
