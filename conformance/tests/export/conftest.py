"""Where exports are tried: a folder with a matrix, and nobody's settings."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from conformance.matrix.document import dump_matrix
from conformance.tests.helpers.shipped import shipped_matrix

#: Models of the matrix, of several routes: each command reads it anew.
MODELS = ("claude-haiku-4-5", "gemini-2-5-pro", "gpt-4.1", "gpt-4.1-azure", "gpt-5.2", "nova-pro", "o3")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a matrix, where no gateway is named and nobody has settings."""
    for name in list(os.environ):
        if name.startswith(("LITELLM_", "OPENAI_", "CODEX_", "PI_", "CLAUDE_", "CONTINUE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "matrix.json").write_text(_matrix_text(), encoding="utf-8")
    return tmp_path


@functools.cache
def _matrix_text() -> str:
    """Some models of the shipped recording, as a run writes them."""
    matrix = shipped_matrix()
    models = [row for row in matrix["models"] if row["id"] in MODELS]
    cells = [row for row in matrix["cells"] if row["model"] in MODELS]
    return "".join(dump_matrix({**matrix, "models": models, "cells": cells}))
