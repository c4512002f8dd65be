"""Puts an export into a user's file: shows what changes, keeps a copy of what was there, and writes it whole."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.errors import ExportError
from conformance.export.formats import COMMENTS, changed
from conformance.export.merging import clash, merge
from conformance.export.outputs import BEGIN, END, Output
from conformance.provider.files import write_whole

_LARGEST = 16 * 1024 * 1024
_NEW_MODE = 0o600  # settings may hold keys


@dataclass(frozen=True)
class Existing:
    """A user's file as it is: its text without the marks of its line ends, and these."""

    path: Path
    text: str
    ends: str
    bom: bool


def read(path: Path) -> Existing | None:
    """The file at a place, or None where there is none. Raises `ExportError` where it cannot be read."""
    try:
        if not path.exists() and not path.is_symlink():
            return None
        if not stat.S_ISREG(path.stat().st_mode):  # a device may never end, and a pipe never begin
            raise ExportError(f"cannot read {path} (it is no regular file); name another file with --into")
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ExportError(f"{path} is too large for a file of settings (over 16 MB); name another with --into")
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExportError(f"{path} is not UTF-8; nothing was written: save it as UTF-8, or name another file") from None
    except OSError as error:
        raise ExportError(f"cannot read {path} ({error.strerror}); name another file with --into") from None
    ends = "\r\n" if "\r\n" in text else "\n"
    return Existing(path, text.replace("\r\n", "\n"), ends, raw.startswith(b"\xef\xbb\xbf"))


def rendered(output: Output, existing: Existing | None) -> str:
    """The text of the whole file, whose lines end with a line feed. Raises `ExportError` for a file of another kind."""
    where = str(existing.path) if existing else output.name
    sign, text = COMMENTS[output.form], existing.text if existing else ""
    if output.program is not None:
        if text.strip() and f"{sign} {BEGIN}" not in text:
            raise ExportError(f"{where} was not made by export; name a file of its own with --into")
        return _headed(output.program, output, sign)
    body = _without_head(text, sign) if sign else text

    def change(document: MutableMapping[str, Any]) -> None:
        odd = clash(document, output.defaults, output.rules, keep=True)
        odd = odd or clash(document, output.settings, output.rules)
        if odd:
            raise ExportError(f"{where}: {odd}; nothing was written: mend the file, or name another with --into")
        merge(document, output.defaults, output.rules, keep=True)
        merge(document, output.settings, output.rules)

    return _headed(changed(output.form, body, change, where), output, sign)


def _headed(body: str, output: Output, sign: str) -> str:
    if not sign:
        return body
    lines = [BEGIN, *output.head, END]
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in lines) + body


def _without_head(text: str, sign: str) -> str:
    """The text without the comment of an earlier export."""
    begin, end = re.escape(f"{sign} {BEGIN}"), re.escape(f"{sign} {END}")
    return re.sub(rf"^{begin}\n(?:{re.escape(sign)}.*\n)*?{end}\n", "", text, count=1, flags=re.MULTILINE)


#: What names a secret in a line of settings, and its value, but for the name of a variable that holds it.
_SECRET = re.compile(
    r"""(?i)((?<!env)(?<!env_)(?:key|token|secret|password|authorization)["']?\s*[:=]\s*)(?!["']?(?:os\.environ/|\$|\{))"""
    r"""("[^"\n]+"|'[^'\n]+'|[^\s,}"']+)"""
)


def difference(existing: Existing | None, text: str, name: str) -> str:
    """What changes, as a unified diff for a terminal, without the keys that stand in it; empty where nothing does."""
    before = existing.text if existing else ""
    old = name if existing else "/dev/null"
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), old, name, lineterm="")
    return "".join(_SECRET.sub(r"\1…", line) + "\n" for line in lines)


def write(path: Path, existing: Existing | None, text: str) -> Path | None:
    """Write the file, after a copy of what was there; the copy's place. Raises `ExportError`.

    A symbolic link stays one: what it leads to is written.
    """
    real = path.resolve()
    try:
        mode = real.stat().st_mode & 0o777 if existing else _NEW_MODE
        if existing and (not mode & 0o200 or not os.access(real, os.W_OK)):
            raise PermissionError(13, "it is read-only")
        backup = _kept(real, mode) if existing else None
        ends, bom = (existing.ends, "\ufeff" if existing.bom else "") if existing else ("\n", "")
        write_whole(real, bom + text.replace("\n", ends), mode)
    except OSError as error:
        raise ExportError(f"cannot write {path} ({error.strerror}); nothing was changed") from None
    return backup


def _kept(real: Path, mode: int) -> Path:
    """A copy beside the file, under a name that nothing has yet."""
    number, raw = 0, real.read_bytes()
    while True:
        place = real.with_name(f"{real.name}.bak" + (f".{number}" if number else ""))
        try:
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
        return place
