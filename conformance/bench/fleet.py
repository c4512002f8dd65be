"""Measure what large fleets cost: memory of a live run, and seconds for each replayed cell."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance.bench.server import slow_server
from conformance.bench.timing import run_command

#: Models of the fleets whose live runs are compared; and of those that are replayed, with how often.
MEASURED = (1_000, 10_000)
ROUNDS = {102: 3, 1_020: 1}


def memory() -> None:
    """Goals: under 500 MB for 10,000 models × core, and no more than linear growth."""
    peaks = []
    for models in MEASURED:
        with tempfile.TemporaryDirectory() as name:
            seconds, peak = _live(Path(name), models)
            run = _matrix_head(Path(name) / "reports" / "matrix.json")["run"]
        peaks.append(peak)
        print(f"memory: {models} models × core, live, {run['requests']} requests in {seconds:.0f} s: {peak:.0f} MB")
    growth = peaks[1] / peaks[0]
    print(f"  grows to {growth:.1f} times for {MEASURED[1] / MEASURED[0]:.0f} times the models   (goal: under 500 MB)")


def scaling() -> None:
    """Goal: a cell among 100,000 costs at most 1.3 times what one among 10,000 does."""
    each = []
    for models in ROUNDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _live(folder, models)
            replay = [*_command(folder), "--gateway=fleet", "--test-per=cell"]
            seconds, peak = min(run_command(replay) for _ in range(ROUNDS[models]))
            with (folder / "reports" / "matrix.json").open(encoding="utf-8") as file:
                cells = sum(line.startswith('{"model"') for line in file)
        each.append(seconds / cells * 1000)
        print(f"scaling: {cells} cells, a test for each: {seconds:.1f} s, {each[-1]:.2f} ms each, {peak:.0f} MB")
    print(f"  a cell costs {each[1] / each[0]:.2f} of what it does among fewer   (goal 1.3)")


def _command(folder: Path) -> Sequence[str]:
    suite = Path(__file__).parent.parent / "suite"
    options = [f"--{option}={folder / option}" for option in ("cassettes", "reports")]
    table = f"--table={folder / 'table.json'}"
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(suite), *options, table]


def _live(folder: Path, models: int) -> tuple[float, float]:
    """Measure a fleet into a folder; seconds and peak megabytes."""
    command = [*_command(folder), "--live", "--gateway=fleet", "--update-table", "--concurrency=32"]
    with slow_server(0, models=models) as url:
        os.environ |= {"LITELLM_BASE_URL": url, "LITELLM_API_KEY": "sk-benchmark"}
        return run_command(command)


def _matrix_head(path: Path) -> dict[str, dict[str, object]]:
    """A matrix without its cells."""
    with path.open(encoding="utf-8") as file:
        lines = iter(file.readline, ' "cells": [\n')
        head: dict[str, dict[str, object]] = json.loads("".join(lines).rstrip().rstrip(",") + "}")
    return head
