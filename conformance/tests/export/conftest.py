"""Where exports are tried: a folder with a matrix, and nobody's settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.matrix.document import dump_matrix
from conformance.tests.helpers.exports import shipped_matrix


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a matrix, where no gateway is named and nobody has settings."""
    for name in list(os.environ):
        if name.startswith(("LITELLM_", "OPENAI_", "CODEX_", "PI_", "CLAUDE_", "CONTINUE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "matrix.json").write_text("".join(dump_matrix(shipped_matrix())), encoding="utf-8")
    return tmp_path
