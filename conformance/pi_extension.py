"""Copies the Pi extension to where Pi looks for extensions, and takes it away again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from conformance.errors import PiExtensionError
from conformance.provider.files import at_home

#: The folder's name among Pi's extensions.
FOLDER = "litellm-conformance"
# The name in the extension's package.json: what a folder must hold to be ours to replace or remove.
_PACKAGE = "litellm-conformance-pi"


def extensions_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where Pi looks for extensions: `$PI_CODING_AGENT_DIR/extensions`, or `~/.pi/agent/extensions`.

    Raises `PiExtensionError` where that home folder is not known.
    """
    configured = (os.environ if environ is None else environ).get("PI_CODING_AGENT_DIR")
    return at_home(configured or "~/.pi/agent", PiExtensionError) / "extensions"


def sources() -> dict[str, Path]:
    """The files of an installed extension: their paths in its folder, and where each comes from."""
    provider = Path(str(resources.files("conformance.provider")))
    extension = provider / "pi"
    code = [path for path in extension.iterdir() if path.suffix in (".ts", ".md") or path.name == "package.json"]
    found = [*provider.glob("*.json"), *provider.glob("*/*.json")]
    # Only tests read the vectors.
    data = [path for path in found if path.parent != extension and not path.name.endswith("vectors.json")]
    return {path.name: path for path in code} | {f"data/{path.name}": path for path in data}


def install(folder: Path | None = None, *, dry_run: bool = False) -> str:
    """Copy the extension into `folder` (default: `extensions_dir()`); returns a line that says what was done.

    An earlier copy is replaced whole. Raises `PiExtensionError` where something else has the
    place, or the folder cannot be written.
    """
    place = (extensions_dir() if folder is None else folder).absolute() / FOLDER
    there = _ours(place)
    files = sources()
    if dry_run:
        return f"would {'replace' if there else 'write'} {place} ({len(files)} files)"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{FOLDER}-", dir=place.parent) as made:
            whole = Path(made) / "new"
            for name, source in files.items():
                target = whole / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            if there:
                place.rename(Path(made) / "old")
            whole.rename(place)
    except OSError as error:
        raise _failed("written", place, error) from None
    return f"{'replaced' if there else 'installed'} {place} ({len(files)} files)"


def uninstall(folder: Path | None = None, *, dry_run: bool = False) -> str:
    """Remove what `install` copied; returns a line that says what was done. Raises `PiExtensionError`."""
    place = (extensions_dir() if folder is None else folder).absolute() / FOLDER
    if not _ours(place):
        return f"nothing to remove: there is no {place}"
    if dry_run:
        return f"would remove {place}"
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise _failed("removed", place, error) from None
    return f"removed {place}"


def _ours(place: Path) -> bool:
    """True where an earlier copy of the extension is, False where nothing is; raises for anything else."""
    if not place.exists() and not place.is_symlink():
        return False
    try:
        package = json.loads((place / "package.json").read_text(encoding="utf-8"))
        ours = not place.is_symlink() and isinstance(package, dict) and package.get("name") == _PACKAGE
    except (OSError, ValueError, RecursionError):
        ours = False
    if not ours:
        raise PiExtensionError(
            f"{place} was not made by this command, and is left alone; move it away, or name another folder with --dir"
        )
    return True


def _failed(what: str, place: Path, error: OSError) -> PiExtensionError:
    return PiExtensionError(f"{place} cannot be {what}: {error.strerror or error}; check the folder's permissions")
