"""The matrix in its other shapes, written beside `matrix.json`: CSV, Markdown, badges, a step summary."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from conformance.errors import ReportError
from conformance.files import write_atomically
from conformance.matrix.document import Matrix
from conformance.report import badges, tables

#: The badges' folder inside the reports folder.
BADGES = "badges"


def write_all(matrix: Matrix, folder: Path) -> None:
    """Write `matrix.csv`, `matrix.md`, `badges/` and, where it tells of clients, `clients.csv` into a folder.

    Badges of models and clients that are gone go too.

    Raises `ReportError` where they cannot be written.
    """
    files: dict[str, str | Iterable[str]] = {f"{BADGES}/{name}": text for name, text in badges.files_of(matrix)}
    files |= {"matrix.csv": tables.as_csv(matrix), "matrix.md": tables.as_markdown(matrix)}
    if "clients" in matrix:
        files["clients.csv"] = tables.clients_as_csv(matrix)
    try:
        for name, text in files.items():
            write_atomically(folder / name, text)
        for path in (folder / BADGES).rglob("*.*"):
            if path.suffix in (".json", ".svg") and path.relative_to(folder).as_posix() not in files:
                path.unlink()
    except OSError as error:
        raise ReportError(
            f"cannot write reports to {folder} ({error.strerror}); name another folder with --reports"
        ) from None


def write_step_summary(matrix: Matrix) -> None:
    """Append the matrix as Markdown to the summary of a GitHub Actions step, where one runs.

    Raises `ReportError` where the file that GitHub names cannot be written.
    """
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return
    try:
        with Path(named).open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{tables.as_markdown(matrix)}\n")
    except OSError as error:
        raise ReportError(
            f"cannot write the step summary {named} ({error.strerror}); unset GITHUB_STEP_SUMMARY to do without"
        ) from None
