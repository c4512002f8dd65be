"""A matrix in a file."""

from __future__ import annotations

from pathlib import Path

from conformance.errors import ReportError
from conformance.matrix.document import Matrix, parse_matrix


def matrix_path(name: str) -> Path:
    """The file that a matrix lies in, given it or its folder."""
    path = Path(name)
    return path / "matrix.json" if path.is_dir() else path


def read_matrix(name: str) -> Matrix:
    """The matrix in a file or a folder. Raises `ReportError` if it cannot be read, `TableError` if it is none."""
    path = matrix_path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ReportError(f"cannot read the matrix {path} ({what}); pytest writes one to reports/matrix.json") from None
    return parse_matrix(text, str(path))
