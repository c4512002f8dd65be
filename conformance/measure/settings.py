"""The options of a pytest run as settings: read once, with their defaults, and refused where they make no sense."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.cassettes.folder import OWN_RECORDINGS
from conformance.cassettes.format import GATEWAY_FILE
from conformance.errors import ConformanceError, quoted
from conformance.plan.shards import Shard, shard_from
from conformance.provider.table import shipped_table_path
from conformance.provider.target import ENVIRONMENT, Target, gateway_name, target_from_options

#: The name of the embedded gateway's recordings.
EMBEDDED = "embedded"

#: Days that evidence may be asked to be young; no calendar goes much further back.
_OLDEST = 100_000

#: What a user takes for the name of a gateway: in the folder's name a hyphen stands for the colon.
_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """The options of a run, with their defaults filled in."""

    live: bool
    gateway: str
    target: Target | None
    selection: str | None
    shard: Shard | None
    cassettes: Path
    reports: Path
    table: Path
    update_table: bool


def shown(path: Path, config: pytest.Config) -> str:
    """A path as a user in the folder of this run would write it."""
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(config.invocation_params.dir.resolve()))
    return str(path)


def is_worker(config: pytest.Config) -> bool:
    """True in a pytest-xdist worker, which judges what the controller recorded."""
    return hasattr(config, "workerinput")


def settings_of(config: pytest.Config) -> Settings:
    """Read a run's options. Raises `ConformanceError` for those that make no sense."""
    option = config.option
    start = config.invocation_params.dir
    _refuse_moved_root(config)
    target = _target(config) if option.live and not is_worker(config) else None
    if option.concurrency < 1:
        raise ConformanceError(f"--concurrency {option.concurrency} sends nothing; give 1 or more")
    for budget in ("budget_requests", "budget_usd", "max_age"):
        given = getattr(option, budget)
        if given is not None and not given > 0:
            raise ConformanceError(f"--{budget.replace('_', '-')} {given} makes no sense; give more than 0")
    if option.max_age is not None and not option.max_age <= _OLDEST:
        raise ConformanceError(f"--max-age {option.max_age} makes no sense; give days, at most {_OLDEST}")
    for name in ("resume", "fresh"):
        if getattr(option, name) and not option.live:
            raise ConformanceError(f"--{name} is about measuring; give --live with it")
    if option.resume and option.fresh:
        raise ConformanceError("--resume keeps a recording and --fresh replaces it; give one of them")
    name = option.gateway or _default_gateway(config, target)
    if not name or name in (".", "..") or any(char in name for char in "/\\\0"):
        raise ConformanceError(f"--gateway {quoted(name)} is no folder name; give one without slashes")
    reports = start / option.reports if option.reports else config.rootpath / "reports"
    cassettes = start / option.cassettes if option.cassettes else config.rootpath / "cassettes"
    own = reports / OWN_RECORDINGS  # the shipped recording is in the other folder, and written only on purpose
    name = recorded_as(name, cassettes)
    if not option.cassettes and (
        (option.live and target is None and not option.gateway)
        or not (option.live or (cassettes / name / GATEWAY_FILE).exists() or not (own / name / GATEWAY_FILE).exists())
    ):
        cassettes = own
    table = start / option.table if option.table else shipped_table_path()
    if is_worker(config):  # which may have been started elsewhere, even on another machine
        told = told_by_controller(config)
        cassettes, table = (
            Path(told[name]) if Path(told[name]).exists() else own
            for name, own in (("cassettes", cassettes), ("table", table))
        )
        if digest_of_recording(cassettes / name, table) != told["digest"]:
            raise ConformanceError(
                f"a worker finds another recording in {cassettes / name}, or another table in {table}, than the "
                "controller judges; let them share a file system, or copy both to the worker"
            )
    _refuse_empty(config)
    return Settings(
        live=option.live,
        gateway=name,
        target=target,
        selection=option.models,
        shard=shard_from(option.shard),
        cassettes=cassettes,
        reports=reports,
        table=table,
        update_table=option.update_table,
    )


def _target(config: pytest.Config) -> Target | None:
    """The gateway that the environment names, with the headers and the authority that options name.

    None where it names none, and the embedded one is measured.
    """
    option = config.option
    bundle = option.ca_bundle and str(config.invocation_params.dir / option.ca_bundle)
    target = target_from_options(option.header, bundle)
    variable = next((name for name, _ in ENVIRONMENT if name in os.environ), None)
    if variable and not os.environ[variable].strip():  # else CI would measure something else, and be green
        raise ConformanceError(
            f"{variable} is set and empty, as a secret that is missing is; set it to the gateway's address, or unset "
            "it to measure the embedded gateway"
        )
    if target and option.litellm_version is not None:
        raise ConformanceError(
            f"--litellm-version chooses the embedded gateway's version, and this run measures {target.name}; "
            f"leave the option out, or unset {variable}"
        )
    return target


def told_by_controller(config: pytest.Config) -> Mapping[str, str]:
    """What the controller told this worker; empty where it judges nothing."""
    told: Mapping[str, str] = config.workerinput.get("conformance", {})  # type: ignore[attr-defined]
    return told


def digest_of_recording(folder: Path, table: Path) -> str:
    """A digest of what a recording was planned from and of the table it is compared with; missing files are empty."""
    digest = hashlib.sha256()
    for path in (folder / GATEWAY_FILE, table):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def _refuse_moved_root(config: pytest.Config) -> None:
    """Refuse `--cassettes DIR`, which pytest itself reads as a place of tests and roots itself in.

    It does so before any plugin is asked, and then reads another configuration file.
    """
    if config.rootpath == config.invocation_params.dir:
        return
    for argument in config.invocation_params.args:
        name = str(argument)
        value = getattr(config.option, name.removeprefix("--"), None)
        if name in ("--cassettes", "--reports", "--table") and value:
            place = (config.invocation_params.dir / value).resolve()
            if config.rootpath == place or (config.rootpath in place.parents and config.inipath is None):
                raise ConformanceError(
                    f"write {name}={value}, with the equals sign; pytest took the folder for its root"
                )


def _refuse_empty(config: pytest.Config) -> None:
    """Refuse an option without a value: it is mostly a shell's variable that is not set, and would mean everything.

    A list of nothing, such as `,`, is mostly two of them.
    """
    for name in ("models", "parameters", "endpoints", "clients", "gateway", "shard"):
        value = getattr(config.option, name)
        if value is not None and not value.strip(", "):
            raise ConformanceError(f"--{name} is empty; give it a value, or leave it out")


def recorded_as(gateway: str, cassettes: Path) -> str:
    """The name of a gateway's recordings: that of its folder where `HOST:PORT` is given, else the one that is given.

    A folder that has the colon in its name is older than this rule, and stays what it is.
    """
    if _HOST_AND_PORT.fullmatch(gateway) and not (cassettes / gateway / GATEWAY_FILE).exists():
        with contextlib.suppress(ValueError):  # no port has such a number
            return gateway_name(f"{'http' if gateway.endswith(':80') else 'https'}://{gateway}")
    return gateway


def _default_gateway(config: pytest.Config, target: Target | None) -> str:
    if is_worker(config):
        return str(told_by_controller(config)["gateway"])
    return target.name if target else EMBEDDED
