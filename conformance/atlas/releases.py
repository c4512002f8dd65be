"""Which LiteLLM releases there are: the last one of each minor version, as the user's package index has them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.embedded import checked_version
from conformance.embedded.environment import COMPROMISED, run_uv
from conformance.errors import EmbeddedGatewayError

#: The minor version of LiteLLM 1 that the atlas begins with.
FIRST_MINOR = 80

# A minor version may be missing (all of 1.107 is); so many in a row are the end.
_END = 4


def last_releases(first: int = FIRST_MINOR) -> list[str]:
    """The last release of each minor version from `first` on, oldest first. Raises `EmbeddedGatewayError`."""
    found = list(_last_releases(first))
    if not found:
        raise EmbeddedGatewayError(
            f"no LiteLLM release from 1.{first} on can be found; check the network and the package index, "
            "or name releases with --versions"
        )
    return found


def _last_releases(first: int) -> Iterator[str]:
    missing, minor = 0, first
    while missing < _END:
        version = _last_of(minor)
        missing = 0 if version else missing + 1
        if version:
            yield version
        minor += 1


def _last_of(minor: int) -> str | None:
    from uv import find_uv_bin

    banned = "".join(f",!={'.'.join(map(str, numbers))}" for numbers in sorted(COMPROMISED))
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder, "asked.in"), Path(folder, "answer.txt")
        asked.write_text(f"litellm>=1.{minor},<1.{minor + 1}{banned}\n", encoding="utf-8")
        command = [find_uv_bin(), "pip", "compile", "--no-deps", "--no-header", "--no-annotate", str(asked)]
        if run_uv([*command, "--output-file", str(answer)], Path(folder, "log")) != 0:
            return None
        found = re.search(r"litellm==(\S+)", answer.read_text(encoding="utf-8"))
    return found[1] if found else None


def named_releases(text: str) -> list[str]:
    """The releases that a user names, separated by commas, oldest first. Raises `EmbeddedGatewayError`."""
    named = {checked_version(each) for each in text.split(",") if each.strip()}
    if not named:
        raise EmbeddedGatewayError("--versions names no release; give some such as --versions=1.81.16,1.109.3")
    return in_order(named)


def in_order(versions: Sequence[str] | set[str]) -> list[str]:
    """Releases, oldest first."""
    return sorted(versions, key=numbers_of)


def numbers_of(version: str) -> tuple[int, ...]:
    """A release as numbers that can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])
