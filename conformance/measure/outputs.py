"""Writes what a run leaves behind: the matrix, the page, the matrix's other shapes, and the table."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

from conformance.cassettes.folder import Folder
from conformance.errors import NewerTableError, ReportError, TableError
from conformance.files import prove_writable, write_atomically
from conformance.matrix.document import Matrix, dump_matrix
from conformance.parameters import Registry
from conformance.provider.table import SupportTable, load_table
from conformance.report import PAGE
from conformance.report.allure import results as allure_results
from conformance.support.writing import dump_table


def prepare(reports: Path) -> None:
    """Make the folder for reports, and prove that it can be written to. Raises `ReportError`."""
    try:
        prove_writable(reports)
    except OSError as error:
        raise ReportError(
            f"cannot write reports to {reports} ({error.strerror}); name another folder with --reports"
        ) from None


def write_matrix(matrix: Matrix, reports: Path) -> Path:
    """Write `matrix.json` and say where. Raises `ReportError`."""
    path = reports / "matrix.json"
    try:
        write_atomically(path, dump_matrix(matrix))
    except OSError as error:
        raise ReportError(f"cannot write {path} ({error.strerror}); name another folder with --reports") from None
    return path


def write_reports(matrix: Matrix, reports: Path, recorded: Folder, registry: Registry, allure: Path | None) -> None:
    """Write the page, the matrix's other shapes, and what GitHub's step summary and Allure's results need of it."""
    # Imported here: it takes a tenth of a second, and most processes need none of it.
    from conformance.report import shapes
    from conformance.report.page import write_page

    write_page(reports / PAGE, matrix, recorded, registry=registry)
    shapes.write_all(matrix, reports)
    shapes.write_step_summary(matrix)
    if allure:
        allure_results.write_run(matrix, allure)


def update_table(path: Path, derived: Callable[[SupportTable | None], SupportTable]) -> Path | None:
    """Write the table that is derived from the one before; one that cannot be read is made anew.

    Returns where a table that cannot be read is kept, or None. Raises `TableError`.
    """
    previous, damaged, kept = None, False, None
    try:
        previous = load_table(path)
    except NewerTableError:
        raise
    except TableError:
        damaged = path.is_file()
    text = dump_table(derived(previous))
    try:
        if damaged:
            kept = _free_name(path)
            shutil.copyfile(path, kept)
        write_atomically(path, text)
    except OSError as error:
        raise TableError(f"cannot write the table {path} ({error.strerror})") from None
    return kept


def _free_name(path: Path) -> Path:
    """A name beside a damaged file that nothing has yet."""
    names = (path.with_name(f"{path.name}.damaged{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())
