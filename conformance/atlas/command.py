"""`python -m conformance atlas`: which releases are to be measured, with progress and an estimate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from conformance.atlas import SHIPPED
from conformance.atlas.archives import Archives
from conformance.atlas.carrying import carried_table, carry
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Atlas, models_at
from conformance.atlas.measuring import Done, Wish, measure_release
from conformance.atlas.releases import last_releases, named_releases
from conformance.embedded.config import WIDE_FLEET
from conformance.embedded.config import fleet as described_fleet
from conformance.embedded.environment import require_extra
from conformance.errors import AtlasError, EmbeddedGatewayError, StoppedError
from conformance.files import installations, made_for_installations
from conformance.parameters import load_registry
from conformance.plan.cells import select_models
from conformance.provider.table import shipped_table_path
from conformance.support.overrides import load_overrides
from conformance.types import Model

# A release takes about so long on two cores, installation included: what is said before the first one is done.
_SECONDS = 300.0


def add_releases(
    versions: str | None, models: str | None, parameters: str, into: Path | None, *, again: bool = False
) -> None:
    """Measure these releases, or the last of each minor version, and add each to an atlas when it is done.

    What the atlas has already is measured only `again`: of a release that lacks some models, or the evidence of some,
    only these are. A release that nobody named and that cannot be installed is left out. Raises `ConformanceError`.
    """
    require_extra()
    try:
        with _alone():
            _add_releases(versions, models, parameters, into, again=again)
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


def _add_releases(versions: str | None, models: str | None, parameters: str, into: Path | None, *, again: bool) -> None:
    registry = load_registry()
    wish = Wish(registry, registry.select(parameters), models)
    folder, console = AtlasFolder(into or SHIPPED), Console()
    atlas, archives = folder.read(), Archives(folder.path)
    folder.prove_writable()
    wanted = last_releases() if versions is None else named_releases(versions)
    asked = {version: wish if again else _lacking(atlas, archives, version, wish) for version in wanted}
    left = {version: each for version, each in asked.items() if each is not None}
    _say(console, f"atlas: {folder.path}; {len(wanted)} releases, {len(wanted) - len(left)} of them are there already")
    done: list[Done] = []
    while left:
        version = next(iter(left))
        this = left.pop(version)
        _say(console, f"LiteLLM {version}: {_estimate(done, len(left) + 1)}")
        try:
            done.append(measure_release(version, this, folder, console))
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped while LiteLLM {version} was measured; what was measured is kept, and the same command goes on"
            ) from None
        except EmbeddedGatewayError as error:
            if versions:
                raise
            # Some releases pin what no index has any more. The others are measured all the same.
            _say(console, f"left out: {error}")
            continue
        _say(console, _told(done[-1]))
        if folder.path == SHIPPED:  # at once: the next release may never be done
            carry(shipped_table_path(), carried_table(folder.read(), registry, load_overrides()))
        following = done[-1].added.unproven
        if following and not (again and following in left):
            more = _lacking(folder.read(), Archives(folder.path), following, wish)
            if more is not None:
                _say(
                    console,
                    f"LiteLLM {following} differs from the release before it now; what shows that is asked again",
                )
                left.pop(following, None)
                left = {following: more, **left}
    if done and folder.path == SHIPPED:
        _say(
            console, f"rules: {shipped_table_path()}; renew what the recording says beside them: pytest --update-table"
        )


def _lacking(atlas: Atlas, archives: Archives, version: str, wish: Wish) -> Wish | None:
    """What is still to be asked of a release: all, the models that it lacks or whose evidence it lacks, or nothing."""
    if version not in atlas["releases"]:
        return wish
    known = models_at(atlas, version) - archives.unproven(atlas, version)
    fleet = [Model(id=row["name"]) for row in described_fleet(WIDE_FLEET)["deployment"]]
    lacking = [model.id for model in select_models(fleet, wish.selection) if model.id not in known]
    return replace(wish, selection=",".join(lacking)) if lacking else None


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
